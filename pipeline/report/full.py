"""The full ledger as Markdown: what a run of everything came to, beside the default run."""

from collections.abc import Mapping
from typing import Any, get_args

import pandas as pd

from ..evaluation.claims.entries import CLAIMS
from ..evaluation.claims.ledger import ERROR_RATE, Claim, Verdict
from .languages import tell, translations
from .page import bounded, environment

MOST_PARTS = 4
"""Of a side, that a line names."""


def render_ledger(kept: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        kept: what ``golden/ledger.json`` has: ``run``; ``claims`` as `as_metrics` gives them; ``parts``, rows of claim,
            part, name and speaks; and ``quick``, the default run's verdicts.
    """
    quick = kept["quick"]
    claims, parts = kept["claims"], pd.DataFrame(kept["parts"], columns=["claim", "part", "name", "speaks"])
    cards = [_card(claim, claims[claim.id], parts, quick) for claim in CLAIMS if claim.id in claims]
    decided = [card for card in cards if card["quick"] not in ("", "inconclusive")]
    english = environment(translations("en"))
    english.filters["cell"] = lambda words: str(words).replace("|", "\\|")
    return english.get_template("ledger.md").render(
        run=kept["run"],
        error_rate=ERROR_RATE,
        verdicts=[(name, sum(card["entry"]["verdict"] == name for card in cards)) for name in get_args(Verdict)],
        told=len(decided),
        same=sum(card["quick"] == card["entry"]["verdict"] for card in decided),
        sections=_by_section(cards),
    )


def _by_section(cards: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    sections: dict[str, list[dict[str, Any]]] = {}
    for card in cards:
        sections.setdefault(card["claim"].source, []).append(card)
    return sections


def _card(claim: Claim, entry: Mapping[str, Any], parts: pd.DataFrame, quick: Mapping[str, str]) -> dict[str, Any]:
    own = parts[(parts["claim"] == claim.id) & (parts["part"] != "all")]
    verdict = quick.get(claim.id, "not tested")
    return {
        "claim": claim,
        "entry": entry,
        "found": f"{bounded('%+.3g', *(entry[name] for name in ('effect', 'low', 'high')))} {claim.unit}"
        if "effect" in entry
        else "",
        "sides": {side: _named(own[own["speaks"] == side]) for side in ("for", "against", "none")},
        "quick": "" if verdict == "not tested" else verdict,
    }


def _named(parts: pd.DataFrame) -> str:
    names = [tell(part, name, translations("en")) for part, name in parts[["part", "name"]].itertuples(index=False)]
    more = f" and {len(names) - MOST_PARTS} more" if len(names) > MOST_PARTS else ""
    return "; ".join(names[:MOST_PARTS]) + more
