"""A study's evaluation, from its tables to what the report and MLflow show."""

import math
from collections import Counter
from typing import Any

import pandas as pd

from ..config import Params
from ..data import Dataset
from ..grid import AXES, Cell
from ..training.results import Results
from ..verdicts import VERDICTS
from .budget import Budget, budget
from .cells import chance_limit, summarize_cells
from .chance import chance
from .files import Evaluation
from .levels import summarize_levels
from .recommend import most_robust, recommend, simplest
from .tested import tested


def evaluate(
    params: Params, dataset: Dataset, results: Results, champion: dict[str, Any], repeats: pd.DataFrame
) -> Evaluation:
    """Return a study's evaluation: cells, levels, metrics, details.

    Args:
        params: settings that all studies share.
        dataset: its data.
        results: its tables.
        champion: what `pipeline.experiments.champion.crown` found.
        repeats: see `pipeline.experiments.repeats.repeat`.
    """
    networks, card, right = results.networks, dataset.card, tested(dataset, results.hits)
    confidence, limit = params.evaluation.confidence, chance_limit(card)
    cells = summarize_cells(networks, right, limit, confidence)
    levels = summarize_levels(networks, results.history, right, limit, confidence)
    recommended = recommend(networks, right, params.evaluation.equivalence, confidence)
    owed = chance(champion, results.hits, repeats, card)
    metrics: dict[str, Any] = {
        "networks": len(networks),
        "cells": len(cells),
        "diverged": int(cells["diverged"].sum()),
        "at_chance": int(cells["at_chance"].sum()),
        "health": {verdict: int((networks["health"] == verdict).sum()) for verdict in VERDICTS},
        "best_cell": _best_cell(cells),
        "recommended": _recommended(recommended),
        "budget": _budget(budget(networks, results.history, results.tuning)),
        "references": champion["references"],
    }
    details: dict[str, Any] = {
        "classes": card.classes,
        "chance_limit": limit,
        "recommended": recommended,
        "explained": levels.explained,
        "chance": None if owed is None else owed._asdict() | {"together": owed.together},
        "data": card.model_dump(),
    }
    if "champion" in champion:
        metrics["champion"] = champion["champion"]
        details |= {"champion": champion["name"]} | {key: champion[key] for key in ("confusion", "per_class")}
    return Evaluation(cells, levels.table, metrics, details)


def _budget(found: Budget) -> dict[str, Any]:
    return {name: number for name, number in found._asdict().items() if not math.isnan(number)}


def _recommended(settings: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how many settings come near the best, itself included, as what they are shown, and which to take."""
    if not settings:
        return {"near": 0}
    others = Counter(setting["standing"] for setting in settings[1:])
    return {
        "near": len(settings),
        "equivalent": others["equivalent"],
        "different": others["different"],
        "simplest": Cell.of(simplest(settings))._asdict(),
        "most_robust": Cell.of(most_robust(settings))._asdict(),
    }


def _best_cell(cells: pd.DataFrame) -> dict[str, Any] | None:
    """Return the cell with the highest mean validation accuracy; ``None`` where every network has diverged."""
    if (cells["diverged"] == cells["networks"]).all():
        return None
    best = cells.sort_values(["val_accuracy_mean", *AXES], ascending=[False, *[True] * len(AXES)]).iloc[0]
    scores = ["val_accuracy_mean", "val_accuracy_low", "val_accuracy_high", "test_accuracy_mean"]
    return Cell.of(best.to_dict())._asdict() | {score: float(best[score]) for score in scores}
