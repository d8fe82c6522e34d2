"""The state of every layer of every network: its signal, its gradient, its dead and its saturated units."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from ..compute.kernels import sqrt_
from ..theory.functions import Function
from .scores import cross_entropy
from .stack import StackedNetwork
from .sums import norms, tree_sum

PerLayer = Float[Tensor, "network layer"]


class Observation(NamedTuple):
    """What some samples show of each hidden layer, lowest first, while training."""

    signal: PerLayer
    """Mean square of the dense layer's output z."""
    gradient: PerLayer
    """Mean square of ∂loss/∂z, of the sum of the samples' losses."""
    mean: PerLayer
    """Of the activations."""
    sd: PerLayer
    """Of the activations."""
    dead: PerLayer
    """Share of units whose activation is 0 on every sample."""
    saturated: PerLayer
    """Share of activations taken where the function is flat, see `Function.unsaturated_range`."""
    off: Bool[Tensor, "network layer unit"]
    """Units whose activation takes nothing above 0, on any sample; false beyond a layer's own units."""


def observe(
    networks: StackedNetwork,
    function: Function,
    x: Float[Tensor, "*networks batch feature"],
    y: Int[Tensor, "*networks batch"],
) -> Observation:
    """Return the state of every hidden layer on some samples, and leave the networks as they were.

    In training mode: batch norm uses the samples' own mean and variance, random slopes are drawn.

    Args:
        networks: in training mode; at least one hidden layer.
        function: their activation.
        x: samples, scaled as in training: the same for all networks, or each network's.
        y: their labels.
    """
    size = networks.networks
    with networks.preserve_buffers(), torch.enable_grad():
        trace = networks.trace(x.expand(size, -1, -1))
        loss = cross_entropy(trace.logits, y.expand(size, -1)).sum()
        gradients = [grad.contiguous() for grad in torch.autograd.grad(loss, trace.preactivations)]
    with torch.no_grad():
        columns = [
            (
                _mean_square(z),
                _mean_square(gradient),
                (mean := tree_sum(outputs.mean(1)) / outputs.shape[2]),
                sqrt_(_mean_square(outputs - mean[:, None, None])),
                (outputs.abs().amax(1) == 0).sum(1) / outputs.shape[2],
                _share_outside(inputs, *function.unsaturated_range),
            )
            for z, gradient, inputs, outputs in zip(
                trace.preactivations, gradients, trace.activation_inputs, trace.activation_outputs, strict=True
            )
        ]
        widest = max(inputs.shape[2] for inputs in trace.activation_inputs)
        off = [F.pad(inputs.amax(1) <= 0, (0, widest - inputs.shape[2])) for inputs in trace.activation_inputs]
    return Observation._make(torch.stack(list(column), 1) for column in [*zip(*columns, strict=True), off])


def _mean_square(values: Float[Tensor, "network batch unit"]) -> Float[Tensor, "network"]:
    """Return each network's mean square over batch and units."""
    return norms(values).square() / values[0].numel()


def _share_outside(values: Float[Tensor, "network batch unit"], low: float, high: float) -> Float[Tensor, "network"]:
    """Return each network's share of values below low or above high."""
    if low == -math.inf and high == math.inf:
        return torch.zeros(len(values), dtype=values.dtype, device=values.device)
    return _mean_square((values - values.clamp(low, high)).sign_())
