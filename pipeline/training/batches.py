"""The order in which each network sees its samples."""

from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from pipeline.networks.seeds import generator


class Batches:
    """An epoch's batches as sample indices, each network's in an order of its own seed, the last partial batch kept.

    Args:
        seeds: each network's.
        samples: how many there are to train on.
        batch_size: samples in a batch.
        epoch: says which epoch it is, from 0; the order depends on seed and epoch alone.
    """

    def __init__(self, seeds: Sequence[int], samples: int, batch_size: int, epoch: Callable[[], int]) -> None:
        self.seeds, self.samples, self.batch_size, self.epoch = seeds, samples, batch_size, epoch

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return -(-self.samples // self.batch_size)

    def __iter__(self) -> Iterator[Int[Tensor, "network batch"]]:
        """Yield the indices of each batch's samples."""
        orders = {
            seed: torch.randperm(self.samples, generator=generator(seed, "order", self.epoch()))
            for seed in set(self.seeds)
        }
        order = torch.stack([orders[seed] for seed in self.seeds])
        yield from order.split(self.batch_size, dim=1)
