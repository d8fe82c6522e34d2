"""What several claims ask of the data, and what they have in common.

A test yields findings whose effects are above 0 where the data side with the claim. Accuracies, in percentage points,
are those of the test part, at each setting's best learning rate by validation.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from pipeline.evaluation.claims.comparison import Comparison
from pipeline.evaluation.claims.evidence import Evidence, StudyTables
from pipeline.evaluation.claims.ledger import Finding, finding
from pipeline.grid import AXES

HALF_A_POINT = 0.5
"""Of accuracy, in percentage points: what is less makes no difference in practice."""
SMALLEST = float(np.finfo(np.float32).tiny)
DEEP = 10
"""Hidden layers from which on a network counts as deep."""
GRIDS = ("digits", "digits_deep")
PROBES = ("probe",)
MOMENTS: tuple[tuple[int | str, str], ...] = ((0, "before the first step"), ("last", "after training"))

Test = Callable[[Evidence], list[Finding]]
Findings = Iterator[Finding | None]


def found(test: Callable[[Evidence], Findings]) -> Test:
    """Let a test yield its findings, also those that came to nothing."""
    return lambda evidence: [one for one in test(evidence) if one is not None]


def in_study(name: str, tables: StudyTables, effects: pd.Series, **setting: object) -> Finding | None:
    """Return what effects by seed, in one place of a study, come to: what seeds show of layers, or of failures."""
    return finding(name, tables.dataset, 0.0, effects, {"depth": _depth(tables)} | setting)


def of_scores(name: str, tables: StudyTables, effects: pd.Series, **setting: object) -> Finding | None:
    """Return what effects by seed on a score come to; samples that its splits share make seeds alike."""
    return finding(name, tables.dataset, tables.overlap, effects, {"depth": _depth(tables)} | setting)


def _depth(tables: StudyTables) -> str:
    return "deep" if tables.depth >= DEEP else "shallow"


def in_probe(effects: pd.Series, **setting: object) -> Finding | None:
    """Return what effects by seed, in a small experiment, come to."""
    return finding("probe", "probe", 0.0, effects, setting)


def log_ratio_of_ends(hidden: pd.DataFrame, column: str, depth: int) -> pd.DataFrame:
    """Return each network's ``ratio``, ln of a column in its highest hidden layer over that in its lowest.

    Without rows where there is one hidden layer, or nobody looked.
    """
    key = [*AXES, "seed"]
    ends = hidden.pivot_table(index=key, columns="layer", values=column)
    if depth < 2 or not {1, depth} <= {*ends.columns}:
        return pd.DataFrame(columns=[*key, "ratio"]).astype({"ratio": float})
    ends = ends.clip(lower=SMALLEST)  # where gradients vanish altogether, nothing moves
    return (ends[depth] / ends[1]).map(np.log).rename("ratio").reset_index()


def accuracies_differ(comparison: Comparison, deep: bool = False) -> Callable[[Evidence], Findings]:
    """Return a test of a comparison of accuracies, in percentage points.

    Args:
        comparison: of an accuracy, or of ``speed``.
        deep: in deep networks alone.
    """

    def test(evidence: Evidence) -> Findings:
        for name, tables in evidence.shapes:
            if deep and tables.depth < DEEP:
                continue
            for where, effects in comparison.effects(tables.chosen):
                yield of_scores(name, tables, 100 * effects, **where)

    return test


def activations_differ(
    better: str, worse: tuple[str, ...], metric: str = "test_accuracy", deep: bool = False, normalized: bool = True
) -> Test:
    """Return a test of one activation against others, at each normalization, or without any.

    Args:
        better: the activation.
        worse: the others.
        metric: an accuracy.
        deep: in deep networks alone.
        normalized: with normalization too.
    """
    by = ("normalization",) if normalized else ()
    at = {} if normalized else {"normalization": "none"}

    def test(evidence: Evidence) -> Findings:
        for name, tables in evidence.shapes:
            if deep and tables.depth < DEEP:
                continue
            chosen = tables.chosen
            found_ = {
                other: dict_of(Comparison("activation", better, other, metric, at, by), chosen) for other in worse
            }
            for level in sorted({level for effects in found_.values() for level in effects}):
                for other, effects in found_.items():
                    if level in effects:
                        yield of_scores(
                            name, tables, 100 * effects[level], normalization=level, compared=f"{better} − {other}"
                        )

    return found(test)


def dict_of(comparison: Comparison, table: pd.DataFrame) -> dict[str, pd.Series]:
    """Return a comparison's effects by the level of normalization."""
    return {where.get("normalization", "none"): effects for where, effects in comparison.effects(table)}


def takes_longer(kind: tuple[str, str], than: tuple[str, str], compared: str) -> Test:
    """Return a test of a step's time, in percent of the other's, in each round of the probe."""

    def test(evidence: Evidence) -> Findings:
        if evidence.probes is not None:
            times = evidence.probes.steps.set_index(["activation", "normalization", "round"])["seconds"].sort_index()
            yield in_probe(100 * (times[kind] / times[than] - 1), compared=compared)

    return found(test)
