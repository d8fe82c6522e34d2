"""Sums and norms of every network of a stack, in an order that does not depend on the others."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def tree_sum(values: Float[Tensor, "network sample"]) -> Float[Tensor, "network"]:
    """Return each network's sum, pair by pair: an order that does not depend on how many networks there are.

    ``sum(1)`` sums one network's row in another order than the same row of several.
    """
    return unit_sum(values)[..., 0]


def unit_sum(values: Float[Tensor, "*rows unit"]) -> Float[Tensor, "*rows 1"]:
    """Return each row's sum over the last dimension, pair by pair."""
    while values.shape[-1] > 1:
        if values.shape[-1] % 2:
            values = F.pad(values, (0, 1))
        half = values.shape[-1] // 2
        values = values[..., :half] + values[..., half:]
    return values


def norms(values: Float[Tensor, "network rows columns"]) -> Float[Tensor, "network"]:
    """Return each network's L2 norm over rows and columns.

    A norm over both dimensions is fast (a sum over them takes ten times as long), and rounds alike in any stack.
    """
    if values.is_cuda:  # in 64 bits at once: to look at what is beyond 32 would wait for the GPU
        exact: Tensor = torch.linalg.vector_norm(values, dim=(1, 2), dtype=torch.float64)
        return exact.to(values.dtype)
    norm: Tensor = torch.linalg.vector_norm(values, dim=(1, 2))
    beyond = norm.isinf()
    if beyond.any():  # the squares are, in 32 bits, before the norm is
        wide = values[beyond].cpu().double()  # not every device has float64
        norm[beyond] = torch.linalg.vector_norm(wide, dim=(1, 2)).to(norm)
    return norm
