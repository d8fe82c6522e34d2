"""Claims on transfer learning."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import pandas as pd

from ...experiments.transfer.results import OF_EXPERIMENT
from ..tested import on_samples
from .comparison import contrast, paired
from .evidence import Evidence, StudyTables
from .ledger import Claim, Finding, finding
from .questions import FIVE_POINTS, HALF_A_POINT, Findings, Test, found

TRANSFERS = ("digits", "digits_transfer", "fashion_notebook", "fashion_third_edition")
SETTING = ["reused", "unfrozen"]
ACCURACY = "test_accuracy"

Choose = Callable[[pd.DataFrame], tuple[pd.DataFrame, pd.DataFrame]]
"""Takes the networks of task B of one experiment and number of labels; returns those that are compared, by seed."""


def within_experiments(choose: Choose, metric: str = ACCURACY) -> Test:
    """Return a test of what each experiment says by itself, where the lowest layers are reused, of the same inputs.

    Args:
        choose: returns the networks compared, first less second.
        metric: a column.
    """

    def test(evidence: Evidence) -> Findings:
        for name, tables in _with_transfer(evidence):
            for where, group in by_labels(tables):
                if {*group["reuse_from"]} == {"bottom"} and {*group["task_a_inputs"]} == {"own"}:
                    yield in_task(name, tables, where, *choose(group), metric=metric)

    return found(test)


def between_experiments(column: str, first: object, second: object) -> Test:
    """Return a test of experiments that differ in one thing alone: accuracy, first less second, layer for layer.

    Args:
        column: in which they differ.
        first: what it is in the first; ``None`` for the lowest number there is.
        second: what it is in the second; ``None`` for the highest.
    """

    def test(evidence: Evidence) -> Findings:
        for name, tables in _with_transfer(evidence):
            reusing = tables.of_task_b[tables.of_task_b["reused"] > 0]
            alike = [*(other for other in OF_EXPERIMENT if other != column), "labels"]
            for key, group in reusing.groupby(alike, sort=True):
                levels = sorted({*group[column]})
                one, other = levels[0] if first is None else first, levels[-1] if second is None else second
                if one != other and {one, other} <= {*levels}:
                    group = group[thawed_as_asked(group, column)]
                    mine, theirs = (group[group[column] == level] for level in (one, other))
                    place = dict(zip(alike, key, strict=True))
                    where = {"task_b": place["task_b"], "labels": place["labels"]}
                    yield in_task(name, tables, where, mine, theirs, on=SETTING)

    return found(test)


def _with_transfer(evidence: Evidence) -> list[tuple[str, StudyTables]]:
    return [(name, tables) for name, tables in evidence.studies.items() if len(tables.transfer)]


def thawed_as_asked(group: pd.DataFrame, column: str) -> pd.Series:
    """Return which networks are compared: those thawed, where the rate after thawing is; else those frozen."""
    if column == "unfrozen_learning_rate":
        return group["unfrozen"] > 0
    full = group["reused"] == group["reused"].max()  # from either end, all layers are the same ones
    return (group["unfrozen"] == 0) & ~full if column == "reuse_from" else group["unfrozen"] == 0


def best_reuse_and_scratch(group: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the networks of the reuse that is best on validation, and those from scratch."""
    reuse = group[group["reused"] > 0]
    means = reuse.groupby(SETTING)["val_accuracy"].transform("mean")
    best = reuse.loc[[means.idxmax()], SETTING]
    return reuse[(reuse[SETTING] == best.iloc[0]).all(axis=1)], group[group["reused"] == 0]


def fewest_and_all(group: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the networks with the lowest layer reused and frozen, and those with all of them."""
    frozen = group[(group["reused"] > 0) & (group["unfrozen"] == 0)]
    fewest, most = frozen["reused"].min(), frozen["reused"].max()
    few, all_of_them = (frozen[frozen["reused"] == layers] for layers in (fewest, most))
    return (few, all_of_them) if fewest < most else (few.iloc[:0], all_of_them)


def unfrozen_and_frozen(group: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the networks with all layers reused and unfrozen after a while, and those with them frozen throughout."""
    deepest = group[group["reused"] == group["reused"].max()]
    return deepest[deepest["unfrozen"] == deepest["reused"]], deepest[deepest["unfrozen"] == 0]


def one_or_two_and_all(group: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the networks with all layers reused: one or two of them unfrozen (by validation), and all unfrozen."""
    deepest = group[group["reused"] == group["reused"].max()]
    some = deepest[deepest["unfrozen"].isin([1, 2]) & (deepest["unfrozen"] < deepest["reused"])]
    every = deepest[deepest["unfrozen"] == deepest["reused"]]
    if some.empty:
        return some, every
    best = some.groupby("unfrozen")["val_accuracy"].mean().idxmax()
    return some[some["unfrozen"] == best], every


def in_task(
    name: str,
    tables: StudyTables,
    where: Mapping[str, object],
    first: pd.DataFrame,
    second: pd.DataFrame,
    metric: str = ACCURACY,
    on: Sequence[str] = (),
) -> Finding | None:
    """Return what networks of task B come to, first less second, in points.

    Args:
        name: of the study.
        tables: its own.
        where: what tells the place.
        first: rows of `StudyTables.of_task_b`.
        second: likewise.
        metric: a column.
        on: columns that make pairs of a seed's networks.
    """
    effects = 100 * paired(first, second, metric, on)
    samples = None
    if metric == ACCURACY and len(effects) and len(tables.transfer_hits):
        samples = 100 * on_samples(tables.transfer_hits, contrast(first, second, on))
    return finding(name, tables.dataset, tables.overlap, effects, where, samples)


def by_labels(tables: StudyTables) -> Iterator[tuple[dict[str, object], pd.DataFrame]]:
    """Yield where, and task B's networks, by experiment and number of labels, where any layer is reused."""
    for place, group in tables.of_task_b.groupby(["experiment", "labels"], sort=True):
        if (group["reused"] > 0).any():
            yield dict(zip(("experiment", "labels"), place, strict=True)), group


CLAIMS = (
    Claim(
        id="transfer-beats-scratch",
        statement="With few labels, reused layers beat training from scratch.",
        source="Transfer learning",
        measure="accuracy, reuse less scratch",
        unit="points",
        margin=HALF_A_POINT,
        expected="supported",
        known="how much depends on the classes",
        reference="Yosinski et al. 2014",
        studies=TRANSFERS,
        test=within_experiments(best_reuse_and_scratch),
    ),
    Claim(
        id="upper-layers-less-useful",
        statement="Upper layers are less useful to reuse than lower ones.",
        source="Transfer learning",
        measure="accuracy, the fewest layers reused and frozen less all of them",
        unit="points",
        margin=HALF_A_POINT,
        expected="supported",
        known="usual",
        reference="Yosinski et al. 2014",
        studies=TRANSFERS,
        test=within_experiments(fewest_and_all),
    ),
    Claim(
        id="unfreezing-helps",
        statement="Unfreezing after a frozen phase improves further.",
        source="Transfer learning",
        measure="accuracy, unfrozen less frozen",
        unit="points",
        margin=HALF_A_POINT,
        expected="supported",
        known="usual",
        reference="Yosinski et al. 2014; Howard & Ruder 2018",
        studies=TRANSFERS,
        test=within_experiments(unfrozen_and_frozen),
    ),
    Claim(
        id="transfer-similar-inputs",
        statement="Reuse works best where both tasks have inputs alike.",
        source="Transfer learning",
        measure="accuracy with layers reused and frozen, of a task on the same inputs less on inputs in another order",
        unit="points",
        margin=HALF_A_POINT,
        expected="supported",
        known="the less alike the tasks, the less is gained",
        reference="Yosinski et al. 2014",
        studies=("digits_transfer",),
        test=between_experiments("task_a_inputs", "own", "permuted"),
    ),
    Claim(
        id="transfer-saves-epochs",
        statement="Reused layers save training time.",
        source="Transfer learning",
        measure="speed, reuse less scratch",
        unit="points of speed",
        margin=FIVE_POINTS,
        expected="supported",
        known="usual",
        reference="Yosinski et al. 2014",
        studies=TRANSFERS,
        test=within_experiments(best_reuse_and_scratch, "profile"),
    ),
    Claim(
        id="lower-layers-first",
        statement="Of as many layers, the lower ones are better to reuse than the upper ones.",
        source="Transfer learning",
        measure="accuracy with as many layers reused and frozen, from the bottom less from the top",
        unit="points",
        margin=HALF_A_POINT,
        expected="supported",
        known="lower layers are the more general ones",
        reference="Yosinski et al. 2014",
        studies=("digits_transfer",),
        test=between_experiments("reuse_from", "bottom", "top"),
    ),
    Claim(
        id="thaw-one-or-two",
        statement="It suffices to unfreeze one or two of the upper layers.",
        source="Transfer learning",
        measure="accuracy, one or two layers unfrozen less all of them",
        unit="points",
        margin=HALF_A_POINT,
        expected="depends",
        known="on the number of labels",
        reference="Howard & Ruder 2018",
        studies=("digits_transfer", "fashion_notebook", "fashion_third_edition"),
        test=within_experiments(one_or_two_and_all),
        alike=True,
    ),
    Claim(
        id="lower-rate-after-thawing",
        statement="Once layers are unfrozen, the learning rate should be lower.",
        source="Transfer learning",
        measure="accuracy of thawed networks, the lower rate after thawing less the higher one",
        unit="points",
        margin=HALF_A_POINT,
        expected="supported",
        known="lest what was learned is lost",
        reference="Howard & Ruder 2018",
        studies=("digits_transfer",),
        test=between_experiments("unfrozen_learning_rate", None, None),
    ),
)
