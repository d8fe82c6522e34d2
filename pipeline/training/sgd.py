"""Stochastic gradient descent on a stack: a learning rate for each network, and networks that can be frozen."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import Parameter


class StackedSGD(torch.optim.Optimizer):
    """SGD with momentum (Polyak 1964) or Nesterov's (Sutskever et al. 2013), as in Keras, per network.

    velocity = momentum · velocity - rate · gradient; weight += velocity
    (Nesterov: weight += momentum · velocity - rate · gradient).

    Args:
        params: tensors ``[network, rows, columns]``.
        learning_rates: each network's.
        momentum: 0 for plain gradient descent.
        nesterov: look ahead.
    """

    def __init__(
        self, params: Iterable[Parameter], learning_rates: Float[Tensor, "network"], momentum: float, nesterov: bool
    ) -> None:
        super().__init__(params, {})
        self.steps = -learning_rates[:, None, None]
        self.momentum, self.nesterov = momentum, nesterov

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; returns what the closure, which computes the gradients, returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for parameter in self.param_groups[0]["params"]:
            gradient = parameter.grad
            if gradient is None:  # of a layer that is frozen
                continue
            if self.momentum == 0:
                parameter.addcmul_(gradient, self.steps)
                continue
            state = self.state[parameter]
            if not state:
                state["velocity"] = torch.zeros_like(parameter)
            velocity = state["velocity"].mul_(self.momentum).addcmul_(gradient, self.steps)
            if self.nesterov:
                parameter.add_(velocity, alpha=self.momentum).addcmul_(gradient, self.steps)
            else:
                parameter.add_(velocity)
        return loss

    def restart(self, learning_rate: float) -> None:
        """Go on at another learning rate, without velocity: what compiling a model again does in Keras."""
        self.steps = torch.full_like(self.steps, -learning_rate)
        self.state.clear()

    @torch.no_grad()
    def freeze(self, networks: Bool[Tensor, "network"]) -> None:
        """Let some networks stay as they are in the next step: no gradient, no velocity."""
        for parameter in self.param_groups[0]["params"]:
            if parameter.grad is not None:
                parameter.grad[networks] = 0
            if state := self.state[parameter]:
                state["velocity"][networks] = 0
