"""A map: two settings of a deep network as the axes of a grid of thousands, which is drawn as a picture."""

from typing import Annotated, Literal

import numpy as np
from pydantic import ConfigDict, Field, model_validator

from ..axes.initializers import INITIALIZERS
from ..grid import spell_widths, widths_of
from .base import Frozen, Hidden, fault
from .data import Data
from .study import Activation, Clipping, GridBlock, LearningRate, Looks, Normalization, Optimizer, Seed, Study, Training

Setting = Literal["weight_variance", "bias_variance", "gain", "learning_rate", "depth"]
MOST_POINTS = 512
DIGITS = 6
"""That a value on an axis is rounded to."""
UNWATCHED = Looks(epochs=(), samples=2)


class MapAxis(Frozen):
    """One side of a map: which setting, from where to where."""

    model_config = ConfigDict(populate_by_name=True)

    setting: Setting
    """σ_w² (fan-in times the variance of a weight), σ_b², the gain σ_w, the learning rate, or the hidden layers."""
    start: Annotated[float, Field(ge=0, alias="from")]
    to: Annotated[float, Field(gt=0)]
    points: Annotated[int, Field(ge=2, le=MOST_POINTS)]
    scale: Literal["linear", "log"]

    @model_validator(mode="after")
    def _goes_up(self) -> "MapAxis":
        if self.start >= self.to:
            raise fault(f"from: found {self.start:g}; allowed: less than to, {self.to:g}")
        if self.start == 0 and (self.scale == "log" or self.setting != "bias_variance"):
            raise fault("from: found 0; allowed: above 0, but for bias_variance on a linear scale")
        if self.setting == "depth" and len({round(value) for value in self._spaced()}) < self.points:
            raise fault(f"points: found {self.points}; allowed: as many as there are depths, or fewer")
        return self

    @property
    def values(self) -> tuple[float, ...]:
        """What the setting is at each point, ascending."""
        return tuple(float(round(value)) if self.setting == "depth" else value for value in self._spaced())

    def _spaced(self) -> list[float]:
        space = np.geomspace if self.scale == "log" else np.linspace
        return [float(f"{value:.{DIGITS}g}") for value in space(self.start, self.to, self.points)]


class Map(Frozen):
    """A grid of networks over two settings; all others are the same for every network."""

    data: Data
    hidden: Hidden
    """Layers of one width. Where ``depth`` is an axis, as many of them as that says."""
    training: Training
    activation: Activation
    optimizer: Optimizer
    normalization: Normalization
    clipping: Clipping
    weight_variance: Annotated[float, Field(gt=0)] | None = None
    """σ_w²; only where neither it nor ``gain`` is an axis. So with the next two."""
    bias_variance: Annotated[float, Field(ge=0)] | None = None
    learning_rate: LearningRate | None = None
    seed: Seed
    x: MapAxis
    y: MapAxis

    @model_validator(mode="after")
    def _says_every_setting_once(self) -> "Map":
        axes = [self.x.setting, self.y.setting]
        if axes[0] == axes[1] or {*axes} == {"weight_variance", "gain"}:
            raise fault(f"x and y are {axes[0]} and {axes[1]}; allowed: two settings, of which none says the other")
        for name in ("weight_variance", "bias_variance", "learning_rate"):
            on_axis = name in axes or (name == "weight_variance" and "gain" in axes)
            given = getattr(self, name)
            if on_axis and given is not None:
                raise fault(f"{name}: found {given:g}; allowed: nothing, where an axis says it")
            if not on_axis and given is None:
                raise fault(f"{name}: missing; allowed: a number, or an axis of that setting")
        if len({*widths_of(spell_widths(self.hidden))}) != 1:
            raise fault(f"hidden: found {spell_widths(self.hidden)}; allowed: layers of one width, such as 50x64")
        return self

    @property
    def width(self) -> int:
        """Units of every hidden layer."""
        return widths_of(spell_widths(self.hidden))[0]

    @property
    def places(self) -> list[dict[str, float]]:
        """Every point's settings: ``weight_variance``, ``bias_variance``, ``learning_rate``, ``depth``, row by row."""
        return [self.at(x, y) for y in self.y.values for x in self.x.values]

    def at(self, x: float, y: float) -> dict[str, float]:
        """Return the settings at a point of the map."""
        found: dict[str, float] = {
            "weight_variance": self.weight_variance or 0.0,
            "bias_variance": self.bias_variance or 0.0,
            "learning_rate": self.learning_rate or 0.0,
            "depth": float(len(widths_of(spell_widths(self.hidden)))),
        }
        for axis, value in ((self.x, x), (self.y, y)):
            if axis.setting == "gain":
                found["weight_variance"] = value**2
            else:
                found[axis.setting] = value
        return found

    def block(self) -> GridBlock:
        """Return the map as a grid."""
        places = self.places
        return GridBlock(
            hidden=tuple(dict.fromkeys(self.spelled(place)["hidden"] for place in places)),
            initializer=tuple(dict.fromkeys(self.spelled(place)["initializer"] for place in places)),
            activation=(self.activation,),
            normalization=(self.normalization,),
            optimizer=(self.optimizer,),
            clipping=(self.clipping,),
            learning_rate=tuple(dict.fromkeys(place["learning_rate"] for place in places)),
            seed=(self.seed,),
        )

    def spelled(self, place: dict[str, float]) -> dict[str, str]:
        """Return the levels of a point's settings on the axes ``initializer`` and ``hidden``."""
        own = f"gaussian(weight={place['weight_variance']!r}, bias={place['bias_variance']!r})"
        return {
            "initializer": str(INITIALIZERS.parse(own)),
            "hidden": spell_widths([f"{place['depth']:g}x{self.width}"]),
        }

    def study(self) -> Study:
        """Return the map as a study, whose layers nobody looks at."""
        return Study(data=self.data, hidden=self.hidden, training=self.training, health=UNWATCHED, grid=(self.block(),))
