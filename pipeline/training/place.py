"""What of a machine determines what a network comes to: it is part of a network's key, and kept beside the results."""

import json
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.compute import rounding
from pipeline.strict_json import save_json

PLACE_FILE = "place.json"
LIBRARIES = ("numpy", "pytorch-lightning", "scipy", "torch")


def place(device: str) -> dict[str, Any]:
    """Return what of this machine determines results: equal places give equal bits.

    Args:
        device: ``cpu``, or the GPU's name.
    """
    return {"device": device, "rounding": rounding.current(), "libraries": _versions()}


def save_place(where: dict[str, Any], folder: Path) -> None:
    """Write ``place.json``."""
    save_json(where, folder / PLACE_FILE)


def load_place(folder: Path) -> dict[str, Any]:
    """Read what `save_place` wrote."""
    found: dict[str, Any] = json.loads((folder / PLACE_FILE).read_text(encoding="utf-8"))
    return found


@lru_cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in LIBRARIES}
