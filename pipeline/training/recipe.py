"""Recipes: all that determines what one network comes to, resolved. Training takes recipes and nothing else."""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from typing import Any, Literal, NamedTuple

from ..axes.activations import ACTIVATIONS
from ..axes.architectures import ARCHITECTURES
from ..axes.level import Level
from ..axes.normalization import NORMALIZATIONS
from ..axes.regularizers import REGULARIZERS
from ..closure import code_digest
from ..config import Params, Study
from ..config.study import Looks
from ..data import Card
from ..grid import AXES, AXIS, Cell, Network, widths_of
from ..networks.stack import Design
from .platform import platform_fingerprint

CODE = "pipeline/training/schedule.py"
"""Where training begins: this file, and all that it imports, determine what a network comes to."""


UNWATCHED = Looks(epochs=(), samples=2)
"""Nobody looks at the layers."""


class Samples(NamedTuple):
    """Which of the training samples a network sees."""

    size: int
    choose: Literal["first", "stratified"]
    """The first ones; or drawn by the seed, each class in its share."""
    seed: int


class Reuse(NamedTuple):
    """What a network takes from another one, its donor."""

    donor: str
    """The key of the donor's recipe."""
    first: int
    """The lowest hidden layer that is reused, from 0."""
    layers: int
    """How many are, frozen at first."""
    unfrozen: int
    """Of these, from the top, those that are trained after a while."""
    frozen_epochs: int
    learning_rate: float
    """Once layers are unfrozen."""

    @property
    def reused(self) -> range:
        """The hidden layers that are reused."""
        return range(self.first, self.first + self.layers)

    @property
    def kept(self) -> range:
        """Those that stay frozen."""
        return self.reused[: self.layers - self.unfrozen]


class Recipe(NamedTuple):
    """A network before it is trained."""

    cell: Cell
    seed: int
    """Of its weights, its batches and its random slopes."""
    shape: tuple[int, ...]
    """Of a sample."""
    outputs: int
    samples: Samples
    epochs: int
    health_epochs: tuple[int | str, ...]
    health_samples: int
    data: str
    """SHA-256 of the prepared data."""
    split: int
    """The number of the split on which it is trained and scored."""
    platform: str
    """The platform's fingerprint, as JSON."""
    reuse: Reuse | None = None
    precision: str = "float32"

    def level(self, axis: str) -> Level:
        """Return the entry that stands at an axis with a registry."""
        registry = AXIS[axis].registry
        assert registry is not None  # noqa: S101
        found: Level = registry.parse(getattr(self.cell, axis))
        return found

    @property
    def key(self) -> str:
        """The network's key in the store: a digest of the recipe, every setting written out, and of the code."""
        return _key(self)


@cache
def _key(recipe: Recipe) -> str:
    described: dict[str, Any] = recipe._asdict() | {"code": code_digest(CODE)}
    described["cell"] = {
        axis: [recipe.level(axis).name, recipe.level(axis).values()] if AXIS[axis].registry else level
        for axis, level in recipe.cell._asdict().items()
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


class Graph(NamedTuple):
    """What networks must have in common to be one compute graph, and so to be trained as one module."""

    levels: tuple[Any, ...]
    """On the axes whose levels do not share a graph."""
    shape: tuple[int, ...]
    outputs: int
    labelled: int
    """Training samples."""
    epochs: int
    health_epochs: tuple[int | str, ...]
    health_samples: int
    data: str
    reuse: tuple[Any, ...]
    """All but the donor."""
    precision: str

    @classmethod
    def of(cls, recipe: Recipe) -> "Graph":
        """Return a recipe's graph."""
        return cls(
            tuple(getattr(recipe.cell, axis) for axis in OWN_GRAPH),
            recipe.shape,
            recipe.outputs,
            recipe.samples.size,
            recipe.epochs,
            recipe.health_epochs,
            recipe.health_samples,
            recipe.data,
            recipe.reuse[1:] if recipe.reuse else (),
            recipe.precision,
        )

    def level(self, axis: str) -> Any:
        """Return the level on an axis whose levels do not share a graph."""
        return self.levels[OWN_GRAPH.index(axis)]

    @property
    def design(self) -> Design:
        """How its networks are built."""
        return Design(
            self.shape,
            widths_of(self.level("hidden")),
            self.outputs,
            ARCHITECTURES.parse(self.level("architecture")),
            ACTIVATIONS.parse(self.level("activation")),
            NORMALIZATIONS.parse(self.level("normalization")),
            REGULARIZERS.parse(self.level("regularization")),
        )


OWN_GRAPH = tuple(axis for axis in AXES if not AXIS[axis].shares_graph)


def resolve(
    study: Study,
    params: Params,
    card: Card,
    device: str,
    networks: Iterable[Network] | None = None,
    watched: bool = True,
) -> dict[Network, Recipe]:
    """Return the recipes of a study's networks.

    Args:
        study: its data and budget.
        params: settings that all studies share.
        card: of its data.
        device: ``cpu``, or the GPU's name.
        networks: which; by default all.
        watched: whether their layers are looked at.
    """
    chosen = study.networks() if networks is None else networks
    budget, looks = study.training, study.health or params.health
    looks = looks if watched else UNWATCHED
    return {
        network: recipe(network.cell, network.seed, budget.epochs, looks, card, device)._replace(
            precision=budget.precision
        )
        for network in chosen
    }


def recipe(
    cell: Cell,
    seed: int,
    epochs: int,
    health: Looks,
    card: Card,
    device: str,
    samples: Samples | None = None,
    outputs: int | None = None,
    reuse: Reuse | None = None,
    split: int | None = None,
) -> Recipe:
    """Return a network's recipe; by default all training samples of its seed's split, an output for each class."""
    return Recipe(
        cell,
        seed,
        card.shape,
        outputs or len(card.classes),
        samples or _samples(cell, seed, card),
        epochs,
        health.epochs,
        health.samples,
        card.sha256,
        card.split_of(seed) if split is None else split,
        json.dumps(platform_fingerprint(device), sort_keys=True),
        reuse,
    )


def _samples(cell: Cell, seed: int, card: Card) -> Samples:
    """Return which samples a network of the grid sees: all, or the share that its cell names, drawn by its seed."""
    everything = card.samples["train"]
    if cell.train_fraction == 1:
        return Samples(everything, "first", 0)
    return Samples(max(1, round(cell.train_fraction * everything)), "stratified", seed)
