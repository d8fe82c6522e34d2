"""A few hundred steps of the pipeline's own training, as other libraries can repeat them: same start, same batches."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pipeline.axes.activations import ACTIVATIONS
from pipeline.config import Params
from pipeline.data import Dataset
from pipeline.experiments.transfer.tasks import Task
from pipeline.grid import Cell
from pipeline.training.module import StackModule
from pipeline.training.order import Epochs
from pipeline.training.recipe import UNWATCHED, Recipe, recipe
from pipeline.training.schedule import Schedule
from pipeline.training.stacks import Stack
from tests.building import cell

EPOCHS = 6
"""Of 34 steps, the last of 21 samples: 204 of them."""
SEED = 3
TOLERANCE = 1e-4


class Case(NamedTuple):
    """What is trained."""

    name: str
    cell: Cell
    binary: bool = False
    """Whether two classes are told apart by one sigmoid unit."""


def case(name: str, binary: bool = False, **levels: Any) -> Case:
    return Case(name, cell(**{"hidden": "32-16", "learning_rate": 0.02, **levels}), binary)


KERAS_HAS = [name for name in ACTIVATIONS.names if name not in ("rrelu", "gelu_sigmoid")]
"""RReLU's slopes are drawn at random, and the sigmoid's approximation of GELU is no activation of Keras's."""
RATES = {"momentum": 0.01, "nesterov": 0.01, "rmsprop": 0.001, "adam": 0.001, "adamw": 0.001}
CASES = [
    *(case(name, activation=name) for name in KERAS_HAS),
    *(
        case(f"{name}, {placement}", activation=name, normalization=placement)
        for name in ("sigmoid", "relu", "prelu", "selu")
        for placement in ("before", "after", "before(momentum=0.99)", "after(momentum=0.99)", "layer_norm")
    ),
    *(
        case(f"clipping {clipping}", clipping=clipping, initializer=initializer)
        for clipping in ("value(threshold=0.01)", "norm(threshold=0.1)", "global_norm(threshold=0.1)")
        for initializer in ("he_normal", "standard_normal")
    ),
    *(case(name, optimizer=name, learning_rate=rate, activation="tanh") for name, rate in RATES.items()),
    case("momentum, clipping by norm", optimizer="momentum", learning_rate=0.01, clipping="norm(threshold=0.1)"),
    # Without a batch norm on the input, whose shift the next one takes away: its gradient is rounding alone, which Adam
    # makes steps of.
    case(
        "adam, batch norm",
        optimizer="adam",
        learning_rate=0.001,
        activation="tanh",
        normalization="before(input=false)",
    ),
    case("one sigmoid unit", binary=True, activation="selu", initializer="lecun_normal"),
    case("20 layers", activation="selu", initializer="lecun_normal", hidden="20x16", learning_rate=0.001),
]


class Course(NamedTuple):
    """How a network came to be what it is."""

    case: Case
    start: nn.Sequential
    end: nn.Sequential
    orders: list[NDArray[np.int64]]
    """Of the training samples, by epoch."""
    scores: NDArray[np.float64]
    """``[epoch, metric]``: loss and accuracy over the epoch's batches, then on the validation part."""
    data: Dataset


def run(wanted: Case, params: Params, digits: Dataset) -> Course:
    """Train a case as the pipeline trains."""
    data = Task(digits, ["3", "5"]) if wanted.binary else digits
    own = _recipe(wanted, data)
    # A stack of two, as nobody else's place in it may matter
    stack = Stack.of([own, _recipe(wanted, data, SEED + 1)])
    before = StackModule(stack, data)
    orders = []
    for epoch in range(EPOCHS):
        (order,) = Epochs(before.seeds, before.samples, lambda number=epoch: number)
        orders.append(order[0].numpy())
    after = Schedule("", data, params.compute).train_stack(stack)
    scores = [[float(values[0]) for part in one for values in part] for one in after.history]
    return Course(wanted, before.networks.unstack(0), after.networks.unstack(0), orders, np.array(scores), data)


def _recipe(wanted: Case, data: Dataset, seed: int = SEED) -> Recipe:
    return recipe(
        wanted.cell, seed, EPOCHS, UNWATCHED, data.card, "cpu", outputs=1 if wanted.binary else len(data.card.classes)
    )


def tensors(network: nn.Sequential) -> dict[str, torch.Tensor]:
    """Return a network's parameters and moving averages."""
    return {name: value for name, value in network.state_dict().items() if "num_batches" not in name}


def distances(ours: Mapping[str, torch.Tensor], theirs: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """Return how far each tensor is from another library's, as a share of its norm.

    What a batch norm subtracts and adds may be all but 0: it counts as a share of what it divides and multiplies by.
    """
    far = {}
    for name, values in theirs.items():
        layer, kind = name.split(".")
        scale = values
        if f"{layer}.running_var" in theirs and kind in ("running_mean", "bias"):
            scale = theirs[f"{layer}.running_var"].sqrt() if kind == "running_mean" else theirs[f"{layer}.weight"]
        far[name] = float((ours[name] - values).norm() / scale.norm())
    return far
