"""The tables that the page and `dvc plots` show, from a study's evaluation."""

from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd

from ..config import Study
from ..data import Card
from ..evaluation.agreement import QUANTITIES, trainable_depths
from ..evaluation.cells import SETTING, View, factors, fixed_rate, select_learning_rate
from ..evaluation.files import Evaluation
from ..experiments.names import PROPAGATION_SETTING
from ..grid import AXES, AXIS, cell_name, setting_name, spell
from ..training.results import Results
from ..training.tables import Rows
from ..verdicts import VERDICTS

TOP = 5
"""Settings whose learning curves are drawn."""
HEALTH_EXAMPLES = 3
"""Settings that the health table names for each verdict."""
CURVES = ("standard_normal", "lecun_normal", "he_normal", "critical")
"""Of many initializers those whose signals and gradients are drawn; on square layers Glorot's are LeCun's."""
MOST_CURVES = 5
"""Initializers; of no more, all are drawn."""


class StudyResults(NamedTuple):
    """All that the report reads of one study."""

    name: str
    study: Study
    card: Card
    results: Results
    evaluation: Evaluation
    propagation: pd.DataFrame
    """See `pipeline.experiments.propagation.propagation`."""
    transfer: pd.DataFrame = pd.DataFrame()
    """See `pipeline.experiments.transfer.results.TransferResults`; empty where the study has no experiment."""
    transfer_summary: pd.DataFrame = pd.DataFrame()
    """See `pipeline.evaluation.transfer.summarize_transfer`; likewise."""

    @property
    def fixed_rate(self) -> float:
        """The learning rate of the fixed view."""
        return fixed_rate(self.results.networks)

    @property
    def cells(self) -> pd.DataFrame:
        """Every cell, with its ``setting`` in words, and its ``number`` among `cell_details`."""
        cells, varied = self.evaluation.cells, self.study.varied
        names = [setting_name(cell, varied) for cell in cells.to_dict("records")]
        return cells.assign(setting=names, number=range(len(cells)))

    @property
    def tuned(self) -> pd.DataFrame:
        """Cells at their setting's best learning rate, best first."""
        cells = self.cells
        return cells[cells["best_rate"]].sort_values(
            ["val_accuracy_mean", *AXES], ascending=[False, *[True] * len(AXES)]
        )


class Map(NamedTuple):
    """A table that is read as a picture: two axes, at one level of each other axis."""

    view: View
    facet: dict[str, Any]
    """The level of each other axis that is varied."""
    columns_axis: str
    columns: list[Any]
    rows_axis: str
    rows: list[tuple[Any, list[Any]]]
    """For each level of one axis, something for each level of the other; ``None`` where there is nothing."""

    @property
    def title(self) -> str:
        """The levels of the facet that do not go without saying; empty where all do."""
        return " · ".join(AXIS[axis].label(level) for axis, level in self.facet.items() if level != AXIS[axis].neutral)


def picture_axes(table: pd.DataFrame) -> tuple[str, str]:
    """Return the axes of a map's rows and columns: the two with the most combinations in a table, learning rates apart.

    Where one axis alone is varied, the learning rate makes the columns.
    """
    first = ("activation", "initializer")
    varied = [axis for axis in (*first, *(axis for axis in AXES if axis not in first)) if axis != "learning_rate"]
    varied = [axis for axis in varied if axis in table and table[axis].nunique() > 1]
    if len(varied) < 2:
        return (*varied, "activation")[0], "learning_rate"
    rows, columns = max(combinations(varied, 2), key=lambda pair: len(table[[*pair]].drop_duplicates()))
    wide = rows != "activation" and table[columns].nunique() > table[rows].nunique()
    return (columns, rows) if wide else (rows, columns)


def draw_maps(table: pd.DataFrame, rows_axis: str, columns_axis: str, facets: Sequence[str], view: View) -> list[Map]:
    """Return the maps of a table with one row for each level of the two axes and the facets, in the axes' order."""
    maps = []
    groups = table.groupby(list(facets), sort=False) if facets else [((), table)]
    for facet, group in sorted(groups, key=lambda one: [AXIS[a].order(v) for a, v in zip(facets, one[0], strict=True)]):
        columns = AXIS[columns_axis].sorted(group[columns_axis])
        by_place = {(row[rows_axis], row[columns_axis]): row for row in group.to_dict("records")}
        rows = [
            (level, [by_place.get((level, other)) for other in columns])
            for level in AXIS[rows_axis].sorted(group[rows_axis])
        ]
        maps.append(Map(view, dict(zip(facets, facet, strict=True)), columns_axis, columns, rows_axis, rows))
    return maps


def deepest_shape(propagation: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the deep networks; of the study's own shape, where no deep one was measured."""
    deep = propagation[propagation["shape"] == "deep"]
    return deep if len(deep) else propagation


def depth_maps(study: StudyResults) -> list[Map]:
    """Return the deep network's trainable depths, `Depths` with the depth measured as ``limit``."""
    deep = deepest_shape(study.propagation)
    if deep.empty:
        return []
    limit = int(deep["layer"].max())
    found = [
        dict(zip(PROPAGATION_SETTING, setting, strict=True)) | depths._asdict() | {"limit": limit}
        for setting, depths in trainable_depths(deep).items()
    ]
    table = pd.DataFrame(found, dtype=object)
    rows, columns = picture_axes(table)
    if columns == "learning_rate":
        columns = "initializer"
    facets = [axis for axis in PROPAGATION_SETTING[1:] if axis not in (rows, columns) and table[axis].nunique() > 1]
    return draw_maps(table, rows, columns, facets, "best")


def propagation_curves(study: StudyResults) -> pd.DataFrame:
    """Return the deep network's curves, thinned out: a row for each quantity, setting and layer.

    Columns: ``quantity`` (signal, gradient), ``activation``, ``initializer``, ``layer``, ``predicted``, ``measured``,
    ``low`` and ``high`` of the seeds, ``least`` and ``most`` as predicted of networks of this width. Other axes are at
    their neutral level, or the first there is. Of many initializers that are alike on square layers, one.
    """
    deep = deepest_shape(study.propagation)
    for axis in PROPAGATION_SETTING[1:]:
        levels = set(deep[axis])
        if axis not in ("activation", "initializer") and levels:
            neutral = AXIS[axis].neutral
            deep = deep[deep[axis] == (neutral if neutral in levels else AXIS[axis].sorted(levels)[0])]
    initializers = AXIS["initializer"].sorted(deep["initializer"])
    if len(initializers) > MOST_CURVES:
        initializers = [name for name in CURVES if name in initializers] or initializers[:MOST_CURVES]
    deep = deep[deep["initializer"].isin(initializers) & ((deep["layer"] % 5 == 0) | deep["layer"].isin([1, 2]))]
    parts = []
    for quantity in QUANTITIES:
        names = {f"{quantity}_predicted": "predicted", quantity: "measured"}
        names |= {f"{quantity}_{end}": end for end in ("low", "high")}
        names |= {f"{quantity}_predicted_low": "least", f"{quantity}_predicted_high": "most"}
        columns = deep[["activation", "initializer", "layer", *names]].rename(columns=names)
        parts.append(columns.assign(study=study.name, quantity=quantity))
    return pd.concat(parts)


class Change(NamedTuple):
    """A setting that differs from the base in one choice."""

    base: bool
    activation: str
    change: str
    """In words; of the base, its levels that are not neutral."""
    cell: Mapping[Hashable, Any]
    """As `StudyResults.tuned` has it."""
    before: tuple[float, float]
    """Mean and sd of the activations before the first step, in the hidden layer farthest from 0 and 1."""
    after: tuple[float, float]
    """The same when last looked at."""


MOST_CHANGES = 60
"""A table that is longer shows a factorial, which maps show better."""


def changes(study: StudyResults) -> list[Change]:
    """Return what one choice changes: for each activation, the base, and every setting that differs from it in one.

    The base has the neutral level on every axis, or where there is none the level of most settings.
    """
    tuned = study.tuned
    axes = [axis for axis in study.study.varied if axis not in ("activation", "learning_rate")]
    base = {
        axis: AXIS[axis].neutral if AXIS[axis].neutral in set(tuned[axis]) else tuned[axis].mode().iloc[0]
        for axis in axes
    }
    near = tuned[np.sum([tuned[axis] != base[axis] for axis in axes], axis=0) <= 1] if axes else tuned
    if not axes or len(near) > MOST_CHANGES:
        return []
    looks = Rows(study.results.layers).read(of=near[[*AXES]])
    layers = dict(iter(looks.groupby([*AXES], sort=False)))
    found = []
    for cell in near.to_dict("records"):
        changed = [axis for axis in axes if cell[axis] != base[axis]]
        named = changed or [axis for axis in axes if base[axis] != AXIS[axis].neutral]
        words = " · ".join(AXIS[axis].label(cell[axis]) for axis in named)
        place = [(axes.index(axis), AXIS[axis].order(cell[axis])) for axis in changed]
        own = layers.get(tuple(cell[axis] for axis in AXES), looks.iloc[:0])
        hidden = own[own["layer"] <= own["layer"].max() - 1]
        moments = (_worst(hidden[hidden["epoch"] == epoch]) for epoch in (0, hidden["epoch"].max()))
        found.append((place, Change(not changed, cell["activation"], words, cell, *moments)))
    order = AXIS["activation"].order
    return [one for _, one in sorted(found, key=lambda item: (item[0], order(item[1].activation)))]


def _worst(hidden: pd.DataFrame) -> tuple[float, float]:
    """Return mean and sd, over the seeds, of the layer that is farthest from mean 0 and sd 1."""
    if hidden.empty:
        return np.nan, np.nan
    layers = hidden.groupby("layer")[["activation_mean", "activation_sd"]].mean()
    off = pd.concat([layers["activation_mean"].abs(), (layers["activation_sd"] - 1).abs()], axis=1).max(axis=1)
    mean, sd = layers.to_numpy(np.float64)[int(off.to_numpy(np.float64).argmax())]
    return float(mean), float(sd)


def health_table(study: StudyResults) -> list[dict[str, Any]]:
    """Return a row for each verdict that a network got: networks, mean validation accuracy, most frequent settings."""
    networks = study.results.networks
    rows = []
    for verdict in VERDICTS:
        group = networks[networks["health"] == verdict]
        if group.empty:
            continue
        settings = group.groupby(SETTING, sort=True).size()
        common = settings.sort_values(ascending=False, kind="stable").head(HEALTH_EXAMPLES)
        names = [dict(zip(settings.index.names, key, strict=True)) for key in common.index]
        rows.append(
            {
                "verdict": verdict,
                "networks": len(group),
                "share": len(group) / len(networks),
                "val_accuracy": group["val_accuracy"].mean(),
                "settings": [
                    (setting_name(name, study.study.varied), int(count))
                    for name, count in zip(names, common, strict=True)
                ],
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
    """The experiment's rows of `StudyResults.transfer_summary`."""
    task_a_accuracy: float
    rows: list[TransferRow]


def transfer_sections(study: StudyResults) -> list[TransferSection]:
    """Return what the study's transfer experiments came to."""
    if study.transfer.empty:
        return []
    sections = []
    for name, own in study.transfer_summary.groupby("experiment", sort=True):
        of_a = study.transfer[(study.transfer["experiment"] == name) & (study.transfer["task"] == "A")]
        chosen = own[own["chosen"]].to_dict("records")
        by_method = {(row["labels"], row["method"]): row for row in chosen}
        rows = [
            TransferRow(labels, by_method[labels, "scratch"], by_method[labels, "reuse"])
            for labels in sorted({row["labels"] for row in chosen})
            if (labels, "reuse") in by_method
        ]
        sections.append(TransferSection(str(name), own, float(of_a["test_accuracy"].mean()), rows))
    return sections


def heatmaps(study: StudyResults) -> list[Map]:
    """Return the cells by the axes that the study varies, with their ``number`` among `cell_details`.

    A view shows each setting at one learning rate: its best one, or the fixed one, which is left out where the study
    has one alone, or tunes them. Where a single axis is varied, the first view has all learning rates. A single
    cell is no picture, and is left to `changes`.
    """
    cells, varied = study.cells, study.study.varied
    rows, columns = picture_axes(cells)
    facets = [axis for axis in varied if axis not in (rows, columns, "learning_rate")]
    best = cells if columns == "learning_rate" else cells[cells["best_rate"]]
    maps = draw_maps(best, rows, columns, facets, "best")
    if columns != "learning_rate" and "learning_rate" in varied and not cells["tuned"].any():
        maps += draw_maps(cells[cells["learning_rate"] == study.fixed_rate], rows, columns, facets, "fixed")
    pictures = [one for one in maps if len(one.rows) * len(one.columns) > 1]
    left_out = 0 < len(pictures) < len(maps) and changes(study)
    return pictures if left_out else maps


def cell_details(study: StudyResults) -> list[dict[str, Any]]:
    """Return every cell's name, and its curves and layers as a click on it shows them.

    ``curve``: epoch, mean training accuracy, mean, lowest and highest validation accuracy of the seeds. ``layers``:
    epoch, hidden layer, and over the seeds the geometric mean of the gradient's mean square and the means of the
    activations' sd and of their dead share. Rounded to four digits.
    """
    history, looks = study.results.history, Rows(study.results.layers)
    curves = history.groupby([*AXES, "epoch"], sort=True).agg(
        train=("train_accuracy", "mean"), mean=("val_accuracy", "mean"), low=("val_accuracy", "min"),
        high=("val_accuracy", "max"),
    )  # fmt: skip
    hidden = looks.where(("layer", "<=", len(study.study.hidden_widths)))
    activations = study.results.networks["activation"].unique()
    seen = pd.concat([_seen(hidden.where(("activation", "==", activation))) for activation in activations])
    by_cell = [_rows_by_cell(table) for table in (curves, seen)]
    return [
        {
            "name": cell_name(cell, study.study.varied),
            "curve": by_cell[0].get(key, []),
            "layers": by_cell[1].get(key, []),
        }
        for cell in study.evaluation.cells.to_dict("records")
        for key in [tuple(cell[axis] for axis in AXES)]
    ]


def _seen(hidden: Rows) -> pd.DataFrame:
    """Return by cell, epoch and layer what the seeds' layers show."""
    own = hidden.read([*AXES, "epoch", "layer", "gradient", "activation_sd", "dead"])
    with np.errstate(divide="ignore"):
        own = own.assign(log_gradient=np.log(own["gradient"].to_numpy(np.float64)))
    seen = own.groupby([*AXES, "epoch", "layer"], sort=True)[["log_gradient", "activation_sd", "dead"]].mean()
    return seen.assign(log_gradient=np.exp(seen["log_gradient"]))


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
        _, chosen = factors(select_learning_rate(timed, view))
        for axis in own["axis"].unique():
            seconds = chosen.groupby(chosen[axis].map(spell))["seconds"].mean()
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
        curves.append(curve.assign(study=study.name, setting=cell_name(cell, study.study.varied)))
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
