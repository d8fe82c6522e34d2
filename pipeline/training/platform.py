"""The platform's fingerprint: what of a machine determines what a network comes to, kept beside the results."""

import json
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..compute import rounding
from ..strict_json import save_json

PLATFORM_FILE = "platform.json"
LIBRARIES = ("numba", "numpy", "pytorch-lightning", "scipy", "torch")
"""That compute."""


def platform_fingerprint(device: str) -> dict[str, Any]:
    """Return what of this machine determines results: equal fingerprints give equal bits.

    Args:
        device: ``cpu``, or the GPU's name.
    """
    return {"device": device, "rounding": rounding.current(), "libraries": _versions()}


def save_platform(fingerprint: dict[str, Any], folder: Path) -> None:
    """Write ``platform.json``."""
    save_json(fingerprint, folder / PLATFORM_FILE)


def load_platform(folder: Path) -> dict[str, Any]:
    """Read what `save_platform` wrote."""
    found: dict[str, Any] = json.loads((folder / PLATFORM_FILE).read_text(encoding="utf-8"))
    return found


@lru_cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in LIBRARIES}
