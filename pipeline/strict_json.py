"""JSON as its standard has it (RFC 8259): numbers are finite, and what is not is null."""

import json
import math
from pathlib import Path
from typing import Any


def finite(content: Any) -> Any:
    """Return lists and dicts with ``None`` in place of every number that is not finite."""
    if isinstance(content, dict):
        return {key: finite(item) for key, item in content.items()}
    if isinstance(content, list | tuple):
        return [finite(item) for item in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def dumps(content: Any, **options: Any) -> str:
    """Return JSON; options as `json.dumps` has them."""
    return json.dumps(finite(content), allow_nan=False, **options)


def save_json(content: Any, path: Path) -> None:
    """Write JSON, indented, for people to read and for git to compare."""
    path.write_text(dumps(content, indent=2) + "\n", encoding="utf-8")
