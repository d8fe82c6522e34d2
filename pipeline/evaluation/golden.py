"""Results held against those that the repository keeps, or two runs against each other: equal, noise, or drifted.

Equal means bit for bit: each cell has a digest of all that its networks came to. Where bits differ, a cell's networks
are compared seed by seed on two measures; a mean difference counts that is larger than rounding can make it (`LEAST`)
and significant after Holm's correction for all cells and measures.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from ..config import Params, Study
from ..errors import DataError
from ..grid import AXES, cell_name
from ..strict_json import save_json
from ..training.names import KEY
from .statistics import holm, t_test_p

GOLDEN = Path("golden")
FULL_LEDGER = GOLDEN / "ledger.json"
"""Of `stages.ledger`, which trains every study there is."""
MAPS = GOLDEN / "maps"
"""Of the stage ``map``, which takes minutes for each."""
PUBLISHED_RUNS = GOLDEN / "published.json"
"""Of `stages.published`: the textbook's experiments, run by run."""
KERAS_RUNS = GOLDEN / "keras.json"
"""Of `benchmarks.keras_notebook`: the same by Keras itself."""
ALPHA = 0.05
LEAST = {"val_loss": 1e-3, "initial_signal": 1e-3}
"""The mean difference that a measure must exceed. ``initial_signal`` is ln of the lowest layer's mean square of z
before the first step: 1 % of an initializer's variance shows there as 0.01, whatever the seed. (Accuracies are
counts of few samples: the same small difference in every seed is no rarity.)"""
SCORES = ("val_loss", "val_accuracy", "initial_signal")
TABLES = ("networks", "history", "layers")
"""What was trained, of which a record's digest is."""
BEFORE = "propagation"
"""The table of what a study's networks are before their first step."""
SHOWN = 5
"""Cells that a message names."""

Status = Literal["equal", "within noise", "drifted"]
StatusBefore = Literal["equal", "other bits", "not compared"]


class Record(NamedTuple):
    """What a study came to, as the repository keeps it."""

    study: str
    digest: str
    """Of its networks, history and layers; of the axes those that are varied."""
    propagation: dict[str, str]
    """``digest`` of its signals and gradients before the first step, as they are measured and as theory has them, and
    ``settings``, that of the parameters besides that these depend on."""
    settings: str
    """Digest of all parameters that it depends on."""
    platform: dict[str, Any]
    """See `pipeline.training.platform`."""
    cells: pd.DataFrame
    """One row per cell: the axes, ``digest``, and ``<score>_mean`` and ``<score>_sd`` over its seeds."""
    networks: pd.DataFrame
    """One row per network: `KEY` and `SCORES`. A diverged network guesses, and has no loss."""


class Comparison(NamedTuple):
    """Two records of one study."""

    status: Status
    cells: pd.DataFrame
    """One row per cell of either: the axes, ``status``, ``score`` and ``difference``, the most significant one."""
    largest: float
    """The largest difference of any network's accuracy or loss."""
    propagation: StatusBefore
    """What was measured and predicted before the first step; not compared where other networks were asked for."""


def fingerprint(table: pd.DataFrame) -> str:
    """Return a digest of a table's names and values: the same for equal tables, whatever wrote the file."""
    digest = hashlib.sha256()
    for name in table.columns:
        values = table[name].to_numpy()
        digest.update(f"{name}\0".encode())
        if values.dtype.kind in "iub":
            digest.update(values.astype("<i8").tobytes())
        elif values.dtype.kind == "f":
            numbers = values.astype("<f8")
            numbers[np.isnan(numbers)] = np.nan  # there are many
            numbers[numbers == 0] = 0.0  # there are two
            digest.update(numbers.tobytes())
        else:
            digest.update("\0".join("" if value is None else str(value) for value in table[name]).encode())
    return digest.hexdigest()


def settings_digest(study: Study, params: Params) -> str:
    """Return a digest of the parameters that a study's networks depend on."""
    return _digest([study.data.model_dump(), study.training.epochs, study.networks(), params.health.model_dump()])


def _digest(said: Any) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def record(
    name: str, study: Study, params: Params, tables: Mapping[str, pd.DataFrame], platform: dict[str, Any]
) -> Record:
    """Return what a study came to, from its `TABLES` and the one `BEFORE`."""
    axes = list(AXES)
    parts = [{cell: rows.drop(columns=axes) for cell, rows in tables[table].groupby(axes)} for table in TABLES]
    networks = _scores(tables["networks"], tables["layers"])
    scores = list(SCORES)
    cells = networks.groupby(axes)[scores].agg(["mean", "std"])
    cells.columns = pd.Index([f"{score}_{moment}" for score in scores for moment in ("mean", "sd")])
    cells.insert(
        0, "digest", ["".join(fingerprint(part[cell])[:8] for part in parts if cell in part) for cell in cells.index]
    )
    # Cells stand for their levels: an axis on which nothing is varied leaves the digest as it is.
    varied = [axis for axis in AXES if tables["networks"][axis].nunique() > 1]
    whole = hashlib.sha256(
        "".join(fingerprint(tables[table].drop(columns={*axes} - {*varied})) for table in TABLES).encode()
    )
    before = {"digest": fingerprint(tables[BEFORE]), "settings": _digest(params.propagation.model_dump())}
    settings = settings_digest(study, params)
    return Record(name, whole.hexdigest(), before, settings, platform, cells.reset_index(), networks)


def _scores(networks: pd.DataFrame, layers: pd.DataFrame) -> pd.DataFrame:
    found = networks[KEY].copy()
    found["val_loss"] = networks["val_loss"]
    found["val_accuracy"] = networks["val_accuracy"]
    first = layers[(layers["epoch"] == 0) & (layers["layer"] == 1)]
    with np.errstate(divide="ignore"):
        first = first[KEY].assign(initial_signal=np.log(first["signal"]))
    return found.merge(first, on=KEY, how="left", validate="one_to_one")


def save_record(kept: Record, folder: Path) -> None:
    """Write ``<study>.json``, ``<study>.csv`` (cells) and ``<study>.parquet`` (networks)."""
    folder.mkdir(parents=True, exist_ok=True)
    save_json(
        {name: getattr(kept, name) for name in ("digest", "propagation", "settings", "platform")},
        folder / f"{kept.study}.json",
    )
    kept.cells.to_csv(folder / f"{kept.study}.csv", index=False, float_format="%.6g", lineterminator="\n")
    kept.networks.to_parquet(folder / f"{kept.study}.parquet", index=False, compression="zstd")


def load_record(study: str, folder: Path) -> Record:
    """Read what `save_record` wrote.

    Raises:
        DataError: there is no record of that study, or it is damaged.
    """
    try:
        said = json.loads((folder / f"{study}.json").read_text(encoding="utf-8"))
        cells = pd.read_csv(folder / f"{study}.csv", keep_default_na=False, na_values=[""])
        return Record(study, **said, cells=cells, networks=pd.read_parquet(folder / f"{study}.parquet"))
    except FileNotFoundError as error:
        raise DataError(f"{error.filename} is not there; `make golden` writes it from a run's results") from None
    except (ValueError, TypeError, OSError) as error:
        raise DataError(f"{folder}/{study}: damaged ({error}); `git checkout {folder}` brings it back") from error


def compare(ours: Record, theirs: Record) -> Comparison:
    """Compare two records of one study, cell by cell.

    Raises:
        DataError: they were made with different parameters.
    """
    if ours.settings != theirs.settings:
        raise DataError(
            f"{ours.study}: its parameters are not those of the record, so the two cannot be compared; "
            "put params.yaml back, or keep new results with `make golden`"
        )
    axes = list(AXES)
    pairs = ours.cells[[*axes, "digest"]].merge(theirs.cells[[*axes, "digest"]], on=axes, how="outer")
    same = pairs["digest_x"] == pairs["digest_y"]
    networks = ours.networks.merge(theirs.networks, on=KEY, how="outer", suffixes=("", "_theirs"))
    gaps = networks[KEY].copy()
    for score in SCORES:
        gaps[score] = networks[score] - networks[f"{score}_theirs"]
    tested = [
        (cell, score, float(differences.mean()), t_test_p(differences.to_numpy(np.float64)))
        for cell, rows in gaps.groupby(axes)
        for score in LEAST
        if len(differences := rows[score].dropna()) > 1 and abs(differences.mean()) > LEAST[score]
    ]
    # Corrected for every cell and score, not for those alone that got this far.
    untested = [1.0] * (len(pairs) * len(LEAST) - len(tested))
    corrected = holm([p for *_, p in tested] + untested)
    worst: dict[Any, tuple[float, str, float]] = {}
    for (cell, score, difference, _), p in zip(tested, corrected, strict=False):
        worst[cell] = min(worst.get(cell, (2.0, "", 0.0)), (p, score, difference), key=lambda found: found[0])
    rows = []
    for cell, equal in zip(pairs[axes].itertuples(index=False, name=None), same, strict=True):
        p, score, difference = worst.get(cell, (1.0, "", 0.0))
        status: Status = "equal" if equal else "drifted" if p < ALPHA else "within noise"
        rows.append((*cell, status, score, difference))
    cells = pd.DataFrame(rows, columns=[*axes, "status", "score", "difference"])
    found = set(cells["status"])
    overall: Status = "drifted" if "drifted" in found else "within noise" if "within noise" in found else "equal"
    before: StatusBefore = "equal"
    if ours.propagation["settings"] != theirs.propagation["settings"]:
        before = "not compared"
    elif ours.propagation["digest"] != theirs.propagation["digest"]:
        before = "other bits"
    if overall == "equal" and (ours.digest != theirs.digest or before == "other bits"):
        overall = "within noise"
    largest = float(np.nanmax(gaps[["val_loss", "val_accuracy"]].abs().to_numpy(), initial=0))
    return Comparison(overall, cells, largest, before)


def describe(study: str, found: Comparison) -> str:
    """Return a comparison in words: how many cells, which, and what they have in common."""
    cells, total = found.cells, len(found.cells)
    if found.status == "equal":
        unasked = "" if found.propagation == "equal" else "; propagation.parquet is not compared: its settings differ"
        return f"{study}: equal, bit for bit, in all {total:,} cells{unasked}"
    changed = cells[cells["status"] != "equal"]
    drifted = cells[cells["status"] == "drifted"]
    lines = [
        f"{study}: {found.status}: {len(changed):,} of {total:,} cells have other bits, {len(drifted):,} of them "
        f"drifted beyond noise; the largest difference of a network's loss or accuracy is {found.largest:.2g}"
    ]
    if found.propagation == "other bits":
        lines.append(
            "  propagation.parquet, what is measured before the first step and what theory predicts, has other bits"
        )
    common = _common(cells, cells["status"] != "equal")
    if common:
        lines.append(f"  what they have in common: {common}")
    first = drifted.sort_values("difference", key=abs, ascending=False).head(SHOWN)
    varied = [axis for axis in AXES if cells[axis].nunique() > 1]
    for row in first.to_dict("records"):
        lines.append(f"  {cell_name(row, varied)}: {row['score']} differs by {row['difference']:+.3g}")
    if len(drifted) > SHOWN:
        lines.append(f"  and {len(drifted) - SHOWN:,} more")
    return "\n".join(lines)


def _common(cells: pd.DataFrame, changed: "pd.Series[bool]") -> str:
    """Return the levels that all changed cells have and, where there are such, that no other has."""
    every: list[str] = []
    some: list[str] = []
    for axis in AXES:
        levels = set(cells.loc[changed, axis])
        if levels and len(levels) < cells[axis].nunique():
            named = f"{axis} {', '.join(str(level) for level in sorted(levels))}"
            others = ~changed & cells[axis].isin(levels)
            (some if others.any() else every).append(named)
    if every:
        return "; ".join(f"{named} (and every such cell has changed)" for named in every)
    return "; ".join(f"{named} (not every such cell has changed)" for named in some)
