"""Small learners on real splits of a finite pool of samples: what intervals are to cover is known of them.

Two classes of normal points; a learner has each class's mean, and noise of its seed's own on it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FEATURES, APART = 8, 0.55
Sample = tuple[NDArray[np.float64], NDArray[np.int64]]


def sample(generator: np.random.Generator, count: int) -> Sample:
    labels = np.arange(count) % 2
    return generator.normal(size=(count, FEATURES)) + APART * labels[:, None], labels


def hits(generator: np.random.Generator, train: Sample, test: Sample, noise: float) -> NDArray[np.float64]:
    """Return what a learner gets right."""
    means = [train[0][train[1] == label].mean(0) + generator.normal(0, noise, FEATURES) for label in (0, 1)]
    middle = (np.square(means[1]).sum() - np.square(means[0]).sum()) / 2  # equally far from both
    return ((test[0] @ (means[1] - means[0]) > middle) == test[1]).astype(float)


class Study(NamedTuple):
    """How learners are trained and tested."""

    size: int
    """Samples of the pool: a fifth of them is tested on, three fifths are trained on, a fifth is for validation."""
    noises: tuple[float, ...]
    """Of the settings, each with its seed's own noise."""
    splits: int = 10
    seeds: int = 1
    """On each split."""
    official: Sample | None = None
    """The training part, where all share one and the test part too."""

    @property
    def overlap(self) -> float:
        return 0.0 if self.official else 1 / 3

    def draw(self, generator: np.random.Generator, part: slice = slice(0, 1)) -> NDArray[np.float64]:
        """Return hits ``[setting, replicate, sample]`` on one draw of the pool, NaN where a sample is not tested on.

        Args:
            generator: of the pool, the splits and the seeds.
            part: fifths of the pool that are tested on, in each split's order.
        """
        pool, fifth = sample(generator, self.size), self.size // 5
        found = np.full((len(self.noises), self.splits * self.seeds, self.size), np.nan)
        for replicate in range(self.splits * self.seeds):
            if replicate % self.seeds == 0:
                order = generator.permutation(self.size) if self.official is None else np.arange(self.size)
            train = self.official or tuple(own[order[2 * fifth :]] for own in pool)
            test = order[part.start * fifth : part.stop * fifth]
            for setting, noise in enumerate(self.noises):
                found[setting, replicate, test] = hits(generator, train, tuple(own[test] for own in pool), noise)
        return found

    def truth(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """Return the mean accuracies of the settings over training parts, seeds and samples."""
        many = sample(generator, 20_000)
        parts = (self.official or sample(generator, 3 * self.size // 5) for _ in range(1_000))
        return np.mean([[hits(generator, one, many, noise).mean() for noise in self.noises] for one in parts], axis=0)
