"""The stacked MLP: many networks of one shape, activation and batch-norm placement, trained as one module.

Tensors are ``[network, batch, feature]``; every operation here treats a network by itself and in the same order of
floating-point operations wherever it stands, so that a network does not notice its neighbours: on a CPU it comes out
bit for bit the same alone, in any stack, at any place, with any number of threads.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from itertools import pairwise
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.compute.kernels import Linear
from pipeline.networks.activations import Place, build_activation
from pipeline.networks.initializers import draw
from pipeline.networks.normalization import StackedBatchNorm
from pipeline.params import Activations, BatchNorm, BatchNormPlacement, Initializer
from pipeline.theory.functions import activation_function
from pipeline.theory.initializers import INITIALIZERS, scales


@runtime_checkable
class OfTheNetwork(Protocol):
    """A layer that holds something of each network, and so knows how to give one network's layer."""

    def unstack(self, network: int) -> nn.Module:
        """Return one network's layer, as plain ``torch.nn``."""


class StackedLinear(nn.Module):
    """A dense layer of every network: ``x @ weight + bias``.

    Args:
        weight: at the start.
        bias: at the start; ``None`` for a layer without.
    """

    def __init__(
        self, weight: Float[Tensor, "network fan_in fan_out"], bias: Float[Tensor, "network 1 fan_out"] | None
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = None if bias is None else nn.Parameter(bias)

    def forward(self, x: Float[Tensor, "network batch fan_in"]) -> Float[Tensor, "network batch fan_out"]:
        """Return the layer's output."""
        return Linear.apply(x, self.weight, self.bias)  # type: ignore[no-any-return, no-untyped-call]

    def unstack(self, network: int) -> nn.Linear:
        """Return one network's layer."""
        _, fan_in, fan_out = self.weight.shape
        plain = nn.Linear(fan_in, fan_out, bias=self.bias is not None)
        plain.weight.data.copy_(self.weight.data[network].T)
        if self.bias is not None:
            plain.bias.data.copy_(self.bias.data[network, 0])
        return plain


class Trace(NamedTuple):
    """What passed through a stack; by hidden layer from the lowest, ``[network, batch, unit]``."""

    dense: list[Tensor]
    """What each dense layer gave, the pre-activations z: before batch norm, where that follows."""
    taken: list[Tensor]
    """What each activation took."""
    given: list[Tensor]
    """What each activation gave."""
    logits: Tensor


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
        input_square: mean square of a feature, to which ``critical`` fits its first layer; with batch norm, which
            normalises the input, it is 1 whatever is said here.

    Raises:
        FunctionError: ``critical``, and the activation has no stable edge of chaos.
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
        input_square: float,
    ) -> None:
        normalized = batch_norm != "none"
        networks = len(seeds)
        laws = [INITIALIZERS[name].law for name in initializers]
        function = activation_function(activation, activations)
        scale_of = {name: scales(name, function, widths, 1.0 if normalized else input_square) for name in initializers}
        layers: list[nn.Module] = []
        acts: list[nn.Module] = []
        if normalized:
            layers.append(StackedBatchNorm(networks, widths[0], batch_norm_settings))
        shapes = list(pairwise(widths))
        for layer, (fan_in, fan_out) in enumerate(shapes):
            hidden = layer < len(shapes) - 1
            weights, biases = zip(*(scale_of[name][layer] for name in initializers), strict=True)
            weight = draw(laws, weights, seeds, ("weights", layer), fan_in, fan_out)
            # Batch norm's shift takes the bias's place.
            bias = (
                None if hidden and batch_norm == "before" else draw(laws, biases, seeds, ("biases", layer), 1, fan_out)
            )
            layers.append(StackedLinear(weight, bias))
            if hidden:
                act = build_activation(activation, activations, Place(layer, fan_out, seeds))
                acts.append(act)
                norm = [StackedBatchNorm(networks, fan_out, batch_norm_settings)] if normalized else []
                layers += [*norm, act] if batch_norm == "before" else [act, *norm]
        super().__init__(*layers)
        self.networks = networks
        self.activation_at = frozenset(index for index, layer in enumerate(layers) if layer in acts)
        """Places of the activations among the layers."""

    @property
    def dense(self) -> list[StackedLinear]:
        """The dense layers, lowest first; the output layer last."""
        return [layer for layer in self if isinstance(layer, StackedLinear)]

    @property
    def blocks(self) -> list[list[nn.Module]]:
        """The layers of each hidden layer, lowest first: dense, activation, batch norm; the lowest has the input's."""
        hidden: list[list[nn.Module]] = [[]]
        for layer in self:
            if isinstance(layer, StackedLinear) and any(isinstance(other, StackedLinear) for other in hidden[-1]):
                hidden.append([])
            hidden[-1].append(layer)
        return hidden[:-1]

    def freeze(self, layers: int) -> None:
        """Let the lowest hidden layers, and no others, stay as they are: no gradient, no update, no moving average."""
        for place, block in enumerate(self.blocks):
            for layer in block:
                layer.requires_grad_(place >= layers)
                if isinstance(layer, StackedBatchNorm):
                    layer.frozen = place < layers

    @torch.no_grad()
    def reuse(self, weights: Sequence[Mapping[str, NDArray[np.generic]]], layers: int) -> None:
        """Take the lowest hidden layers' weights and moving averages, as `weights_of` gives them, for each network."""
        lowest = {id(layer) for block in self.blocks[:layers] for layer in block}
        for place, layer in self.named_children():
            if id(layer) in lowest:
                for name, ours in layer.state_dict().items():
                    if ours.ndim:
                        ours.copy_(torch.from_numpy(np.stack([one[f"{place}.{name}"] for one in weights])))

    def weights_of(self, network: int) -> dict[str, NDArray[np.generic]]:
        """Return a copy of one network's weights and moving averages by name, without the dimension of the stack."""
        state = self.state_dict()
        return {name: tensor[network].cpu().numpy().copy() for name, tensor in state.items() if tensor.ndim}

    def trace(self, x: Float[Tensor, "network batch feature"]) -> Trace:
        """Return what passes through every layer."""
        dense, taken, given = [], [], []
        for index, layer in enumerate(self):
            before, x = x, layer(x)
            if isinstance(layer, StackedLinear):
                dense.append(x)
            elif index in self.activation_at:
                taken.append(before)
                given.append(x)
        return Trace(dense[:-1], taken, given, logits=x)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Put moving averages and random slopes' counters back where they were before the block."""
        kept = [(buffer, buffer.clone()) for buffer in self.buffers()]
        try:
            yield
        finally:
            for buffer, before in kept:
                buffer.copy_(before)

    def unstack(self, network: int) -> nn.Sequential:
        """Return one network as plain ``torch.nn`` layers, in evaluation mode, on its own copy of the weights."""
        return nn.Sequential(
            *(layer.unstack(network) if isinstance(layer, OfTheNetwork) else deepcopy(layer) for layer in self)
        ).eval()
