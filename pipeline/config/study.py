"""A study: one dataset, network shape, budget and grid."""

import math
from collections.abc import Iterator
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ..axes.activations import ACTIVATIONS
from ..axes.architectures import ARCHITECTURES, Architecture
from ..axes.clipping import CLIPPINGS
from ..axes.initializers import INITIALIZERS
from ..axes.normalization import NORMALIZATIONS
from ..axes.optimizers import OPTIMIZERS
from ..axes.regularizers import REGULARIZERS
from ..grid import AXES, AXIS, TUNED, Cell, Network, spell_widths, widths_of
from .base import Frozen, Hidden, HiddenLevel, Values, fault, level_of, some_once
from .data import Data, steps_of

MOST_NETWORKS = 1_000_000
"""Of a block of a grid."""

Initializer = Annotated[str, level_of(INITIALIZERS)]
Activation = Annotated[str, level_of(ACTIVATIONS)]
Normalization = Annotated[str, level_of(NORMALIZATIONS)]
Optimizer = Annotated[str, level_of(OPTIMIZERS)]
Clipping = Annotated[str, level_of(CLIPPINGS)]
BatchSize = Annotated[int, Field(ge=2, le=2**31)]
Precision = Literal["float32", "bfloat16-mixed", "float16-mixed", "tf32"]
LearningRate = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**30)]
"""``base_seed`` is added to it."""


def _rate_or_tuned(rate: float | str) -> float | str:
    if rate == "tuned" or (isinstance(rate, float) and rate > 0):
        return rate
    raise fault("is not a learning rate; allowed: numbers above 0, or tuned", "names_the_value")


def _tuned_alone(rates: object) -> object:
    return ("tuned",) if rates == "tuned" else tuple(rates) if isinstance(rates, list) else rates


LearningRates = Annotated[Values[Annotated[float | str, AfterValidator(_rate_or_tuned)]], BeforeValidator(_tuned_alone)]


class Training(Frozen):
    """The budget of every network of a study."""

    epochs: Annotated[int, Field(ge=1, le=1_000_000)]
    batch_size: BatchSize
    precision: Precision = "float32"
    """Of matrix products; weights, signals and losses are float32 in each."""


def _epoch_or_last(epoch: int | str) -> int | str:
    if epoch == "last" or (isinstance(epoch, int) and epoch >= 0):
        return epoch
    raise fault("is not an epoch; allowed: 0 (before the first step), 1, 2, …, last", "names_the_value")


class Looks(Frozen):
    """When and on what the layers are looked at while training."""

    epochs: tuple[Annotated[int | str, AfterValidator(_epoch_or_last)], ...]
    samples: Annotated[int, Field(ge=2, le=1_000_000)]
    """Of the training part, the first ones; all where there are fewer."""


class GridBlock(Frozen):
    """The product of its axes' levels and seeds.

    An axis that is not named stays at its neutral level, or the study's.
    """

    architecture: Values[Annotated[str, level_of(ARCHITECTURES)]] = ("mlp",)
    hidden: Values[HiddenLevel] | None = None
    initializer: Values[Initializer]
    activation: Values[Activation]
    normalization: Values[Normalization] = ("none",)
    regularization: Values[Annotated[str, level_of(REGULARIZERS)]] = ("none",)
    optimizer: Values[Optimizer] = ("sgd",)
    clipping: Values[Clipping] = ("none",)
    batch_size: Values[BatchSize] | None = None
    train_fraction: Values[Annotated[float, Field(gt=0, le=1)]] = (1.0,)
    label_noise: Values[Annotated[float, Field(ge=0, le=1)]] = (0.0,)
    learning_rate: LearningRates
    """``tuned``: each setting's own, see `Tuning`."""
    seed: Values[Seed]

    @model_validator(mode="after")
    def _can_be_counted(self) -> "GridBlock":
        count = math.prod(len(getattr(self, axis) or ".") for axis in AXES) * len(self.seed)
        if count > MOST_NETWORKS:
            raise fault(f"asks for {count:,} networks; allowed: up to {MOST_NETWORKS:,} in a block")
        return self

    def levels(self, of_study: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
        """Return the block's levels on every axis.

        Args:
            of_study: the study's level on axes that the block need not name.
        """
        found = {axis: getattr(self, axis) or (of_study[axis],) for axis in AXES}
        return found | {"learning_rate": tuple(TUNED if rate == "tuned" else rate for rate in self.learning_rate)}

    def networks(self, of_study: dict[str, Any]) -> Iterator[Network]:
        """Yield every network of the block; arguments as in `levels`."""
        for cell in map(Cell._make, product(*self.levels(of_study).values())):
            yield from (Network(cell, seed) for seed in self.seed)


class Study(Frozen):
    """One dataset, network shape, budget and grid."""

    data: Data
    hidden: Hidden
    training: Training
    health: Looks | None = None
    """Where the layers are looked at in another way than ``health`` has it for all studies."""
    grid: Annotated[tuple[GridBlock, ...], AfterValidator(some_once)]

    @model_validator(mode="after")
    def _looks_while_it_trains(self) -> "Study":
        for index, epoch in enumerate(self.health.epochs if self.health else ()):
            if isinstance(epoch, int) and epoch > self.training.epochs:
                raise fault(
                    f"health.epochs[{index}]: found {epoch}; allowed: up to {self.training.epochs}, the study's "
                    "epochs, and last"
                )
        return self

    @model_validator(mode="after")
    def _can_be_built(self) -> "Study":
        for index, block in enumerate(self.grid):
            for architecture in map(ARCHITECTURES.parse, block.architecture):
                for hidden in block.hidden or [spell_widths(self.hidden)]:
                    if reason := architecture.fault(widths_of(hidden)) or self._unreadable(block, architecture, hidden):
                        raise fault(f"grid[{index}].architecture: '{architecture}' with hidden {hidden}: {reason}")
        return self

    def _unreadable(self, block: GridBlock, architecture: Architecture, hidden: str) -> str | None:
        """Return why a recurrent network cannot read this study's samples, or normalise its steps."""
        if not architecture.recurrent:
            return None
        steps, depth = steps_of(self.data), len(widths_of(hidden))
        if steps is None:
            return "it reads a sample step by step, and a table has no steps; allowed: digits, fashion_mnist, sequences"
        if not steps[0] <= depth <= steps[1]:
            allowed = f"{steps[1]}" if steps[0] == steps[1] else f"{steps[0]} to {steps[1]}"
            return f"it has {depth} steps; allowed: {allowed}, as the samples have"
        if any(NORMALIZATIONS.parse(level).of_batch for level in block.normalization):
            return "batch norm has no meaning over steps; allowed: normalization none, layer_norm"
        return None

    @property
    def hidden_widths(self) -> tuple[int, ...]:
        """Units of every hidden layer, lowest first: ``[300, 99x100]`` written out. Empty for a linear model."""
        return widths_of(spell_widths(self.hidden))

    @property
    def own_levels(self) -> dict[str, Any]:
        """The level on each axis that a block need not name: the axis's neutral one, or the study's."""
        of_study = {"hidden": spell_widths(self.hidden), "batch_size": self.training.batch_size}
        return {axis.name: of_study.get(axis.name, axis.neutral) for axis in AXIS.values()}

    @property
    def varied(self) -> tuple[str, ...]:
        """The axes on which the grid has more than one level."""
        own = self.own_levels
        levels = {axis: {level for block in self.grid for level in block.levels(own)[axis]} for axis in AXES}
        return tuple(axis for axis in AXES if len(levels[axis]) > 1)

    def networks(self) -> list[Network]:
        """Return every network that some block names, once, sorted by its axes and seed.

        Where its rate is to be tuned it stands at `TUNED`.
        """
        own = self.own_levels
        return sorted({network for block in self.grid for network in block.networks(own)})

    def with_seeds(self, count: int) -> "Study":
        """Return the study with at least so many seeds in every block: those it has, and the next larger ones."""
        blocks = [block.model_copy(update={"seed": more_seeds(block.seed, count)}) for block in self.grid]
        return self.model_copy(update={"grid": tuple(blocks)})

    def with_base_seed(self, base: int) -> "Study":
        """Return the study with a number added to every seed of its grid."""
        blocks = [block.model_copy(update={"seed": tuple(base + seed for seed in block.seed)}) for block in self.grid]
        return self.model_copy(update={"grid": tuple(blocks)})


def more_seeds(seeds: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return seeds, and as many of the next larger ones as it takes for there to be so many."""
    first = max(seeds) + 1
    return (*seeds, *range(first, first + max(0, count - len(seeds))))
