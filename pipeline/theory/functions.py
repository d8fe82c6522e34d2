"""Activation functions as the theory needs them: float64, of one variable, cut where they are not smooth."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy import special

from pipeline.errors import FunctionError, did_you_mean
from pipeline.params import ACTIVATIONS, Activations

Array = NDArray[np.float64]
Scalar = Callable[[Array], Array]

NODES = 20
"""Gauss-Legendre nodes in each piece."""
ABSCISSAE, WEIGHTS = legendre.leggauss(NODES)
_TO_COEFFICIENTS = np.linalg.inv(legendre.legvander(ABSCISSAE, NODES - 1))
DERIVATIVE = legendre.legval(ABSCISSAE, legendre.legder(_TO_COEFFICIENTS)).T
"""``[node, node]``: the derivative, at the nodes of [-1, 1], of the polynomial through the values at the nodes."""

FAR = 1e4
"""Up to here functions are looked at for places where they are not smooth."""
RESOLVED = 1e-12
"""A function is smooth in a piece if the last two Legendre coefficients are below this share of the largest value."""
NARROWEST = 1e-9
"""A kink is enclosed to this width; the integrals' error is of its order."""
STEEPEST = 1e3
"""A function that is steeper than this there jumps."""
FLAT = 0.05
"""A unit is saturated where the slope is below this share of the steepest."""

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
"""Klambauer et al. 2017, eq. 14."""


def _relu(slope: float) -> Scalar:
    return lambda x: np.where(x > 0, x, slope * x)


def _elu(alpha: float, scale: float) -> Scalar:
    return lambda x: scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _swish(beta: float) -> Scalar:
    return lambda x: x * special.expit(beta * x)


def _rrelu(lower: float, upper: float) -> tuple[Scalar, ...]:
    # Gauss-Legendre's two nodes: the slope's mean and mean square over U(lower, upper) are exact.
    middle, half = (lower + upper) / 2, (upper - lower) / 2
    return tuple(_relu(middle + half * sign / np.sqrt(3)) for sign in (-1, 1))


BRANCHES: dict[str, Callable[[Any], tuple[Scalar, ...]]] = {
    "sigmoid": lambda _: (special.expit,),
    "tanh": lambda _: (np.tanh,),
    "relu": lambda _: (_relu(0.0),),
    "leaky_relu": lambda s: (_relu(s.slope),),
    "rrelu": lambda s: _rrelu(s.lower, s.upper),
    "prelu": lambda s: (_relu(s.start),),
    "elu": lambda s: (_elu(s.alpha, 1.0),),
    "selu": lambda _: (_elu(SELU_ALPHA, SELU_SCALE),),
    "gelu": lambda _: (lambda x: x * special.ndtr(x),),
    "gelu_sigmoid": lambda s: (_swish(s.scale),),
    "swish": lambda s: (_swish(s.beta),),
    "mish": lambda _: (lambda x: x * np.tanh(np.logaddexp(0, x)),),
}
"""For each activation, from its settings to its branches: one, or as many as a random slope takes."""


@dataclass(frozen=True, eq=False)
class Function:
    """An activation function.

    Args:
        name: what to call it in messages.
        branches: equally likely functions, drawn anew for each element; one, unless the activation is random (RReLU).
    """

    name: str
    branches: tuple[Scalar, ...]

    def mean(self, x: Array) -> Array:
        """Return the mean over the branches."""
        total: Array = sum((branch(x) for branch in self.branches), np.zeros(()))
        return total / len(self.branches)

    @cached_property
    def pieces(self) -> Array:
        """Ascending points between any two of which every branch is smooth, from -`FAR` to `FAR`.

        Found by halving whatever a polynomial does not fit, so that a kink may lie anywhere.

        Raises:
            FunctionError: the function does not map float64 arrays element by element to finite numbers, or jumps.
        """
        widths = 10.0 ** np.arange(np.log10(FAR), -2, -1)
        edges = np.concatenate([-widths, [0.0], widths[::-1]])
        done = [edges[-1:]]
        todo = np.stack([edges[:-1], edges[1:]], axis=1)
        while len(todo):
            middle, half = todo.mean(1, keepdims=True), np.diff(todo) / 2
            smooth = np.ones(len(todo), dtype=bool)
            for branch in self.branches:
                values = self._checked(branch, middle + half * ABSCISSAE)
                tail = np.abs(values @ _TO_COEFFICIENTS.T)[:, -2:].max(1)
                smooth &= tail <= RESOLVED * np.maximum(np.abs(values).max(1), half[:, 0])
            fits = smooth | (half[:, 0] <= NARROWEST / 2)
            done.append(todo[fits, 0])
            low, high = todo[~fits].T
            cut = (low + high) / 2
            todo = np.concatenate([np.stack([low, cut], 1), np.stack([cut, high], 1)])
        cuts = np.sort(np.concatenate(done))
        self._refuse_jumps(cuts)
        return cuts

    def _checked(self, branch: Scalar, x: Array) -> Array:
        with np.errstate(all="ignore"):
            values = branch(x)
        if np.shape(values) != x.shape:
            raise FunctionError(
                f"{self.name}: gave shape {np.shape(values)} for an array of shape {x.shape}; "
                "an activation maps element by element"
            )
        if not np.isfinite(values).all():
            where = float(x[~np.isfinite(values)].flat[0])
            raise FunctionError(f"{self.name}: is not finite at {where:g}; allowed: finite from -{FAR:g} to {FAR:g}")
        return np.asarray(values, dtype=np.float64)

    def _refuse_jumps(self, cuts: Array) -> None:
        """Refuse a function that steps at one of the cuts: over a few widths of the narrowest piece."""
        reach = 4 * NARROWEST
        for branch in self.branches:
            step = np.abs(self._checked(branch, cuts + reach) - self._checked(branch, cuts - reach))
            jumps = step > STEEPEST * 2 * reach * np.maximum(1.0, np.abs(cuts))
            if jumps.any():
                raise FunctionError(
                    f"{self.name}: jumps near {cuts[jumps][0]:g}, where its slope has no finite mean square; "
                    "allowed: a continuous function"
                )

    @cached_property
    def linear_within(self) -> tuple[float, float]:
        """Lowest and highest x at which a unit is not saturated; infinite on a side that does not saturate.

        A unit is saturated where, from there on outward, the slope stays below `FLAT` of the steepest, having become
        so gradually: ReLU's units for x < 0 are off, not saturated.
        """
        step = 1e-3
        x: Array = np.arange(-60.0, 60.0, step)
        slope = np.abs(np.diff(self.mean(x))) / step
        low, high = -np.inf, np.inf
        steep = np.flatnonzero(slope >= FLAT * slope.max())
        first, last = steep[0], steep[-1]
        if first > 0 and slope[first + 10] < 2 * FLAT * slope.max():
            low = float(x[first])
        if last < len(slope) - 1 and slope[last - 10] < 2 * FLAT * slope.max():
            high = float(x[last + 1])
        return low, high


@lru_cache
def activation_function(name: str, settings: Activations) -> Function:
    """Return an activation of the registry, with its settings in ``params.yaml``; PReLU at its start."""
    return Function(name, BRANCHES[name](getattr(settings, name)))


def import_function(path: str) -> Function:
    """Return a function by its import path: ``package.module:function``, on NumPy arrays or on torch tensors.

    Raises:
        FunctionError: there is no such thing, or it is no activation.
    """
    module_name, _, attribute = path.partition(":")
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise FunctionError(f"{path}: cannot be imported ({error}); is its folder on PYTHONPATH?") from None
    found = getattr(module, attribute, None)
    if not callable(found):
        names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise FunctionError(f"{path}: {module_name} has no function {attribute!r}{did_you_mean(attribute, names)}")
    return as_function(path, found() if isinstance(found, type) else found)


def as_function(name: str, function: Callable[[Any], Any]) -> Function:
    """Return any callable as a `Function`.

    Args:
        name: what to call it.
        function: maps a NumPy array, or a torch tensor, element by element.

    Raises:
        FunctionError: it takes neither.
    """
    probe = np.array([-1.0, 0.5])
    reasons = []
    for scalar in (function, _on_tensors(function)):
        try:
            if np.shape(np.asarray(scalar(probe), dtype=np.float64)) == probe.shape:
                return Function(name, (scalar,))
            reasons.append("it does not keep the shape")
        except Exception as error:  # a stranger's function may raise anything
            reasons.append(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
    raise FunctionError(f"{name}: takes neither a NumPy array ({reasons[0]}) nor a torch tensor ({reasons[1]})")


def _on_tensors(function: Callable[[Any], Any]) -> Scalar:
    """Return a function of torch tensors as one of arrays. Who brings one has imported torch; it takes 2 s."""

    def on_arrays(x: Array) -> Array:
        torch: Any = sys.modules.get("torch") or import_module("torch")
        with torch.no_grad():
            values: Array = function(torch.from_numpy(x)).numpy()
        return values

    return on_arrays


def known_function(name: str, settings: Activations) -> Function:
    """Return an activation by its name in the registry, or any function by its import path.

    Raises:
        FunctionError: it is neither.
    """
    if ":" in name:
        return import_function(name)
    if name not in ACTIVATIONS:
        hint = did_you_mean(name, ACTIVATIONS)
        raise FunctionError(f"{name!r} is not an activation{hint}; your own: package.module:function")
    return activation_function(name, settings)
