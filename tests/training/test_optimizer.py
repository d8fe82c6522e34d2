from collections.abc import Callable
from functools import partial

import pytest
import torch

from pipeline.axes.optimizers import OPTIMIZERS
from pipeline.training.optimizer import StackedOptimizer

RATES = [0.1, 0.01, 0.5]
TORCHS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": partial(torch.optim.SGD, momentum=0.9),
    "momentum(momentum=0.0)": torch.optim.SGD,
    "momentum(momentum=0.5)": partial(torch.optim.SGD, momentum=0.5),
    "nesterov": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
    "nesterov(momentum=0.5)": partial(torch.optim.SGD, momentum=0.5, nesterov=True),
    "rmsprop(eps=1e-30)": partial(torch.optim.RMSprop, alpha=0.9, eps=1e-30),
    "rmsprop(rho=0.5, eps=1e-30)": partial(torch.optim.RMSprop, alpha=0.5, eps=1e-30),
    "adam(eps=1e-30)": partial(torch.optim.Adam, eps=1e-30),
    "adam(beta_1=0.5, beta_2=0.9, eps=1e-30)": partial(torch.optim.Adam, betas=(0.5, 0.9), eps=1e-30),
    "adamw(eps=1e-30)": partial(torch.optim.AdamW, eps=1e-30, weight_decay=0.004),
    "adamw(weight_decay=0.5, eps=1e-30)": partial(torch.optim.AdamW, eps=1e-30, weight_decay=0.5),
}
"""What PyTorch calls our optimizers. Its eps stand elsewhere, so here there is none to speak of."""


@pytest.mark.parametrize("name", TORCHS)
def test_each_network_steps_as_torch_steps_it_alone(name: str) -> None:
    start = torch.randn(3, 4, 5)
    stacked = torch.nn.Parameter(start.clone())
    ours = StackedOptimizer([stacked], torch.tensor(RATES), OPTIMIZERS.parse(name))
    alone = [torch.nn.Parameter(start[k].clone()) for k in range(3)]
    theirs = [TORCHS[name]([p], lr=rate) for p, rate in zip(alone, RATES, strict=True)]
    for _ in range(6):
        stacked.grad = torch.randn(3, 4, 5)
        for k, optimizer in enumerate(theirs):
            alone[k].grad = stacked.grad[k].clone()
            optimizer.step()
        ours.step()
    for k in range(3):
        torch.testing.assert_close(stacked[k], alone[k])


@pytest.mark.parametrize("name", OPTIMIZERS.names)
def test_a_frozen_network_stays_even_where_its_gradient_is_nan(name: str) -> None:
    weights = torch.nn.Parameter(torch.randn(2, 3, 3))
    optimizer = StackedOptimizer([weights], torch.tensor([0.1, 0.1]), OPTIMIZERS.parse(name))
    weights.grad = torch.randn(2, 3, 3)
    optimizer.step()
    before = weights.detach().clone()
    weights.grad = torch.randn(2, 3, 3)
    weights.grad[1] = torch.nan
    optimizer.freeze(torch.tensor([False, True]))
    optimizer.step()
    assert torch.equal(weights[1], before[1])
    assert not torch.equal(weights[0], before[0])
