"""What a map came to, and how far theory's edge of chaos is from where its networks learned."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..config.map import Map, MapAxis
from ..strict_json import save_json
from ..theory.functions import known_function
from ..theory.phase import critical_weight_variance, trainable_band

ACROSS = {"weight_variance": 1, "gain": 2}
"""Settings in which theory's edge is a line, and the power of each that σ_w² is."""
LINES = {"ordered": -1.0, "edge": 0.0, "chaotic": 1.0}
"""Theory's lines: ln χ in units of the band's half width."""
MEASURED = ("lowest", "highest")
"""Measured lines: from where to where the networks learned."""
BEYOND = 4.0
"""How far beyond the axis theory's lines are looked for, as a factor of σ_w²."""
NEIGHBOURS = 12
"""Of all rows, over one in so many accuracies are averaged before the measured lines are drawn."""
OUTCOME = ("status", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_accuracy")
"""Of a network, as a map keeps it."""


class Drawn(NamedTuple):
    """A map, ready to be drawn."""

    made: Map
    points: pd.DataFrame
    """One row per network, row by row of the map: ``x``, ``y``, and what it came to (`OUTCOME`)."""
    lines: pd.DataFrame
    """``line``, ``x``, ``y``, over every row or column across theory's edge: where the edge is, where six depth scales
    are as long as the network is deep (`LINES`), and from where to where networks learned (`MEASURED`).
    Empty where no axis is σ_w² or the gain."""
    metrics: dict[str, Any]
    """``networks``, ``diverged``, ``learned``, ``best_val_accuracy``; and as factors of σ_w², less 1, the medians of
    how far theory's lines are from the measured ones: ``edge_distance`` (from the middle of where networks learned),
    ``ordered_distance``, ``chaotic_distance``; ``edge_inside``, the share of edges between the measured lines."""


def draw(made: Map, networks: pd.DataFrame, guess: float) -> Drawn:
    """Return what a map came to.

    A network has learned if its validation accuracy is nearer to the map's best than to guessing. Along each row across
    theory's edge, networks learned from ``lowest`` to ``highest``, the interval over which their accuracies' sum above
    that threshold is the largest, averaged over neighbouring rows (`NEIGHBOURS`): single networks differ by chance;
    an end that is the axis's own is no boundary.

    Args:
        made: the map.
        networks: its networks, as `pipeline.training.results` has them.
        guess: validation accuracy of naming the most frequent class.
    """
    spelled = ["initializer", "hidden", "learning_rate"]
    places = [{"x": x, "y": y} | made.at(x, y) for y in made.y.values for x in made.x.values]
    points = pd.DataFrame([place | made.spelled(place) for place in places])
    points = points.merge(networks[[*spelled, *OUTCOME]], how="left", on=spelled, validate="one_to_one")
    best = float(points["val_accuracy"].max())
    threshold = (guess + best) / 2
    metrics: dict[str, Any] = {
        "networks": len(points),
        "diverged": int((points["status"] == "diverged").sum()),
        "learned": int((points["val_accuracy"] > threshold).sum()),
        "best_val_accuracy": best,
    }
    lines = pd.DataFrame(columns=["line", "x", "y"])
    axis, other = (made.x, made.y) if made.x.setting in ACROSS else (made.y, made.x)
    along, across = ("x", "y") if axis is made.x else ("y", "x")
    if axis.setting in ACROSS and made.normalization == "none":
        theory = _theory(made, axis, other)
        grid = points.pivot(index=across, columns=along, values="val_accuracy")
        steady = grid.rolling(max(1, len(grid) // NEIGHBOURS), center=True, min_periods=1).mean()
        measured = pd.DataFrame([_learned(row - threshold) for _, row in steady.iterrows()], index=grid.index)
        metrics |= _distances(theory, measured, ACROSS[axis.setting])
        found = theory.join(measured).melt(var_name="line", value_name=along, ignore_index=False)
        lines = found.rename_axis(across).reset_index().dropna()[["line", "x", "y"]]
    return Drawn(made, points[["x", "y", *OUTCOME]], lines, metrics)


def save_map(drawn: Drawn, folder: Path) -> None:
    """Write a map to a folder: settings.json, map.parquet, lines.parquet, metrics.json."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = drawn.made.model_dump_json(by_alias=True, exclude_none=True, indent=2)
    (folder / "settings.json").write_text(settings + "\n", encoding="utf-8")
    drawn.points.to_parquet(folder / "map.parquet", index=False)
    drawn.lines.to_parquet(folder / "lines.parquet", index=False)
    save_json(drawn.metrics, folder / "metrics.json")


def load_map(folder: Path) -> Drawn:
    """Return the map that `save_map` wrote to a folder."""
    return Drawn(
        Map.model_validate_json((folder / "settings.json").read_text(encoding="utf-8")),
        pd.read_parquet(folder / "map.parquet"),
        pd.read_parquet(folder / "lines.parquet"),
        json.loads((folder / "metrics.json").read_text(encoding="utf-8")),
    )


def _theory(made: Map, axis: MapAxis, other: MapAxis) -> pd.DataFrame:
    """Return, for each value of the other axis, where on this one each of `LINES` is; NaN where it is not nearby."""
    function, power = known_function(made.activation), ACROSS[axis.setting]
    low, high = axis.values[0] ** power / BEYOND, axis.values[-1] ** power * BEYOND
    rows = []
    for value in other.values:
        place = made.at(*((axis.values[0], value) if axis is made.x else (value, axis.values[0])))
        band = trainable_band(round(place["depth"]))
        at = {
            line: critical_weight_variance(function, place["bias_variance"], low, high, side * band)
            for line, side in LINES.items()
        }
        rows.append({line: np.nan if found is None else found ** (1 / power) for line, found in at.items()})
    return pd.DataFrame(rows, index=pd.Index(other.values))


def _learned(above: pd.Series) -> dict[str, float]:
    """Return between which values of an axis networks learned, from how much they are above the threshold at each."""
    total, start, best = 0.0, 0, (0.0, 0, 0)
    for at, value in enumerate(above):
        if total <= 0:
            total, start = 0.0, at
        total += value
        best = max(best, (total, start, at), key=lambda found: found[0])
    _, first, last = best
    values = above.index.to_numpy(dtype=float)
    nothing = best[0] == 0
    return {
        "lowest": np.nan if nothing or first == 0 else float(np.sqrt(values[first - 1] * values[first])),
        "highest": np.nan if nothing or last + 1 == len(values) else float(np.sqrt(values[last] * values[last + 1])),
    }


def _distances(theory: pd.DataFrame, measured: pd.DataFrame, power: int) -> dict[str, float]:
    """Return how far theory's lines are from the measured ones."""
    edge, low, high = theory["edge"], measured["lowest"], measured["highest"]
    off = {
        "edge_distance": edge / np.sqrt(low * high),
        "ordered_distance": theory["ordered"] / low,
        "chaotic_distance": theory["chaotic"] / high,
    }
    found = {
        name: float(np.expm1(power * np.nanmedian(np.abs(np.log(ratio)))))
        for name, ratio in off.items()
        if ratio.notna().any()
    }
    inside = ((low < edge) & (edge < high))[low.notna() & high.notna()]
    return found | ({"edge_inside": float(inside.mean())} if len(inside) else {})
