"""Where compiled code is kept: in the user's cache folder, by a digest of all files that it is made of.

Numba's own choice, a folder beside each file, would compile anew in every checkout, and would not notice a change in a
file that the kept one imports.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pooch
from numba.core.caching import _CacheLocator

FOLDER = "trainability"


@lru_cache
def digest() -> str:
    """Return a digest of this package's code, of NumPy and of Numba."""
    found = hashlib.sha256(f"{numba.__version__} {np.__version__}".encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        found.update(file.read_bytes())
    return found.hexdigest()[:16]


class Locator(_CacheLocator):  # type: ignore[misc]
    """See Numba's ``NUMBA_CACHE_LOCATOR_CLASSES``."""

    def __init__(self, line: int) -> None:
        self._line = line

    def get_cache_path(self) -> str:
        """Return the folder."""
        return str(Path(pooch.os_cache(FOLDER)) / "compiled" / digest())

    def get_source_stamp(self) -> str:
        """Return what changes when the code does."""
        return digest()

    def get_disambiguator(self) -> str:
        """Return what tells functions of one name apart."""
        return str(self._line)

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> "Locator | None":  # noqa: ARG003
        """Return the locator for a function; ``None`` where the folder cannot be written."""
        locator = cls(py_func.__code__.co_firstlineno)
        try:
            locator.ensure_cache_path()
        except OSError:
            return None
        return locator
