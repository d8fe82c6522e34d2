"""What the sections of ``params.yaml`` are made of: frozen models, faults in words, limits."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from ..axes.level import Registry
from ..errors import LevelError
from ..grid import MOST_LAYERS, MOST_WEIGHTS, WIDEST, layers_of, spell_widths


def fault(words: str, kind: Literal["says_it_all", "names_the_value", "study"] = "says_it_all") -> PydanticCustomError:
    """Return an error that is shown as these words: after their key, after key and value, or alone."""
    return PydanticCustomError(kind, "{words}", {"words": words})


class Frozen(BaseModel):
    """A section of ``params.yaml``: immutable, typed strictly, closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


T = TypeVar("T")


def some_once(values: tuple[T, ...]) -> tuple[T, ...]:
    """Let values pass if there are some, each once."""
    if not values:
        raise fault("is empty; allowed: at least one value")
    return each_once(values)


def each_once(values: tuple[T, ...]) -> tuple[T, ...]:
    """Let values pass if each is there once."""
    seen = set()
    for value in values:
        if value in seen:
            raise fault(f"names {value!r} more than once")
        seen.add(value)
    return values


Values = Annotated[tuple[T, ...], AfterValidator(some_once)]


def level_of(registry: Registry[Any]) -> BeforeValidator:
    """Return what takes any spelling of a level to its canonical one."""

    def canonical(spelling: object) -> str:
        try:
            return str(registry.parse(str(spelling)))
        except LevelError as error:
            raise fault(error.words, "names_the_value") from None

    return BeforeValidator(canonical)


def check_widths(parts: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Let a shape pass if its parts are widths, or layers × width, and its networks fit into a machine's memory."""
    depth = weights = below = 0
    for part in parts:
        layers = layers_of(part)
        if layers is None:
            raise fault(f"found {part!r}; allowed: a width such as 100, or layers × width such as 20x50")
        count, width = layers
        depth += count
        weights += width * (below + (count - 1) * width)
        below = width
        if width > WIDEST or depth > MOST_LAYERS or weights > MOST_WEIGHTS:
            raise fault(
                f"found {part!r}; allowed: up to {MOST_LAYERS:,} layers, {WIDEST:,} units in each and {MOST_WEIGHTS:,} "
                "weights between them"
            )
    return parts


Hidden = Annotated[tuple[int | str, ...], AfterValidator(check_widths)]
"""A shape as a list: ``[300, 99x100]``."""


def _canonical_widths(level: object) -> str:
    parts = [] if level == "none" else str(level).split("-")
    check_widths(tuple(parts))
    return spell_widths(parts)


HiddenLevel = Annotated[str, BeforeValidator(_canonical_widths)]
"""A shape as a level of an axis: ``300-99x100``."""
