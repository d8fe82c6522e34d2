"""What a claim is, and how its findings become a verdict. Nothing here knows any particular claim."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd

from pipeline.evaluation.cells import View
from pipeline.evaluation.claims.evidence import Evidence
from pipeline.evaluation.statistics import Interval, Scores, equivalent, holm, mean_interval, t_test_p

Verdict = Literal["supported", "refuted", "depends", "inconclusive", "not tested"]
Side = Literal["for", "against", "open"]
SIDES: tuple[Side, ...] = get_args(Side)
CONFIDENCE = 0.95
"""Of the ledger's intervals and tests, whatever the rest of the report has: verdicts of two runs can be compared."""
SURPRISE: dict[tuple[Verdict, Verdict], int] = {
    ("supported", "refuted"): 3, ("refuted", "supported"): 3,
    ("supported", "depends"): 1, ("depends", "supported"): 1, ("depends", "refuted"): 2, ("refuted", "depends"): 1,
}  # fmt: skip
"""How far what was found is from what the literature expects, by (expected, found)."""


class Finding(NamedTuple):
    """What one comparison found; its effect is signed so that what is above 0 speaks for the claim."""

    study: str
    setting: dict[str, str]
    """What is compared, and where: ``{"normalization": "none", "compared": "elu − relu"}``."""
    effect: Interval
    """In the claim's unit."""
    p: float
    """Two-sided, of Student's t test that the effect is 0."""
    pairs: int
    """Seeds."""

    @property
    def where(self) -> str:
        """The setting, in one line: ``normalization=none; compared=elu − relu``."""
        return "; ".join(f"{key}={level}" for key, level in self.setting.items())


class Claim(NamedTuple):
    """An entry of the ledger."""

    id: str
    statement: str
    source: str
    """The section of the textbook's chapter that says so."""
    measure: str
    """What the effect is, in words."""
    unit: str
    margin: float
    """Effects below it are practically none, in the same unit."""
    expected: Verdict
    """What the literature makes one expect."""
    known: str
    """What the literature says."""
    reference: str
    studies: tuple[str, ...]
    """Any of which it is tested on."""
    test: Callable[[Evidence], Sequence[Finding]]
    alike: bool = False
    """It says that two things do not differ: an effect that is practically none speaks for it."""


class Entry(NamedTuple):
    """A claim and what became of it."""

    claim: Claim
    verdict: Verdict
    findings: list[tuple[Finding, float, Side]]
    """Each with its p-value after Holm's correction over the claim's findings, and its side."""

    def count(self, side: Side) -> int:
        """Return how many findings are on a side."""
        return sum(one == side for _, _, one in self.findings)


class Line(NamedTuple):
    """A line of the ledger: a claim in both views."""

    best: Entry
    """Each setting at its own best learning rate, chosen on validation."""
    fixed: Entry | None
    """Each study at one fixed learning rate; ``None`` where the claim does not depend on the choice of a rate."""


def finding(study: str, effects: Scores, **setting: object) -> Finding | None:
    """Return what the effects ``[seed]`` come to; ``None`` of fewer than two finite ones."""
    effects = effects[np.isfinite(effects)]
    if len(effects) < 2:
        return None
    words = {key: str(value) for key, value in setting.items()}
    return Finding(study, words, mean_interval(effects, CONFIDENCE), t_test_p(effects), len(effects))


def side(found: Finding, corrected: float, claim: Claim) -> Side:
    """Say what a finding speaks for.

    For the claim: the effect is above 0 and not practically none. Against it: it is below 0, or practically none
    (its whole interval lies within the margin). Else it leaves the question open. For a claim that two things are
    alike, an effect that is practically none speaks for it, and one whose interval lies outside the margin against it.
    """
    effect, certain = found.effect, corrected <= 1 - CONFIDENCE
    if claim.alike:
        apart = effect.low > claim.margin or effect.high < -claim.margin
        return "for" if equivalent(effect, claim.margin) else "against" if certain and apart else "open"
    if claim.margin > 0 and equivalent(effect, claim.margin):
        return "against"
    if certain:
        return "for" if effect.estimate > 0 else "against"
    return "open"


def judge(claim: Claim, findings: Sequence[Finding]) -> Entry:
    """Return a claim's verdict.

    ``supported``: nothing speaks against it and at least half of the findings for it. ``refuted``: the other way round.
    ``depends``: some speak for, some against it. ``inconclusive``: the rest. ``not tested``: there are no findings.
    """
    corrected = holm([found.p for found in findings])
    sides: list[Side] = [side(f, p, claim) for f, p in zip(findings, corrected, strict=True)]
    count: Mapping[Side, int] = {name: sides.count(name) for name in SIDES}
    verdict: Verdict = "inconclusive"
    if not findings:
        verdict = "not tested"
    elif count["for"] and count["against"]:
        verdict = "depends"
    elif 2 * count["for"] >= len(findings):
        verdict = "supported"
    elif 2 * count["against"] >= len(findings):
        verdict = "refuted"
    return Entry(claim, verdict, list(zip(findings, corrected, sides, strict=True)))


def keep_ledger(claims: Sequence[Claim], evidence: Evidence) -> list[Line]:
    """Return every claim with its verdicts."""

    def entry(claim: Claim, view: View) -> Entry:
        return judge(claim, list(claim.test(evidence.seen(view))))

    lines = [(entry(claim, "best"), entry(claim, "fixed")) for claim in claims]
    return [Line(best, fixed if fixed.findings != best.findings else None) for best, fixed in lines]


def as_metrics(ledger: Sequence[Line]) -> dict[str, Any]:
    """Return the ledger as a DVC metric: by claim, its verdicts, and how many findings speak for what.

    ``at_fixed_rate`` is there where the claim depends on the choice of a learning rate.
    """
    return {
        best.claim.id: {
            "verdict": best.verdict,
            **({"at_fixed_rate": fixed.verdict} if fixed else {}),
            **{name: best.count(name) for name in SIDES},
        }
        for best, fixed in ledger
    }


def as_table(ledger: Sequence[Line]) -> pd.DataFrame:
    """Return every finding of the ledger as a row.

    Columns: ``claim``; ``view``, best or fixed; ``study``; ``setting``, see `Finding.where`; ``effect``, ``low`` and
    ``high`` of its interval, in the claim's unit; ``p``, ``p_holm`` corrected over the claim's findings; ``pairs``;
    ``speaks``, for, against or open.
    """
    rows = [
        (
            entry.claim.id, view, found.study, found.where, *found.effect, found.p, p, found.pairs, speaks,
        )
        for line in ledger
        for view, entry in line._asdict().items()
        if entry is not None
        for found, p, speaks in entry.findings
    ]  # fmt: skip
    columns = [
        "claim", "view", "study", "setting", "effect", "low", "high", "p", "p_holm", "pairs", "speaks",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def surprises(claims: Sequence[Claim], verdicts: Mapping[str, Verdict]) -> list[str]:
    """Return the ids of the claims whose verdicts differ from what the literature expects, the farthest first."""
    distance = {claim.id: SURPRISE.get((claim.expected, verdicts[claim.id]), 0) for claim in claims}
    return sorted((one for one in distance if distance[one]), key=lambda one: -distance[one])
