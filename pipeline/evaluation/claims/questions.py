"""What several claims ask of the data, and what they have in common.

A test yields findings whose effects are above 0 where the data side with the claim. Accuracies, in percentage points,
are those of the test part, at each setting's best learning rate by validation.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from ...grid import AXES
from .comparison import Comparison
from .evidence import Epoch, Evidence, StudyTables
from .ledger import Finding, finding

HALF_A_POINT = 0.5
"""Of accuracy, in percentage points: what is less makes no difference in practice."""
FIVE_POINTS = 5.0
"""Of speed, see `profile`: about 7 % of the epochs."""
SMALLEST, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
"""What is beyond either has vanished, or exploded: it counts as this."""
DEEP = 10
"""Hidden layers from which on a network counts as deep."""
FEWEST_SETTINGS = 4
"""That a rank correlation is of."""
GRIDS = ("digits", "digits_deep")
PROBES = ("probe",)
MOMENTS: tuple[tuple[Epoch, str], ...] = ((0, "before the first step"), ("last", "after training"))
BY_NORM = ("normalization",)

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


def of_accuracy(
    name: str, tables: StudyTables, weights: pd.Series, plus: float = 0.0, **setting: object
) -> Finding | None:
    """Return what a contrast of test accuracies comes to, in percentage points, sample by sample.

    Args:
        name: of the study.
        tables: its tables.
        weights: what each of the chosen networks counts for, see `Comparison.contrasts`.
        plus: added to the effects.
        setting: where.
    """
    own = tables.chosen.loc[weights.index]
    effects = plus + 100 * (own["test_accuracy"] * weights.to_numpy()).groupby(own["seed"]).sum()
    samples = tables.on_samples(weights) if len(weights) else None
    if samples is not None:
        samples = plus + 100 * samples
    return finding(name, tables.dataset, tables.overlap, effects, {"depth": _depth(tables)} | setting, samples)


def over_shapes(name: str, tables: StudyTables, effects: pd.Series, **setting: object) -> Finding | None:
    """Return what effects by seed on a score come to, where networks of several shapes are compared."""
    return finding(name, tables.dataset, tables.overlap, effects, setting)


def _depth(tables: StudyTables) -> str:
    return "deep" if tables.depth >= DEEP else "shallow"


def in_probe(effects: pd.Series, **setting: object) -> Finding | None:
    """Return what effects by seed, in a small experiment, come to."""
    return finding("probe", "probe", 0.0, effects, setting)


def ends(hidden: pd.DataFrame, column: str, depth: int) -> pd.DataFrame:
    """Return each network's ``low`` and ``high``, a column in its lowest and in its highest hidden layer.

    Without rows where there is one hidden layer, or nobody looked.
    """
    key = [*AXES, "seed"]
    table = hidden.pivot_table(index=key, columns="layer", values=column)
    if depth < 2 or not {1, depth} <= {*table.columns}:
        return hidden[key].iloc[:0].assign(low=0.0, high=0.0)
    return table[[1, depth]].set_axis(["low", "high"], axis=1).reset_index()


def log_ratio_of_ends(hidden: pd.DataFrame, column: str, depth: int) -> pd.DataFrame:
    """Return each network's ``ratio``, ln of a column in its highest hidden layer over that in its lowest."""
    table = ends(hidden, column, depth)
    low, high = (table[end].clip(SMALLEST, LARGEST) for end in ("low", "high"))
    return table[[*AXES, "seed"]].assign(ratio=np.log(high / low))


def rank_correlation(table: pd.DataFrame, first: str, second: str) -> pd.Series:
    """Return by seed Spearman's rank correlation of two columns over the settings; NaN of fewer than there need be."""
    by_seed = {
        seed: group[[first, second]].dropna().rank().corr().iloc[0, 1]
        for seed, group in table.groupby("seed")
        if group[[first, second]].notna().all(axis=1).sum() >= FEWEST_SETTINGS
    }
    return pd.Series(by_seed, dtype=float)


def compared(comparison: Comparison, deep: bool = False, **setting: object) -> Callable[[Evidence], Findings]:
    """Return a test of a comparison of scores, in percentage points, within networks of one shape.

    Args:
        comparison: of ``test_accuracy``, or of another score.
        deep: in deep networks alone.
        setting: more words on where it is.
    """

    def test(evidence: Evidence) -> Findings:
        for name, tables in evidence.shapes:
            if deep and tables.depth < DEEP:
                continue
            if comparison.metric == "test_accuracy":
                for where, weights in comparison.contrasts(tables.chosen):
                    yield of_accuracy(name, tables, weights, 0.0, **where, **setting)
                continue
            for where, effects in comparison.effects(tables.chosen):
                yield of_scores(name, tables, 100 * effects, **where, **setting)

    return test


def together(*tests: Callable[[Evidence], Findings]) -> Test:
    """Return a test that finds what any of some tests does."""
    return found(lambda evidence: (one for test in tests for one in test(evidence)))


def pairs_differ(
    axis: str,
    pairs: Sequence[tuple[object, object]],
    metric: str = "test_accuracy",
    by: tuple[str, ...] = (),
    at: Mapping[str, object] = {},
    deep: bool = False,
) -> Test:
    """Return a test of some pairs of an axis's levels, the first less the second, each in a place of its own.

    Args:
        axis: of which they are.
        pairs: of levels.
        metric: a score.
        by: columns, each level of which is a place.
        at: levels of other axes.
        deep: in deep networks alone.
    """
    return together(
        *(
            compared(Comparison(axis, first, second, metric, at, by), deep, compared=f"{first} − {second}")
            for first, second in pairs
        )
    )


def activations_differ(
    better: str, worse: tuple[str, ...], metric: str = "test_accuracy", deep: bool = False, normalized: bool = True
) -> Test:
    """Return a test of one activation against others, at each normalization, or without any.

    Args:
        better: the activation.
        worse: the others.
        metric: a score.
        deep: in deep networks alone.
        normalized: with normalization too.
    """
    by, at = (BY_NORM, {}) if normalized else ((), {"normalization": "none"})
    return pairs_differ("activation", [(better, other) for other in worse], metric, by, at=at, deep=deep)


def takes_longer(kind: tuple[str, str], than: tuple[str, str], compared: str) -> Test:
    """Return a test of a step's time, in percent of the other's, in each round of the probe."""

    def test(evidence: Evidence) -> Findings:
        if evidence.probes is not None:
            times = evidence.probes.steps.set_index(["activation", "normalization", "round"])["seconds"].sort_index()
            yield in_probe(100 * (times[kind] / times[than] - 1), compared=compared)

    return found(test)
