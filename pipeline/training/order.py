"""The order in which each network sees its samples."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from ..networks.seeds import generator


class Epochs:
    """Gives, once an epoch, the indices of each network's training samples, shuffled by its own seed.

    Args:
        seeds: each network's.
        samples: each network's, as indices; equally many.
        epoch: says which epoch it is, from 0; the order depends on seed and epoch alone.
    """

    def __init__(self, seeds: Sequence[int], samples: Sequence[NDArray[np.intp]], epoch: Callable[[], int]) -> None:
        self.seeds, self.epoch = seeds, epoch
        self.samples = torch.from_numpy(np.stack(samples))

    def __len__(self) -> int:
        """Return 1: an epoch is one order."""
        return 1

    def __iter__(self) -> Iterator[Int[Tensor, "network sample"]]:
        """Yield the epoch's order."""
        count = self.samples.shape[1]
        orders = {
            seed: torch.randperm(count, generator=generator(seed, "order", self.epoch())) for seed in set(self.seeds)
        }
        yield self.samples.gather(1, torch.stack([orders[seed] for seed in self.seeds]))
