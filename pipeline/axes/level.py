"""A level of an axis, such as ``leaky_relu(slope=0.2)``: a class whose fields are its settings; and registries."""

import re
from collections.abc import Iterator
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import LevelError, did_you_mean

SPELLING = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*(?:\((.*)\))?\s*", re.DOTALL)
"""A name and, in brackets, settings."""


class Level(BaseModel):
    """A choice on an axis. Every field is a setting, with its bounds and a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    name: ClassVar[str]
    formula: ClassVar[str]
    """In plain text."""
    source: ClassVar[str]
    """Paper and equation."""
    theory: ClassVar[str] = ""
    """What predicts signals and gradients with it before the first step; empty where nothing does."""
    label: ClassVar[str] = ""
    """What it is called in a sentence, where that is not its name."""

    def __str__(self) -> str:
        """Return the canonical spelling: the name and, in brackets, the settings that are not the default."""
        fields = type(self).model_fields
        departing = [f"{key}={_written(value)}" for key, value in self if value != fields[key].default]
        return f"{self.name}({', '.join(departing)})" if departing else self.name


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
        for setting, field in level.model_fields.items():
            if field.is_required():
                raise TypeError(f"{level.name}: its setting {setting!r} needs a default")
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
        except ValidationError as error:
            raise LevelError(spelling, _fault(error, level)) from None

    def _settings(self, spelling: str, level: type[L], written: str | None) -> dict[str, Any]:
        """Return the settings that stand in the brackets."""
        if written is None or not written.strip():
            return {}
        known = [name for name, field in level.model_fields.items() if not field.kw_only]
        settings: dict[str, Any] = {}
        for place, part in enumerate(written.split(",")):
            key, equals, value = part.rpartition("=")
            if not equals:
                if place >= len(known):
                    raise LevelError(spelling, f"has more settings than {self._known(level)}")
                key = known[place]
            key = key.strip()
            if key in settings:
                raise LevelError(spelling, f"sets {key!r} more than once")
            settings[key] = _value(value.strip())
        return settings

    def _known(self, level: type[L]) -> str:
        known = ", ".join(level.model_fields)
        return f"{level.name} has: {known}" if known else f"{level.name} has, which is none"


def _value(word: str) -> bool | float | str:
    if word in ("true", "false"):
        return word == "true"
    for number in (int, float):
        try:
            return number(word)
        except ValueError:
            continue
    return word


def _fault(error: ValidationError, level: type[Level]) -> str:
    """Return the first thing that is wrong with a level's settings."""
    details = error.errors()[0]
    if details["type"] == "extra_forbidden":
        setting = str(details["loc"][0])
        known = level.model_fields
        return f"has no setting {setting!r}{did_you_mean(setting, known) if known else f'; {level.name} has none'}"
    words = details["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    if not details["loc"]:
        return f"has {words}"
    found = details["input"]
    return f"has {details['loc'][0]} = {repr(found) if isinstance(found, str) else _written(found)}; {words}"
