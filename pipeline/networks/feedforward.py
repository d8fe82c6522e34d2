"""Networks whose hidden layers follow one another: MLPs, with skips between layers or from the input where wanted."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..axes.initializers import Initializer
from .context import LayerContext
from .initializers import StackedStart
from .linear import StackedLinear
from .plain import PlainFeedForward, PlainHidden
from .stack import Design, Keep, StackedNetwork, unstack_layers

AROUND = ("before", "after")


class Hidden(nn.Module):
    """A hidden layer: dense, activation, and what stands before and after the activation."""

    def __init__(
        self, dense: StackedLinear, before: Sequence[nn.Module], activation: nn.Module, after: Sequence[nn.Module]
    ) -> None:
        super().__init__()
        self.dense = dense
        self.before = nn.Sequential(*before)
        self.activation = activation
        self.after = nn.Sequential(*after)


class FeedForward(StackedNetwork):
    """See `StackedNetwork`.

    With batch norm, the input is normalised too; with it before the activation, the dense layer drops its bias (batch
    norm's shift takes its place), unless the level says otherwise.

    Args:
        design: of all networks.
        initializers: each network's.
        seeds: each network's.
        input_squares: each network's mean square of a feature, to which ``critical`` fits its first layer; where the
            input is normalised, it is 1 whatever is said here.

    Raises:
        FunctionError: ``critical``, and the activation has no stable edge of chaos.
    """

    def __init__(
        self, design: Design, initializers: Sequence[Initializer], seeds: Sequence[int], input_squares: Sequence[float]
    ) -> None:
        super().__init__(design, initializers, seeds)
        normalization, architecture = design.normalization, design.architecture
        start = StackedStart(
            design, initializers, seeds, [1.0] * len(seeds) if normalization.of_input else input_squares
        )
        self.skips = [architecture.skips_from(layer) for layer in range(len(design.hidden))]
        self.adds_outputs = not getattr(architecture, "preactivation", True)
        self.normalize_input = nn.Sequential()
        if normalization.of_input:
            self.normalize_input.append(normalization.build(LayerContext(-1, design.features, seeds)))
        self.hidden = nn.ModuleList()
        for layer, units in enumerate(design.hidden):
            context = LayerContext(layer, units, seeds)
            before, after = ([normalization.build(context)] if normalization.placement == at else [] for at in AROUND)
            if design.regularization.drops:
                after.append(design.regularization.build(context))
            dense = start.dense(layer, bias=normalization.keeps_bias)
            self.hidden.append(Hidden(dense, before, design.activation.build(context), after))
        self.output = start.dense(len(design.hidden), bias=True)

    def layers(self) -> Iterator[Hidden]:
        """Yield the hidden layers, lowest first."""
        for layer in self.hidden:
            assert isinstance(layer, Hidden)  # noqa: S101
            yield layer

    @property
    def sites(self) -> int:
        """The hidden layers."""
        return len(self.hidden)

    @property
    def kernels(self) -> list[nn.Parameter]:
        """See `StackedNetwork`."""
        return [*(layer.dense.weight for layer in self.layers()), self.output.weight]

    @property
    def site_kernels(self) -> list[nn.Parameter]:
        """See `StackedNetwork`."""
        return self.kernels

    @property
    def activations(self) -> list[nn.Module]:
        """See `StackedNetwork`."""
        return [layer.activation for layer in self.layers()]

    def blocks(self) -> list[list[nn.Module]]:
        """See `StackedNetwork`."""
        found = [[layer.dense, *layer.before, layer.activation, *layer.after] for layer in self.layers()]
        if found:
            found[0] = [*self.normalize_input, *found[0]]
        return found

    def run(self, x: Float[Tensor, "network batch feature"], keep: Keep | None = None) -> Tensor:
        """See `StackedNetwork`."""
        x = start = self.normalize_input(x)
        lower: dict[int, Tensor] = {}  # what skips will add
        for number, (layer, skip) in enumerate(zip(self.layers(), self.skips, strict=True)):
            z = layer.dense(x)
            if skip is not None:
                z = z + lower.pop(skip)
            taken = layer.before(z)
            given = layer.activation(taken)
            if keep:
                keep(z, taken, given)
            x = layer.after(given)
            if number in self.skips:
                lower[number] = x if self.adds_outputs else z
        if self.design.architecture.wide:
            x = torch.cat([x, start.expand(x.shape[0], -1, -1)], 2)
        logits: Tensor = self.output(x)
        return logits

    def unstack(self, network: int) -> nn.Module:
        """Return one network; an MLP as ``nn.Sequential``."""
        output, wide = self.output.unstack(network), self.design.architecture.wide
        if not wide and not any(skip is not None for skip in self.skips):
            layers = [layer for block in self.blocks() for layer in block] or list(self.normalize_input)
            return nn.Sequential(*unstack_layers(layers, network), output).eval()
        hidden = [
            PlainHidden(
                layer.dense.unstack(network),
                unstack_layers([*layer.before, layer.activation], network),
                unstack_layers(layer.after, network),
            )
            for layer in self.layers()
        ]
        first = unstack_layers(self.normalize_input, network)
        return PlainFeedForward(first, hidden, output, self.skips, self.adds_outputs, wide).eval()
