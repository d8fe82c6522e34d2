"""The report's languages: English stands in the templates and in the code, Korean in ``ko.po``."""

import gettext
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = {"en": "English", "ko": "한국어"}
FOLDER = Path(__file__).parent
AS_THEY_ARE = {"field", "type", "mark", "format", "name", "scheme", "$schema"}
"""Keys of a Vega-Lite specification whose values are not read by people."""


def N_(text: str) -> str:  # noqa: N802
    """Mark a text for translation where it stands; it is translated where it is shown."""
    return text


PHRASES = {
    "depth": N_("%s networks"),
    "normalization": N_("normalization %s"),
    "clipping": N_("clipping %s"),
    "labels": N_("%s labels"),
    "layer": N_("layer %s"),
    "layers": N_("%s layers"),
    "epoch": N_("epoch %s"),
    "train_fraction": N_("share of the samples %s"),
    "learning_rate": N_("learning rate %s"),
    "shape": N_("%s layer"),
}
"""How a finding's setting is told, by its key; what is not here is told by its level alone."""
LEVELS = (
    N_("probe"), N_("before the first step"), N_("after training"), N_("inputs between 0 and 1"),
    N_("at the first step"), N_("when last looked at"), N_("few samples"), N_("noisy labels"), N_("width"), N_("depth"),
    N_("harder − easier"), N_("batch norm before"), N_("square"), N_("narrowing"), N_("widening"), N_("deep"),
    N_("shallow"),
)  # fmt: skip
"""Of the settings, those that are words and not names."""


def tell(kind: str, name: str, language: gettext.NullTranslations) -> str:
    """Return which part of a claim's evidence is meant, in words: ``deep networks, normalization none, elu − relu``.

    Args:
        kind: ``all``, ``dataset`` or ``place``.
        name: of the dataset; of a place ``key=level; key=level``, as `pipeline.evaluation.claims.ledger.as_table` has
            it.
        language: of the words.
    """
    if kind == "all":
        return language.gettext("all together")
    if kind == "dataset":
        return language.gettext(name)
    words = []
    for pair in name.split("; "):
        key, level = pair.split("=", 1)
        told = language.gettext(level) if level in LEVELS else level.replace("_", " ")
        words.append(language.gettext(PHRASES.get(key, "%s")) % told)
    return ", ".join(words)


def translations(language: str) -> gettext.NullTranslations:
    """Return a language's translations; what has none stays English."""
    path = FOLDER / f"{language}.po"
    if not path.is_file():
        return gettext.NullTranslations()
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def words_of(specification: Any, language: gettext.NullTranslations) -> dict[str, str]:
    """Return the texts of a chart that are translated, with their translations."""
    words: dict[str, str] = {}
    if isinstance(specification, str):
        translated = language.gettext(specification) if specification else ""
        return {specification: translated} if translated != specification else {}
    values: list[Any] = []
    if isinstance(specification, dict):
        values = [value for key, value in specification.items() if key not in AS_THEY_ARE]
    elif isinstance(specification, list):
        values = specification
    for value in values:
        words |= words_of(value, language)
    return words
