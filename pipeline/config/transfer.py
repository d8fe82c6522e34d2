"""A transfer experiment: two tasks, a shape, axes."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from ..errors import did_you_mean
from ..grid import spell_widths, widths_of
from .base import Frozen, Hidden, Values, fault
from .study import (
    Activation,
    Initializer,
    LearningRate,
    Normalization,
    Optimizer,
    Seed,
    Training,
    more_seeds,
)


def _layers_or_all(layers: int | str) -> int | str:
    if layers == "all" or (isinstance(layers, int) and layers >= 0):
        return layers
    raise fault("is not a number of layers; allowed: 0, 1, 2, …, all", "names_the_value")


Layers = Annotated[int | str, AfterValidator(_layers_or_all)]


class Variants(Frozen):
    """Other values than an experiment's own. Each makes an experiment more, which differs in it alone."""

    reuse_from: Literal["bottom", "top"] | None = None
    task_a_inputs: Literal["own", "permuted"] | None = None
    unfrozen_learning_rate: LearningRate | None = None


class Transfer(Frozen):
    """A task A with many labels, a task B with few, and what of A's network B reuses."""

    task_a: Values[str]
    task_b: Values[str]
    hidden: Annotated[Hidden, Field(min_length=1)]
    activation: Activation
    initializer: Initializer
    normalization: Normalization
    optimizer: Optimizer = "sgd"
    training: Training
    learning_rate: LearningRate
    labels: Values[Annotated[int, Field(ge=2)]]
    choose: Literal["first", "stratified"]
    reuse_from: Literal["bottom", "top"] = "bottom"
    """Which of task A's hidden layers are reused first."""
    task_a_inputs: Literal["own", "permuted"] = "own"
    """Whether task A sees its samples as they are, or with their features in another order, the same for all."""
    reused: Values[Layers]
    unfrozen: Values[Layers]
    frozen_epochs: Annotated[int, Field(ge=0)]
    unfrozen_learning_rate: LearningRate
    variants: Variants = Variants()
    seed: Values[Seed]

    @property
    def hidden_widths(self) -> tuple[int, ...]:
        """Units of every hidden layer, lowest first."""
        return widths_of(spell_widths(self.hidden))

    def unknown_class(self, known: Sequence[str]) -> str | None:
        """Return which class is none of those known, and what it may have meant; ``None`` where all are."""
        for task in ("task_a", "task_b"):
            for index, name in enumerate(getattr(self, task)):
                if name not in known:
                    return f"{task}[{index}]: {name!r} is not a class{did_you_mean(name, known)}"
        return None

    @model_validator(mode="after")
    def _fits_together(self) -> "Transfer":
        for task in (self.task_a, self.task_b):
            if len(task) < 2:
                raise fault(f"a task of the one class {task[0]} is no task")
        both = [name for name in self.task_a if name in self.task_b]
        if both:
            raise fault(f"class {both[0]!r} is in task_a and in task_b")
        depth = len(self.hidden_widths)
        for axis in ("reused", "unfrozen"):
            for layers in getattr(self, axis):
                if isinstance(layers, int) and layers > depth:
                    raise fault(f"{axis}: found {layers}; allowed: 0 to the {depth} hidden layers, or all")
        if self.frozen_epochs > self.training.epochs:
            raise fault(
                f"frozen_epochs: found {self.frozen_epochs}; allowed: at most the {self.training.epochs} epochs of "
                "training"
            )
        return self

    def with_variants(self, name: str) -> "dict[str, Transfer]":
        """Return the experiment and its variants, by name."""
        others = self.variants.model_dump(exclude_none=True)
        plain = self.model_copy(update={"variants": Variants()})
        return {name: plain} | {f"{name}_{key}": plain.model_copy(update={key: level}) for key, level in others.items()}

    def with_seeds(self, count: int) -> "Transfer":
        """Return the experiment with at least so many seeds: those it has, and the next larger ones."""
        return self.model_copy(update={"seed": more_seeds(self.seed, count)})

    def with_base_seed(self, base: int) -> "Transfer":
        """Return the experiment with a number added to every seed."""
        return self.model_copy(update={"seed": tuple(base + seed for seed in self.seed)})
