"""The grid: axes, cells, networks. Axes follow from `Cell`'s fields and the registries in `pipeline.axes`."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .axes.activations import ACTIVATIONS
from .axes.architectures import ARCHITECTURES
from .axes.clipping import CLIPPINGS
from .axes.initializers import INITIALIZERS
from .axes.level import Registry
from .axes.normalization import NORMALIZATIONS
from .axes.optimizers import OPTIMIZERS
from .axes.regularizers import REGULARIZERS

TUNED = 0.0
"""The learning rate of a cell whose rate is yet to be tuned."""
MOST_LAYERS, WIDEST, MOST_WEIGHTS = 10_000, 1_000_000, 10**10
"""Of a network's hidden layers. What is larger is a slip of the finger: it would not fit into any machine's memory."""


class Cell(NamedTuple):
    """One level on every axis, in its canonical spelling."""

    architecture: str
    hidden: str
    initializer: str
    activation: str
    normalization: str
    regularization: str
    optimizer: str
    clipping: str
    batch_size: int
    train_fraction: float
    label_noise: float
    learning_rate: float

    @classmethod
    def of(cls, levels: Mapping[Any, Any]) -> "Cell":
        """Return the cell of a table's row."""
        return cls(*(kind(levels[axis]) for axis, kind in cls.__annotations__.items()))


class Network(NamedTuple):
    """A cell and a seed: what is trained once."""

    cell: Cell
    seed: int


@dataclass(frozen=True)
class Axis:
    """What the levels of an axis have in common."""

    name: str
    registry: Registry[Any] | None = None
    """Of the levels; ``None`` where they are numbers, or widths."""
    neutral: str | float | None = None
    """The level of a plain network, which goes without saying; ``None`` where there is no such level."""
    of_study: bool = False
    """Whether the study says which level is meant where a grid does not name the axis."""
    about: str = ""
    """What it is, in a sentence."""
    shares_graph: bool = False
    """Whether networks at different levels share a compute graph, and can be trained as one module."""

    def order(self, level: Any) -> Any:
        """Return what levels are sorted by: the registry's order, or the numbers."""
        if self.registry:
            return self.registry.order(level)
        return widths_of(level) if self.name == "hidden" else level

    def sorted(self, levels: Iterable[Any]) -> list[Any]:
        """Return levels in order, each once."""
        return sorted(set(levels), key=self.order)

    def label(self, level: Any) -> str:
        """Return what a level is called in a sentence."""
        if self.registry is None:
            return f"{self.name.replace('_', ' ')} {spell(level)}"
        parsed = self.registry.parse(level)
        return str(level).replace(parsed.name, parsed.label or parsed.name, 1)


def spell(level: Any) -> str:
    """Return a level as a word."""
    return level if isinstance(level, str) else f"{level:g}"


AXIS = {
    axis.name: axis
    for axis in (
        Axis("architecture", ARCHITECTURES, neutral="mlp", about="How the hidden layers are connected."),
        Axis(
            "hidden",
            of_study=True,
            about="Units of the hidden layers, lowest first: 2x64, 300-99x100; of a recurrent network steps x units.",
        ),
        Axis("initializer", INITIALIZERS, shares_graph=True, about="How weights and biases are drawn."),
        Axis("activation", ACTIVATIONS, about="The function of every hidden unit."),
        Axis("normalization", NORMALIZATIONS, neutral="none", about="What stands before or after each activation."),
        Axis("regularization", REGULARIZERS, neutral="none", about="What keeps a network from fitting noise."),
        Axis("optimizer", OPTIMIZERS, neutral="sgd", about="How a gradient becomes an update."),
        Axis(
            "clipping",
            CLIPPINGS,
            neutral="none",
            shares_graph=True,
            about="What is done to gradients before an update.",
        ),
        Axis("batch_size", of_study=True, about="Samples in a step."),
        Axis(
            "train_fraction",
            neutral=1.0,
            about="Share of the training samples that a network sees, drawn by its seed, each class in its share.",
        ),
        Axis(
            "label_noise",
            neutral=0.0,
            shares_graph=True,
            about="Share of the training labels that are wrong, drawn by the seed; training scores count these labels.",
        ),
        Axis("learning_rate", shares_graph=True, about="Of the optimizer."),
    )
}
AXES = Cell._fields
assert tuple(AXIS) == AXES  # noqa: S101


# --- what cells are called, wherever a person reads it ---------------------------------------------


def setting_name(cell: Any, varied: Collection[str] = ()) -> str:
    """Return a cell's setting in words, without what goes without saying: ``he_normal · relu · batch norm before``.

    Args:
        cell: a level for each axis.
        varied: axes that go without saying where the study has one level alone, and are varied.
    """
    parts = [
        axis.label(cell[name])
        for name, axis in AXIS.items()
        if name != "learning_rate" and (name in varied if axis.of_study else cell[name] != axis.neutral)
    ]
    return " · ".join(parts)


def cell_name(cell: Any, varied: Collection[str] = ()) -> str:
    """Return a cell's setting and learning rate: ``he_normal · relu · lr 0.1``."""
    return f"{setting_name(cell, varied)} · lr {cell['learning_rate']:g}"


# --- widths ---------------------------------------------------------------------------------------

LAYERS = re.compile(r"(?:([0-9]{1,18})x)?([0-9]{1,18})")
"""Of one width, or layers × width."""


def layers_of(item: int | str) -> tuple[int, int] | None:
    """Return how many layers of which width a part of a shape stands for; ``None`` where it is no such part."""
    found = LAYERS.fullmatch(str(item))
    layers = (int(found[1] or 1), int(found[2])) if found else (0, 0)
    return layers if min(layers) > 0 else None


def spell_widths(parts: Iterable[int | str]) -> str:
    """Return the canonical spelling of ``[300, 99x100]``: ``300-99x100``; ``none`` without hidden layers."""
    runs: list[tuple[int, int]] = []
    for count, width in filter(None, map(layers_of, parts)):
        if runs and runs[-1][1] == width:
            count += runs.pop()[0]
        runs.append((count, width))
    return "-".join(f"{count}x{width}" if count > 1 else f"{width}" for count, width in runs) or "none"


def widths_of(spelling: str) -> tuple[int, ...]:
    """Return the units of every hidden layer, lowest first, that a spelling such as ``300-99x100`` means."""
    layers = filter(None, map(layers_of, spelling.split("-")))
    return tuple(width for count, width in layers for _ in range(count))
