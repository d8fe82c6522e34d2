"""Which initializer suits an activation, a depth and a width: from theory, in a second, without data.

Usage: ``python -m pipeline.advise --activation gelu --depth 50 --width 100 [--normalization before]
[--architecture residual] [--regularization "dropout(0.2)"] [--json]``
"""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from .axes.architectures import ARCHITECTURES, Architecture
from .axes.initializers import INITIALIZERS, Initializer
from .axes.normalization import NORMALIZATIONS, Normalization
from .axes.regularizers import REGULARIZERS, Regularizer
from .console import speak_plainly
from .errors import FunctionError, PipelineError
from .grid import AXIS, MOST_LAYERS, WIDEST
from .strict_json import dumps
from .theory.edge import Edge, edge_of_chaos
from .theory.functions import Function, known_function
from .theory.gaussian import NOTHING, is_constant
from .theory.initializers import layer_variances
from .theory.predict import NO_NORMALIZATION, NO_REGULARIZER, PLAIN, predict, predict_recurrent, trainable_depth

DEEPEST = 300
"""Layers up to which trainable depths are told apart."""
AS_GOOD = 1.0
"""Initializers that change neither variance by more than this natural logarithm are as good as each other."""
PREDICTED = [architecture.name for architecture in ARCHITECTURES if architecture.predicted]
PREFERRED = ("he_normal", "lecun_normal", "glorot_normal")
"""Of those as good, the best known comes first."""


@dataclass(frozen=True)
class Outlook:
    """What an initializer does to signals and gradients over the depth."""

    initializer: str
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
    normalization: str
    architecture: str
    regularization: str
    edge: Edge | None
    """``None`` where the function has no stable edge of chaos, and `initializers` no ``critical``."""
    initializers: list[Outlook]
    recommended: Outlook
    why: str


class Plan(NamedTuple):
    """The network that advice is about."""

    function: Function
    depth: int
    width: int
    normalization: Normalization
    architecture: Architecture
    regularization: Regularizer


def advise(
    function: Function,
    depth: int,
    width: int,
    normalization: Normalization = NO_NORMALIZATION,
    architecture: Architecture = PLAIN,
    regularization: Regularizer = NO_REGULARIZER,
) -> Advice:
    """Compare all initializers by theory, those apart of which it says nothing.

    Args:
        function: the activation.
        depth: hidden layers, at least 2; of a recurrent network, steps.
        width: units of each, and of the standardised input.
        normalization: of every hidden layer.
        architecture: how the layers are connected.
        regularization: of which dropout alone is seen before the first step.

    Raises:
        FunctionError: the function is no activation; or the theory says nothing of the architecture.
    """
    if not architecture.predicted:
        raise FunctionError(f"{architecture}: the theory makes no prediction for it; allowed: {', '.join(PREDICTED)}")
    compared = [initializer for initializer in INITIALIZERS if initializer.theory and not initializer.free]
    try:
        edge = edge_of_chaos(function)
    except FunctionError:
        if is_constant(function):
            raise  # a constant: there is nothing to compare
        edge, compared = None, [initializer for initializer in compared if not initializer.fitted]
    plan = Plan(function, depth, width, normalization, architecture, regularization)
    outlooks = [_outlook(initializer, plan) for initializer in compared]
    least = min(outlook.harm for outlook in outlooks)
    best = min(outlooks, key=lambda outlook: (max(outlook.harm, least + AS_GOOD), _rank(outlook), outlook.harm))
    return Advice(
        activation=function.name,
        depth=depth,
        width=width,
        normalization=str(normalization),
        architecture=str(architecture),
        regularization=str(regularization),
        edge=edge,
        initializers=outlooks,
        recommended=best,
        why=_why(best, outlooks, normalization, depth),
    )


def _outlook(initializer: Initializer, plan: Plan) -> Outlook:
    depth, width, normalization = plan.depth, plan.width, plan.normalization
    deepest = max(depth, DEEPEST)
    hidden = (width,) * deepest
    fans = plan.architecture.fans((deepest, width) if plan.architecture.recurrent else (width,), hidden, width)
    layers = layer_variances(initializer, plan.function, fans, input_square=1.0)
    if plan.architecture.recurrent:
        inputs = np.ones((1, deepest))
        predicted = predict_recurrent(plan.function, width, layers, inputs, width, normalization)
    else:
        widths = (width, *hidden, width)
        predicted = predict(
            plan.function, widths, layers, np.ones(1), normalization, plan.architecture, plan.regularization
        )
    # as natural logarithms
    signal = _unbounded(predicted.log_signal[depth - 1] - predicted.log_signal[0])
    gradient = _unbounded(predicted.log_gradient[0] - predicted.log_gradient[depth - 1])
    with np.errstate(over="ignore"):
        factors = np.exp([signal, gradient])
    return Outlook(
        initializer=initializer.name,
        gain=math.sqrt(width * layers[1].weight),
        bias_sd=math.sqrt(layers[1].bias) if normalization.keeps_bias else 0.0,
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


def _why(best: Outlook, outlooks: Sequence[Outlook], normalization: Normalization, depth: int) -> str:
    """Return the reason as a sentence or two."""
    kept = (
        f"over {depth} layers it changes the signal's variance by a factor of {_factor(best.log_signal_factor)} "
        f"and the gradient's by {_factor(best.log_gradient_factor)}"
    )
    if normalization.of_batch and normalization.placement == "before":
        per_layer = math.exp(best.log_gradient_factor / (depth - 1))
        return (
            "batch norm rescales every layer, so that initializers hardly differ before the first step; the "
            f"gradient's variance changes by a factor of {per_layer:.3g} a layer toward the input. With "
            f"{best.initializer}, {kept}"
        )
    others = [outlook for outlook in outlooks if outlook.harm > AS_GOOD]
    if best.harm > AS_GOOD:
        easier = "a shallower network" + (" or batch norm" if normalization.placement == "none" else "")
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
    axes = ("architecture", "normalization", "regularization")
    beyond = [AXIS[axis].label(level) for axis in axes if (level := getattr(advice, axis)) != AXIS[axis].neutral]
    lines = [
        ", ".join([f"{advice.activation}, {advice.depth} hidden layers of {advice.width} units", *beyond]),
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
    elif advice.recommended.initializer == "critical" and advice.normalization == "none":
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what advice asks for to a command line."""
    parser.add_argument(
        "--activation", required=True, help="such as gelu or elu(alpha=0.5), or package.module:function"
    )
    parser.add_argument("--depth", type=_between(2, MOST_LAYERS), required=True, help="hidden layers")
    parser.add_argument("--width", type=_between(1, WIDEST), required=True, help="units of each")
    parser.add_argument(
        "--normalization", "--batch-norm", default="none", help=f"one of {', '.join(NORMALIZATIONS.names)}"
    )
    parser.add_argument("--architecture", default="mlp", help=f"one of {', '.join(ARCHITECTURES.names)}")
    parser.add_argument("--regularization", default="none", help="none, dropout(0.2) or alpha_dropout(0.1)")
    parser.add_argument("--json", action="store_true", help="for programs")


def answer(options: argparse.Namespace) -> str:
    """Return the advice that a command line asks for.

    Raises:
        PipelineError: it makes no sense.
    """
    advice = advise(
        known_function(options.activation),
        options.depth,
        options.width,
        NORMALIZATIONS.parse(options.normalization),
        ARCHITECTURES.parse(options.architecture),
        REGULARIZERS.parse(options.regularization),
    )
    return _as_json(advice) if options.json else _text(advice)


def main(words: Sequence[str] | None = None) -> int:
    """Answer on the command line; returns the exit code."""
    speak_plainly()
    parser = argparse.ArgumentParser(
        prog=f"python -m {__package__}.advise",
        description="Which initializer suits an activation, a depth and a width, by mean-field theory.",
    )
    add_arguments(parser)
    try:
        print(answer(parser.parse_args(words)))
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
