"""What others published of the same settings, beside what was measured here."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML
from scipy import stats

from ..config import Study, Transfer
from ..data import Card
from ..errors import DataError
from ..experiments.names import TRANSFER_SETTING
from ..grid import AXES, AXIS, setting_name
from .statistics import Interval, Scores, further_run_interval

PUBLISHED_FILE = Path(__file__).parent / "published.yaml"
COLUMNS = ["name", "source", "score", "published", "others", "runs", "mean", "low", "high", "inside"]

Score = Literal["train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_loss", "test_accuracy"]


class Published(BaseModel):
    """One published run, and which of a study's networks have its setting."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    study: str
    table: Literal["networks", "transfer"]
    where: dict[str, str | int | float]
    """What these rows of the study's table have in common; axes that it does not name are neutral."""
    scores: dict[Score, float]
    """After the last epoch. Training scores are means over it while the weights change, as Keras reports them."""
    others: dict[Score, tuple[float, ...]] = {}
    """Of stored runs of the same code."""
    remark: str = ""
    """Why a score lies outside of what is expected here, or did, and what showed it."""

    def rows(self, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        """Return the networks of this setting, a row for each seed; none where the study's table lacks it.

        Args:
            tables: the study's, by name.
        """
        table = tables[self.table]
        if table.empty:
            return table
        where = {
            name: axis.neutral for name, axis in AXIS.items() if axis.neutral is not None and self.table == "networks"
        }
        where |= self.where
        return table[np.logical_and.reduce([table[column] == value for column, value in where.items()])]

    def compared(self, score: Score, values: Scores, confidence: float) -> dict[str, Any]:
        """Return a score as ``published`` and of ``others``, the ``mean`` here, and the interval of a further run.

        Args:
            score: which.
            values: ``[seed]``, of at least two runs here.
            confidence: of the prediction interval from ``low`` to ``high``, which the published run is ``inside`` of.
        """
        mean, low, high = expected(score, values, confidence)
        published, others = self.scores[score], self.others.get(score, ())
        inside = bool(low <= published <= high)
        return {"published": published, "others": others, "mean": mean, "low": low, "high": high, "inside": inside}


@cache
def load_published() -> Mapping[str, Published]:
    """Return what is known, by name."""
    raw = YAML(typ="safe", pure=True).load(PUBLISHED_FILE.read_text(encoding="utf-8"))
    return {name: Published.model_validate(entry) for name, entry in raw.items()}


def beside(study: str, networks: pd.DataFrame, transfer: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Return a row for each published score of the study's settings.

    Columns: ``name`` and ``source`` of what was published; the ``score``; ``published``, of one run, and ``others``, of
    further ones; ``runs`` here, their ``mean``, and ``low`` and ``high``, between which a further run is expected;
    whether the published run is ``inside``. A network that diverged guesses, and has no loss.

    Args:
        study: its name.
        networks: see `pipeline.training.results.Results`.
        transfer: see `pipeline.experiments.transfer.results.TransferResults`.
        confidence: of the prediction interval.
    """
    tables = {"networks": networks, "transfer": transfer}
    found = []
    for name, known in load_published().items():
        if known.study != study:
            continue
        rows = known.rows(tables)
        for score in known.scores:
            values = rows[score].dropna().to_numpy(np.float64) if len(rows) else np.array([])
            if len(values) > 1:
                own = {"name": name, "source": known.source, "score": score, "runs": len(values)}
                found.append(own | known.compared(score, values, confidence))
    return pd.DataFrame(found, columns=COLUMNS)


def expected(score: Score, values: Scores, confidence: float) -> Interval:
    """Return the mean of ``[seed]``, and between which values, that the score can have, a further run is expected."""
    mean, low, high = further_run_interval(values, confidence)
    return Interval(mean, max(low, 0.0), min(high, 1.0) if score.endswith("accuracy") else high)


class StudyRuns(NamedTuple):
    """A study and what it came to."""

    study: Study
    transfer: Mapping[str, Transfer]
    """Its transfer experiments."""
    card: Card
    tables: Mapping[str, pd.DataFrame]
    """By the names of their files."""


def compare(
    studies: Mapping[str, StudyRuns], keras: Mapping[str, Sequence[Mapping[str, float]]], confidence: float
) -> dict[str, Any]:
    """Return all that the pages show, of every published run: ``confidence``, ``studies``, and ``experiments`` by name.

    Args:
        studies: those that the published runs are of.
        keras: what Keras's own runs of some of them came to here, by name.
        confidence: of the prediction intervals.

    Raises:
        DataError: a study has no networks of a published setting.
    """
    return {
        "confidence": confidence,
        "studies": {name: _about(own) for name, own in studies.items()},
        "experiments": {
            name: _runs(name, known, studies[known.study], keras.get(name, ()), confidence)
            for name, known in load_published().items()
        },
    }


def _about(own: StudyRuns) -> dict[str, Any]:
    card = own.card
    return {
        "data": card.source,
        "sha256": card.sha256,
        "samples": card.samples,
        "scaling": card.scaling,
        "split": card.split.model_dump(),
        "device": own.tables["timings"]["device"].iloc[0],
        "seconds": sum(
            float(own.tables[name]["seconds"].sum())
            for name in ("timings", "transfer_timings")
            if len(own.tables[name])
        ),
    }


def _runs(
    name: str, known: Published, own: StudyRuns, keras: Sequence[Mapping[str, float]], confidence: float
) -> dict[str, Any]:
    rows = known.rows(own.tables).sort_values("seed")
    if len(rows) < 2:
        raise DataError(f"{known.study}: has {len(rows)} networks of the published {name}; a comparison needs two")
    history, timings = ("history", "timings") if known.table == "networks" else ("transfer_history", "transfer_timings")
    key = [*(AXES if known.table == "networks" else TRANSFER_SETTING), "seed"]
    curves = own.tables[history].merge(rows[key], on=key).groupby("epoch")["val_accuracy"]
    scores = {}
    for score in known.scores:
        values = rows[score].to_numpy(np.float64)
        scores[score] = (
            known.compared(score, values[np.isfinite(values)], confidence)
            | {"runs": values.tolist()}
            | _beside_keras(values, np.array([one[score] for one in keras]))
        )
    return {
        "source": known.source,
        "study": known.study,
        "setting": _setting(known, own, rows),
        "seeds": rows["seed"].tolist(),
        "scores": scores,
        "health": rows["health"].tolist() if "health" in rows else [],
        "measures": _measures(own.tables["layers"].merge(rows[key], on=key), rows) if "health" in rows else [],
        "curve": curves.agg(["mean", "min", "max"]).reset_index().to_numpy(np.float64).tolist(),
        "seconds": float(own.tables[timings].merge(rows[key], on=key)["seconds"].sum()),
        "remark": known.remark,
    }


def _measures(layers: pd.DataFrame, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return how runs' validation accuracy goes with what the health verdict is drawn from, as last looked at.

    By measure its lowest and highest run, and Spearman's rank correlation with its p-value; none where all are alike.
    """
    last = layers[(layers["epoch"] == layers["epoch"].max()) & (layers["layer"] < layers["layer"].max())]
    by_seed = last.groupby("seed")
    ends = last.pivot_table(index="seed", columns="layer", values="gradient")
    found = {
        "gradient of the lowest hidden layer, as a multiple of the highest's": np.sqrt(
            ends.iloc[:, 0] / ends.iloc[:, -1]
        ),
        "largest share of dead units in a layer": by_seed["dead"].max(),
        "largest share of saturated activations in a layer": by_seed["saturated"].max(),
        "largest sd of a layer's activations": by_seed["activation_sd"].max(),
    }
    accuracy = rows.set_index("seed")["val_accuracy"]
    measures = []
    for name, values in found.items():
        own = values.reindex(accuracy.index).to_numpy(np.float64)
        if np.isfinite(own).all() and np.ptp(own) > 0:
            rho, p = stats.spearmanr(own, accuracy)
            measures.append({"name": name, "low": own.min(), "high": own.max(), "rho": float(rho), "p": float(p)})
    return measures


def _beside_keras(ours: Scores, theirs: Scores) -> dict[str, Any]:
    """Return Keras's runs, and the p-value of their mean being ours (Welch 1947); nothing where there are none."""
    if len(theirs) < 2:
        return {}
    return {
        "keras": theirs.tolist(),
        "p": float(stats.ttest_ind(ours, theirs, equal_var=False, nan_policy="omit").pvalue),
    }


def _setting(known: Published, own: StudyRuns, rows: pd.DataFrame) -> str:
    """Return the setting in words."""
    if known.table == "networks":
        cell = rows.iloc[0]
        layers = f"{own.card.features}-{cell['hidden']}-{len(own.card.classes)}"
        budget = _budget(own.study.training.epochs, cell["batch_size"], cell["learning_rate"])
        return f"{layers}, {setting_name(cell)}, {budget}"
    experiment = own.transfer[str(known.where["experiment"])]
    task = str(known.where["task"])
    classes = experiment.task_a if task == "A" else experiment.task_b
    layers = "-".join(
        map(str, (own.card.features, *experiment.hidden_widths, 1 if len(classes) == 2 else len(classes)))
    )
    labels = f", the first {known.where['labels']} training images" if task == "B" else ""
    reused = known.where.get("reused")
    reuse = (
        f", {reused} hidden layers of task A's network, frozen for {experiment.frozen_epochs} epochs" if reused else ""
    )
    budget = _budget(experiment.training.epochs, experiment.training.batch_size, experiment.learning_rate)
    kind = f"{experiment.initializer} · {experiment.activation}"
    return f"task {task}: {', '.join(classes)}{labels}; {layers}, {kind}{reuse}, {budget}"


def _budget(epochs: int, batch_size: int, rate: float) -> str:
    return f"SGD at {rate:g}, batches of {batch_size}, {epochs} epochs"
