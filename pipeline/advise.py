"""Which initializer suits an activation, a depth and a width: from theory, in a second, without data.

Usage: ``python -m pipeline.advise --activation gelu --depth 50 --width 100 [--batch-norm before] [--json]``
"""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np

from pipeline.console import speak_plainly
from pipeline.errors import FunctionError, PipelineError
from pipeline.params import INITIALIZERS, MOST_LAYERS, WIDEST, BatchNormPlacement, Initializer, load_params
from pipeline.strict_json import dumps
from pipeline.theory.edge import Edge, edge_of_chaos
from pipeline.theory.functions import Function, known_function
from pipeline.theory.gaussian import NOTHING, is_constant
from pipeline.theory.initializers import scales
from pipeline.theory.predict import predict, trainable_depth

DEEPEST = 300
"""Layers up to which trainable depths are told apart."""
AS_GOOD = 1.0
"""Initializers that change neither variance by more than this natural logarithm are as good as each other."""
PREFERRED: tuple[Initializer, ...] = ("he_normal", "lecun_normal", "glorot_normal")
"""Of those as good, the best known comes first."""


@dataclass(frozen=True)
class Outlook:
    """What an initializer does to signals and gradients over the depth."""

    initializer: Initializer
    gain: float
    """sqrt(fan-in · variance of a weight)."""
    bias_sd: float
    signal_factor: float
    """Variance of the highest hidden layer's pre-activations, over the lowest's; infinite beyond float64."""
    gradient_factor: float
    """Variance of the gradient at the lowest hidden layer, over the highest's; infinite beyond float64."""
    log_signal_factor: float
    """The first as a natural logarithm, however large or small; -∞ where the signal is 0."""
    log_gradient_factor: float
    """The second as a natural logarithm."""
    harm: float
    """The larger of the two logarithms' sizes."""
    depth_scale: float
    """Layers in which the gradient's variance changes by a factor of e, on average over the depth."""
    trainable_depth: int
    """Hidden layers up to which neither variance changes by more than e^6; at most `DEEPEST`, or the depth."""


@dataclass(frozen=True)
class Advice:
    """An answer."""

    activation: str
    depth: int
    width: int
    batch_norm: BatchNormPlacement
    edge: Edge | None
    """``None`` where the function has no stable edge of chaos, and `initializers` no ``critical``."""
    initializers: list[Outlook]
    recommended: Outlook
    why: str


def advise(
    function: Function, depth: int, width: int, batch_norm: BatchNormPlacement = "none", eps: float = 0.0
) -> Advice:
    """Compare all initializers by theory.

    Args:
        function: the activation.
        depth: hidden layers, at least 2.
        width: units of each, and of the standardised input.
        batch_norm: placement.
        eps: batch norm's.

    Raises:
        FunctionError: the function is no activation.
    """
    try:
        edge, names = edge_of_chaos(function), INITIALIZERS
    except FunctionError:
        if is_constant(function):
            raise  # a constant: there is nothing to compare
        edge, names = None, tuple(name for name in INITIALIZERS if name != "critical")
    outlooks = [_outlook(name, function, depth, width, batch_norm, eps) for name in names]
    least = min(outlook.harm for outlook in outlooks)
    best = min(outlooks, key=lambda outlook: (max(outlook.harm, least + AS_GOOD), _rank(outlook), outlook.harm))
    return Advice(
        function.name, depth, width, batch_norm, edge, outlooks, best, _why(best, outlooks, batch_norm, depth)
    )


def _outlook(
    name: Initializer, function: Function, depth: int, width: int, batch_norm: BatchNormPlacement, eps: float
) -> Outlook:
    widths = [width] * (max(depth, DEEPEST) + 2)
    layers = scales(name, function, widths, input_square=1.0)
    predicted = predict(function, widths, layers, np.ones(1), batch_norm, eps)
    # as natural logarithms
    signal = _unbounded(predicted.log_signal[depth - 1] - predicted.log_signal[0])
    gradient = _unbounded(predicted.log_gradient[0] - predicted.log_gradient[depth - 1])
    with np.errstate(over="ignore"):
        factors = np.exp([signal, gradient])
    return Outlook(
        initializer=name,
        gain=math.sqrt(width * layers[1].weight),
        bias_sd=math.sqrt(layers[1].bias) if batch_norm != "before" else 0.0,
        signal_factor=float(factors[0]),
        gradient_factor=float(factors[1]),
        log_signal_factor=signal,
        log_gradient_factor=gradient,
        harm=max(abs(signal), abs(gradient)),
        depth_scale=(depth - 1) / abs(gradient) if gradient else math.inf,
        trainable_depth=trainable_depth(predicted),
    )


def _unbounded(log: float) -> float:
    """Return a logarithm, infinite where it is that of nothing, or of all over nothing."""
    return float(log) if abs(log) < -NOTHING / 2 else math.copysign(math.inf, log)


def _rank(outlook: Outlook) -> int:
    name = outlook.initializer
    return PREFERRED.index(name) if name in PREFERRED else len(PREFERRED)


def _why(best: Outlook, outlooks: Sequence[Outlook], batch_norm: BatchNormPlacement, depth: int) -> str:
    """Return the reason as a sentence or two."""
    kept = (
        f"over {depth} layers it changes the signal's variance by a factor of {_factor(best.log_signal_factor)} "
        f"and the gradient's by {_factor(best.log_gradient_factor)}"
    )
    if batch_norm == "before":
        per_layer = math.exp(best.log_gradient_factor / (depth - 1))
        return (
            "batch norm rescales every layer, so that initializers hardly differ before the first step; the "
            f"gradient's variance changes by a factor of {per_layer:.3g} a layer toward the input. With "
            f"{best.initializer}, {kept}"
        )
    others = [outlook for outlook in outlooks if outlook.harm > AS_GOOD]
    if best.harm > AS_GOOD:
        easier = "a shallower network" + (" or batch norm" if batch_norm == "none" else "")
        return f"{kept}: the least of all, but not little; {easier} would be easier to train"
    if not others:
        return f"{kept}; so shallow a network can take any of these initializers"
    other = min(others, key=lambda outlook: (outlook.harm, _rank(outlook)))
    changes = _factor(other.log_signal_factor), _factor(other.log_gradient_factor)
    return f"{kept}; {other.initializer} would change them by {changes[0]} and {changes[1]}"


def _factor(log: float) -> str:
    """Write e^log in three digits."""
    return f"{math.exp(log):.3g}" if abs(log) < 9 else _power(log)


def _power(log: float) -> str:
    """Write e^log as ``1.07e-05``, also where no float reaches."""
    if math.isinf(log):
        return "0" if log < 0 else "∞"
    mantissa, exponent = math.modf(log / math.log(10))
    written, _, own = f"{10**mantissa:.2e}".partition("e")
    return f"{written}e{int(exponent) + int(own):+03d}"


def _text(advice: Advice) -> str:
    """Return the advice as a table and a conclusion."""
    norm = "" if advice.batch_norm == "none" else f", batch norm {advice.batch_norm} the activation"
    lines = [
        f"{advice.activation}, {advice.depth} hidden layers of {advice.width} units{norm}",
        "",
        f"{'initializer':<16} {'gain':>7} {'bias sd':>8} {'signal ×':>10} {'gradient ×':>11} "
        f"{'depth scale':>12} {'trainable depth':>16}",
    ]
    deepest = max(DEEPEST, advice.depth)
    for o in advice.initializers:
        scale = f"{o.depth_scale:.3g}" if o.depth_scale < 1e4 else "∞"
        depth = f"{o.trainable_depth}" if o.trainable_depth < deepest else f"≥ {deepest}"
        mark = "  ←" if o == advice.recommended else ""
        lines.append(
            f"{o.initializer:<16} {o.gain:>7.3f} {o.bias_sd:>8.3f} {_power(o.log_signal_factor):>10} "
            f"{_power(o.log_gradient_factor):>11} {scale:>12} {depth:>16}{mark}"
        )
    lines += [
        "",
        "signal ×: variance of the highest layer's pre-activations over the lowest's; gradient ×: of the gradient at",
        "the lowest layer over the highest's; depth scale: layers in which the latter changes by a factor of e.",
        "",
        f"recommended: {advice.recommended.initializer}, gain {advice.recommended.gain:.4g}"
        + (f", biases N(0, {advice.recommended.bias_sd:.3g}²)" if advice.recommended.bias_sd else ""),
        f"because {advice.why}.",
    ]
    if advice.edge is None:
        lines.append("There is no critical: the function has no stable edge of chaos.")
    elif advice.recommended.initializer == "critical" and advice.batch_norm == "none":
        lines.append(f"Scale the first layer's weights so that its pre-activations have variance {advice.edge.q:.4g}.")
    return "\n".join(lines)


def _as_json(advice: Advice) -> str:
    """Return the advice as JSON; what is not finite is null."""
    return dumps(asdict(advice) | {"edge": advice.edge and advice.edge._asdict()}, indent=2)


def _between(least: int, most: int) -> Any:
    def number(word: str) -> int:
        if not word.isdecimal() or len(word) > 12 or not least <= int(word) <= most:
            raise argparse.ArgumentTypeError(f"found {word!r}; allowed: a whole number from {least} to {most:,}")
        return int(word)

    return number


def main(words: Sequence[str] | None = None) -> int:
    """Answer on the command line; returns the exit code."""
    speak_plainly()
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.advise",
        description="Which initializer suits an activation, a depth and a width, by mean-field theory.",
    )
    parser.add_argument(
        "--activation", required=True, help="one of params.yaml's, with its constants there, or package.module:function"
    )
    parser.add_argument("--depth", type=_between(2, MOST_LAYERS), required=True, help="hidden layers")
    parser.add_argument("--width", type=_between(1, WIDEST), required=True, help="units of each")
    parser.add_argument("--batch-norm", choices=get_args(BatchNormPlacement), default="none")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(words)
    try:
        params = load_params()
        function = known_function(options.activation, params.activations)
        advice = advise(function, options.depth, options.width, options.batch_norm, params.batch_norm.eps)
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(_as_json(advice) if options.json else _text(advice))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
