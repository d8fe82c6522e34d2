"""Optimizers, each network with its own learning rate. Constants and formulas are Keras's; PyTorch's are named."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from .level import Level, NotNegative, Positive, Registry, Share

if TYPE_CHECKING:
    from torch import Tensor


class Step(NamedTuple):
    """What an update may know beside weight and gradient."""

    down: "Tensor"
    """``[network, 1, 1]``: minus the learning rate."""
    number: int
    """From 1."""
    sqrt: "Callable[[Tensor], Tensor]"
    """Replaces a tensor by its square root, rounded alike on every processor."""


class Optimizer(Level):
    """How a gradient becomes an update."""

    moments: ClassVar[tuple[str, ...]] = ()
    """Names of what is remembered of each weight; 0 at first."""

    def update(self, weight: "Tensor", gradient: "Tensor", state: "dict[str, Tensor]", step: Step) -> None:
        """Update ``[network, rows, columns]`` in place, its moments too."""
        raise NotImplementedError


OPTIMIZERS = Registry[Optimizer]("optimizer")


@OPTIMIZERS.register
class SGD(Optimizer):
    name, formula, source = "sgd", "w -= rate·g", "Robbins & Monro 1951"

    def update(self, weight: "Tensor", gradient: "Tensor", state: "dict[str, Tensor]", step: Step) -> None:
        weight.addcmul_(gradient, step.down)


@OPTIMIZERS.register
class Momentum(Optimizer):
    name, formula, source = "momentum", "v = momentum·v - rate·g; w += v", "Polyak 1964"
    moments = ("velocity",)
    momentum: Share = 0.9

    def update(self, weight: "Tensor", gradient: "Tensor", state: "dict[str, Tensor]", step: Step) -> None:
        weight.add_(state["velocity"].mul_(self.momentum).addcmul_(gradient, step.down))


@OPTIMIZERS.register
class Nesterov(Optimizer):
    name, formula = "nesterov", "v = momentum·v - rate·g; w += momentum·v - rate·g"
    source = "Nesterov 1983; Sutskever et al. 2013, eqs. 3 and 4"
    moments = ("velocity",)
    momentum: Share = 0.9

    def update(self, weight: "Tensor", gradient: "Tensor", state: "dict[str, Tensor]", step: Step) -> None:
        velocity = state["velocity"].mul_(self.momentum).addcmul_(gradient, step.down)
        weight.add_(velocity, alpha=self.momentum).addcmul_(gradient, step.down)


@OPTIMIZERS.register
class RMSprop(Optimizer):
    """PyTorch's alpha (here rho) is 0.99, and its eps, 1e-8, stands outside the root."""

    name, formula = "rmsprop", "s = rho·s + (1 - rho)·g²; w -= rate·g / sqrt(s + eps)"
    source = "Tieleman & Hinton 2012, lecture 6.5"
    moments = ("square",)
    rho: Share = 0.9
    eps: Positive = 1e-7

    def update(self, weight: "Tensor", gradient: "Tensor", state: "dict[str, Tensor]", step: Step) -> None:
        square = state["square"].mul_(self.rho).addcmul_(gradient, gradient, value=1 - self.rho)
        weight.add_((gradient / step.sqrt(square + self.eps)).mul_(step.down))


class _Adam(Optimizer):
    source = "Kingma & Ba 2015, algorithm 1, with the rate of section 2's end"
    moments = ("mean", "square")
    beta_1: Share = 0.9
    beta_2: Share = 0.999
    eps: Positive = 1e-7

    def update(self, weight: "Tensor", gradient: "Tensor", state: "dict[str, Tensor]", step: Step) -> None:
        mean = state["mean"].mul_(self.beta_1).add_(gradient, alpha=1 - self.beta_1)
        square = state["square"].mul_(self.beta_2).addcmul_(gradient, gradient, value=1 - self.beta_2)
        update = mean / step.sqrt(square.clone()).add_(self.eps)
        weight.add_(update.mul_(self.correction(step.number)).mul_(step.down))

    def correction(self, number: int) -> float:
        """Return the factor on a step, from 1, that makes up for moments which began at 0."""
        return float((1 - self.beta_2**number) ** 0.5 / (1 - self.beta_1**number))


@OPTIMIZERS.register
class Adam(_Adam):
    """PyTorch's eps is 1e-8, and is added to the root after the square's bias is corrected."""

    name = "adam"
    formula = (
        "m = beta_1·m + (1 - beta_1)·g; s = beta_2·s + (1 - beta_2)·g²; "
        "w -= rate·sqrt(1 - beta_2^t)/(1 - beta_1^t)·m / (sqrt(s) + eps)"
    )


@OPTIMIZERS.register
class AdamW(_Adam):
    """All weights and biases decay. PyTorch's weight_decay is 0.01."""

    name, formula = "adamw", "w -= rate·weight_decay·w, then Adam's update"
    source = "Loshchilov & Hutter 2019, algorithm 2"
    weight_decay: NotNegative = 0.004

    def update(self, weight: "Tensor", gradient: "Tensor", state: "dict[str, Tensor]", step: Step) -> None:
        weight.addcmul_(weight, step.down, value=self.weight_decay)
        super().update(weight, gradient, state, step)
