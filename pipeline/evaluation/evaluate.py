"""A study's evaluation, from its tables to what the report and MLflow show."""

from typing import Any

import pandas as pd

from pipeline.config import Params
from pipeline.data import Card
from pipeline.evaluation.cells import chance_limit, summarize_cells
from pipeline.evaluation.files import Evaluation
from pipeline.evaluation.levels import summarize_levels
from pipeline.evaluation.recommend import most_robust, recommend, simplest
from pipeline.grid import AXES, Cell
from pipeline.training.results import Results
from pipeline.training.verdicts import VERDICTS


def evaluate(params: Params, card: Card, results: Results, champion: dict[str, Any]) -> Evaluation:
    """Return a study's evaluation: cells, levels, metrics, details.

    Args:
        params: settings that all studies share.
        card: of its data.
        results: its tables.
        champion: what `pipeline.experiments.champion.crown` found.
    """
    networks = results.networks
    confidence, chance = params.evaluation.confidence, chance_limit(card)
    cells = summarize_cells(networks, chance, confidence)
    levels = summarize_levels(networks, results.history, chance, confidence)
    recommended = recommend(networks, params.evaluation.equivalence, confidence)
    metrics: dict[str, Any] = {
        "networks": len(networks),
        "cells": len(cells),
        "diverged": int(cells["diverged"].sum()),
        "at_chance": int(cells["at_chance"].sum()),
        "health": {verdict: int((networks["health"] == verdict).sum()) for verdict in VERDICTS},
        "best_cell": _best_cell(cells),
        "recommended": _recommended(recommended),
        "references": champion["references"],
    }
    details: dict[str, Any] = {
        "classes": card.classes,
        "chance_limit": chance,
        "recommended": recommended,
        "explained": levels.explained,
        "data": card.model_dump(),
    }
    if "champion" in champion:
        metrics["champion"] = champion["champion"]
        details |= {"champion": champion["name"]} | {key: champion[key] for key in ("confusion", "per_class")}
    return Evaluation(cells, levels.table, metrics, details)


def _recommended(settings: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how many settings are as good as the best, and which of them to take."""
    if not settings:
        return {"equivalent": 0}
    return {
        "equivalent": len(settings),
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
