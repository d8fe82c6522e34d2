"""What a claim is, and how the data become a verdict. Nothing here knows any particular claim.

A claim is asked of every study that can tell. What a study's replicates say in one place is a `Finding`. From findings
follow the effect in each dataset (the mean over its places), in each place (over the datasets), and the claim's own
effect: over all datasets. One rule makes verdicts of these; ``docs/claims.md`` has it in words.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd

from ...training.tuning import FIRST_SEED
from ..estimates import Estimate, Pooled, look_weight, of_replicates, of_samples, pool
from ..statistics import Interval, Scores, holm
from .evidence import Evidence

Verdict = Literal["supported", "refuted", "negligible", "depends", "inconclusive", "not tested"]
Side = Literal["for", "against", "none", "open"]
Kind = Literal["effect", "check", "cost"]
SIDES: tuple[Side, ...] = get_args(Side)
ERROR_RATE = 0.05
"""Of the ledger's verdicts, the share that may be expected to be false: whatever the rest of the report has, so that
ledgers can be compared."""
CONFIDENCE = 1 - ERROR_RATE
"""Of the intervals that are shown, each by itself."""
SHARE_OF_THE_WHOLE = 0.8
"""Of a claim's error rate, spent on all its evidence; its parts, which say on what it depends, have the rest."""
FIRST_LOOK = 10
"""Replicates at the first look; each further one has twice as many."""
ALL = "all"
SURPRISE: dict[tuple[Verdict, Verdict], int] = {
    ("supported", "refuted"): 3, ("refuted", "supported"): 3, ("supported", "negligible"): 2,
    ("supported", "depends"): 1, ("depends", "supported"): 1, ("depends", "refuted"): 2, ("refuted", "depends"): 1,
    ("depends", "negligible"): 1,
}  # fmt: skip
"""How far what was found is from what the literature expects, by (expected, found)."""


class Finding(NamedTuple):
    """What one comparison in one place of one study came to; what is above 0 speaks for the claim."""

    study: str
    dataset: str
    setting: dict[str, str]
    """What is compared, and where: ``{"normalization": "none", "compared": "elu − relu"}``."""
    effects: pd.Series
    """By seed, in the claim's unit."""
    overlap: float
    """See `of_replicates`."""
    samples: Scores | None = None
    """``[seed, sample]``, the effects on single test samples, see `of_samples`; ``None`` where they are of none."""

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
    kind: Kind = "effect"
    """``check``: follows from definitions, and is computed to see that the code has them right. ``cost``: a time, which
    another machine may change."""
    only: bool = False
    """Whether its studies were made for it, and others are not asked."""


class Part(NamedTuple):
    """A part of the evidence for a claim: all of it, that of a dataset, or that of a place."""

    kind: Literal["all", "dataset", "place"]
    name: str
    """Of the dataset, or where the place is."""
    pooled: Pooled
    replicates: int
    """Seeds, of the dataset that has most of them."""
    p_sign: float
    """That there is no effect: corrected for the looks, the claim's parts and the ledger's claims."""
    p_equivalent: float
    """That the effect is not practically none, likewise; 1 where the claim has no margin."""
    side: Side


class Entry(NamedTuple):
    """A claim and what became of it."""

    claim: Claim
    verdict: Verdict
    parts: list[Part]
    """The whole first, then datasets and places where there are several."""
    findings: list[Finding]
    needed: int | None
    """Of an inconclusive one: replicates with which effects as they are now would be told from none, or from the
    margin; ``None`` where splits of the same samples would not do it."""

    def count(self, side: Side) -> int:
        """Return how many of the datasets and places are on a side."""
        return sum(part.side == side for part in self.parts[1:])


def finding(
    study: str,
    dataset: str,
    overlap: float,
    effects: pd.Series,
    setting: Mapping[str, object],
    samples: Scores | None = None,
) -> Finding | None:
    """Return what effects by seed come to; ``None`` of fewer than two finite ones."""
    effects = effects.sort_index()
    known = np.isfinite(effects.to_numpy(np.float64))
    if known.sum() < 2:
        return None
    told = {key: str(value) for key, value in setting.items()}
    return Finding(
        study, dataset, told, effects[known].astype(float), overlap, samples if samples is None else samples[known]
    )


# --- from findings to estimates -------------------------------------------------------------------


class _Group(NamedTuple):
    kind: Literal["all", "dataset", "place"]
    name: str
    findings: list[Finding]


def _groups(findings: Sequence[Finding]) -> list[_Group]:
    """Return all findings; then those of each dataset, and of each place, where there are several of these."""
    groups = [_Group("all", ALL, list(findings))]
    kinds: dict[Literal["dataset", "place"], dict[str, list[Finding]]] = {
        "dataset": _by(findings, lambda one: one.dataset),
        "place": _by(findings, lambda one: one.where),
    }
    for kind, of in kinds.items():
        groups += [_Group(kind, name, found) for name, found in of.items()] if len(of) > 1 else []
    return groups


def _by(findings: Sequence[Finding], key: Callable[[Finding], str]) -> dict[str, list[Finding]]:
    of: dict[str, list[Finding]] = defaultdict(list)
    for one in findings:
        of[key(one)].append(one)
    return of


def summarize(findings: Sequence[Finding], replicates: int | None = None) -> Pooled:
    """Return what findings say over datasets: in each, a seed's effect is the mean over the places that have it.

    Args:
        findings: at least one.
        replicates: of each dataset, how many are looked at, the first ones; by default all.
    """
    return pool([_of_dataset(own, replicates) for own in _by(findings, lambda one: one.dataset).values()])


def _of_dataset(findings: Sequence[Finding], replicates: int | None) -> Estimate:
    """Return what the findings on one dataset say: where it is known, sample by sample."""
    overlap = max(one.overlap for one in findings)
    samples = [one.samples for one in findings if one.samples is not None]
    seeds = findings[0].effects.index
    if len(samples) == len(findings) and all(other.effects.index.equals(seeds) for other in findings):
        size = max(one.shape[1] for one in samples)
        table = np.full((len(samples), len(seeds), size), np.nan)
        for place, one in zip(table, samples, strict=True):
            place[:, : one.shape[1]] = one
        known = np.isfinite(table).sum(0)
        means = np.divide(np.nansum(table, 0), known, out=np.full(known.shape, np.nan), where=known > 0)
        means = means[:replicates]
        # Where seeds share a split they are tested on the same samples
        parts = [part.tobytes() for part in np.isfinite(means)]
        draws = np.array([parts.index(part) for part in parts]) if overlap else None
        return of_samples(means, overlap, draws)
    return of_replicates(_mean_by_seed([one.effects for one in findings], replicates), overlap)


def _mean_by_seed(effects: Sequence[pd.Series], replicates: int | None) -> Scores:
    """Return ``[seed]``, whose mean is that of the places' means: each seed's mean over places.

    Where a seed lacks some places, in which its network diverged, the others' distance from their place's mean stands
    for what it says, as in the linearised variance of a mean of means of unequal counts (Wolter 2007, ch. 6).
    """
    seeds = effects[0].index
    if all(other.index.equals(seeds) for other in effects):  # as almost always, and ten times as fast
        whole: Scores = np.mean([one.to_numpy() for one in effects], axis=0)
        return whole[:replicates]
    table = pd.concat(effects, axis=1).sort_index().iloc[:replicates].dropna(axis=1, how="all").to_numpy(np.float64)
    means, counts = np.nanmean(table, axis=0), np.isfinite(table).sum(0)
    distances = np.where(np.isfinite(table), table - means, 0.0) * (len(table) / counts)
    values: Scores = (means + distances).mean(axis=1)
    return values


def looks(replicates: int) -> list[int]:
    """Return at how many replicates the data are looked at: `FIRST_LOOK`, twice as many, …, and all."""
    counts = []
    count = FIRST_LOOK
    while count < replicates:
        counts.append(count)
        count *= 2
    return [*counts, replicates]


class _Tested(NamedTuple):
    """A group with its p-values, corrected for the looks alone."""

    group: _Group
    pooled: Pooled
    replicates: int
    p_sign: float
    p_equivalent: float


def _test(group: _Group, margin: float) -> _Tested:
    replicates = max(len(one.effects) for one in group.findings)
    p_sign = p_equivalent = 1.0
    for number, count in enumerate(looks(replicates), 1):
        pooled = summarize(group.findings, count)
        share = look_weight(number)
        p_sign = min(p_sign, pooled.estimate.p_sign / share)
        if margin > 0:
            p_equivalent = min(p_equivalent, pooled.estimate.p_equivalent(margin) / share)
    return _Tested(group, pooled, replicates, p_sign, p_equivalent)


class _Candidate(NamedTuple):
    """A claim whose p-values are corrected for its own parts, not yet for the other claims."""

    claim: Claim
    findings: list[Finding]
    tested: list[_Tested]
    p_sign: list[float]
    p_equivalent: list[float]


def _candidate(claim: Claim, findings: list[Finding]) -> _Candidate:
    """Spend `SHARE_OF_THE_WHOLE` of a claim's error rate on all its evidence, the rest on its parts (Holm 1979).

    That an effect is none and that it is not practically none are not both true: each is tested at the full rate.
    """
    tested = [_test(group, claim.margin) for group in _groups(findings)]
    signs, equivalents = ([getattr(one, name) for one in tested] for name in ("p_sign", "p_equivalent"))
    whole = _share_of_the_whole(tested)
    return _Candidate(
        claim,
        findings,
        tested,
        *(
            [min(1.0, own[0] / whole), *(min(1.0, p / (1 - whole)) for p in holm(own[1:]))]
            for own in (signs, equivalents)
        ),
    )


def _share_of_the_whole(tested: Sequence[_Tested]) -> float:
    return SHARE_OF_THE_WHOLE if len(tested) > 1 else 1.0


# --- from estimates to verdicts -------------------------------------------------------------------


def side(mean: float, p_sign: float, p_equivalent: float, claim: Claim) -> Side:
    """Say what a part of the evidence speaks for, given its corrected p-values.

    ``none``: two one-sided tests put the effect within the margin. ``for`` and ``against``: there is an effect, and it
    is at least as large as the margin. ``open``: neither. Of a claim that two things are alike, ``none`` is ``for``,
    and an effect in either direction is ``against``.
    """
    if p_equivalent <= ERROR_RATE:
        return "for" if claim.alike else "none"
    if p_sign > ERROR_RATE or abs(mean) < claim.margin:
        return "open"
    return "against" if claim.alike or mean < 0 else "for"


def _verdict(sides: Sequence[Side]) -> Verdict:
    """Return a verdict from the sides of the whole evidence, which is first, and of its parts."""
    whole = sides[0]
    if "for" in sides and ("against" in sides or ("none" in sides and whole != "for")):
        return "depends"
    verdicts: dict[Side, Verdict] = {"for": "supported", "against": "refuted", "none": "negligible"}
    return verdicts.get(whole, "inconclusive")


def keep_ledger(claims: Sequence[Claim], evidence: Evidence) -> list[Entry]:
    """Return every claim with its verdict.

    Of the effects that are found, `ERROR_RATE` at most are expected to be none; of those found to be practically none,
    as many at most to be larger. Where there is no effect at all, that is the chance that any is found. Claims are
    corrected for their number by Benjamini & Hochberg (1995), for each of the two questions by itself; their parts by
    how many claims are decided (Benjamini & Bogomolov 2014). Checks and costs, which nobody doubts or which another
    machine changes, stand by themselves.
    """
    candidates = {claim.id: _candidate(claim, own) for claim in claims if (own := findings_of(claim, evidence))}
    shared = [one for one in candidates.values() if one.claim.kind == "effect"]
    times = _Times(
        _correction([min(one.p_sign) for one in shared]), _correction([min(one.p_equivalent) for one in shared])
    )
    return [
        _entry(one, times if claim.kind == "effect" else _Times(1.0, 1.0))
        if (one := candidates.get(claim.id))
        else Entry(claim, "not tested", [], [], None)
        for claim in claims
    ]


def findings_of(claim: Claim, evidence: Evidence) -> list[Finding]:
    """Return what the data say of a claim: those of all studies, or of its own alone, where one of these ran."""
    if claim.only:
        own = {name: tables for name, tables in evidence.studies.items() if name in claim.studies}
        evidence = Evidence(own, evidence.probes if own else None)
    return list(claim.test(evidence))


class _Times(NamedTuple):
    """What p-values are multiplied by, so that they hold for the whole ledger."""

    sign: float
    equivalent: float


def _correction(p: Sequence[float]) -> float:
    """Return what Benjamini & Hochberg multiply p-values by: how many there are for each that is decided."""
    ordered = np.sort(p)
    passed = np.flatnonzero(ordered <= ERROR_RATE * np.arange(1, len(p) + 1) / max(len(p), 1))
    return len(p) / (int(passed[-1]) + 1 if len(passed) else 1)


def _entry(candidate: _Candidate, times: _Times) -> Entry:
    parts = []
    for tested, sign, equivalent in zip(candidate.tested, candidate.p_sign, candidate.p_equivalent, strict=True):
        p_sign, p_equivalent = min(1.0, times.sign * sign), min(1.0, times.equivalent * equivalent)
        own = side(tested.pooled.estimate.mean, p_sign, p_equivalent, candidate.claim)
        group = tested.group
        parts.append(Part(group.kind, group.name, tested.pooled, tested.replicates, p_sign, p_equivalent, own))
    verdict = _verdict([part.side for part in parts])
    needed = _needed(candidate, times) if verdict == "inconclusive" else None
    return Entry(candidate.claim, verdict, parts, candidate.findings, needed)


def _needed(candidate: _Candidate, times: _Times) -> int | None:
    """Return how many replicates would decide, were the effects as they are now: see `Entry.needed`."""
    whole, margin = candidate.tested[0], candidate.claim.margin
    if any(one.effects.index.max() >= FIRST_SEED for one in whole.group.findings):
        return None  # of networks that choose learning rates, to which a study's seeds add none
    share = _share_of_the_whole(candidate.tested)
    replicates = whole.replicates
    for look in range(2, 12):
        replicates *= 2
        estimate = _with_more(whole, replicates)
        small = abs(estimate.mean) < margin
        p = times.equivalent * estimate.p_equivalent(margin) if small else times.sign * estimate.p_sign
        if p / share / look_weight(look) <= ERROR_RATE:
            return replicates
    return None


def _with_more(tested: _Tested, replicates: int) -> Estimate:
    """Return the estimate as it would be with more replicates, did each dataset's effect stay as it is."""
    effects = []
    for own in _by(tested.group.findings, lambda one: one.dataset).values():
        now, overlap = summarize(own).estimate, max(one.overlap for one in own)
        count = max(len(one.effects) for one in own)
        error = now.error * np.sqrt((1 / replicates + overlap) / (1 / count + overlap))
        effects.append(Estimate(now.mean, error, replicates - 1))
    return pool(effects).estimate


# --- what is written ------------------------------------------------------------------------------


def as_metrics(ledger: Sequence[Entry]) -> dict[str, Any]:
    """Return the ledger as a DVC metric: by claim its verdict, its effect, and how many parts speak for what.

    Costs are left out: no two runs have the same.
    """
    return {
        entry.claim.id: {
            "verdict": entry.verdict,
            **(_numbers(entry) if entry.parts else {}),
            **{name: entry.count(name) for name in SIDES},
        }
        for entry in ledger
        if entry.claim.kind != "cost"
    }


def _numbers(entry: Entry) -> dict[str, Any]:
    whole = entry.parts[0].pooled
    interval = whole.estimate.interval(CONFIDENCE)
    return {
        "effect": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "datasets": sorted({one.dataset for one in entry.findings}),
        "studies": sorted({one.study for one in entry.findings}),
        "spread": None if np.isnan(whole.spread) else whole.spread,
        "needed": entry.needed,
    }


def as_table(ledger: Sequence[Entry]) -> pd.DataFrame:
    """Return every part of the evidence as a row.

    Columns: ``claim``; ``part``, all, dataset or place; ``name``; ``effect``, ``low`` and ``high`` of its interval, in
    the claim's unit; ``further_low`` and ``further_high``, between which another dataset's effect is expected;
    ``spread`` from dataset to dataset; ``datasets``; ``replicates``; ``p_sign`` and ``p_equivalent``, corrected;
    ``speaks``, for, against, none or open.
    """
    rows = [
        {
            "claim": entry.claim.id,
            "part": part.kind,
            "name": part.name,
            **dict(zip(("effect", "low", "high"), part.pooled.estimate.interval(CONFIDENCE), strict=True)),
            **dict(zip(("further_low", "further_high"), _further(part.pooled)[1:], strict=True)),
            "spread": part.pooled.spread,
            "datasets": part.pooled.datasets,
            "replicates": part.replicates,
            "p_sign": part.p_sign,
            "p_equivalent": part.p_equivalent,
            "speaks": part.side,
        }
        for entry in ledger
        for part in entry.parts
    ]
    return pd.DataFrame(rows, columns=PART_COLUMNS)


PART_COLUMNS = [
    "claim", "part", "name", "effect", "low", "high", "further_low", "further_high", "spread", "datasets",
    "replicates", "p_sign", "p_equivalent", "speaks",
]  # fmt: skip


def _further(pooled: Pooled) -> Interval:
    return pooled.further.interval(CONFIDENCE) if pooled.further else Interval(np.nan, np.nan, np.nan)


def as_effects(ledger: Sequence[Entry]) -> pd.DataFrame:
    """Return what every part rests on, a row for each seed: see `EFFECT_COLUMNS`."""
    return pd.DataFrame(list(_effects(ledger)), columns=EFFECT_COLUMNS)


EFFECT_COLUMNS = ["claim", "study", "dataset", "setting", "overlap", "seed", "effect"]


def _effects(ledger: Sequence[Entry]) -> Iterator[tuple[Any, ...]]:
    for entry in ledger:
        for one in entry.findings:
            for seed, effect in one.effects.items():
                yield entry.claim.id, one.study, one.dataset, one.where, one.overlap, seed, effect


def surprises(claims: Sequence[Claim], verdicts: Mapping[str, Verdict]) -> list[str]:
    """Return the ids of the claims whose verdicts differ from what the literature expects, the farthest first."""
    distance = {
        claim.id: SURPRISE.get((claim.expected, verdicts[claim.id]), 0) for claim in claims if claim.id in verdicts
    }
    return sorted((one for one in distance if distance[one]), key=lambda one: -distance[one])
