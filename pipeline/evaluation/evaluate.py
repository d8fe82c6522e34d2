"""A study's evaluation, from its tables to what the report and MLflow show."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from pipeline.data import Dataset
from pipeline.evaluation.cells import chance_limit, guess_accuracy, summarize_cells
from pipeline.evaluation.champion import Retrained, architecture, choose_champion, describe, retrain, save_champion
from pipeline.evaluation.files import CARD_FILE, CHAMPION_FOLDER, Evaluation, save_evaluation
from pipeline.evaluation.levels import summarize_levels
from pipeline.evaluation.model_card import model_card
from pipeline.evaluation.recommend import most_robust, recommend, simplest
from pipeline.evaluation.references import reference_scores
from pipeline.params import AXES, Network, Params, Study
from pipeline.training.results import Results, rows_of
from pipeline.training.verdicts import VERDICTS


def evaluate(study: Study, params: Params, dataset: Dataset, results: Results, folder: Path) -> Evaluation:
    """Evaluate a study and write its files into the folder of its name: cells, levels, metrics, details, the champion.

    Where the champion, trained again, is not the network that was recorded, the metrics say so and a warning does.
    """
    networks = results.networks
    confidence, chance = params.evaluation.confidence, chance_limit(dataset.card)
    cells = summarize_cells(networks, dataset.card, confidence)
    levels = summarize_levels(networks, results.history, guess_accuracy(dataset.card), chance, confidence)
    recommended = recommend(networks, params.evaluation.equivalence, confidence)
    metrics: dict[str, Any] = {
        "networks": len(networks),
        "cells": len(cells),
        "diverged": int(cells["diverged"].sum()),
        "at_chance": int(cells["at_chance"].sum()),
        "health": {verdict: int((networks["health"] == verdict).sum()) for verdict in VERDICTS},
        "best_cell": _best_cell(cells),
        "recommended": _recommended(recommended),
        "references": reference_scores(params.evaluation.references, dataset),
    }
    details: dict[str, Any] = {
        "classes": dataset.card.classes,
        "chance_limit": chance,
        "recommended": recommended,
        "explained": levels.explained,
        "data": dataset.card.model_dump(),
    }
    champion = choose_champion(networks)
    if champion is not None:
        again = retrain(champion, study, params, dataset, networks)
        if again.reproduced == "no":
            _warn(champion, again)
        built_as = architecture(champion, study, params, dataset)
        save_champion(again.model, built_as, dataset.card, folder / CHAMPION_FOLDER)
        row = rows_of(networks, champion).iloc[0]
        by_class = _scores_by_class(dataset.test.y, again.labels, dataset.card.classes)
        metrics["champion"] = champion.cell._asdict() | {
            "seed": champion.seed,
            "val_accuracy": float(row["val_accuracy"]),
            "test_accuracy": float(row["test_accuracy"]),
            "reproduced": again.reproduced,
            "largest_difference": again.largest_difference,
        }
        details |= {
            "champion": describe(champion),
            "confusion": confusion_matrix(
                dataset.test.y, again.labels, labels=range(len(dataset.card.classes))
            ).tolist(),
            "per_class": by_class,
        }
        written = model_card(folder.name, champion, study, dataset.card, metrics, by_class)
        (folder / CHAMPION_FOLDER / CARD_FILE).write_text(written, encoding="utf-8")
    evaluation = Evaluation(cells, levels.table, metrics, details)
    save_evaluation(evaluation, folder)
    return evaluation


def _scores_by_class(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Return precision, recall, F1 and the number of samples of each class, in the classes' order."""
    scores = precision_recall_fscore_support(labels, predicted, labels=range(len(classes)), zero_division=0)
    names = ("precision", "recall", "f1", "samples")
    return [dict(zip(names, (column.item() for column in row), strict=True)) for row in zip(*scores, strict=True)]


def _warn(champion: Network, again: Retrained) -> None:
    """Say that the champion is another network than the one that was recorded, and what to do."""
    by = "is no number" if again.largest_difference is None else f"differs by {again.largest_difference:.2g}"
    print(
        f"warning: the champion ({describe(champion)}) came out different when trained again: its {again.score} {by}. "
        "Were the results made by other library versions, or on another kind of processor (place.json beside them says "
        "where)? `make verify` tells whether this machine computes as others do; `dvc repro --force` makes the "
        "results anew. The run goes on, with the network that was trained again as its champion",
        file=sys.stderr,
    )


def _recommended(settings: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how many settings are as good as the best, and which of them to take."""
    if not settings:
        return {"equivalent": 0}
    return {
        "equivalent": len(settings),
        "simplest": {axis: simplest(settings)[axis] for axis in AXES},
        "most_robust": {axis: most_robust(settings)[axis] for axis in AXES},
    }


def _best_cell(cells: pd.DataFrame) -> dict[str, Any] | None:
    """Return the cell with the highest mean validation accuracy of those in which every network was trained."""
    whole = cells[cells["diverged"] == 0]
    if whole.empty:
        return None
    best = whole.sort_values(["val_accuracy_mean", *AXES], ascending=[False, *[True] * len(AXES)]).iloc[0]
    scores = ["val_accuracy_mean", "val_accuracy_low", "val_accuracy_high", "test_accuracy_mean"]
    return {axis: best[axis] for axis in AXES} | {score: float(best[score]) for score in scores}
