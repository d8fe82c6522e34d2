"""The stacked MLP: many networks of one shape, activation and batch-norm placement, trained as one module.

Tensors are ``[network, batch, feature]``; every operation here treats a network by itself and in the same order of
floating-point operations wherever it stands, so that a network does not notice its neighbours: on a CPU it comes out
bit for bit the same alone, in any stack, at any place, with any number of threads.
"""

from collections.abc import Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pipeline.networks.activations import Place, build_activation
from pipeline.networks.initializers import draw_weights
from pipeline.networks.normalization import StackedBatchNorm
from pipeline.params import Activations, BatchNorm, BatchNormPlacement, Initializer


@runtime_checkable
class OfTheNetwork(Protocol):
    """A layer that holds something of each network, and so knows how to give one network's layer."""

    def unstack(self, network: int) -> nn.Module:
        """Return one network's layer, as plain ``torch.nn``."""


class StackedLinear(nn.Module):
    """A dense layer of every network: ``x @ weight + bias``."""

    def __init__(self, weight: Float[Tensor, "network fan_in fan_out"], bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(weight.shape[0], 1, weight.shape[2])) if bias else None

    def forward(self, x: Float[Tensor, "network batch fan_in"]) -> Float[Tensor, "network batch fan_out"]:
        """Return the layer's output."""
        return torch.bmm(x, self.weight) if self.bias is None else torch.baddbmm(self.bias, x, self.weight)

    def unstack(self, network: int) -> nn.Linear:
        """Return one network's layer."""
        _, fan_in, fan_out = self.weight.shape
        plain = nn.Linear(fan_in, fan_out, bias=self.bias is not None)
        plain.weight.data.copy_(self.weight.data[network].T)
        if self.bias is not None:
            plain.bias.data.copy_(self.bias.data[network, 0])
        return plain


class StackedMLP(nn.Sequential):
    """Networks of one shape, activation and batch-norm placement; initializers and seeds as they like.

    With ``batch_norm`` before or after the activation, the input is batch-normalised too; before it, the dense layer
    drops its bias (batch norm's shift takes its place).

    Args:
        widths: features, units of every hidden layer, classes.
        activation: of every hidden layer; the output layer has none (softmax is part of the loss).
        batch_norm: placement.
        initializers: each network's.
        seeds: each network's.
        activations: the activations' settings.
        batch_norm_settings: momentum and eps.
    """

    def __init__(
        self,
        widths: Sequence[int],
        activation: str,
        batch_norm: BatchNormPlacement,
        initializers: Sequence[Initializer],
        seeds: Sequence[int],
        activations: Activations,
        batch_norm_settings: BatchNorm,
    ) -> None:
        normalized = batch_norm != "none"
        networks = len(seeds)
        layers: list[nn.Module] = []
        if normalized:
            layers.append(StackedBatchNorm(networks, widths[0], batch_norm_settings))
        shapes = list(pairwise(widths))
        for layer, (fan_in, fan_out) in enumerate(shapes):
            weight = torch.stack(
                [
                    draw_weights(name, seed, layer, fan_in, fan_out)
                    for name, seed in zip(initializers, seeds, strict=True)
                ]
            )
            hidden = layer < len(shapes) - 1
            layers.append(StackedLinear(weight, bias=not (hidden and batch_norm == "before")))
            if hidden:
                act = build_activation(activation, activations, Place(layer, fan_out, seeds))
                norm = [StackedBatchNorm(networks, fan_out, batch_norm_settings)] if normalized else []
                layers += [*norm, act] if batch_norm == "before" else [act, *norm]
        super().__init__(*layers)
        self.networks = networks

    def unstack(self, network: int) -> nn.Sequential:
        """Return one network as plain ``torch.nn`` layers, in evaluation mode, on its own copy of the weights."""
        return nn.Sequential(
            *(layer.unstack(network) if isinstance(layer, OfTheNetwork) else deepcopy(layer) for layer in self)
        ).eval()
