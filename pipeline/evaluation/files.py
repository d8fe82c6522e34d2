"""What an evaluation is, and the files that hold it."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ..strict_json import save_json

CELLS_FILE = "cells.parquet"
LEVELS_FILE = "levels.parquet"
METRICS_FILE = "metrics.json"
DETAILS_FILE = "evaluation.json"


class Evaluation(NamedTuple):
    """What `pipeline.evaluation.evaluate` found out."""

    cells: pd.DataFrame
    """See `summarize_cells`."""
    levels: pd.DataFrame
    """See `summarize_levels`."""
    metrics: dict[str, Any]
    """Small: counts, the best cell, which settings to take, the champion, the references. A DVC metric."""
    details: dict[str, Any]
    """``classes``, the champion's ``confusion`` matrix ``[actual][predicted]`` and scores ``per_class`` on the test
    part, the ``chance_limit`` of validation accuracy, the ``recommended`` settings, what the axes have ``explained`` by
    view, what one network's accuracy owes to ``chance`` (see `pipeline.evaluation.chance`),
    and the ``data`` card."""


def load_evaluation(folder: Path) -> Evaluation:
    """Read what `save_evaluation` wrote."""
    return Evaluation(
        pd.read_parquet(folder / CELLS_FILE),
        pd.read_parquet(folder / LEVELS_FILE),
        json.loads((folder / METRICS_FILE).read_text(encoding="utf-8")),
        json.loads((folder / DETAILS_FILE).read_text(encoding="utf-8")),
    )


def save_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write an evaluation's files. Equal evaluations give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    evaluation.cells.to_parquet(folder / CELLS_FILE, index=False)
    evaluation.levels.to_parquet(folder / LEVELS_FILE, index=False)
    for name, content in ((METRICS_FILE, evaluation.metrics), (DETAILS_FILE, evaluation.details)):
        save_json(content, folder / name)
