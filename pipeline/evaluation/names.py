"""What verdicts and transfer settings are called, in the report and in MLflow."""

from typing import Any

import pandas as pd


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
