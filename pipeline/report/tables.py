"""The tables that the page and `dvc plots` show, from a study's evaluation."""

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd

from pipeline.data import Card
from pipeline.evaluation.cells import View, at_rate, fixed_rate
from pipeline.evaluation.files import Evaluation
from pipeline.evaluation.names import cell_name, setting_name
from pipeline.evaluation.transfer import published_transfer, summarize_transfer
from pipeline.params import ACTIVATIONS, AXES, INITIALIZERS, Study
from pipeline.propagation.agreement import QUANTITIES, Depths, trainable_depths
from pipeline.training.results import Results
from pipeline.training.verdicts import VERDICTS

TOP = 5
"""Settings whose learning curves are drawn."""
HEALTH_EXAMPLES = 3
"""Settings that the health table names for each verdict."""
CURVES = ("standard_normal", "lecun_normal", "he_normal", "critical")
"""Initializers whose signals and gradients are drawn; on square layers Glorot's are LeCun's."""


class StudyResults(NamedTuple):
    """All that the report reads of one study."""

    name: str
    study: Study
    card: Card
    results: Results
    evaluation: Evaluation
    propagation: pd.DataFrame
    """See `pipeline.propagation.measure.propagation`."""
    transfer: pd.DataFrame
    """See `pipeline.transfer.results.TransferResults`; empty where the study has no experiment."""

    @property
    def fixed_rate(self) -> float:
        """The learning rate of the fixed view."""
        return fixed_rate(self.results.networks)

    @property
    def tuned(self) -> pd.DataFrame:
        """Cells at their setting's best learning rate, best first; settings in which a network diverged come last."""
        cells = self.evaluation.cells
        return cells[cells["best_rate"]].sort_values(
            ["diverged", "val_accuracy_mean", *AXES], ascending=[True, False, *[True] * len(AXES)]
        )


class DepthMap(NamedTuple):
    """Trainable depths by initializer and activation, for one placement of batch norm."""

    batch_norm: str
    limit: int
    """The depth that was measured: a trainable depth is at most as much."""
    rows: list[tuple[str, list[Depths]]]
    """For each activation, the depths for each initializer."""


def depth_maps(study: StudyResults) -> list[DepthMap]:
    """Return the deep network's trainable depths, a map for each placement."""
    depths = trainable_depths(study.propagation[study.propagation["shape"] == "deep"])
    limit = int(study.propagation.loc[study.propagation["shape"] == "deep", "layer"].max())
    return [
        DepthMap(norm, limit, [(a, [depths["deep", i, a, norm] for i in INITIALIZERS]) for a in ACTIVATIONS])
        for norm in ("none", "before", "after")
    ]


def propagation_curves(study: StudyResults) -> pd.DataFrame:
    """Return the deep network's curves without batch norm, thinned out: a row for each quantity, setting and layer.

    Columns: ``quantity`` (signal, gradient), ``activation``, ``initializer``, ``layer``, ``predicted``, ``measured``,
    ``low`` and ``high`` of the seeds. Of initializers that are alike on square layers, one.
    """
    deep = study.propagation.query("shape == 'deep' and batch_norm == 'none'")
    deep = deep[deep["initializer"].isin(CURVES) & ((deep["layer"] % 5 == 0) | deep["layer"].isin([1, 2]))]
    parts = []
    for quantity in QUANTITIES:
        names = {f"{quantity}_predicted": "predicted", quantity: "measured"}
        names |= {f"{quantity}_{end}": end for end in ("low", "high")}
        columns = deep[["activation", "initializer", "layer", *names]].rename(columns=names)
        parts.append(columns.assign(study=study.name, quantity=quantity))
    return pd.concat(parts)


def health_table(study: StudyResults) -> list[dict[str, Any]]:
    """Return a row for each verdict that a network got: networks, mean validation accuracy, most frequent settings."""
    networks = study.results.networks
    rows = []
    for verdict in VERDICTS:
        group = networks[networks["health"] == verdict]
        if group.empty:
            continue
        settings = group.groupby(["activation", "initializer", "batch_norm", "clipping"], sort=True).size()
        common = settings.sort_values(ascending=False, kind="stable").head(HEALTH_EXAMPLES)
        names = [dict(zip(settings.index.names, key, strict=True)) for key in common.index]
        rows.append(
            {
                "verdict": verdict,
                "networks": len(group),
                "share": len(group) / len(networks),
                "val_accuracy": group["val_accuracy"].mean(),
                "settings": [(setting_name(name), int(count)) for name, count in zip(names, common, strict=True)],
            }
        )
    return rows


class TransferRow(NamedTuple):
    """A number of labels: training from scratch beside the reuse that is best on validation."""

    labels: int
    scratch: Mapping[Hashable, Any]
    reuse: Mapping[Hashable, Any]


class TransferSection(NamedTuple):
    """An experiment."""

    name: str
    summary: pd.DataFrame
    """See `summarize_transfer`."""
    task_a_accuracy: float
    rows: list[TransferRow]
    published: list[dict[Hashable, Any]]


def transfer_sections(study: StudyResults, confidence: float) -> list[TransferSection]:
    """Return the study's transfer experiments."""
    if study.transfer.empty:
        return []
    summary = summarize_transfer(study.transfer, confidence)
    published = published_transfer(study.name, summary)
    sections = []
    for name, own in summary.groupby("experiment", sort=True):
        of_a = study.transfer[(study.transfer["experiment"] == name) & (study.transfer["task"] == "A")]
        chosen = own[own["chosen"]].to_dict("records")
        by_method = {(row["labels"], row["method"]): row for row in chosen}
        rows = [
            TransferRow(labels, by_method[labels, "scratch"], by_method[labels, "reuse"])
            for labels in sorted({row["labels"] for row in chosen})
            if (labels, "reuse") in by_method
        ]
        known = published[published["experiment"] == name].to_dict("records")
        sections.append(TransferSection(str(name), own, float(of_a["test_accuracy"].mean()), rows, known))
    return sections


class Heatmap(NamedTuple):
    """Accuracies by initializer and activation, for one placement of batch norm and one clipping mode."""

    view: View

    batch_norm: str
    clipping: str
    initializers: list[str]
    rows: list[tuple[str, list[dict[str, Any] | None]]]
    """For each activation, a cell for each initializer, with its ``number`` among `cell_details`; ``None`` where the
    study has none."""


def heatmaps(study: StudyResults) -> list[Heatmap]:
    """Return a heatmap for each view, placement and clipping mode, those without clipping first.

    The fixed view is left out where the study has one learning rate only.
    """
    maps = []
    cells = study.evaluation.cells.assign(number=range(len(study.evaluation.cells)))
    views: dict[View, pd.DataFrame] = {"best": cells[cells["best_rate"]]}
    if cells["learning_rate"].nunique() > 1:
        views["fixed"] = cells[cells["learning_rate"] == study.fixed_rate]
    for view, shown in views.items():
        for clipping in sorted(shown["clipping"].unique(), key=lambda mode: (mode != "none", mode)):
            for batch_norm in ("none", "before", "after"):
                chosen = shown[(shown["clipping"] == clipping) & (shown["batch_norm"] == batch_norm)]
                if chosen.empty:
                    continue
                initializers: list[str] = [name for name in INITIALIZERS if name in set(chosen["initializer"])]
                by_place = {(row["activation"], row["initializer"]): row for row in chosen.to_dict("records")}
                activations = sorted(set(chosen["activation"]), key=ACTIVATIONS.index)
                rows = [(a, [by_place.get((a, i)) for i in initializers]) for a in activations]
                maps.append(Heatmap(view, batch_norm, clipping, initializers, rows))
    return maps


def cell_details(study: StudyResults) -> list[dict[str, Any]]:
    """Return every cell's name, and its curves and layers as a click on it shows them.

    ``curve``: epoch, mean training accuracy, mean, lowest and highest validation accuracy of the seeds. ``layers``:
    epoch, hidden layer, and over the seeds the geometric mean of the gradient's mean square and the means of the
    activations' sd and of their dead share. Rounded to four digits.
    """
    history, layers = study.results.history, study.results.layers
    curves = history.groupby([*AXES, "epoch"], sort=True).agg(
        train=("train_accuracy", "mean"), mean=("val_accuracy", "mean"), low=("val_accuracy", "min"),
        high=("val_accuracy", "max"),
    )  # fmt: skip
    hidden = layers[layers["layer"] <= len(study.study.hidden_widths)]
    with np.errstate(divide="ignore"):
        hidden = hidden.assign(log_gradient=np.log(hidden["gradient"].to_numpy(np.float64)))
    seen = hidden.groupby([*AXES, "epoch", "layer"], sort=True)[["log_gradient", "activation_sd", "dead"]].mean()
    seen["log_gradient"] = np.exp(seen["log_gradient"])
    by_cell = [_rows_by_cell(table) for table in (curves, seen)]
    return [
        {"name": cell_name(cell), "curve": by_cell[0].get(key, []), "layers": by_cell[1].get(key, [])}
        for cell in study.evaluation.cells.to_dict("records")
        for key in [tuple(cell[axis] for axis in AXES)]
    ]


def _rows_by_cell(table: pd.DataFrame) -> dict[tuple[Hashable, ...], list[list[float | None]]]:
    rows: dict[tuple[Hashable, ...], list[list[float | None]]] = {}
    for key, values in zip(table.index, table.to_numpy(np.float64), strict=True):
        cell, place = key[: len(AXES)], key[len(AXES) :]
        shown = [float(f"{value:.4g}") if np.isfinite(value) else None for value in values]
        rows.setdefault(cell, []).append([*place, *shown])
    return rows


class AxisLevels(NamedTuple):
    """An axis's levels in one view, best first."""

    view: View
    axis: str
    rows: list[dict[Hashable, Any]]
    """Those of `summarize_levels`, with ``seconds``, the mean training time until the threshold."""


def axis_levels(study: StudyResults) -> list[AxisLevels]:
    """Return what each choice is worth, by view and axis."""
    levels = study.evaluation.levels
    networks = study.results.networks
    timed = networks.merge(study.results.timings[[*AXES, "seed", "seconds"]], on=[*AXES, "seed"])
    timed["seconds"] /= timed["epochs"].clip(lower=1)
    parts = []
    for view in get_args(View):
        own = levels[levels["view"] == view]
        chosen = at_rate(timed, view)
        chosen = chosen[chosen["clipping"] == "none"]
        for axis in own["axis"].unique():
            seconds = chosen.groupby(axis)["seconds"].mean()
            table = own[own["axis"] == axis]
            table = table.assign(seconds=table["epochs"] * table["level"].map(seconds))
            rows = table.sort_values("accuracy", ascending=False).to_dict("records")
            parts.append(AxisLevels(view, str(axis), rows))
    return parts


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
