"""The claims as pages of the documentation site: one for each, and a list of all."""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from ..evaluation.claims.entries import CLAIMS
from ..evaluation.claims.ledger import ALL, ERROR_RATE, Claim, Verdict
from .languages import tell, translations
from .page import environment

CODE = Path("pipeline/evaluation/claims")


def claim_pages(kept: Mapping[str, Any], language: str, root: Path) -> dict[str, str]:
    """Return the pages as Markdown, by name: ``index``, and each claim's id.

    Args:
        kept: what ``golden/ledger.json`` has, see `pipeline.report.full.render_ledger`.
        language: a key of `pipeline.report.languages.LANGUAGES`.
        root: of the checkout, whose code the pages quote.
    """
    words = translations(language)
    templates = environment(words)
    templates.filters["cell"] = lambda text: str(text).replace("|", "\\|")
    parts = pd.DataFrame(kept["parts"], columns=["claim", "part", "name", "speaks"])
    code = _entries(root)
    cards = [
        {
            "claim": claim,
            "entry": kept["claims"].get(claim.id, {"verdict": "not tested"}),
            "quick": kept["quick"].get(claim.id, "not tested"),
            "sides": {
                side: [tell(part, name, words) for part, name in own[["part", "name"]].itertuples(index=False)]
                for side, own in parts[(parts["claim"] == claim.id) & (parts["part"] != ALL)].groupby("speaks")
            },
            "file": code[claim.id][0],
            "code": code[claim.id][1],
        }
        for claim in CLAIMS
    ]
    common = {"run": kept["run"], "error_rate": ERROR_RATE}
    pages = {card["claim"].id: templates.get_template("claim.md").render(card | common) for card in cards}
    judged = [card for card in cards if card["claim"].kind != "cost"]
    verdicts = [(name, sum(card["entry"]["verdict"] == name for card in judged)) for name in get_args(Verdict)]
    sections: dict[str, list[dict[str, Any]]] = {}
    for card in judged:
        sections.setdefault(card["claim"].source, []).append(card)
    index = templates.get_template("claims.md").render(common | {"sections": sections, "verdicts": verdicts})
    return pages | {"index": index}


def _entries(root: Path) -> dict[str, tuple[str, str]]:
    """Return where each claim's entry is in the code, and its text."""
    found = {}
    for file in sorted((root / CODE).glob("*.py")):
        text = file.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == Claim.__name__:
                names = {own.arg: own.value for own in node.keywords}
                own = names.get("id")
                if isinstance(own, ast.Constant):
                    found[str(own.value)] = (
                        file.relative_to(root).as_posix(),
                        ast.get_source_segment(text, node) or "",
                    )
    return found
