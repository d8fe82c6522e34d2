"""Activation functions as the theory needs them: float64, of one variable, cut where they are not smooth."""

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial import legendre

from ..axes.activations import ACTIVATIONS, Activation, Scalar
from ..axes.special import Array
from ..errors import FunctionError, LevelError, did_you_mean

NODES = 20
"""Gauss-Legendre nodes in each piece."""
ABSCISSAE, WEIGHTS = legendre.leggauss(NODES)
_TO_COEFFICIENTS = np.linalg.inv(legendre.legvander(ABSCISSAE, NODES - 1))
DERIVATIVE = legendre.legval(ABSCISSAE, legendre.legder(_TO_COEFFICIENTS)).T
"""``[node, node]``: the derivative, at the nodes of [-1, 1], of the polynomial through the values at the nodes."""

FAR = 1e4
"""Up to here functions are looked at for places where they are not smooth."""
LARGEST = 1e100
"""A function's values: their squares are numbers, too."""
RESOLVED = 1e-12
"""A function is smooth in a piece if the last two Legendre coefficients are below this share of the largest value."""
ROUNDINGS = 64
"""Coefficients below this many roundings of the largest number are those of rounding, not of the function."""
MOST_PIECES = 20_000
"""A sine has 3,000. What takes more is no activation, and would take all memory."""
FLAT = 0.05
"""A unit is saturated where the slope is below this share of the steepest."""
NOTHING_LEFT = 1e-3
"""And where, far out, no more than this share is left."""


class Precision(NamedTuple):
    """What the numbers that a function gives allow."""

    eps: float
    """Of rounding, relative."""
    narrowest: float
    """A kink is enclosed to this width; the integrals' error is of its order."""
    steepest: float
    """A function that is steeper than this there jumps."""
    smallest_q: float
    """Below this variance a slope beside a φ(0) that is not 0 is that at this one: differences of φ over less are lost
    in its rounding, which way, the processor decides."""
    negligible: float
    """Up to this share of q* a σ_b² is 0, and up to this distance from 1 a slope is 1."""


DOUBLE = Precision(eps=2.0**-52, narrowest=1e-9, steepest=1e3, smallest_q=1e-12, negligible=1e-9)
SINGLE = Precision(eps=2.0**-23, narrowest=1e-4, steepest=50.0, smallest_q=1e-4, negligible=1e-3)


@dataclass(frozen=True, eq=False)
class Function:
    """An activation function.

    Args:
        name: what to call it in messages.
        branches: equally likely functions, drawn anew for each element; one, unless the activation is random (RReLU).
        precision: of what they give.
    """

    name: str
    branches: tuple[Scalar, ...]
    precision: Precision = DOUBLE

    def mean(self, x: Array) -> Array:
        """Return the mean over the branches."""
        total: Array = sum((branch(x) for branch in self.branches), np.zeros(()))
        return total / len(self.branches)

    @cached_property
    def pieces(self) -> Array:
        """Ascending points between any two of which every branch is smooth, from -`FAR` to `FAR`.

        Found by halving whatever a polynomial does not fit, so that a kink may lie anywhere.

        Raises:
            FunctionError: the function does not map float64 arrays element by element to finite numbers, jumps, or has
                too many kinks.
        """
        eps, narrowest, *_ = self.precision
        resolved = max(RESOLVED, ROUNDINGS * eps)
        widths = 10.0 ** np.arange(np.log10(FAR), -2, -1)
        edges = np.concatenate([-widths, [0.0], widths[::-1]])
        done = [edges[-1:]]
        todo = np.stack([edges[:-1], edges[1:]], axis=1)
        while len(todo):
            if len(done) + len(todo) + sum(map(len, done)) > MOST_PIECES:
                raise FunctionError(
                    f"{self.name}: takes more than {MOST_PIECES:,} pieces to be smooth in, near {todo[0, 0]:.4g} among "
                    "others; allowed: a function with some kinks, in numbers of 32 or 64 bits"
                )
            middle, half = todo.mean(1, keepdims=True), np.diff(todo) / 2
            smooth = np.ones(len(todo), dtype=bool)
            for branch in self.branches:
                values = self._checked(branch, middle + half * ABSCISSAE)
                tail = np.abs(values @ _TO_COEFFICIENTS.T)[:, -2:].max(1)
                rounding = ROUNDINGS * eps * np.abs(todo).max(1)
                smooth &= tail <= np.maximum(resolved * np.maximum(np.abs(values).max(1), half[:, 0]), rounding)
            fits = smooth | (half[:, 0] <= narrowest / 2)
            done.append(todo[fits, 0])
            low, high = todo[~fits].T
            cut = (low + high) / 2
            todo = np.concatenate([np.stack([low, cut], 1), np.stack([cut, high], 1)])
        cuts = np.sort(np.concatenate(done))
        self._refuse_jumps(cuts)
        return cuts

    def _checked(self, branch: Scalar, x: Array) -> Array:
        with np.errstate(all="ignore"):
            try:
                values = branch(x)
            except Exception as error:  # a stranger's function may raise anything
                raise FunctionError(
                    f"{self.name}: stops on numbers from {x.min():g} to {x.max():g} ({_reason(error)}); allowed: any "
                    f"number from -{FAR:g} to {FAR:g}"
                ) from error
        if np.shape(values) != x.shape:
            raise FunctionError(
                f"{self.name}: gave shape {np.shape(values)} for an array of shape {x.shape}; "
                "an activation maps element by element"
            )
        finite = np.abs(values) <= LARGEST
        if not finite.all():
            where, value = float(x[~finite].flat[0]), float(values[~finite].flat[0])
            raise FunctionError(
                f"{self.name}: is {value:g} at {where:g}; allowed: up to {LARGEST:g} from -{FAR:g} to {FAR:g}"
            )
        return values

    def _refuse_jumps(self, cuts: Array) -> None:
        """Refuse a function that steps at one of the cuts: over a few widths of the narrowest piece."""
        reach = 4 * self.precision.narrowest
        for branch in self.branches:
            above, below = self._checked(branch, cuts + reach), self._checked(branch, cuts - reach)
            scale = np.maximum(np.maximum(1.0, np.abs(cuts)), np.minimum(np.abs(above), np.abs(below)))
            jumps = np.abs(above - below) > self.precision.steepest * 2 * reach * scale
            if jumps.any():
                raise FunctionError(
                    f"{self.name}: jumps near {cuts[jumps][0]:g}, where its slope has no finite mean square; "
                    "allowed: a continuous function"
                )

    @cached_property
    def unsaturated_range(self) -> tuple[float, float]:
        """Lowest and highest x at which a unit is not saturated; infinite on a side that does not saturate.

        A unit is saturated where, from there on outward, the slope stays below `FLAT` of the steepest and comes to
        nothing (a leaky ReLU's keeps passing its share of a gradient), unless it is off: ReLU's units for x < 0 give 0.
        """
        step = 1e-3
        x: Array = np.arange(-60.0, 60.0, step)
        value = self.mean(x)
        slope = np.abs(np.diff(value)) / step
        low, high = -np.inf, np.inf
        steep = np.flatnonzero(slope >= FLAT * slope.max())
        first, last = steep[0], steep[-1]
        flat, nothing = FLAT * slope.max(), NOTHING_LEFT * slope.max()
        # What goes flat gradually is not off, even where it comes to 0.
        if first > 0 and slope[0] < nothing and (value[0] != 0 or slope[first + 10] < 2 * flat):
            low = float(x[first])
        if last < len(slope) - 1 and slope[-1] < nothing and (value[-1] != 0 or slope[last - 10] < 2 * flat):
            high = float(x[last + 1])
        return low, high


@lru_cache
def function_of(activation: Activation) -> Function:
    """Return an activation of the registry as the theory sees it; PReLU at its start."""
    return Function(str(activation), activation.branches())


def import_function(path: str) -> Function:
    """Return a function by its import path: ``package.module:function``, on NumPy arrays or on torch tensors.

    Of a class, such as ``torch.nn:Softplus``, an instance without arguments is meant.

    Raises:
        FunctionError: there is no such thing, or it is no activation.
    """
    module_name, _, attribute = path.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), attribute)):
        raise FunctionError(f"{path!r}: is no import path; allowed: package.module:function")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        raise FunctionError(f"{path}: cannot be imported ({error}); is its folder on PYTHONPATH?") from None
    except (Exception, SystemExit) as error:  # a stranger's module may do anything
        raise FunctionError(f"{path}: {module_name} cannot be imported ({_reason(error)})") from error
    found = getattr(module, attribute, None)
    if not callable(found):
        names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise FunctionError(f"{path}: {module_name} has no function {attribute!r}{did_you_mean(attribute, names)}")
    if isinstance(found, type):
        try:
            found = found()
        except Exception as error:
            raise FunctionError(
                f"{path}: is a class that needs arguments ({_reason(error)}); name a function, or an instance"
            ) from error
    return as_function(path, found)


PROBES: Array = np.sin(np.arange(1, 65)) * np.geomspace(1e-3, 8, 64)
"""Numbers on which a stranger's function is tried: of either sign, in no order, none of them exact in 32 bits."""


def as_function(name: str, function: Callable[[Any], Any]) -> Function:
    """Return any callable as a `Function`.

    Args:
        name: what to call it.
        function: maps a NumPy array, or a torch tensor, element by element.

    Raises:
        FunctionError: it takes neither, is random, or looks at an element's neighbours; its numbers have 16 bits.
    """
    reasons = []
    for scalar in (_on_arrays(function), _on_tensors(function)):
        try:
            values = scalar(PROBES)
        except Exception as error:  # a stranger's function may raise anything
            reasons.append(_reason(error))
            continue
        if values.shape == PROBES.shape:
            _refuse_context(name, scalar, values)
            return Function(name, (scalar,), _precision(name, values))
        reasons.append("it does not keep the shape")
    raise FunctionError(f"{name}: takes neither a NumPy array ({reasons[0]}) nor a torch tensor ({reasons[1]})")


def _refuse_context(name: str, scalar: Scalar, values: Array) -> None:
    """Refuse a function that depends on more than the number it takes."""

    def alike(others: Array) -> bool:
        return bool(np.allclose(others, values, rtol=1e-4, atol=1e-5, equal_nan=True))

    if not alike(scalar(PROBES)):
        raise FunctionError(
            f"{name}: is random: called again, it gives other numbers. In evaluation mode (.eval()) a module may be "
            "one function; rrelu is known by that name"
        )
    if not alike(scalar(PROBES[::-1])[::-1]) or not alike(np.concatenate([scalar(one) for one in PROBES[:, None]])):
        raise FunctionError(
            f"{name}: looks at an element's neighbours: alone it gives other numbers; an activation maps element by "
            "element"
        )


def _precision(name: str, values: Array) -> Precision:
    """Return the precision of the numbers that a function gave; functions may round on their way to float64."""
    values = values[np.isfinite(values)]
    if not (values % 1).any():
        return DOUBLE  # steps: there is nothing to tell from
    with np.errstate(over="ignore"):
        single, half = values.astype(np.float32), values.astype(np.float16)
    if not np.array_equal(single, values):
        return DOUBLE
    # bfloat16 is float32 without its last 16 bits.
    if np.array_equal(half, values) or not (single.view(np.uint32) & 0xFFFF).any():
        raise FunctionError(f"{name}: gives numbers of 16 bits; allowed: 32 or 64")
    return SINGLE


def _on_arrays(function: Callable[[Any], Any]) -> Scalar:
    """Return a function of arrays as one that changes none and gives real numbers in float64."""

    def on_arrays(x: Array) -> Array:
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            values = np.asarray(function(x.copy()))
        if values.dtype.kind not in "biuf":
            raise TypeError(f"it gives {values.dtype.name}, not numbers")
        return values.astype(np.float64)

    return on_arrays


def _on_tensors(function: Callable[[Any], Any]) -> Scalar:
    """Return a function of torch tensors as one of arrays. Who brings one has imported torch; it takes 2 s."""

    def on_tensors(x: Array) -> Array:
        torch: Any = sys.modules.get("torch") or import_module("torch")
        with torch.no_grad(), warnings.catch_warnings(action="ignore"):
            values = function(torch.from_numpy(x.copy())).detach().cpu()
        if values.is_complex():
            raise TypeError("it gives complex numbers")
        doubled: Array = values.double().numpy()
        return doubled

    return on_tensors


def _reason(error: BaseException) -> str:
    said = str(error).split("\n")[0]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def known_function(name: str) -> Function:
    """Return an activation by its spelling, such as ``elu(alpha=0.5)``, or any function by its import path.

    Raises:
        FunctionError: it is neither.
    """
    if ":" in name:
        return import_function(name)
    try:
        return function_of(ACTIVATIONS.parse(name))
    except LevelError as error:
        raise FunctionError(f"{error}; your own: package.module:function") from None
