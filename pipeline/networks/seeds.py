"""Randomness that belongs to one network: every draw comes from the network's own seed and what the draw is for.

Nothing is drawn from a shared stream, so a network comes out the same in any stack, at any place in it.
"""

import hashlib
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor


def derive(seed: int, *purpose: int | str) -> int:
    """Return a 63-bit seed for one purpose: ``derive(7, "weights", 0)`` has nothing in common with ``derive(8, …)``."""
    digest = hashlib.sha256(repr((int(seed), *purpose)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, *purpose: int | str) -> torch.Generator:
    """Return a CPU generator for one purpose of one seed."""
    return torch.Generator().manual_seed(derive(seed, *purpose))


def stream_keys(seeds: Sequence[int], *purpose: int | str) -> Int[Tensor, "network 1 1"]:
    """Return each network's 32-bit key for `counter_uniform`."""
    keys = [derive(seed, *purpose) & 0x7FFFFFFF for seed in seeds]
    return torch.tensor(keys, dtype=torch.int32)[:, None, None]


def counter_uniform(
    keys: Int[Tensor, "network 1 1"], step: Int[Tensor, ""], rows: int, columns: int
) -> Float[Tensor, "network rows columns"]:
    """Return draws from U[0, 1) that depend on key, step and place alone (24 bits each).

    A counter-based generator (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): the draw is a hash of
    its own address, so a whole stack's draws are a few tensor operations, on any device, in any order.
    """
    places = torch.arange(rows * columns, dtype=torch.int32, device=keys.device).view(1, rows, columns)
    bits = _mix(places ^ _mix(_mix(step.to(torch.int32)) ^ keys))
    return (bits & 0xFFFFFF).to(torch.float32) * 2.0**-24


def _mix(x: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """Hash 32 bits to 32 bits: Wellons' ``lowbias32``; products wrap, and the masks make the shifts unsigned."""
    x = (x ^ ((x >> 16) & 0xFFFF)) * 0x7FEB352D
    x = (x ^ ((x >> 15) & 0x1FFFF)) * (0x846CA68B - 2**32)
    return x ^ ((x >> 16) & 0xFFFF)
