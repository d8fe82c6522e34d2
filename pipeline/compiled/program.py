"""A network as a list of instructions on one block of memory: what compiled code runs for each network of a stack.

Memory is divided into buffers ``[row, unit]``, an instruction's output each. A second block, divided in the same way,
holds their gradients.
"""

from collections.abc import Iterable
from enum import IntEnum
from functools import singledispatchmethod
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ..axes.activations import SELU_ALPHA, SELU_SCALE
from ..networks import elementwise
from ..networks.activations import Elementwise, StackedPReLU, StackedRReLU
from ..networks.dropout import StackedAlphaDropout, StackedDropout
from ..networks.feedforward import FeedForward
from ..networks.linear import StackedLinear
from ..networks.normalization import StackedBatchNorm, StackedLayerNorm
from ..networks.stack import StackedNetwork


class Kind(IntEnum):
    """Of an instruction."""

    DENSE = 0
    ADD = 1
    JOIN = 2
    BATCH_NORM = 3
    LAYER_NORM = 4
    DROPOUT = 5
    ALPHA_DROPOUT = 6
    SIGMOID = 7
    TANH = 8
    RELU = 9
    LEAKY_RELU = 10
    RRELU = 11
    PRELU = 12
    ELU = 13
    SWISH = 14
    MISH = 15
    SOFTPLUS = 16
    HARD_SIGMOID = 17
    GELU = 18


INSTRUCTION = np.dtype(
    [
        ("kind", "i8"),
        ("x", "i8"),  # the buffer that it reads: its first column
        ("y", "i8"),  # the buffer that it writes
        ("kept", "i8"),  # what its gradient needs besides
        ("other", "i8"),  # a second buffer that it reads; of batch norm, where 1 / sd is kept
        ("fan_in", "i8"),
        ("units", "i8"),
        ("weight", "i8"),  # among the parameters: weights, scales or slopes
        ("bias", "i8"),  # biases or shifts; -1 for none
        ("moving", "i8"),  # among the moving averages
        ("stream", "i8"),  # of random numbers
        ("learns", "i8"),  # whether its own parameters have gradients
        ("fixed", "i8"),  # whether these stay as they are all the same
        ("wanted", "i8"),  # whether the gradient of what it reads is needed
        ("adds", "i8"),  # whether that gradient adds to one that is there
        ("outermost", "i8"),  # whether it gives the logits
        ("a", "f4"),
        ("b", "f4"),
        ("c", "f4"),
        ("d", "f4"),
    ],
    align=True,
)
TENSOR = np.dtype([("start", "i8"), ("rows", "i8"), ("columns", "i8"), ("kernel", "i8"), ("learns", "i8")], align=True)
ELEMENTWISE: dict[Any, Kind] = {
    elementwise.Sigmoid.apply: Kind.SIGMOID,
    elementwise.Tanh.apply: Kind.TANH,
    elementwise.ELU.apply: Kind.ELU,
    elementwise.Swish.apply: Kind.SWISH,
    elementwise.Mish.apply: Kind.MISH,
    elementwise.Softplus.apply: Kind.SOFTPLUS,
    elementwise.GELU.apply: Kind.GELU,
    elementwise.hard_sigmoid: Kind.HARD_SIGMOID,
}
KEEPS = {Kind.SWISH, Kind.MISH, Kind.SOFTPLUS, Kind.GELU, Kind.RRELU}
"""What keeps as much as it gives, for its gradient."""


class NotCompilableError(Exception):
    """A network has something that compiled code does not know: it is trained by torch's layers."""


class Site(NamedTuple):
    """Buffers of a place where an activation stands."""

    preactivation: int
    activation_input: int
    activation_output: int
    units: int


class Program(NamedTuple):
    """How one network of a stack computes."""

    instructions: NDArray[np.void]
    tensors: NDArray[np.void]
    """Of the parameters, in the order of ``networks.parameters()``."""
    sites: list[Site]
    input: int
    logits: int
    outputs: int
    columns: int
    """Of all buffers together: numbers for each row."""


class _Recorder:
    """Writes down what a network does, instruction by instruction."""

    def __init__(self, networks: StackedNetwork) -> None:
        self.instructions: list[dict[str, Any]] = []
        self.columns = 0
        self.sites: list[Site] = []
        self.parameters = dict(zip(map(id, networks.parameters()), starts(parameter_sizes(networks)), strict=True))
        moving = batch_norms(networks)
        self.moving = dict(zip(map(id, moving), starts([2 * norm.mean.shape[2] for norm in moving]), strict=True))
        self.streams = {id(layer): number for number, layer in enumerate(random_layers(networks))}
        self._learning: set[int] = set()
        """Buffers whose gradient is needed."""

    def buffer(self, units: int) -> int:
        """Return the first column of a new buffer."""
        start, self.columns = self.columns, self.columns + units
        return start

    def write(
        self, kind: Kind, x: int, units: int, y: int | None = None, *, learns: bool = False, **fields: Any
    ) -> int:
        """Append an instruction; returns the buffer that it writes, a new one where none is given."""
        y = self.buffer(units) if y is None else y
        wanted = {x, fields.get("other", x)} & self._learning
        if learns or wanted:
            self._learning.add(y)
        fields = {"weight": -1, "bias": -1} | fields
        fields |= {"kind": kind, "x": x, "y": y, "units": units, "learns": learns, "wanted": bool(wanted)}
        if kind in KEEPS:
            fields["kept"] = self.buffer(units)
        self.instructions.append(fields)
        return y

    def place(self, parameter: Tensor | None) -> int:
        """Return where a parameter starts; -1 for none."""
        return -1 if parameter is None else self.parameters[id(parameter)]

    def dense(self, layer: StackedLinear, x: int) -> int:
        """Append a dense layer."""
        _, fan_in, units = layer.weight.shape
        weight, bias = self.place(layer.weight), self.place(layer.bias)
        learns = layer.weight.requires_grad
        return self.write(Kind.DENSE, x, units, learns=learns, fan_in=fan_in, weight=weight, bias=bias)

    def dropped(self, layer: StackedDropout, units: int) -> dict[str, Any]:
        """Return what both kinds of dropout need: room for the mask, random numbers, the largest that is dropped."""
        return {"kept": self.buffer(units), "stream": self.streams[id(layer)], "a": layer.rate - 2.0**-25}

    def layers(self, layers: Iterable[nn.Module], x: int, units: int) -> int:
        """Append layers that give as many units as they take; returns the last one's buffer."""
        for layer in layers:
            x = self.layer(layer, x, units)
        return x

    @singledispatchmethod
    def layer(self, layer: nn.Module, x: int, units: int) -> int:  # noqa: ARG002
        """Append a layer.

        Raises:
            NotCompilableError: no instruction does what it does.
        """
        raise NotCompilableError(type(layer).__name__)

    @layer.register
    def _(self, layer: nn.Sequential, x: int, units: int) -> int:
        return self.layers(layer, x, units)

    @layer.register
    def _(self, layer: nn.Identity, x: int, units: int) -> int:  # noqa: ARG002
        return x

    @layer.register
    def _(self, layer: nn.ReLU, x: int, units: int) -> int:  # noqa: ARG002
        return self.write(Kind.RELU, x, units)

    @layer.register
    def _(self, layer: nn.LeakyReLU, x: int, units: int) -> int:
        return self.write(Kind.LEAKY_RELU, x, units, a=layer.negative_slope)

    @layer.register
    def _(self, layer: Elementwise, x: int, units: int) -> int:
        kind = ELEMENTWISE.get(layer.function)
        if kind is None:
            raise NotCompilableError(str(layer.function))
        constants: dict[str, Any] = dict(zip("ab", layer.constants, strict=False))
        if kind is Kind.ELU:
            constants["c"] = layer.constants[0] * layer.constants[1]
            constants["d"] = layer.constants[1] - constants["c"]
        return self.write(kind, x, units, **constants)

    @layer.register
    def _(self, layer: StackedPReLU, x: int, units: int) -> int:
        learns = layer.slope.requires_grad
        return self.write(Kind.PRELU, x, units, learns=learns, weight=self.place(layer.slope))

    @layer.register
    def _(self, layer: StackedRReLU, x: int, units: int) -> int:
        span, mean = layer.upper - layer.lower, (layer.lower + layer.upper) / 2
        return self.write(Kind.RRELU, x, units, stream=self.streams[id(layer)], a=layer.lower, b=span, c=mean)

    @layer.register
    def _(self, layer: StackedDropout, x: int, units: int) -> int:
        return self.write(Kind.DROPOUT, x, units, b=1 - layer.rate, **self.dropped(layer, units))

    @layer.register
    def _(self, layer: StackedAlphaDropout, x: int, units: int) -> int:
        dropped = -layer.scale * SELU_ALPHA * SELU_SCALE
        constants: dict[str, Any] = {"b": layer.scale, "c": dropped, "d": layer.shift}
        return self.write(Kind.ALPHA_DROPOUT, x, units, **constants, **self.dropped(layer, units))

    @layer.register
    def _(self, layer: StackedBatchNorm, x: int, units: int) -> int:
        if layer.frozen and x in self._learning:
            raise NotCompilableError("a gradient through a frozen batch norm")
        fields = {"kept": self.buffer(units), "other": self.buffer(units), "moving": self.moving[id(layer)]}
        return self.write(
            Kind.BATCH_NORM, x, units, learns=not layer.frozen, weight=self.place(layer.scale),
            bias=self.place(layer.shift), fixed=not layer.affine, a=layer.eps, b=1 - layer.momentum, **fields,
        )  # fmt: skip

    @layer.register
    def _(self, layer: StackedLayerNorm, x: int, units: int) -> int:
        fields = {"kept": self.buffer(units), "other": self.buffer(1)}
        learns = layer.scale.requires_grad
        weight, bias = self.place(layer.scale), self.place(layer.shift)
        return self.write(Kind.LAYER_NORM, x, units, learns=learns, weight=weight, bias=bias, a=layer.eps, **fields)

    def finish(self) -> NDArray[np.void]:
        """Return the instructions. Going back, what first gives a buffer's gradient sets it, and what follows adds."""
        given: set[int] = set()
        for fields in reversed(self.instructions):
            fields["adds"] = fields["x"] in given
            given.add(fields["x"])
            if fields["kind"] is Kind.JOIN:
                given.add(fields["other"])
        written = np.zeros(len(self.instructions), INSTRUCTION)
        for row, fields in zip(written, self.instructions, strict=True):
            for name, value in fields.items():
                row[name] = value
        return written


def record(networks: StackedNetwork) -> Program:
    """Return the program of a stack's networks, as they learn now.

    Raises:
        NotCompilableError: it has something that compiled code does not know.
    """
    if not isinstance(networks, FeedForward):
        raise NotCompilableError(type(networks).__name__)
    widths = networks.design.widths
    if 1 in widths:
        raise NotCompilableError("a layer of one unit")
    recorder = _Recorder(networks)
    first = recorder.buffer(widths[0])
    x = start = recorder.layers(networks.normalize_input, first, widths[0])
    lower: dict[int, int] = {}
    units = widths[0]
    for number, (layer, skip) in enumerate(zip(networks.layers(), networks.skips, strict=True)):
        units = widths[number + 1]
        z = recorder.dense(layer.dense, x)
        if skip is not None:
            recorder.write(Kind.ADD, lower.pop(skip), units, z)
        taken = recorder.layers(layer.before, z, units)
        given = recorder.layer(layer.activation, taken, units)
        recorder.sites.append(Site(z, taken, given, units))
        x = recorder.layers(layer.after, given, units)
        if number in networks.skips:
            lower[number] = x if networks.adds_outputs else z
    if networks.design.architecture.wide:
        joined = units + widths[0]
        x = recorder.write(Kind.JOIN, x, joined, other=start, fan_in=units)
    logits = recorder.dense(networks.output, x)
    recorder.instructions[-1]["outermost"] = True
    kernels = {id(kernel) for kernel in networks.kernels}
    tensors = np.array(
        [
            (start, p.shape[1], p.shape[2], id(p) in kernels, p.requires_grad)
            for p, start in zip(networks.parameters(), recorder.parameters.values(), strict=True)
        ],
        TENSOR,
    )
    return Program(recorder.finish(), tensors, recorder.sites, first, logits, widths[-1], recorder.columns)


def parameter_sizes(networks: nn.Module) -> list[int]:
    """Return how many numbers each parameter of one network has."""
    return [parameter[0].numel() for parameter in networks.parameters()]


def batch_norms(networks: nn.Module) -> list[StackedBatchNorm]:
    """Return the batch norms of a stack."""
    return [layer for layer in networks.modules() if isinstance(layer, StackedBatchNorm)]


def random_layers(networks: nn.Module) -> list[StackedRReLU | StackedDropout]:
    """Return the layers of a stack that draw random numbers."""
    return [layer for layer in networks.modules() if isinstance(layer, StackedRReLU | StackedDropout)]


def starts(sizes: Iterable[int]) -> list[int]:
    """Return where each of some things starts that lie side by side."""
    return [0, *accumulate(sizes)][:-1]
