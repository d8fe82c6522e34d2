"""What others published of the same settings, beside what was measured here."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.evaluation.statistics import further_run_interval

PUBLISHED_FILE = Path(__file__).parent / "published_grid.csv"
KEY = ["activation", "initializer", "normalization", "learning_rate"]


def published_settings(study: str, networks: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Return a row for each published setting that the study has.

    Columns: the axes; ``train_accuracy`` and ``val_accuracy`` as published, one run each, and their ``source``;
    ``measured``, the mean validation accuracy over the seeds, and ``low`` and ``high``, between which one further run
    is expected.
    """
    published = pd.read_csv(PUBLISHED_FILE)
    own = published[published["study"] == study].drop(columns="study")
    rows = []
    for row in own.to_dict("records"):
        same = (networks[KEY] == pd.Series({axis: row[axis] for axis in KEY})).all(axis=1)
        scores = networks.loc[same & (networks["clipping"] == "none"), "val_accuracy"].dropna().to_numpy(np.float64)
        if len(scores):
            measured, low, high = further_run_interval(scores, confidence)
            rows.append(
                {str(key): value for key, value in row.items()} | {"measured": measured, "low": low, "high": high}
            )
    return pd.DataFrame(rows)
