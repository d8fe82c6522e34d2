"""Gradient clipping, per network: by value, by each tensor's norm (Keras's clipnorm), by the norm over all tensors.

Source: Pascanu et al. 2013, "On the difficulty of training recurrent neural networks", algorithm 1 (the global norm).
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor

from pipeline.compute.kernels import sqrt_
from pipeline.networks.scores import norms, tree_sum
from pipeline.params import Clipping, ClippingThresholds

PerNetwork = Float[Tensor, "network"]


def clip_gradients(
    gradients: Sequence[Float[Tensor, "network rows columns"]],
    modes: Sequence[Clipping],
    thresholds: ClippingThresholds,
) -> None:
    """Clip the gradients of all networks in place, each in its own mode.

    Args:
        gradients: one tensor for each weight or bias.
        modes: each network's; equal ones stand together, and each run of them is clipped as a slice.
        thresholds: of each mode.
    """
    for mode, members in _slices(modes):
        slices = [gradient[members] for gradient in gradients]
        match mode:
            case "value":
                torch._foreach_clamp_min_(slices, -thresholds.value)
                torch._foreach_clamp_max_(slices, thresholds.value)
            case "norm":
                for gradient in slices:
                    gradient.mul_(_shrink(norms(gradient), thresholds.norm)[:, None, None])
            case "global_norm":
                shrink = _shrink(global_norms(slices), thresholds.global_norm)[:, None, None]
                for gradient in slices:
                    gradient.mul_(shrink)


def global_norms(gradients: Sequence[Float[Tensor, "network rows columns"]]) -> PerNetwork:
    """Return each network's L2 norm over all tensors."""
    # A norm over the tensors would sum those of one network in another order than those of several.
    of_tensors = torch.stack([norms(gradient) for gradient in gradients], 1)
    norm = sqrt_(tree_sum(of_tensors.square()))
    beyond = norm.isinf()
    if beyond.any():  # the squares are, in 32 bits, before the norm is
        norm[beyond] = sqrt_(tree_sum(of_tensors[beyond].cpu().double().square())).to(norm)
    return norm


def _shrink(norm: PerNetwork, threshold: float) -> PerNetwork:
    """Return the factor that brings a norm down to the threshold; 1 where it is below.

    NaN where the norm itself is beyond float32: 0 would let the network stand still, as if it were trained.
    """
    return (threshold / norm.clamp(min=threshold)).masked_fill_(norm.isinf(), torch.nan)


def _slices(modes: Sequence[Clipping]) -> Iterator[tuple[Clipping, slice]]:
    start = 0
    for mode, run in groupby(modes):
        end = start + len(list(run))
        yield mode, slice(start, end)
        start = end
