"""Gradient clipping of a stack: each network in its own mode."""

from collections.abc import Sequence
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor

from ..axes.clipping import Clipping
from ..compute.kernels import sqrt_
from ..networks.sums import norms, tree_sum

PerNetwork = Float[Tensor, "network"]


class Norms:
    """What clipping may ask of gradients; a network's norms do not depend on the others."""

    @staticmethod
    def own(gradient: Float[Tensor, "network rows columns"]) -> PerNetwork:
        """Return each network's L2 norm of one tensor."""
        return norms(gradient)

    @staticmethod
    def over_all(gradients: Sequence[Float[Tensor, "network rows columns"]]) -> PerNetwork:
        """Return each network's L2 norm over all tensors."""
        return global_norms(gradients)

    @staticmethod
    def shrink(norm: PerNetwork, threshold: float) -> Float[Tensor, "network 1 1"]:
        """Return the factor that brings a norm down to the threshold; 1 where it is below.

        NaN where the norm itself is beyond float32: 0 would let the network stand still, as if it were trained.
        """
        factor = (threshold / norm.clamp(min=threshold)).masked_fill_(norm.isinf(), torch.nan)
        return factor[:, None, None]


def clip_gradients(gradients: Sequence[Float[Tensor, "network rows columns"]], modes: Sequence[Clipping]) -> None:
    """Clip the gradients of all networks in place, each in its own mode.

    Args:
        gradients: one tensor for each weight or bias.
        modes: each network's; equal ones stand together, and each run of them is clipped as a slice.
    """
    start = 0
    for mode, run in groupby(modes):
        end = start + len(list(run))
        if mode.clips:
            mode.clip([gradient[start:end] for gradient in gradients], Norms())
        start = end


def global_norms(gradients: Sequence[Float[Tensor, "network rows columns"]]) -> PerNetwork:
    """Return each network's L2 norm over all tensors."""
    # A norm over the tensors would sum those of one network in another order than those of several.
    of_tensors = torch.stack([norms(gradient) for gradient in gradients], 1)
    norm = sqrt_(tree_sum(of_tensors.square()))
    beyond = norm.isinf()
    if beyond.any():  # the squares are, in 32 bits, before the norm is
        norm[beyond] = sqrt_(tree_sum(of_tensors[beyond].cpu().double().square())).to(norm)
    return norm
