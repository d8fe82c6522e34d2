"""Weights and biases for anyone's network, by the theory of signal propagation."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, fx, nn

from ..axes.initializers import INITIALIZERS, Distribution, Initializer, Variances, WeightContext
from ..errors import FunctionError, LevelError, did_you_mean
from ..theory.edge import edge_of_chaos
from ..theory.functions import Function, known_function
from ..theory.gaussian import moments
from .graph import Graph, Weighted

OTHER_WEIGHTS = (nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention, nn.Bilinear)
TRUNCATED_SD = 0.8796256610342398
"""Of a standard normal cut off at two standard deviations."""
IDENTITY = "identity"
Generator = torch.Generator | None


@dataclass(frozen=True)
class Placed:
    """A layer that was initialised."""

    name: str
    activation: str
    """That follows it; ``identity`` where none does."""
    fan_in: int
    gain: float
    """sqrt(fan-in · variance of a weight)."""
    bias_sd: float
    variance: float | None
    """Mean square of its output, as predicted; ``None`` where what comes in is not known."""
    gradient_factor: float | None
    """χ, by which the activation and these weights change a gradient's variance; ``None`` where that is not known."""
    residual: int = 1
    """Of how many residual connections it ends one: its variances are divided by that."""


@dataclass(frozen=True)
class Unplaced:
    """A layer that was left as it is."""

    name: str
    why: str


@dataclass(frozen=True)
class Initialization:
    """What `initialize_` did."""

    scheme: str
    layers: tuple[Placed, ...]
    """In the order in which they are computed."""
    left: tuple[Unplaced, ...]
    """Layers that were not touched, and why."""

    def __str__(self) -> str:
        """Return a table for people."""
        width = max([len(layer.name) for layer in self.layers] + [len("layer")])
        kind = max([len(layer.activation) for layer in self.layers] + [len("activation")])
        lines = [f"{'layer':<{width}}  {'activation':<{kind}}  fan-in    gain  bias sd  variance  gradient ×"]
        for layer in self.layers:
            shares = f"  (1/{layer.residual} of it: a residual connection ends here)" if layer.residual > 1 else ""
            lines.append(
                f"{layer.name:<{width}}  {layer.activation:<{kind}}  {layer.fan_in:>6}  {layer.gain:>6.3f}  "
                f"{layer.bias_sd:>7.3f}  {_number(layer.variance):>8}  {_number(layer.gradient_factor):>10}{shares}"
            )
        lines += [f"left as it is: {layer.name}: {layer.why}" for layer in self.left]
        return "\n".join(lines)


def initialize_(
    module: nn.Module,
    scheme: str = "critical",
    *,
    activations: Mapping[str, str] | None = None,
    input_square: float = 1.0,
    generator: Generator = None,
) -> Initialization:
    """Draw the weights and biases of every linear and convolutional layer, in place.

    Which activation follows a layer is read off the module's FX graph. With ``critical`` every layer's output gets the
    variance q* at which its activation stands on the edge of chaos, whatever comes in; one that no activation follows,
    or whose output is normalised, the variance 1. Where the branch of a residual connection ends, variances are divided
    by the number of residual connections, so that their sum at most doubles the signal's (Hayou et al. 2021). What
    cannot be placed is left as it is, and named.

    Args:
        module: of any layers; it is traced, and not run.
        scheme: an initializer's spelling, such as ``critical`` or ``he_normal``.
        activations: of layers by name, where the graph does not tell: spellings such as ``gelu``, import paths, or
            ``identity``. Of a module that cannot be traced: of all layers, in the order in which they are computed,
            each taking the output of the one before.
        input_square: mean square of a feature of the module's input: 1 for standardised data.
        generator: draws the numbers; by default torch's own.

    Raises:
        FunctionError: the module cannot be traced, and `activations` are not given, or are of no layer.
        LevelError: there is no such scheme.
        ValueError: `input_square` is no positive number.
    """
    if not (input_square > 0 and math.isfinite(input_square)):
        raise ValueError(f"input_square: found {input_square}; allowed: a positive number")
    layers = {name: one for name, one in module.named_modules() if isinstance(one, Weighted)}
    told = {}
    for name, spelling in (activations or {}).items():
        if name not in layers:
            near = did_you_mean(name, layers) if layers else "; the module has none"
            raise FunctionError(f"activations: {name!r} is no linear or convolutional layer{near}")
        told[name] = known_function(spelling)
    placing = _Placing(_initializer(scheme), layers, generator)
    try:
        graph = Graph(module)
    except FunctionError as error:
        if not told:
            named = ", ".join(f"{name!r}: …" for name in layers)
            raise FunctionError(
                f"{type(module).__name__}: {error}. Say which activation follows each layer, in the order in which "
                f"they are computed: activations={{{named}}}"
            ) from error
        _follow_chain(placing, told, input_square)
    else:
        _follow_graph(placing, graph, told, input_square)
    for name, one in module.named_modules():
        if name not in placing.seen and isinstance(one, Weighted):
            placing.leave(name, "it is not called by itself")
        elif name not in placing.seen and isinstance(one, OTHER_WEIGHTS):
            placing.leave(name, f"{type(one).__name__} is no linear or convolutional layer")
    return Initialization(scheme, tuple(placing.placed), tuple(placing.left))


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.3g}"


def _initializer(scheme: str) -> Initializer:
    initializer = INITIALIZERS.parse(scheme)
    if initializer.name == "identity":
        others = ", ".join(name for name in INITIALIZERS.names if name != "identity")
        raise LevelError(scheme, f"is for layers of one width; allowed: {others}")
    return initializer


class _Placing:
    """Draws layers one by one, and keeps what was done."""

    def __init__(self, initializer: Initializer, layers: Mapping[str, nn.Module], generator: Generator) -> None:
        self.initializer, self.layers, self.generator = initializer, layers, generator
        self.placed: list[Placed] = []
        self.left: list[Unplaced] = []
        self.seen: set[str] = set()

    def leave(self, name: str, why: str) -> None:
        """Leave a layer as it is."""
        self.left.append(Unplaced(name, why))
        self.seen.add(name)

    def place(
        self, name: str, function: Function, square: float | None, parts: int = 1, last: bool = False
    ) -> float | None:
        """Draw a layer's weights and biases, and return the mean square of its output; ``None`` where it is not known.

        Args:
            name: of the layer.
            function: the activation that follows.
            square: mean square of what comes in, where it is known.
            parts: see `Placed.residual`.
            last: whether it is an output layer.
        """
        layer = self.layers[name]
        weight, bias = cast(Tensor, layer.weight), cast("Tensor | None", layer.bias)
        if isinstance(weight, nn.parameter.UninitializedParameter):
            self.leave(name, "its shape is not known before the module is called")
            return None
        fan_in, fan_out = _fans(layer)
        try:
            distribution, variances = self._law(function, (fan_in, fan_out), square, last, bias is not None)
        except FunctionError as error:
            self.leave(name, str(error))
            return None
        of_weight, of_bias = variances.weight / parts, variances.bias / parts if bias is not None else 0.0
        with torch.no_grad():
            _draw(weight, distribution, of_weight, self.generator)
            if bias is not None:
                bias.normal_(0, math.sqrt(of_bias), generator=self.generator)
        out = None if square is None else fan_in * of_weight * square + of_bias
        steepness = None if out is None else fan_in * of_weight * moments(function, out * parts).slope_square
        gain, bias_sd = math.sqrt(fan_in * of_weight), math.sqrt(of_bias)
        self.placed.append(Placed(name, function.name, fan_in, gain, bias_sd, out, steepness, parts))
        self.seen.add(name)
        return out

    def _law(
        self, function: Function, fans: tuple[int, int], square: float | None, last: bool, biased: bool
    ) -> tuple[Distribution, Variances]:
        if not self.initializer.fitted:
            law = self.initializer.law(WeightContext(*fans, False, last, 1.0, lambda: edge_of_chaos(function)))
            return law.distribution, law.variances
        if not square:
            raise FunctionError("what comes in is not known" if square is None else "nothing comes in")
        edge = edge_of_chaos(function)
        of_bias = edge.bias_variance if biased else 0.0
        return "normal", Variances((edge.q - of_bias) / (fans[0] * square), of_bias)


def _fans(layer: nn.Module) -> tuple[int, int]:
    """Return how many numbers one of a layer's outputs is a sum of, and how many sums one of its inputs enters."""
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    assert isinstance(layer, nn.modules.conv._ConvNd)  # noqa: S101
    size = math.prod(layer.kernel_size)
    into, out = size * layer.in_channels // layer.groups, size * layer.out_channels // layer.groups
    apart = math.prod(layer.stride)
    return (max(1, into // apart), out) if layer.transposed else (into, max(1, out // apart))


def _draw(weight: Tensor, distribution: Distribution, variance: float, generator: Generator) -> None:
    sd = math.sqrt(variance)
    match distribution:
        case "normal":
            weight.normal_(0, sd, generator=generator)
        case "truncated_normal":
            nn.init.trunc_normal_(weight, 0, 1, -2, 2, generator=generator).mul_(sd / TRUNCATED_SD)
        case "uniform":
            weight.uniform_(-math.sqrt(3) * sd, math.sqrt(3) * sd, generator=generator)
        case _:
            longer = max(len(weight), weight[0].numel())
            nn.init.orthogonal_(weight, sd * math.sqrt(longer), generator=generator)


def _follow_chain(placing: _Placing, functions: Mapping[str, Function], input_square: float) -> None:
    """Place layers of which each takes what the activation behind the one before makes of it."""
    square: float | None = input_square
    for name, function in functions.items():
        square = _behind(function, placing.place(name, function, square))


def _follow_graph(placing: _Placing, graph: Graph, told: Mapping[str, Function], input_square: float) -> None:
    """Place the layers in the order in which they are computed, with what comes into each."""
    flow = _Flow(graph, told)
    shares, count = flow.residual_ends()
    squares: dict[fx.Node, float | None] = {}
    for node in graph.nodes:
        step = graph.steps[node]
        into = [squares[one] for one in node.all_input_nodes]
        known = [square for square in into if square is not None]
        square = known[0] if len(known) == len(into) == 1 else None
        match step.kind:
            case "source":
                square = _source(graph, node, step.module, input_square)
            case "weights":
                square = _place(placing, flow, str(node.target), node, square, count if node in shares else 1)
            case "normalization":
                if node in shares and (scale := getattr(step.module, "weight", None)) is not None:
                    with torch.no_grad():
                        scale.fill_(1 / math.sqrt(count))
                square = _normalized(step.module)
            case "function":
                square = _behind(step.function, square)
            case "pass":
                square = step.factor * sum(known) / len(known) if known and len(known) == len(into) else None
            case "add":
                square = sum(known) if len(known) == len(into) else None
            case "multiply":
                independent = len(into) == 2 and flow.roots[node.all_input_nodes[0]].isdisjoint(
                    flow.roots[node.all_input_nodes[1]]
                )
                square = math.prod(known) if len(known) == 2 and independent else None
            case _:
                square = None
        squares[node] = square


def _place(
    placing: _Placing, flow: "_Flow", name: str, node: fx.Node, square: float | None, parts: int
) -> float | None:
    """Place a layer of the graph, unless what follows it is not known, or it was placed before."""
    if name in placing.seen:
        again = next((layer for layer in placing.placed if layer.name == name), None)
        return None if again is None or square is None else again.gain**2 * square + again.bias_sd**2
    try:
        function, last = flow.following(name, node)
    except FunctionError as error:
        placing.leave(name, str(error))
        return None
    return placing.place(name, function, square, parts, last)


def _behind(function: Function | None, square: float | None) -> float | None:
    """Return the mean square of what an activation makes of a signal."""
    if function is None or square is None:
        return None
    return moments(function, square).square if square else float(function.mean(torch.zeros(1).double().numpy())[0] ** 2)


def _source(graph: Graph, node: fx.Node, module: nn.Module | None, input_square: float) -> float | None:
    """Return the mean square of an input, a parameter, or an embedding's rows."""
    if node.op == "placeholder":
        return input_square
    values = graph.attribute(str(node.target)) if module is None else cast(Tensor, module.weight)
    return float(values.detach().double().square().mean()) if values.is_floating_point() else None


def _normalized(module: nn.Module | None) -> float:
    """Return the mean square behind a normalization."""
    scale, shift = getattr(module, "weight", None), getattr(module, "bias", None)
    square = 1.0 if scale is None else float(scale.detach().double().square().mean())
    return square + (0.0 if shift is None else float(shift.detach().double().square().mean()))


class _Flow:
    """Where signals come from and go to in a graph."""

    def __init__(self, graph: Graph, told: Mapping[str, Function]) -> None:
        self.graph, self.steps, self.told = graph, graph.steps, told
        self.identity = known_function(IDENTITY)
        self.above: dict[fx.Node, frozenset[fx.Node]] = {}
        self.roots: dict[fx.Node, frozenset[fx.Node]] = {}
        """The nearest layers, normalizations and inputs that a signal is made of; those of others are independent."""
        self.depth: dict[fx.Node, int] = {}
        for node in graph.nodes:
            inputs = node.all_input_nodes
            made = self.steps[node].kind in ("weights", "normalization", "source")
            self.roots[node] = frozenset({node}) if made else frozenset().union(*(self.roots[one] for one in inputs))
            self.above[node] = frozenset({node}).union(*(self.above[one] for one in inputs))
            deepest = max((self.depth[one] for one in inputs), default=0)
            self.depth[node] = deepest + (self.steps[node].kind == "weights")

    def following(self, name: str, node: fx.Node) -> tuple[Function, bool]:
        """Return the activation that follows a layer, and whether none does because the layer's output is the module's.

        Raises:
            FunctionError: several do, or something of which the theory knows nothing.
        """
        if name in self.told:
            return self.told[name], False
        found: dict[str, Function] = {}
        last = False
        todo, seen = [*node.users], set()
        while todo:
            user = todo.pop()
            step = self.steps[user]
            if user in seen:
                continue
            seen.add(user)
            if step.kind in ("pass", "add"):
                todo += user.users
            elif step.kind == "function" and step.function is not None:
                found[step.function.name] = step.function
            elif step.kind == "output":
                last = True
            elif step.kind == "unknown":
                raise FunctionError(
                    f"of what follows it, {_called(user)}, the theory knows nothing; name it in `activations`"
                )
        if len(found) > 1:
            raise FunctionError(f"several activations follow it: {', '.join(sorted(found))}; name one in `activations`")
        return (next(iter(found.values())), False) if found else (self.identity, last)

    def residual_ends(self) -> tuple[set[fx.Node], int]:
        """Return the nodes at which the branches of residual connections end, and how many connections there are."""
        ends: set[fx.Node] = set()
        count = 0
        for node in self.graph.nodes:
            inputs = node.all_input_nodes
            if self.steps[node].kind != "add" or len(inputs) != 2 or not self.share_origin(*inputs):
                continue
            skip, branch = sorted(inputs, key=self.depth.__getitem__)
            if self.depth[skip] < self.depth[branch]:
                count += 1
                ends.update(self._ends(branch))
        return ends, count

    def share_origin(self, one: fx.Node, other: fx.Node) -> bool:
        """Say whether two signals come from one."""
        return not self.above[one].isdisjoint(self.above[other])

    def _ends(self, node: fx.Node) -> Iterable[fx.Node]:
        """Yield the layers, or the normalization, whose output a signal is but for steps that change nothing."""
        step = self.steps[node]
        if step.kind in ("weights", "normalization"):
            yield node
        elif step.kind == "pass":
            for one in node.all_input_nodes:
                yield from self._ends(one)


def _called(node: fx.Node) -> str:
    return f"`{getattr(node.target, '__name__', node.target)}`"
