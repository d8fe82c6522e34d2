"""What every stacked network has: named sites, weights, a way to one network as plain ``torch.nn``.

Tensors are ``[network, batch, unit]``; every operation here treats a network by itself and in the same order of
floating-point operations wherever it stands, so that a network does not notice its neighbours: on a CPU it comes out
bit for bit the same alone, in any stack, at any place, with any number of threads.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from ..axes.activations import Activation
from ..axes.architectures import Architecture
from ..axes.initializers import Initializer
from ..axes.normalization import Normalization
from ..axes.regularizers import Regularizer
from .normalization import StackedBatchNorm

Weights = Mapping[str, NDArray[np.generic]]
"""Of one network, by name: weights and moving averages, without the dimension of the stack."""


class Design(NamedTuple):
    """What networks of a stack have in common."""

    shape: tuple[int, ...]
    """Of a sample: its features; or steps, and features of each."""
    hidden: tuple[int, ...]
    """Units of every hidden layer, lowest first."""
    outputs: int
    architecture: Architecture
    activation: Activation
    """Of every hidden layer; the output layer has none (softmax is part of the loss)."""
    normalization: Normalization
    regularization: Regularizer

    @property
    def features(self) -> int:
        """Numbers in a sample."""
        return math.prod(self.shape)

    @property
    def widths(self) -> tuple[int, ...]:
        """Features, units of every hidden layer, outputs."""
        return (self.features, *self.hidden, self.outputs)


Keep = Callable[[Tensor, Tensor, Tensor], None]


class Trace(NamedTuple):
    """What passed through a stack; by site from the lowest, ``[network, batch, unit]``.

    A site is where an activation stands: a hidden layer, or a step in time.
    """

    preactivations: list[Tensor]
    """What the activation's layer gave, z: before batch norm, where that follows."""
    activation_inputs: list[Tensor]
    activation_outputs: list[Tensor]
    logits: Tensor


@runtime_checkable
class Unstackable(Protocol):
    """A layer that holds something of each network, and so knows how to give one network's layer."""

    def unstack(self, network: int) -> nn.Module:
        """Return one network's layer, as plain ``torch.nn``."""


def unstack_layer(layer: nn.Module, network: int) -> nn.Module:
    """Return one network's layer, on its own copy of the weights."""
    return layer.unstack(network) if isinstance(layer, Unstackable) else deepcopy(layer)


def unstack_layers(layers: Iterable[nn.Module], network: int) -> list[nn.Module]:
    """Return one network's layers."""
    return [unstack_layer(layer, network) for layer in layers]


class StackedNetwork(nn.Module):
    """Networks of one design; initializers and seeds as they like.

    Args:
        design: of all of them.
        initializers: each network's.
        seeds: each network's.
    """

    def __init__(self, design: Design, initializers: Sequence[Initializer], seeds: Sequence[int]) -> None:
        super().__init__()
        self.design, self.networks = design, len(seeds)
        self.initializers, self.seeds = list(initializers), list(seeds)

    @property
    @abstractmethod
    def sites(self) -> int:
        """How many sites there are."""

    @property
    @abstractmethod
    def kernels(self) -> list[nn.Parameter]:
        """The weight matrices ``[network, fan_in, fan_out]``, each once, the output layer's last."""

    @property
    @abstractmethod
    def site_kernels(self) -> list[nn.Parameter]:
        """The weight matrix of each site, and the output layer's last; one that sites share is there for each."""

    @property
    @abstractmethod
    def activations(self) -> list[nn.Module]:
        """The activation layer of each site."""

    @abstractmethod
    def run(self, x: Float[Tensor, "network batch feature"], keep: Keep | None = None) -> Tensor:
        """Return the logits ``[network, batch, output]``.

        Args:
            x: samples.
            keep: called at each site, from the lowest, with z, the activation's input and its output.
        """

    @abstractmethod
    def unstack(self, network: int) -> nn.Module:
        """Return one network as plain ``torch.nn`` layers, in evaluation mode, on its own copy of the weights."""

    @abstractmethod
    def blocks(self) -> list[list[nn.Module]]:
        """Return the layers of each hidden layer, lowest first; the lowest has the input's."""

    def forward(self, x: Float[Tensor, "network batch feature"]) -> Float[Tensor, "network batch output"]:
        """Return the logits."""
        return self.run(x)

    def trace(self, x: Float[Tensor, "network batch feature"]) -> Trace:
        """Return what passes through every site."""
        sites: list[tuple[Tensor, Tensor, Tensor]] = []
        logits = self.run(x, lambda *site: sites.append(site))
        preactivations, inputs, outputs = ([site[part] for site in sites] for part in range(3))
        return Trace(preactivations, inputs, outputs, logits)

    def freeze(self, layers: range) -> None:
        """Let some hidden layers, and no others, stay as they are: no gradient, no update, no moving average."""
        for place, block in enumerate(self.blocks()):
            for layer in block:
                layer.requires_grad_(place not in layers)
                if isinstance(layer, StackedBatchNorm):
                    layer.frozen = place in layers

    @torch.no_grad()
    def reuse(self, weights: Sequence[Weights], layers: range) -> None:
        """Take some hidden layers' weights and moving averages, as `weights_of` gives them, for each network."""
        blocks = self.blocks()
        taken = {id(layer) for place in layers for layer in blocks[place]}
        for place, layer in self.named_modules():
            if id(layer) in taken:
                for name, ours in layer.state_dict().items():
                    if ours.ndim:
                        ours.copy_(torch.from_numpy(np.stack([one[f"{place}.{name}"] for one in weights])))

    def weights_of(self, network: int) -> dict[str, NDArray[np.generic]]:
        """Return a copy of one network's weights and moving averages by name, without the dimension of the stack."""
        state = self.state_dict()
        return {name: tensor[network].cpu().numpy().copy() for name, tensor in state.items() if tensor.ndim}

    @contextmanager
    def preserve_buffers(self) -> Iterator[None]:
        """Put moving averages and random slopes' counters back where they were before the block."""
        kept = [(buffer, buffer.clone()) for buffer in self.buffers()]
        try:
            yield
        finally:
            for buffer, before in kept:
                buffer.copy_(before)
