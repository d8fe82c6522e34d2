"""A level of an axis, such as ``leaky_relu(slope=0.2)``: a class whose fields are its settings; and registries."""

import dataclasses
import math
import re
from collections.abc import Iterator
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    NamedTuple,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
)

from ..errors import LevelError, did_you_mean

SPELLING = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*(?:\((.*)\))?\s*", re.DOTALL)
"""A name and, in brackets, settings."""


class Bounds(NamedTuple):
    """Of a number; ``None`` where there is none."""

    at_least: float | None = None
    above: float | None = None
    below: float | None = None

    def fault(self, number: float) -> str | None:
        """Return what a number outside should be; ``None`` for one inside."""
        if self.at_least is not None and not number >= self.at_least:
            return f"greater than or equal to {self.at_least:g}"
        if self.above is not None and not number > self.above:
            return f"greater than {self.above:g}"
        if self.below is not None and not number < self.below:
            return f"less than {self.below:g}"
        return None


NotNegative = Annotated[float, Bounds(at_least=0)]
Positive = Annotated[float, Bounds(above=0)]
Share = Annotated[float, Bounds(at_least=0, below=1)]


class Setting(NamedTuple):
    """A setting of a level: a number, ``true`` or ``false``, or one of some words."""

    default: Any
    """`dataclasses.MISSING` where there is none."""
    kind: type
    words: tuple[str, ...]
    """All that are allowed, where it is a word."""
    bounds: Bounds
    by_place: bool
    """Whether it may be written without its name."""

    def checked(self, value: object) -> Any:
        """Return a value as the setting has it.

        Raises:
            ValueError: it is none; the message says what it should be.
        """
        if self.words:
            if value not in self.words:
                raise ValueError(" or ".join(map(repr, self.words)))
            return value
        if self.kind is bool:
            if not isinstance(value, bool):
                raise ValueError("a valid boolean")
            return value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError("a valid number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        fault = self.bounds.fault(number) if math.isfinite(number) else "a finite number"
        if fault:
            raise ValueError(fault)
        return number


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
class Level:
    """A choice on an axis. Every field is a setting, with its bounds and a default; a subclass is a frozen dataclass.

    Raises:
        ValueError: a setting is none that is allowed.
    """

    name: ClassVar[str]
    formula: ClassVar[str]
    """In plain text."""
    source: ClassVar[str]
    """Paper and equation."""
    theory: ClassVar[str] = ""
    """What predicts signals and gradients with it before the first step; empty where nothing does."""
    label: ClassVar[str] = ""
    """What it is called in a sentence, where that is not its name."""

    _settings: ClassVar[dict[str, Setting]] = {}

    def __init_subclass__(cls) -> None:
        about = cls.__doc__
        dataclasses.dataclass(frozen=True)(cls)
        cls.__doc__ = about  # where there is none, a dataclass has its signature
        cls._settings = {field.name: _setting(field) for field in dataclasses.fields(cls)}  # type: ignore[arg-type]

    def __post_init__(self) -> None:
        for name, setting in self.settings().items():
            found = getattr(self, name)
            try:
                object.__setattr__(self, name, setting.checked(found))
            except ValueError as error:
                shown = repr(found) if isinstance(found, str) else _written(found)
                raise ValueError(f"{name} = {shown}; it should be {error}") from None

    @classmethod
    def settings(cls) -> dict[str, Setting]:
        """Return what may be set, by name."""
        return cls._settings

    def values(self) -> dict[str, Any]:
        """Return what is set, by name."""
        return {name: getattr(self, name) for name in self.settings()}

    def __str__(self) -> str:
        """Return the canonical spelling: the name and, in brackets, the settings that are not the default."""
        settings = self.settings()
        departing = [
            f"{key}={_written(value)}" for key, value in self.values().items() if value != settings[key].default
        ]
        return f"{self.name}({', '.join(departing)})" if departing else self.name


def _setting(field: "dataclasses.Field[Any]") -> Setting:
    kind, *limits = get_args(field.type) if get_origin(field.type) is Annotated else (field.type,)
    if not all(isinstance(limit, Bounds) for limit in limits):
        raise TypeError(f"{field.name}: found {limits} beside its type; allowed: Bounds")
    words = get_args(kind) if get_origin(kind) is Literal else ()
    return Setting(field.default, str if words else kind, words, limits[0] if limits else Bounds(), not field.kw_only)


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


L = TypeVar("L", bound=Level)


class Registry(Generic[L]):
    """The levels of one axis, by name.

    Args:
        noun: what a level is, for messages: ``activation``.
    """

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._levels: dict[str, type[L]] = {}
        self._parsed: dict[str, L] = {}

    def register(self, level: type[L]) -> type[L]:
        """Add a level; a class decorator.

        Raises:
            TypeError: a setting has no default.
        """
        for name, setting in level.settings().items():
            if setting.default is dataclasses.MISSING:
                raise TypeError(f"{level.name}: its setting {name!r} needs a default")
        self._levels[level.name] = level
        self._parsed.clear()
        return level

    def remove(self, name: str) -> None:
        """Take a level out again."""
        del self._levels[name]
        self._parsed.clear()

    @property
    def names(self) -> tuple[str, ...]:
        """The levels' names, in the order in which they were registered."""
        return tuple(self._levels)

    def __getitem__(self, name: str) -> type[L]:
        """Return a level's class."""
        return self._levels[name]

    def __iter__(self) -> Iterator[L]:
        """Yield every level with its default settings."""
        return (level() for level in self._levels.values())

    def __len__(self) -> int:
        """Return how many levels there are."""
        return len(self._levels)

    def parse(self, spelling: str) -> L:
        """Return the level that ``name``, ``name(setting=value, …)`` or ``name(value, …)`` means.

        Raises:
            LevelError: there is no such level, or its settings make no sense.
        """
        if spelling not in self._parsed:
            self._parsed[spelling] = self._parse(spelling)
        return self._parsed[spelling]

    def order(self, spelling: str) -> tuple[int, str]:
        """Return what spellings are sorted by: the registry's order, then the settings."""
        level = self.parse(spelling)
        return self.names.index(level.name), str(level)

    def _parse(self, spelling: str) -> L:
        found = SPELLING.fullmatch(spelling)
        name = found[1] if found else spelling
        if found is None and spelling.count("(") > spelling.count(")"):
            raise LevelError(spelling, "has no closing bracket; in a YAML list, a level with a comma needs quotes")
        if name not in self._levels:
            article = "an" if self.noun[0] in "aeio" else "a"
            raise LevelError(spelling, f"is not {article} {self.noun}{did_you_mean(name, self._levels)}")
        level = self._levels[name]
        assert found is not None  # noqa: S101
        settings = self._settings(spelling, level, found[2])
        try:
            return level(**settings)
        except ValueError as error:
            raise LevelError(spelling, f"has {error}") from None

    def _settings(self, spelling: str, level: type[L], written: str | None) -> dict[str, Any]:
        """Return the settings that stand in the brackets."""
        if written is None or not written.strip():
            return {}
        known = level.settings()
        places = [name for name, setting in known.items() if setting.by_place]
        settings: dict[str, Any] = {}
        for place, part in enumerate(written.split(",")):
            key, equals, value = part.rpartition("=")
            if not equals:
                if place >= len(places):
                    names = ", ".join(known) or ", which is none"
                    raise LevelError(spelling, f"has more settings than {level.name} has{': ' if known else ''}{names}")
                key = places[place]
            key = key.strip()
            if key not in known:
                near = did_you_mean(key, known) if known else f"; {level.name} has none"
                raise LevelError(spelling, f"has no setting {key!r}{near}")
            if key in settings:
                raise LevelError(spelling, f"sets {key!r} more than once")
            settings[key] = _value(value.strip())
        return settings


def _value(word: str) -> bool | float | str:
    if word in ("true", "false"):
        return word == "true"
    for number in (int, float):
        try:
            return number(word)
        except ValueError:
            continue
    return word
