"""Which samples the networks of a study were tested on, and which of them they got right.

All intervals of accuracies rest on it: a test part is a few hundred samples, which others might have been.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..config.data import StratifiedSplit
from ..data import Card, Dataset
from ..training.names import KEY
from .estimates import Estimate, of_samples
from .statistics import Scores

Rows = NDArray[np.integer]
"""Networks, by their rows in a table of hits."""


class Tested(NamedTuple):
    """A study's hits."""

    keys: pd.DataFrame
    """`KEY`, one row per network."""
    hits: NDArray[np.uint8]
    """``[network, place]``: 1 where it gets the sample right that is in this place of its test part."""
    splits: NDArray[np.int64]
    """``[network]``: its split, counted from 0."""
    samples: NDArray[np.int64]
    """``[split, place]``: which sample is there; counted from 0, those that no split is tested on left out."""
    card: Card

    @property
    def overlap(self) -> float:
        """See `pipeline.evaluation.estimates.of_samples`."""
        return overlap(self.card)

    def rows(self, networks: pd.DataFrame) -> Rows:
        """Return the rows of some networks.

        Raises:
            ValueError: one has no hits.
        """
        found = pd.MultiIndex.from_frame(self.keys).get_indexer(pd.MultiIndex.from_frame(networks[KEY]))
        if (found < 0).any():
            raise ValueError("a network has no hits")
        return found

    def mean(self, rows: Rows, part: str = "test") -> Estimate:
        """Return the mean test accuracy of some networks, a replicate each, with the error that it has on a part.

        The validation part's hits are not kept, but it is drawn as the test part is: what is known of its mean errs as
        the test part's does, but for the number of its samples.
        """
        return self._of(self.hits[rows], rows, self.card.samples["test"] / self.card.samples[part])

    def difference(self, first: Rows, second: Rows) -> Estimate:
        """Return the difference in accuracy of networks that are paired by seed."""
        return self._of(self.hits[first].astype(np.int8) - self.hits[second].astype(np.int8), first)

    def middle(self, rows: Rows) -> Estimate:
        """Return the interquartile mean of some settings ``[setting, replicate]``.

        Of the settings in each replicate the lowest and the highest quarter are left out (Agarwal et al.
        2021): replicates, not single networks, are what is drawn anew, for a seed's luck is that of all its networks.
        """
        ranked = np.take_along_axis(rows, self.hits.mean(1)[rows].argsort(axis=0, kind="stable"), axis=0)
        cut = len(rows) // 4
        return self._of(self.hits[ranked[cut : len(rows) - cut]].mean(0), rows[0])

    def _of(self, values: NDArray[np.generic], rows: Rows, scale: float = 1.0) -> Estimate:
        """Return what values ``[replicate, place]`` of networks with these test parts come to."""
        splits = self.splits[rows]
        table = np.full((len(rows), int(self.samples.max()) + 1), np.nan)
        np.put_along_axis(table, self.samples[splits], values, axis=1)
        return of_samples(table, self.overlap, splits if self.overlap else None, scale)


def tested(dataset: Dataset, hits: pd.DataFrame) -> Tested:
    """Return a study's hits with the samples that they are of.

    Args:
        dataset: the study's.
        hits: see `pipeline.training.results.Results`.
    """
    numbers = [dataset.card.split_of(int(seed)) for seed in hits["seed"]]
    own, splits = np.unique(numbers, return_inverse=True)
    parts = np.stack([dataset.exchanged(int(number))["test"] for number in own])
    _, samples = np.unique(parts, return_inverse=True)
    return Tested(
        keys=hits[KEY],
        hits=unpacked(hits["hits"], parts.shape[1]),
        splits=splits,
        samples=samples.reshape(parts.shape),
        card=dataset.card,
    )


def on_samples(hits: pd.DataFrame, weights: pd.Series) -> Scores:
    """Return ``[seed, sample]``: the sum of each seed's networks' hits on a sample, times what they count for.

    NaN where a seed is not tested on a sample.

    Args:
        hits: see `pipeline.experiments.transfer.results.TransferResults`.
        weights: by the index of the networks' rows.
    """
    own = hits.loc[weights.index]
    tested, right = (unpacked(own[bits]) for bits in ("tested", "hits"))
    seeds = own["seed"].to_numpy()
    rows = [
        (weights.to_numpy()[seeds == seed] @ right[seeds == seed], tested[seeds == seed]) for seed in np.unique(seeds)
    ]
    return np.array([np.where(seen.any(0), score, np.nan) for score, seen in rows])


def unpacked(hits: pd.Series, places: int | None = None) -> NDArray[np.uint8]:
    """Return hits as ``[network, place]``, 1 where a network is right.

    Args:
        hits: bytes, see `pipeline.training.results.Results`.
        places: samples of the test part; ``None`` is all that the bytes have room for.
    """
    packed = np.frombuffer(b"".join(hits), np.uint8).reshape(len(hits), -1)
    return np.unpackbits(packed, axis=1, count=places)


def overlap(card: Card) -> float:
    """Return test samples for each training sample, where each replicate draws its split; 0 where all share one."""
    return card.samples["test"] / card.samples["train"] if isinstance(card.split, StratifiedSplit) else 0.0
