"""What a cell is called, wherever a person reads it: in the report, in DVC's plots, in MLflow."""

from typing import Any

import pandas as pd


def setting_name(cell: Any) -> str:
    """Return a cell's setting in words, without what it leaves out: ``relu · he_normal · batch norm before``."""
    parts = [cell["activation"], cell["initializer"]]
    parts += [f"batch norm {cell['batch_norm']}"] * (cell["batch_norm"] != "none")
    parts += [f"clip {cell['clipping']}"] * (cell["clipping"] != "none")
    return " · ".join(parts)


def cell_name(cell: Any) -> str:
    """Return a cell's setting and learning rate: ``relu · he_normal · lr 0.1``."""
    return f"{setting_name(cell)} · lr {cell['learning_rate']:g}"


def health_name(verdicts: pd.Series) -> str:
    """Return the verdicts on a cell's networks: ``healthy``, or where they differ ``dying 3, healthy 2``."""
    counts = verdicts.dropna().value_counts().sort_index().sort_values(ascending=False, kind="stable")
    if len(counts) < 2:
        return str(counts.index[0]) if len(counts) else "unknown"
    return ", ".join(f"{verdict} {count}" for verdict, count in counts.items())


def transfer_name(setting: Any) -> str:
    """Return a transfer setting in words: ``B · 200 labels · 5 layers reused, 2 unfrozen``."""
    parts = [setting["task"], f"{setting['labels']:,} labels"]
    parts += [f"{setting['reused']} layers reused, {setting['unfrozen']} unfrozen"] * (setting["reused"] > 0)
    return " · ".join(parts)
