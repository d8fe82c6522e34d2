"""Which of the training samples a network sees."""

import numpy as np
from numpy.typing import NDArray

from ..networks.seeds import derive
from .recipe import Samples


def chosen_samples(y: NDArray[np.int64], samples: Samples) -> NDArray[np.intp]:
    """Return the indices of a network's training samples, in ascending order.

    Args:
        y: ``[sample]``, the training labels.
        samples: how many, and how they are chosen: ``stratified`` takes each class in its share, by the seed; fewer are
            always a part of more.
    """
    if samples.choose == "first" or samples.size == len(y):
        return np.arange(samples.size)
    draw = np.random.default_rng(derive(samples.seed, "labels"))
    # Each sample's place among its class's, as a share of the class: taking the lowest keeps the classes' shares.
    place = np.empty(len(y))
    for label in np.unique(y):
        members = draw.permutation(np.flatnonzero(y == label))
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.sort(np.argsort(place, kind="stable")[: samples.size])


def noisy_labels(y: NDArray[np.int64], classes: int, share: float, seed: int) -> NDArray[np.int64]:
    """Return training labels of which a share is wrong: another class, each as likely as the others.

    More noise changes the same labels and further ones, in the same way.

    Args:
        y: ``[sample]``, the true labels.
        classes: how many there are.
        share: of the labels.
        seed: of the network.
    """
    draw = np.random.default_rng(derive(seed, "label noise"))
    order, shift = draw.permutation(len(y)), draw.integers(1, classes, len(y))
    wrong = order[: round(share * len(y))]
    noisy = y.copy()
    noisy[wrong] = (y[wrong] + shift[wrong]) % classes
    return noisy
