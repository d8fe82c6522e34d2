"""The report's second language says all that the first one says."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from pipeline.evaluation.claims.entries import CLAIMS
from pipeline.report.languages import FOLDER, LANGUAGES, tell, translations, words_of

PLACEHOLDERS = re.compile(r"%\(\w+\)s|%[.\d]*[a-z]")
TEMPLATES = ("page.html", "shell.html", "claim.md", "claims.md")
METHODS = [("**.py", "python"), *((name, "jinja2.ext:babel_extract") for name in TEMPLATES)]
OPTIONS = {name: {"trimmed": "true", "newstyle_gettext": "true"} for name in TEMPLATES}


def messages() -> set[str]:
    """Return every text that the report shows: of its templates, its code and its claims."""
    found = extract_from_dir(Path(FOLDER), METHODS, OPTIONS, keywords={"_": None, "N_": None, "gettext": None})
    texts = {message for _, _, message, _, _ in found}
    for claim in CLAIMS:
        texts |= {claim.statement, claim.measure, claim.known, claim.unit}
    return texts


@pytest.fixture(scope="module")
def korean() -> dict[str, str]:
    with (FOLDER / "ko.po").open("rb") as file:
        return {message.id: message.string for message in read_po(file, locale="ko") if message.id}


def test_every_text_is_translated(korean) -> None:
    texts = messages()
    assert len(texts) > 200
    assert texts - {text for text, translation in korean.items() if translation} == set()


def test_no_translation_is_left_over(korean) -> None:
    assert set(korean) - messages() == set()


def test_translations_keep_the_placeholders(korean) -> None:
    for text, translation in korean.items():
        assert sorted(PLACEHOLDERS.findall(text.replace("%%", ""))) == sorted(
            PLACEHOLDERS.findall(translation.replace("%%", ""))
        ), text


def test_translations_keep_the_markup(korean) -> None:
    for text, translation in korean.items():
        assert sorted(re.findall(r"<[^>]+>", text)) == sorted(re.findall(r"<[^>]+>", translation)), text


def test_a_setting_is_told_in_both_languages() -> None:
    english, korean = (translations(name) for name in LANGUAGES)
    where = "normalization=none; compared=elu − relu"
    assert tell("place", where, english) == "normalization none, elu − relu"
    assert tell("place", "shape=square", english) == "square layer"
    assert tell("place", "depth=deep; normalization=none; layer=2", korean) == "깊은 신경망, 정규화 none, 층 2"
    assert tell("dataset", "probe", korean) == "소규모 실험"
    assert tell("all", "all", korean) == "전체"


def test_only_texts_of_a_chart_are_words() -> None:
    chart = {"encoding": {"x": {"field": "layer", "title": "layer"}}, "data": [{"layer": "epoch"}]}
    assert words_of(chart, translations("en")) == {}
    assert words_of(chart, translations("ko")) == {"layer": "층", "epoch": "에포크"}
    assert words_of({"field": "layer"}, translations("ko")) == {}
