"""Claims on transfer learning."""

from collections.abc import Iterator

import pandas as pd

from pipeline.evaluation.claims.comparison import paired
from pipeline.evaluation.claims.evidence import Evidence, StudyTables
from pipeline.evaluation.claims.ledger import Claim, Finding, finding
from pipeline.evaluation.claims.questions import HALF_A_POINT, Findings, found

TRANSFERS = ("digits", "fashion_notebook")


def transfer_beats_scratch(evidence: Evidence) -> Findings:
    """Accuracy on the task with few labels: the reuse that is best on validation, less scratch."""
    for name, tables in evidence.studies.items():
        for experiment, labels, group in by_labels(tables):
            reuse = group[group["reused"] > 0]
            chosen = reuse.groupby(["reused", "unfrozen"])["val_accuracy"].mean().idxmax()
            best = group.set_index(["reused", "unfrozen"]).loc[[chosen]]
            effects = 100 * paired(best, group[group["reused"] == 0], "test_accuracy", on=("labels",))
            yield in_task(name, tables, effects, experiment, labels)


def upper_layers_matter_less(evidence: Evidence) -> Findings:
    """Accuracy with the lowest layer reused and frozen, less that with all of them."""
    for name, tables in evidence.studies.items():
        for experiment, labels, group in by_labels(tables):
            frozen = group[(group["reused"] > 0) & (group["unfrozen"] == 0)]
            fewest, most = frozen["reused"].min(), frozen["reused"].max()
            if not fewest < most:
                continue
            few, all_of_them = (frozen[frozen["reused"] == layers] for layers in (fewest, most))
            effects = 100 * paired(few, all_of_them, "test_accuracy", on=("labels",))
            yield in_task(name, tables, effects, experiment, labels)


def unfreezing_helps(evidence: Evidence) -> Findings:
    """Accuracy with all layers reused and unfrozen after a while, less that with them frozen throughout."""
    for name, tables in evidence.studies.items():
        for experiment, labels, group in by_labels(tables):
            deepest = group[group["reused"] == group["reused"].max()]
            thawed = deepest[deepest["unfrozen"] == deepest["reused"]]
            effects = 100 * paired(thawed, deepest[deepest["unfrozen"] == 0], "test_accuracy", on=("labels",))
            yield in_task(name, tables, effects, experiment, labels)


def in_task(name: str, tables: StudyTables, effects: pd.Series, experiment: str, labels: int) -> Finding | None:
    """Return what effects by seed on task B's accuracy come to."""
    return finding(name, tables.dataset, tables.overlap, effects, {"experiment": experiment, "labels": labels})


def by_labels(tables: StudyTables) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """Yield the transfer experiments' networks of task B by number of labels, where any layer is reused."""
    if tables.transfer.empty:
        return
    of_b = tables.transfer[tables.transfer["task"] == "B"]
    for experiment, networks in of_b.groupby("experiment", sort=True):
        for labels in sorted(networks["labels"].unique()):
            group = networks[networks["labels"] == labels]
            if (group["reused"] > 0).any():
                yield str(experiment), int(labels), group


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
        test=found(transfer_beats_scratch),
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
        test=found(upper_layers_matter_less),
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
        test=found(unfreezing_helps),
    ),
)
