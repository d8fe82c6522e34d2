"""What is wrong with ``params.yaml``, one line for each fault: the key, what was found, what is allowed."""

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..errors import SHOWN, did_you_mean

# Where pydantic puts the branch it took of a union into an error's path: after which key, which words.
UNIONS: dict[int | str | None, set[int | str]] = {
    "data": {"digits", "breast_cancer", "wine", "fashion_mnist", "sequences", "teacher", "spirals", "parity", "table"},
    "split": {"stratified", "official"},
}
SCALARS = {"int", "str", "float"}


def faults_of(error: ValidationError, root: type[BaseModel]) -> str:
    """Return a line for each fault; of very many, the first."""
    # Of a union, pydantic reports every branch that failed: the first says enough.
    lines = {tuple(_keys(details["loc"])): _line(details, root) for details in reversed(error.errors())}
    faults = [*reversed(lines.values())]
    more = [f"… and {len(faults) - SHOWN:,} more"] if len(faults) > SHOWN else []
    return "\n".join(faults[:SHOWN] + more)


def _line(error: ErrorDetails, root: type[BaseModel]) -> str:
    """Return one error as ``key: what was found; what is allowed``."""
    path = _keys(error["loc"])
    key, value, kind, context = _key(path), error["input"], error["type"], error.get("ctx", {})
    if kind == "study":
        return error["msg"]
    if kind == "json_invalid":  # half of a surrogate pair
        return f"params.yaml: holds what is no text: {error['msg']}"
    if kind == "extra_forbidden":
        return f"{key}: unknown key{did_you_mean(path[-1], _siblings(error['loc'], root))}"
    if kind == "missing":
        return f"{key}: missing"
    if kind == "literal_error":
        allowed = [word.strip(" '") for word in context["expected"].replace(" or ", ",").split(",")]
        return f"{key}: {value!r} is not {_noun(path)}{did_you_mean(value, allowed)}"
    if kind == "union_tag_invalid":
        allowed = [word.strip(" '") for word in context["expected_tags"].split(",")]
        tag = context["discriminator"].strip("'")
        return f"{key}.{tag}: {context['tag']!r} is not {_noun([tag])}{did_you_mean(context['tag'], allowed)}"
    if kind == "names_the_value":
        return f"{key}: {value!r} {error['msg']}"
    if kind == "says_it_all":
        return f"{key}: {error['msg']}"
    return f"{key}: found {value!r}; {error['msg'].replace('Input should', 'it should')}"


def _noun(path: Sequence[int | str]) -> str:
    """Return what the value at a path should have been: ``an initializer``."""
    last = next((str(part) for part in reversed(path) if isinstance(part, str)), "value")
    word = last.replace("_", " ").removesuffix("s")
    return f"{'an' if word[0] in 'aeio' else 'a'} {word}"


def _key(path: Sequence[int | str]) -> str:
    """Write a path as ``studies.digits.grid[0].initializer[2]``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _siblings(location: Sequence[int | str], root: type[BaseModel]) -> list[str]:
    """Return the keys allowed where an unknown one was found, by walking the models along an error's location."""
    model: Any = root
    for before, part in zip((None, *location), location[:-1], strict=False):
        models = [m for m in _models(model) if str(part) in m.model_fields]
        if part in UNIONS.get(before, ()):
            model = next(
                m for m in _models(model) if any(part in get_args(f.annotation) for f in m.model_fields.values())
            )
        elif models:  # else an item of a list, or a study's name: its model was taken with the list or the dict
            model = models[0].model_fields[str(part)].annotation
    return sorted({name for m in _models(model) for name in m.model_fields})


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that an annotation mentions: of a list, its items; of a dict, its values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _keys(location: tuple[int | str, ...]) -> list[int | str]:
    """Return an error's location less what names no key of the file: the branch that pydantic took of a union."""
    return [
        part
        for before, part in zip((None, *location), location, strict=False)
        if part not in SCALARS and not (before in UNIONS and part in UNIONS[before])
    ]
