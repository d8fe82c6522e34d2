"""Errors a user can mend. Each message names the key or file, what was found and what is allowed.

PipelineError
├── ParamsError          params.yaml does not make sense
├── LevelError           a spelling names no level of an axis
├── DataError            a dataset is missing, damaged or unfit
├── FunctionError        a callable is no activation function
├── ResourceError        memory does not suffice
└── TrackingError        MLflow cannot be written
"""

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


SHOWN = 20
"""Allowed words, and faults of a file, that are written out."""


class PipelineError(Exception):
    """Base of every error that is the input's fault, not the program's."""


class ParamsError(PipelineError):
    """``params.yaml`` holds something that cannot be built."""


class LevelError(PipelineError):
    """A spelling such as ``leaky_relu(slop=0.2)`` names no level of an axis.

    Args:
        spelling: what was found.
        words: what is wrong with it.
    """

    def __init__(self, spelling: str, words: str) -> None:
        super().__init__(f"{spelling!r} {words}")
        self.words = words


class DataError(PipelineError):
    """A dataset is missing, damaged or unfit for classification."""


class FunctionError(PipelineError):
    """A callable is no activation function that the theory can treat."""


class ResourceError(PipelineError):
    """Memory does not suffice."""


class TrackingError(PipelineError):
    """MLflow cannot be written; the results are safe."""


def did_you_mean(word: object, allowed: "Iterable[str]") -> str:
    """Return `` ; did you mean 'x'?`` for the nearest allowed word, and the allowed words where none is near.

    Words that differ by case and by what joins their parts alone (``LeakyReLU``, ``leaky-relu``) are the nearest.
    """
    allowed = list(allowed)
    letters = {_letters(name): name for name in allowed}
    near = get_close_matches(_letters(word), letters, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {letters[near[0]]!r}?"
    more = f", … ({len(allowed):,} in all)" if len(allowed) > SHOWN else ""
    shown = [name if name.isprintable() else repr(name) for name in allowed[:SHOWN]]
    return f"; allowed: {', '.join(shown)}{more}"


def _letters(word: object) -> str:
    return re.sub(r"[\W_]+", "", str(word)).casefold()
