"""How much of one network's test accuracy is chance: the seed's, the split's, the test samples'."""

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data import Card
from ..grid import AXES, Cell
from .tested import overlap, unpacked


class Chance(NamedTuple):
    """Standard deviations of the test accuracy of networks that are alike in all else, in accuracy."""

    seed: float
    """Trained on the same split, from other seeds, and tested on the same samples."""
    split: float | None
    """Trained on another split of the same samples, beyond what its other test samples bring; ``None`` where the source
    has one split for all. 0 where it is too small to be seen."""
    test: float
    """Tested on other samples of the kind."""
    networks: int
    """That it was measured on."""

    @property
    def together(self) -> float:
        """Seed, split and samples all anew."""
        return math.hypot(self.seed, self.split or 0.0, self.test)


def chance(champion: dict[str, Any], hits: pd.DataFrame, repeats: pd.DataFrame, card: Card) -> Chance | None:
    """Return what the champion's setting owes to chance; ``None`` where nobody can tell.

    Args:
        champion: what `pipeline.experiments.champion.crown` found.
        hits: the study's, see `pipeline.training.results.Results`.
        repeats: see `pipeline.experiments.repeats.repeat`; empty where all networks share one split.
        card: of the study's data.
    """
    if "champion" not in champion or (overlap(card) and repeats.empty):
        return None
    places = card.samples["test"]
    if overlap(card):
        right = unpacked(repeats["hits"], places).reshape(repeats["split"].nunique(), -1, places)
        return decompose(right, places / sum(card.samples.values()))
    setting = Cell.of(champion["champion"])._asdict()
    own = hits[np.logical_and.reduce([hits[axis] == setting[axis] for axis in AXES])]
    return decompose(unpacked(own["hits"], places)[None], 1.0) if len(own) > 1 else None


def decompose(right: NDArray[np.number], share: float) -> Chance:
    """Return what hits ``[split, seed, place]`` vary by: an analysis of variance, seeds nested in splits.

    A sample is hit by some share of all seeds. Of the variance between the shares that were seen, the part that a few
    seeds bring with them is taken away; what is left, over the number of samples, is what a test part brings.
    Accuracies of splits vary by that, but for the samples that test parts share, by their seeds, and by the split.

    Args:
        right: 1 where a network is right; at least two seeds.
        share: test samples, of all samples.
    """
    splits, seeds, places = right.shape
    accuracy, shares = right.mean(2), right.mean(1)
    seed = float(accuracy.var(axis=1, ddof=1).mean())
    rest = right - accuracy[..., None] - shares[:, None] + accuracy.mean(1)[:, None, None]
    luck = np.square(rest).sum(axis=(1, 2)) / ((seeds - 1) * (places - 1) * seeds)
    test = max(0.0, float((shares.var(axis=1, ddof=1) - luck).mean())) / places
    split = None
    if splits > 1:
        beyond = float(accuracy.mean(1).var(ddof=1)) - seed / seeds - test * (1 - share)
        split = math.sqrt(max(0.0, beyond))
    return Chance(math.sqrt(seed), split, math.sqrt(test), splits * seeds)
