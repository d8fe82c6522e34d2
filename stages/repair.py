"""Set aside what a killed dvc has left half written, or a merge undecided. Usage: ``python -m stages.repair``.

DVC writes these two files in place. Neither is needed: finished stages come back from its cache.
"""

import json
from collections.abc import Callable
from pathlib import Path

from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from voluptuous import Invalid

from stages import run

CONFLICT = (b"<<<<<<< ", b"=======", b">>>>>>> ")


def main() -> None:
    """Look at ``dvc.lock`` and ``.dvc/tmp/rwlock``."""
    _set_aside_damaged(Path("dvc.lock"), lambda text: COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(text)))
    _set_aside_damaged(Path(".dvc/tmp/rwlock"), json.loads)


def _set_aside_damaged(path: Path, read: Callable[[str], object]) -> None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    try:
        read(content.decode())
    except (YAMLError, Invalid, ValueError):
        kept = path.with_name(f"{path.name}.damaged")
        path.replace(kept)
        print(f"{path} {_what_it_is(content)}: kept as {kept}; finished stages come from DVC's cache")


def _what_it_is(content: bytes) -> str:
    for number, line in enumerate(content.splitlines(), 1):
        if line.startswith(CONFLICT):
            return f"holds the conflict of a merge (line {number})"
    return "is empty" if not content.strip() else "cannot be read, as after a run that was killed while it wrote it"


if __name__ == "__main__":
    run(main)
