"""A part of a dataset as a stack sees it: each network its own split."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn


class StackedPart(nn.Module):
    """Samples of one or several splits, and which of these each network sees. They move with the module that has them.

    Args:
        x: by split, ``[sample, feature]``; equally many samples.
        y: ``[sample]``, labels: by split, or by whatever tells them apart.
        splits: each network's, as a place in ``x``.
        labels: each network's, as a place in ``y``; by default its split's.
    """

    x: Tensor
    y: Tensor
    first_x: Tensor
    first_y: Tensor

    def __init__(
        self,
        x: Sequence[NDArray[np.float32]],
        y: Sequence[NDArray[np.int64]],
        splits: Sequence[int],
        labels: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.samples = len(x[0])
        self.splits, self.labels = list(splits), list(splits if labels is None else labels)
        self.register_buffer("x", _joined(x), persistent=False)
        self.register_buffer("y", _joined(y), persistent=False)
        for name, places in {"first_x": self.splits, "first_y": self.labels}.items():
            first = torch.tensor(places)[:, None] * self.samples
            self.register_buffer(name, first, persistent=False)

    def __len__(self) -> int:
        """Return how many samples a network sees."""
        return self.samples

    def batch(
        self, places: Int[Tensor, "network place"]
    ) -> tuple[Float[Tensor, "network place feature"], Int[Tensor, "network place"]]:
        """Return each network's own samples at some places, and their labels."""
        rows = (places + self.first_x).flatten()
        return self.x.index_select(0, rows).unflatten(0, places.shape), self.y[places + self.first_y]

    def slice(
        self, start: int, stop: int
    ) -> tuple[Float[Tensor, "network place feature"], Int[Tensor, "network place"]]:
        """Return each network's samples from one place to another, and their labels."""
        if len(self.x) == len(self.y) == self.samples:  # all see the same: nothing is copied
            size = len(self.splits)
            return self.x[start:stop].expand(size, -1, -1), self.y[start:stop].expand(size, -1)
        places = torch.arange(start, min(stop, self.samples), device=self.x.device)
        return self.batch(places.expand(len(self.splits), -1))

    def of(self, network: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return one network's samples and their labels, on the CPU."""
        x, y = self.splits[network] * self.samples, self.labels[network] * self.samples
        return self.x.numpy()[x : x + self.samples], self.y.numpy()[y : y + self.samples]


def _joined(arrays: Sequence[NDArray[np.generic]]) -> Tensor:
    """Return arrays one after the other; a single one is not copied."""
    return torch.from_numpy(arrays[0] if len(arrays) == 1 else np.concatenate(arrays))
