"""What a module computes, step by step, as the theory needs to know it: read off its FX graph."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from torch import Tensor, fx, nn

from ..axes.activations import PReLU, RReLU
from ..errors import FunctionError
from ..theory.functions import PROBES, Function, as_function, function_of

Weighted = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
"""The layers that are initialised."""
NORMALIZATIONS = (
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm,
    nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d,
)  # fmt: skip
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
PASSING_MODULES = (
    nn.Identity, nn.Flatten, nn.Unflatten, nn.PixelShuffle, nn.PixelUnshuffle, nn.ChannelShuffle,
    nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
)  # fmt: skip
"""They leave the mean square as it is; pooling does where the pooled are alike, as they come to be on the edge."""
PASSING_FUNCTIONS = {
    "flatten", "view", "reshape", "permute", "transpose", "contiguous", "squeeze", "unsqueeze", "expand", "movedim",
    "chunk", "split", "getitem", "clone", "float", "double", "to", "swapaxes", "t", "roll", "unflatten", "type_as",
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d",
    "max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool2d", "boolean_dispatch", "mean", "cat", "concat",
}  # fmt: skip
ADDITIONS = {"add", "iadd", "add_", "sub"}
PRODUCTS = {"mul", "imul", "mul_", "truediv", "div"}

Kind = Literal["source", "weights", "normalization", "function", "pass", "add", "multiply", "unknown", "output"]


@dataclass(frozen=True)
class Step:
    """What a node of the graph does."""

    kind: Kind
    module: nn.Module | None = None
    function: Function | None = None
    factor: float = 1.0
    """What ``pass`` multiplies the mean square by."""
    call: Callable[[Tensor], Tensor] | None = None
    """What ``function`` computes, where no module does."""


class Tracer(fx.Tracer):
    """Traces into everything but PyTorch's own modules, and modules that are one function of each element."""

    def __init__(self, root: nn.Module) -> None:
        super().__init__()
        self.functions: dict[str, Function] = {}
        for name, module in root.named_modules():  # before tracing, which replaces what a call does
            if name and not self._inside(name) and not super().is_leaf_module(module, name) and _may_be_one(module):
                with suppress(FunctionError):
                    self.functions[name] = module_function(module)

    def is_leaf_module(self, module: nn.Module, qualified_name: str) -> bool:
        """Say whether a module is one node of the graph."""
        return qualified_name in self.functions or super().is_leaf_module(module, qualified_name)

    def _inside(self, name: str) -> bool:
        return any(name.startswith(f"{outer}.") for outer in self.functions)


def _may_be_one(module: nn.Module) -> bool:
    """Say whether a module may be a function of each element: it has nothing that is learned."""
    return not any(True for _ in module.parameters())


class Graph:
    """A module's nodes in the order in which they are computed, and what each does.

    Args:
        module: it is traced, and not run.

    Raises:
        FunctionError: it cannot be traced.
    """

    def __init__(self, module: nn.Module) -> None:
        tracer = Tracer(module)
        training = module.training
        try:
            self.graph = tracer.trace(module)
        except Exception as error:  # whatever the module's own code raises
            raise FunctionError(f"cannot be traced ({type(error).__name__}: {str(error).splitlines()[0]})") from error
        finally:
            module.train(training)
        self.root = module
        self.modules: Mapping[str, nn.Module] = dict(module.named_modules())
        self._known: dict[str, Function] = {}
        self.steps = {node: self._step(node, tracer.functions) for node in self.graph.nodes}

    @property
    def nodes(self) -> list[fx.Node]:
        """All of them, in the order in which they are computed."""
        return list(self.graph.nodes)

    def weighted(self) -> dict[str, list[fx.Node]]:
        """Return the nodes of every layer that is initialised, by its name: more than one if it is called again."""
        found: dict[str, list[fx.Node]] = {}
        for node in self.nodes:
            if self.steps[node].kind == "weights":
                found.setdefault(str(node.target), []).append(node)
        return found

    def attribute(self, path: str) -> Tensor:
        """Return a parameter or buffer by its dotted name."""
        owner, _, name = path.rpartition(".")
        found: Tensor = getattr(self.modules[owner], name)
        return found

    def _step(self, node: fx.Node, functions: Mapping[str, Function]) -> Step:
        match node.op:
            case "placeholder":
                return Step("source")
            case "output":
                return Step("output")
            case "get_attr":
                return Step("source")
            case "call_module":
                return self._of_module(self.modules[str(node.target)], functions.get(str(node.target)))
        name = _name(node)
        tensors = [one for one in node.args if isinstance(one, fx.Node)]
        numbers = [one for one in node.args if isinstance(one, (int, float)) and not isinstance(one, bool)]
        if name in ADDITIONS and len(tensors) == 2:
            return Step("add")
        if name in PRODUCTS and len(tensors) == 2:
            return Step("multiply" if name not in ("truediv", "div") else "unknown")
        if name in PRODUCTS and len(tensors) == len(numbers) == 1:
            factor = float(numbers[0])
            if name in ("truediv", "div"):
                factor = 1 / factor if factor and node.args[0] is tensors[0] else 0.0
            return Step("pass", factor=factor**2) if factor else Step("unknown")
        if name in ("dropout", "dropout1d", "dropout2d", "dropout3d"):
            rate = node.kwargs.get("p", node.args[1] if len(node.args) > 1 else 0.5)
            return Step("pass", factor=1 / (1 - rate)) if isinstance(rate, float) and rate < 1 else Step("unknown")
        if name in PASSING_FUNCTIONS:
            return Step("pass")
        if name in ("layer_norm", "batch_norm", "group_norm", "rms_norm", "instance_norm"):
            return Step("normalization")
        if len(tensors) == 1 and node.args[0] is tensors[0] and not _has_nodes(node.args[1:], node.kwargs):
            return self._function(node, name)
        return Step("unknown")

    def _of_module(self, module: nn.Module, function: Function | None) -> Step:
        if function is not None:
            return _step_of(function, module)
        if isinstance(module, Weighted):
            return Step("weights", module)
        if isinstance(module, NORMALIZATIONS):
            return Step("normalization", module)
        if isinstance(module, DROPOUTS):
            return Step("pass", module, factor=1 / (1 - module.p)) if module.p < 1 else Step("unknown", module)
        if isinstance(module, PASSING_MODULES):
            return Step("pass", module)
        if isinstance(module, nn.Embedding):
            return Step("source", module)
        try:
            key = f"{type(module).__module__}.{module!r}"
            if key not in self._known or any(True for _ in module.parameters()):
                self._known[key] = module_function(module)
            return _step_of(self._known[key], module)
        except FunctionError:
            return Step("unknown", module)

    def _function(self, node: fx.Node, name: str) -> Step:
        """Return the step of a call that takes one tensor: a function of each element, where it is one."""
        rest, named, target = node.args[1:], dict(node.kwargs), node.target
        named.pop("inplace", None)
        key = f"{name}{rest}{named}"

        def call(x: Tensor) -> Tensor:
            found: Tensor = (
                getattr(x, str(target))(*rest, **named)
                if node.op == "call_method"
                else _called(target)(x, *rest, **named)
            )
            return found

        try:
            if key not in self._known:
                self._known[key] = as_function(name, call)
            return _step_of(self._known[key], call=call)
        except FunctionError:
            return Step("unknown")


def _step_of(
    function: Function, module: nn.Module | None = None, call: Callable[[Tensor], Tensor] | None = None
) -> Step:
    """Return the step of a function of each element; one that changes nothing is none."""
    if np.array_equal(function.mean(PROBES), PROBES):
        return Step("pass", module)
    return Step("function", module, function, call=call)


def _called(target: Any) -> Callable[..., Tensor]:
    found: Callable[..., Tensor] = target
    return found


def is_convolutional(layer: nn.Module) -> bool:
    """Say whether a layer's units are channels."""
    return isinstance(layer, Weighted) and not isinstance(layer, nn.Linear)


def module_function(module: nn.Module) -> Function:
    """Return a module that is a function of each element as the theory sees it.

    Raises:
        FunctionError: it is none.
    """
    if isinstance(module, nn.RReLU):
        return function_of(RReLU(lower=module.lower, upper=module.upper))
    if isinstance(module, nn.PReLU):
        slopes = module.weight.detach()
        if not bool((slopes == slopes[0]).all()):
            raise FunctionError("prelu: its units have slopes of their own")
        return function_of(PReLU(start=float(slopes[0])))
    own = module if type(module).__module__.startswith("torch.nn.") else deepcopy(module)  # it may count its calls
    return as_function(type(module).__name__, own)


def _name(node: fx.Node) -> str:
    return str(node.target) if node.op == "call_method" else str(getattr(node.target, "__name__", node.target))


def _has_nodes(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    found: list[fx.Node] = []
    fx.node.map_arg((args, dict(kwargs)), found.append)
    return bool(found)
