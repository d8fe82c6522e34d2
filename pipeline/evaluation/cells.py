"""Cells: mean and interval over seeds, how many failed, and each cell's best learning rate."""

import math
from typing import Literal

import pandas as pd

from ..data import Card
from ..grid import AXES, AXIS
from .estimates import Estimate
from .names import health_name
from .tested import Tested

SCORES = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_loss", "test_accuracy")
BOUNDED = {"val_accuracy": "validation", "test_accuracy": "test"}
"""Scores that have an interval, and the parts that they are of."""
SETTING = [axis for axis in AXES if axis != "learning_rate"]
"""What is left of a cell when its learning rate is chosen: a nuisance parameter, chosen on validation alone."""
View = Literal["best", "fixed"]
"""Each setting at its own best learning rate, or all at the study's fixed one."""


def factors(networks: pd.DataFrame) -> tuple[list[str], pd.DataFrame]:
    """Return the axes that a study varies, learning rates apart, and the networks that vary in these alone.

    An axis whose levels were tried on a few settings only, beside a grid at its neutral level, is none of them: of it,
    the neutral level is taken.
    """
    varied = [axis for axis in SETTING if networks[axis].nunique() > 1]
    settings = networks[varied].drop_duplicates()
    for axis in list(varied):
        neutral = AXIS[axis].neutral
        sizes = settings[axis].value_counts().to_dict()
        if neutral in sizes and 2 * max(size for level, size in sizes.items() if level != neutral) < sizes[neutral]:
            varied.remove(axis)
            networks = networks[networks[axis] == neutral]
    return varied, networks


def fixed_rate(networks: pd.DataFrame) -> float:
    """Return the learning rate that most networks were trained at; the lowest of equally frequent ones."""
    return float(networks["learning_rate"].mode().iloc[0])


def select_learning_rate(networks: pd.DataFrame, view: View) -> pd.DataFrame:
    """Return the rows at the view's learning rate: each setting's best one, or the fixed one.

    The best is the tuned one; else it has the highest mean validation accuracy, in which those that diverged are
    guesses.
    """
    if view == "fixed":
        return networks[networks["learning_rate"] == fixed_rate(networks)]
    cells = networks.groupby(list(AXES), as_index=False).agg(
        tuned=("tuned", "first"), val_accuracy_mean=("val_accuracy", "mean")
    )
    return networks.merge(best_rates(cells)[list(AXES)], on=list(AXES))


def best_rates(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells whose learning rate is best for their setting."""
    ranked = cells.sort_values(["tuned", "val_accuracy_mean", *AXES], ascending=[False, False, *[True] * len(AXES)])
    return ranked.drop_duplicates(SETTING)


def chance_limit(card: Card) -> float:
    """Return the validation accuracy up to which a network has learned nothing.

    What always naming the most frequent class gets, and two standard errors more.
    """
    share, samples = card.guess_accuracy("validation"), card.samples["validation"]
    return share + 2 * math.sqrt(share * (1 - share) / samples)


def summarize_cells(networks: pd.DataFrame, tested: Tested, limit: float, confidence: float) -> pd.DataFrame:
    """Return one row per cell, sorted by its axes.

    Columns: the axes; ``networks``; ``tuned``, whether the learning rate was; ``diverged`` and ``at_chance``, the
    failures; ``health``, the verdicts; for each score its ``_mean`` and ``_sd``, of losses over those that did not
    diverge; of those that are `BOUNDED` the bounds ``_low`` and ``_high`` of an interval that allows for seeds, splits
    and samples, see `of_samples`; ``best_rate``, true for the cell whose learning rate is best for its setting.

    Args:
        networks: a study's.
        tested: what they got right.
        limit: validation accuracy up to which a network has learned nothing.
        confidence: of the intervals.
    """
    rows = []
    for cell, group in networks.assign(row=tested.rows(networks)).groupby(list(AXES), sort=True):
        trained = group[group["status"] == "trained"]
        row = dict(zip(AXES, cell, strict=True)) | {
            "networks": len(group),
            "tuned": bool(group["tuned"].iloc[0]),
            "diverged": len(group) - len(trained),
            "at_chance": int((trained["val_accuracy"] <= limit).sum()),
            "health": health_name(group["health"]),
        }
        for score in SCORES:
            values = group[score].dropna()
            mean = float(values.mean())
            row |= {f"{score}_mean": mean, f"{score}_sd": float(values.std(ddof=1))}
            if part := BOUNDED.get(score):
                found = tested.mean(group["row"].to_numpy(), part)._replace(mean=mean)
                row |= bounds(score, found, confidence)
        rows.append(row)
    cells = pd.DataFrame(rows)
    cells["best_rate"] = cells.index.isin(best_rates(cells).index)
    return cells


def bounds(name: str, estimate: Estimate, confidence: float) -> dict[str, float]:
    """Return the bounds of an estimate's interval as columns, cut off where no accuracy can be."""
    _, low, high = estimate.interval(confidence)
    return {f"{name}_low": max(low, 0.0), f"{name}_high": min(high, 1.0)}
