"""From networks to stacks: which networks are trained together, and how many at a time."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, get_args

from pipeline.data import Card
from pipeline.params import BatchNormPlacement, Clipping, Network, Study

CACHE_BYTES = 16 * 2**20
"""What a stack's weights and gradients may take on a CPU, so that they stay in its last-level cache.

It holds 7 networks of 784-300-100-10. Small ones gain from company: those of 64-64-64-10 took 3.2, 2.7 and 2.4 ms a
network-epoch in stacks of 16, 32 and 70 (digits, ReLU, a bare loop on one thread).
"""
LARGEST_CPU_STACK = 128
GPU_SHARE = 0.25
"""Share of a GPU's memory that a stack's weights, gradients and momenta may take; activations take the rest."""


class Stack(NamedTuple):
    """Networks that share a compute graph and are trained as one module."""

    activation: str
    batch_norm: BatchNormPlacement
    networks: tuple[Network, ...]
    """In order of their clipping modes, so that each mode's networks are one slice."""


def into_stacks(networks: Sequence[Network], size: int) -> list[Stack]:
    """Group networks by activation and placement into stacks of at most ``size``."""
    groups: dict[tuple[str, BatchNormPlacement], list[Network]] = defaultdict(list)
    for network in networks:
        groups[network.cell.activation, network.cell.batch_norm].append(network)
    stacks = []
    for (activation, batch_norm), members in sorted(groups.items()):
        count = -(-len(members) // size)  # stacks of nearly equal size, rather than full ones and a remainder
        bounds = [round(i * len(members) / count) for i in range(count + 1)]
        for start, end in pairwise(bounds):
            chosen = sorted(members[start:end], key=lambda network: get_args(Clipping).index(network.cell.clipping))
            stacks.append(Stack(activation, batch_norm, tuple(chosen)))
    return stacks


def widths_of(study: Study, card: Card) -> tuple[int, ...]:
    """Return features, units of every hidden layer, classes."""
    return (card.features, *study.hidden_widths, len(card.classes))


def stack_size(widths: Sequence[int], memory: int | None) -> int:
    """Return how many networks to train at a time.

    Args:
        widths: as `widths_of` gives them.
        memory: bytes of the GPU's memory; ``None`` on a CPU.
    """
    parameters = sum(fan_in * fan_out + fan_out for fan_in, fan_out in pairwise(widths))
    if memory is None:
        return max(1, min(LARGEST_CPU_STACK, CACHE_BYTES // (4 * 2 * parameters)))
    return max(1, int(GPU_SHARE * memory) // (4 * 3 * parameters))
