"""What a claim is, and how its findings become a verdict. Nothing here knows any particular claim."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from pipeline.evaluation.claims.evidence import Evidence
from pipeline.evaluation.statistics import Interval, Scores, holm, mean_interval, t_test_p

Verdict = Literal["supported", "refuted", "depends", "inconclusive", "not tested"]
Side = Literal["for", "against", "open"]


class Finding(NamedTuple):
    """What one comparison found; its effect is signed so that what is above 0 speaks for the claim."""

    where: str
    """The study and the setting."""
    effect: Interval
    """In the claim's unit."""
    p: float
    """Two-sided, of Student's t test that the effect is 0."""
    pairs: int
    """Seeds."""


class Claim(NamedTuple):
    """An entry of the ledger."""

    id: str
    statement: str
    measure: str
    """What the effect is, in words."""
    unit: str
    margin: float
    """Effects below it are practically none, in the same unit."""
    known: str
    """What the primary literature says."""
    studies: tuple[str, ...]
    """Any of which it is tested on."""
    test: Callable[[Evidence], Sequence[Finding]] | None
    """``None`` where it takes an experiment of its own."""


class Entry(NamedTuple):
    """A claim and what became of it."""

    claim: Claim
    verdict: Verdict
    findings: list[tuple[Finding, float, Side]]
    """Each with its p-value after Holm's correction over the claim's findings, and its side."""


def finding(where: str, effects: Scores) -> Finding | None:
    """Return what the effects ``[seed]`` come to; ``None`` of fewer than two finite ones."""
    effects = effects[np.isfinite(effects)]
    if len(effects) < 2:
        return None
    return Finding(where, mean_interval(effects), t_test_p(effects), len(effects))


def side(found: Finding, corrected: float, margin: float, alpha: float) -> Side:
    """Say what a finding speaks for.

    For the claim: the effect is above 0 and not practically none. Against it: it is below 0, or practically none
    (its whole interval lies within the margin). Else it leaves the question open.
    """
    none = -margin <= found.effect.low and found.effect.high <= margin
    if none and margin > 0:
        return "against"
    if corrected <= alpha:
        return "for" if found.effect.estimate > 0 else "against"
    return "open"


def judge(claim: Claim, findings: Sequence[Finding], alpha: float) -> Entry:
    """Return a claim's verdict.

    ``supported``: nothing speaks against it and at least half of the findings for it. ``refuted``: the other way round.
    ``depends``: some speak for, some against it. ``inconclusive``: the rest. ``not tested``: there are no findings.
    """
    corrected = holm([found.p for found in findings])
    sides: list[Side] = [side(f, p, claim.margin, alpha) for f, p in zip(findings, corrected, strict=True)]
    count: Mapping[Side, int] = {name: sides.count(name) for name in ("for", "against", "open")}
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


def keep_ledger(claims: Sequence[Claim], evidence: Evidence, alpha: float) -> list[Entry]:
    """Return every claim with its verdict."""
    return [judge(claim, list(claim.test(evidence)) if claim.test else [], alpha) for claim in claims]


def as_metrics(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return the ledger as a DVC metric: by claim, the verdict and every finding."""
    return {
        entry.claim.id: {
            "verdict": entry.verdict,
            "unit": entry.claim.unit,
            "findings": {
                found.where: {
                    "effect": found.effect.estimate, "low": found.effect.low, "high": found.effect.high,
                    "p_holm": p, "pairs": found.pairs, "speaks": speaks,
                }
                for found, p, speaks in entry.findings
            },
        }
        for entry in entries
    }  # fmt: skip
