"""Optimizers and regularizers against ``torch.optim`` and Keras's formulas, one network at a time."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.axes.optimizers import OPTIMIZERS
from pipeline.axes.regularizers import REGULARIZERS
from pipeline.compute.kernels import sqrt_
from pipeline.training.optimizer import StackedOptimizer

RATES = [0.1, 0.01, 0.5]
PYTORCHS = {
    "sgd": lambda p, rate: torch.optim.SGD(p, rate),
    "momentum": lambda p, rate: torch.optim.SGD(p, rate, momentum=0.9),
    "nesterov": lambda p, rate: torch.optim.SGD(p, rate, momentum=0.9, nesterov=True),
    "rmsprop": lambda p, rate: torch.optim.RMSprop(p, rate, alpha=0.9, eps=1e-12),
    "adam": lambda p, rate: torch.optim.Adam(p, rate, eps=1e-12),
    "adamw": lambda p, rate: torch.optim.AdamW(p, rate, eps=1e-12, weight_decay=0.004),
}
"""With eps so small that it does not matter where it stands."""


@pytest.mark.parametrize("name", OPTIMIZERS.names)
def test_each_network_steps_as_torch_steps_it_alone(name: str) -> None:
    rule = OPTIMIZERS.parse(name)
    rule = replace(rule, eps=1e-24 if name == "rmsprop" else 1e-12) if hasattr(rule, "eps") else rule
    start = torch.randn(3, 4, 5, dtype=torch.float64)
    stacked = torch.nn.Parameter(start.clone())
    ours = StackedOptimizer([stacked], torch.tensor(RATES, dtype=torch.float64), rule)
    alone = [torch.nn.Parameter(start[k].clone()) for k in range(3)]
    theirs = [PYTORCHS[name]([p], rate) for p, rate in zip(alone, RATES, strict=True)]
    for _ in range(20):
        stacked.grad = torch.randn(3, 4, 5, dtype=torch.float64)
        for k, optimizer in enumerate(theirs):
            alone[k].grad = stacked.grad[k].clone()
            optimizer.step()
        ours.step()
    for k in range(3):
        torch.testing.assert_close(stacked[k], alone[k], rtol=1e-7, atol=1e-7)


def keras_adam(w: np.ndarray, gradients: list[np.ndarray], rate: float, eps: float) -> np.ndarray:
    """Keras 3, optimizers/adam.py: the root of the uncorrected square, eps beside it, the rate corrected."""
    m = v = np.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        alpha = rate * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        m, v = m + (g - m) * (1 - 0.9), v + (g * g - v) * (1 - 0.999)
        w = w - alpha * m / (np.sqrt(v) + eps)
    return w


def keras_rmsprop(w: np.ndarray, gradients: list[np.ndarray], rate: float, eps: float) -> np.ndarray:
    """Keras 3, optimizers/rmsprop.py: eps inside the root."""
    v = np.zeros_like(w)
    for g in gradients:
        v = 0.9 * v + 0.1 * g * g
        w = w - rate * g / np.sqrt(v + eps)
    return w


@pytest.mark.parametrize(("name", "keras"), [("adam", keras_adam), ("rmsprop", keras_rmsprop)])
def test_small_gradients_meet_eps_where_keras_has_it(name: str, keras) -> None:
    rule = OPTIMIZERS.parse(f"{name}(eps=0.001)")
    weight = torch.nn.Parameter(torch.ones(1, 2, 3, dtype=torch.float64))
    ours = StackedOptimizer([weight], torch.tensor([0.1], dtype=torch.float64), rule)
    gradients = [1e-3 * torch.randn(1, 2, 3, dtype=torch.float64) for _ in range(10)]
    for gradient in gradients:
        weight.grad = gradient.clone()
        ours.step()
    expected = keras(np.ones((1, 2, 3)), [gradient.numpy() for gradient in gradients], 0.1, 0.001)
    np.testing.assert_allclose(weight.detach().numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS.names if OPTIMIZERS.parse(name).moments])
def test_after_a_restart_nothing_is_remembered(name: str) -> None:
    rule = OPTIMIZERS.parse(name)
    old, new = (torch.nn.Parameter(torch.ones(2, 3, 3)) for _ in range(2))
    optimizer = StackedOptimizer([old], torch.tensor([0.1, 0.2]), rule)
    old.grad = torch.randn(2, 3, 3)
    optimizer.step()
    with torch.no_grad():
        old.copy_(new)
    optimizer.restart(0.05)
    fresh = StackedOptimizer([new], torch.tensor([0.05, 0.05]), rule)
    for _ in range(3):
        old.grad = torch.randn(2, 3, 3)
        new.grad = old.grad.clone()
        optimizer.step()
        fresh.step()
    assert torch.equal(old, new)


@pytest.mark.parametrize(
    ("level", "penalty"),
    [("l1(0.02)", lambda w: 0.02 * w.abs().sum()), ("l2(0.02)", lambda w: 0.02 * w.square().sum())],
)
def test_a_penaltys_gradient_is_autograds(level: str, penalty) -> None:
    weight = torch.randn(3, 4, 5, requires_grad=True)
    penalty(weight).backward()
    ours = torch.zeros_like(weight)
    REGULARIZERS.parse(level).penalize(weight.detach(), ours)
    torch.testing.assert_close(ours, weight.grad)


def test_the_incoming_weights_of_a_unit_stay_within_their_norm() -> None:
    """Keras 3, constraints.py, MaxNorm over axis 0."""
    weight = torch.randn(3, 40, 5)
    weight[0, :, 0] = 0.001
    before = weight.clone()
    REGULARIZERS.parse("max_norm(2.0)").constrain(weight, sqrt_)
    norms = before.norm(dim=1, keepdim=True)
    torch.testing.assert_close(weight, before * norms.clamp(0, 2.0) / (1e-7 + norms))
    assert weight.norm(dim=1).max() < 2.0001
