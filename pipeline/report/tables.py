"""The tables that the page and `dvc plots` show, from a study's evaluation."""

from typing import Any, NamedTuple

import pandas as pd

from pipeline.data import Card
from pipeline.evaluation.files import Evaluation
from pipeline.evaluation.names import cell_name
from pipeline.params import ACTIVATIONS, AXES, INITIALIZERS, Study
from pipeline.training.results import Results

TOP = 5
"""Settings whose learning curves are drawn."""


class StudyResults(NamedTuple):
    """All that the report reads of one study."""

    name: str
    study: Study
    card: Card
    results: Results
    evaluation: Evaluation

    @property
    def tuned(self) -> pd.DataFrame:
        """Cells at their setting's best learning rate, best first; settings in which a network diverged come last."""
        cells = self.evaluation.cells
        return cells[cells["best_rate"]].sort_values(
            ["diverged", "val_accuracy_mean", *AXES], ascending=[True, False, *[True] * len(AXES)]
        )


class Heatmap(NamedTuple):
    """Accuracies by initializer and activation, for one placement of batch norm and one clipping mode."""

    batch_norm: str
    clipping: str
    initializers: list[str]
    rows: list[tuple[str, list[dict[str, Any] | None]]]
    """For each activation, a cell for each initializer; ``None`` where the study has none."""


def heatmaps(study: StudyResults) -> list[Heatmap]:
    """Return a heatmap for each placement and clipping mode, those without clipping first."""
    maps = []
    tuned = study.tuned
    for clipping in sorted(tuned["clipping"].unique(), key=lambda mode: (mode != "none", mode)):
        for batch_norm in ("none", "before", "after"):
            chosen = tuned[(tuned["clipping"] == clipping) & (tuned["batch_norm"] == batch_norm)]
            if chosen.empty:
                continue
            initializers: list[str] = [name for name in INITIALIZERS if name in set(chosen["initializer"])]
            by_place = {(row["activation"], row["initializer"]): row for row in chosen.to_dict("records")}
            activations = sorted(set(chosen["activation"]), key=ACTIVATIONS.index)
            rows = [(a, [by_place.get((a, i)) for i in initializers]) for a in activations]
            maps.append(Heatmap(batch_norm, clipping, initializers, rows))
    return maps


def learning_curves(study: StudyResults) -> pd.DataFrame:
    """Return the top settings' curves: ``study``, ``setting``, ``epoch``, ``val_accuracy``, ``low``, ``high``.

    Low and high are the lowest and the highest of the seeds.
    """
    history = study.results.history
    curves = []
    for cell in study.tuned.head(TOP).to_dict("records"):
        own = history[(history[list(AXES)] == pd.Series({axis: cell[axis] for axis in AXES})).all(axis=1)]
        curve = own.groupby("epoch")["val_accuracy"].agg(val_accuracy="mean", low="min", high="max").reset_index()
        curves.append(curve.assign(study=study.name, setting=cell_name(cell)))
    columns = ["study", "setting", "epoch", "val_accuracy", "low", "high"]
    return pd.concat(curves)[columns] if curves else pd.DataFrame(columns=columns)


def settings_table(study: StudyResults) -> pd.DataFrame:
    """Return every setting at its best learning rate with its validation accuracy, for `dvc plots`."""
    columns = [*AXES, "val_accuracy", "test_accuracy", "diverged", "at_chance"]
    renamed = study.tuned.rename(columns={"val_accuracy_mean": "val_accuracy", "test_accuracy_mean": "test_accuracy"})
    return renamed[columns].assign(study=study.name)


def confusion_table(study: StudyResults) -> pd.DataFrame:
    """Return the champion's confusion as rows: ``study``, ``actual``, ``predicted``, ``samples``, ``share``."""
    details = study.evaluation.details
    rows = [
        (study.name, details["classes"][actual], details["classes"][predicted], samples, samples / max(1, sum(row)))
        for actual, row in enumerate(details.get("confusion", []))
        for predicted, samples in enumerate(row)
    ]
    return pd.DataFrame(rows, columns=["study", "actual", "predicted", "samples", "share"])
