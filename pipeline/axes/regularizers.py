"""Regularization, as in Keras: dropout after every hidden layer, penalties and limits on every weight matrix.

Penalties enter the gradient, not the losses in the tables, which are the cross-entropy alone.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from .activations import SELU_ALPHA, SELU_SCALE
from .level import Level, NotNegative, Positive, Registry, Share
from .special import Array

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..networks.context import LayerContext

NOTHING_YET = "none needed: it changes nothing before the first step"
SELU_LIMIT = -SELU_ALPHA * SELU_SCALE


class Regularizer(Level):
    """What keeps a network from fitting noise."""

    drops: ClassVar[bool] = False
    """Whether it puts a layer after each hidden layer."""

    def build(self, context: "LayerContext") -> "nn.Module":
        """Return the layer after a hidden layer, on ``[network, batch, unit]``; for a regularizer that `drops`."""
        raise NotImplementedError

    def transmit(self, ratio: Array, log_square: Array) -> tuple[Array, Array, float]:
        """Return what of a signal passes its layer.

        Args:
            ratio: mean of the signal, as a share of its root mean square.
            log_square: ln of its mean square.

        Returns:
            both behind the layer, and ln of the factor on the gradient's variance.
        """
        return ratio, log_square, 0.0

    def penalize(self, weight: "Tensor", gradient: "Tensor") -> None:
        """Add the penalty's gradient to that of a weight matrix ``[network, fan_in, fan_out]``, before clipping."""

    def constrain(self, weight: "Tensor", sqrt: "Callable[[Tensor], Tensor]") -> None:
        """Bring a weight matrix ``[network, fan_in, fan_out]`` back into its limits, after each update.

        Args:
            weight: it is changed in place.
            sqrt: replaces a tensor by its square root, rounded alike on every processor.
        """


REGULARIZERS = Registry[Regularizer]("regularizer")


@REGULARIZERS.register
class NoRegularizer(Regularizer):
    name, formula, source, theory = "none", "a", "", "see the activation"


@REGULARIZERS.register
class Dropout(Regularizer):
    name, formula = "dropout", "while training each output is 0 with probability rate, else a / (1 - rate)"
    source, theory = "Srivastava et al. 2014, section 4", "Schoenholz et al. 2017, section 5"
    drops = True
    rate: Share = 0.5

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.dropout(self.rate)

    def transmit(self, ratio: Array, log_square: Array) -> tuple[Array, Array, float]:
        kept = 1 - self.rate
        return ratio * kept**0.5, log_square - math.log(kept), -math.log(kept)


@REGULARIZERS.register
class AlphaDropout(Regularizer):
    """Keeps mean 0 and variance 1, as SELU does."""

    name, drops, label = "alpha_dropout", True, "alpha dropout"
    formula = "while training each output is SELU's limit -1.7581 with probability rate; then scaled and shifted"
    source, theory = "Klambauer et al. 2017, section 3", "as Schoenholz et al. 2017, section 5"
    rate: Share = 0.5

    @property
    def scale_and_shift(self) -> tuple[float, float]:
        """A and b of the paper: the output is a·(x or the limit) + b."""
        scale = ((1 - self.rate) * (1 + self.rate * SELU_LIMIT**2)) ** -0.5
        return scale, -scale * SELU_LIMIT * self.rate

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.alpha_dropout(self.rate, *self.scale_and_shift)

    def transmit(self, ratio: Array, log_square: Array) -> tuple[Array, Array, float]:
        scale, shift = self.scale_and_shift
        kept, square = 1 - self.rate, np.exp(log_square)
        mean = kept * ratio * np.sqrt(square) + self.rate * SELU_LIMIT
        passed = scale**2 * (kept * square + self.rate * SELU_LIMIT**2) + 2 * scale * shift * mean + shift**2
        with np.errstate(divide="ignore", invalid="ignore"):
            return (scale * mean + shift) / np.sqrt(passed), np.log(passed), 2 * math.log(scale) + math.log(kept)


@REGULARIZERS.register
class L1(Regularizer):
    theory = NOTHING_YET
    name, formula, source = "l1", "loss + strength·Σ|w|", "Tibshirani 1996"
    strength: NotNegative = 0.01

    def penalize(self, weight: "Tensor", gradient: "Tensor") -> None:
        gradient.add_(weight.sign(), alpha=self.strength)


@REGULARIZERS.register
class L2(Regularizer):
    """Keras's; PyTorch's ``weight_decay`` is twice this strength."""

    theory = NOTHING_YET
    name, formula, source = "l2", "loss + strength·Σw²", "Hoerl & Kennard 1970; Krogh & Hertz 1992"
    strength: NotNegative = 0.01

    def penalize(self, weight: "Tensor", gradient: "Tensor") -> None:
        gradient.add_(weight, alpha=2 * self.strength)


@REGULARIZERS.register
class MaxNorm(Regularizer):
    theory = NOTHING_YET
    name, formula = "max_norm", "after each update w·min(1, limit / |w|), of each unit's incoming weights"
    source = "Srebro & Shraibman 2005; Srivastava et al. 2014, section 5.1"
    label = "max norm"
    limit: Positive = 2.0

    def constrain(self, weight: "Tensor", sqrt: "Callable[[Tensor], Tensor]") -> None:
        norm = sqrt((weight * weight).sum(1, keepdim=True))
        weight.mul_(norm.clamp(max=self.limit).div_(norm.add(1e-7)))
