"""The optimizer of a stack: a learning rate for each network, and networks that can be frozen."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import Parameter

from ..axes.optimizers import Optimizer, Step
from ..compute.kernels import sqrt_

TAKEN = "steps_taken"


class StackedOptimizer(torch.optim.Optimizer):
    """Updates all networks by one rule, each at its own learning rate.

    Args:
        params: tensors ``[network, rows, columns]``.
        learning_rates: each network's.
        rule: the entry of the axis.
    """

    def __init__(self, params: Iterable[Parameter], learning_rates: Float[Tensor, "network"], rule: Optimizer) -> None:
        super().__init__(params, {TAKEN: 0})
        self.down = -learning_rates[:, None, None]
        self.rule = rule

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; returns what the closure, which computes the gradients, returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        (group,) = self.param_groups
        group[TAKEN] += 1
        step = Step(self.down, group[TAKEN], sqrt_)
        for parameter in group["params"]:
            if parameter.grad is None:  # of a layer that is frozen
                continue
            state = self.state[parameter]
            if not state:
                state |= {name: torch.zeros_like(parameter) for name in self.rule.moments}
            self.rule.update(parameter, parameter.grad, state, step)
        return loss

    def restart(self, learning_rate: float) -> None:
        """Go on at another learning rate and from no memory: what compiling a model again does in Keras."""
        self.down.fill_(-learning_rate)
        self.state.clear()
        self.param_groups[0][TAKEN] = 0

    @torch.no_grad()
    def freeze(self, networks: Bool[Tensor, "network"]) -> None:
        """Let some networks stay as they are from now on: no gradient, no memory, no rate.

        All in place and by masks: indexing by a mask would wait for the accelerator.
        """
        mask = networks[:, None, None]
        self.down.masked_fill_(mask, 0)
        for parameter in self.param_groups[0]["params"]:
            if parameter.grad is not None:
                parameter.grad.masked_fill_(mask, 0)
            for moment in self.state[parameter].values():
                moment.masked_fill_(mask, 0)
