"""Elman's recurrent networks, unrolled through time: a step takes a row of the sample and the last step's output."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from ..axes.initializers import Initializer
from .context import LayerContext
from .initializers import StackedStart
from .plain import PlainRecurrent
from .stack import Design, Keep, StackedNetwork, unstack_layers


class Recurrent(StackedNetwork):
    """See `StackedNetwork`. Its sites are the steps; regularization by dropout stands behind the last of them.

    Args:
        design: of all networks: ``hidden`` has the units once for each step; the first steps of a sample are read.
        initializers: each network's.
        seeds: each network's.
        input_squares: each network's mean square of a feature, to which ``critical`` fits the weights on the input.

    Raises:
        FunctionError: ``critical``, and the activation has no stable edge of chaos.
    """

    def __init__(
        self, design: Design, initializers: Sequence[Initializer], seeds: Sequence[int], input_squares: Sequence[float]
    ) -> None:
        super().__init__(design, initializers, seeds)
        start = StackedStart(design, initializers, seeds, input_squares)
        context = LayerContext(0, design.hidden[0], seeds)
        self.into = start.dense(0, bias=True)
        self.recurrent = start.dense(1, bias=False)
        self.before = nn.Sequential()
        if design.normalization.placement == "before":
            self.before.append(design.normalization.build(context))
        self.activation = design.activation.build(context)
        self.after = nn.Sequential()
        if design.regularization.drops:
            self.after.append(design.regularization.build(context))
        self.output = start.dense(2, bias=True)

    @property
    def sites(self) -> int:
        """The steps."""
        return len(self.design.hidden)

    @property
    def kernels(self) -> list[nn.Parameter]:
        """See `StackedNetwork`."""
        return [self.into.weight, self.recurrent.weight, self.output.weight]

    @property
    def site_kernels(self) -> list[nn.Parameter]:
        """The steps share the recurrent weights."""
        return [self.recurrent.weight] * self.sites + [self.output.weight]

    @property
    def activations(self) -> list[nn.Module]:
        """The steps share one activation."""
        return [self.activation] * self.sites

    def blocks(self) -> list[list[nn.Module]]:
        """Return the one block that there is."""
        return [[self.into, self.recurrent, *self.before, self.activation]]

    def run(self, x: Float[Tensor, "network batch feature"], keep: Keep | None = None) -> Tensor:
        """See `StackedNetwork`."""
        features = self.design.shape[-1]
        size, batch = x.shape[:2]
        steps = x[..., : self.sites * features].unflatten(2, (self.sites, features)).transpose(1, 2)
        # All steps' inputs at once: a few large products are faster than many small ones. And unbound at once: the
        # gradient of a single step's slice would be as large as that of all steps.
        from_input = self.into(steps.reshape(size, self.sites * batch, features)).unflatten(1, (self.sites, batch))
        given: Tensor | None = None
        for z in from_input.unbind(1):
            if given is not None:
                z = z + self.recurrent(given)
            taken = self.before(z)
            given = self.activation(taken)
            if keep:
                keep(z, taken, given)
        logits: Tensor = self.output(self.after(given))
        return logits

    def unstack(self, network: int) -> nn.Module:
        """See `StackedNetwork`."""
        return PlainRecurrent(
            into=self.into.unstack(network),
            recurrent=self.recurrent.unstack(network),
            act=unstack_layers([*self.before, self.activation], network),
            after=unstack_layers(self.after, network),
            output=self.output.unstack(network),
            steps=self.sites,
            features=self.design.shape[-1],
        ).eval()
