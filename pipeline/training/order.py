"""The order in which each network sees its samples."""

from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from pipeline.networks.seeds import generator


class Epochs:
    """Gives, once an epoch, all training samples' indices, each network's shuffled by its own seed.

    Args:
        seeds: each network's.
        samples: how many there are to train on.
        epoch: says which epoch it is, from 0; the order depends on seed and epoch alone.
    """

    def __init__(self, seeds: Sequence[int], samples: int, epoch: Callable[[], int]) -> None:
        self.seeds, self.samples, self.epoch = seeds, samples, epoch

    def __len__(self) -> int:
        """Return 1: an epoch is one order."""
        return 1

    def __iter__(self) -> Iterator[Int[Tensor, "network sample"]]:
        """Yield the epoch's order."""
        orders = {
            seed: torch.randperm(self.samples, generator=generator(seed, "order", self.epoch()))
            for seed in set(self.seeds)
        }
        yield torch.stack([orders[seed] for seed in self.seeds])
