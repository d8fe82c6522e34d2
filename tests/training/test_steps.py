"""Two hundred steps of the pipeline's training against PyTorch's own modules and optimizers, one network at a time."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from pipeline.axes.clipping import CLIPPINGS
from pipeline.data import Part
from tests.steps import CASES, TOLERANCE, Case, distances, run, tensors
from tests.training.test_rules import PYTORCHS

WITHOUT_EPS = {"rmsprop": "rmsprop(eps=1e-24)"}
"""PyTorch adds eps outside of the root: here so little that it does not matter where."""


def place_eps(optimizer: torch.optim.Optimizer, step: int) -> None:
    """Let Adam add Keras's eps where Keras does: before the square's bias is corrected."""
    if isinstance(optimizer, torch.optim.Adam):
        optimizer.param_groups[0]["eps"] = 1e-7 / (1 - 0.999**step) ** 0.5


def losses_of(network: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss and the accuracy."""
    logits = network(x)
    if logits.shape[1] == 1:
        own = logits[:, 0]
        return F.binary_cross_entropy_with_logits(own, y.float()), ((own > 0) == y).float().mean()
    return F.cross_entropy(logits, y), (logits.argmax(1) == y).float().mean()


def clip(network: nn.Module, spelling: str) -> None:
    mode = CLIPPINGS.parse(spelling)
    if mode.name == "value":
        clip_grad_value_(network.parameters(), mode.threshold)
    elif mode.name == "norm":  # each tensor by its own, as Keras's clipnorm
        for parameter in network.parameters():
            clip_grad_norm_(parameter, mode.threshold)
    elif mode.name == "global_norm":
        clip_grad_norm_(network.parameters(), mode.threshold)


class BiasedAverages:
    """Lets batch norms average the biased variance, as Keras does; PyTorch averages the unbiased one."""

    def __init__(self, network: nn.Module) -> None:
        self.layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm1d)]

    def __enter__(self) -> None:
        self.before = [layer.running_var.clone() for layer in self.layers]

    def __exit__(self, *_: object) -> None:
        for layer, before in zip(self.layers, self.before, strict=True):
            kept = before * (1 - layer.momentum)
            layer.running_var.copy_(kept + (layer.running_var - kept) * (self.samples - 1) / self.samples)

    def of(self, samples: int) -> "BiasedAverages":
        self.samples = samples
        return self


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_two_hundred_steps_are_those_of_torchs_own_layers(case: Case, params, digits) -> None:
    levels = case.cell._replace(optimizer=WITHOUT_EPS.get(case.cell.optimizer, case.cell.optimizer))
    course = run(case._replace(cell=levels), params, digits)
    network = course.start.train()
    optimizer = PYTORCHS[case.cell.optimizer](network.parameters(), case.cell.learning_rate)
    averages = BiasedAverages(network)
    split = course.data.split(course.data.card.split_of(3))
    train, validation = (_tensors(part) for part in (split.train, split.validation))
    scores: list[list[float]] = []
    step = 0
    for order in course.orders:
        network.train()
        seen = np.zeros(2)
        for indices in torch.from_numpy(order).split(case.cell.batch_size):
            optimizer.zero_grad()
            with averages.of(len(indices)):
                loss, accuracy = losses_of(network, train[0][indices], train[1][indices])
                loss.backward()
            clip(network, case.cell.clipping)
            step += 1
            place_eps(optimizer, step)
            optimizer.step()
            seen += np.array([loss.item(), accuracy.item()]) * len(indices)
        network.eval()
        with torch.no_grad():
            scores.append([*seen / len(order), *(float(one) for one in losses_of(network, *validation))])
    far = distances(tensors(course.end), tensors(network))
    assert max(far.values()) < TOLERANCE, far
    np.testing.assert_allclose(course.scores, scores, rtol=TOLERANCE)


def _tensors(part: Part) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(part.x), torch.from_numpy(part.y)
