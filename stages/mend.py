"""Remove what a dvc that was killed has left half written, so that it runs again. Usage: ``python -m stages.mend``.

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


def main() -> None:
    """Look at ``dvc.lock`` and ``.dvc/tmp/rwlock``."""
    _remove_damaged(Path("dvc.lock"), lambda text: COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(text)))
    _remove_damaged(Path(".dvc/tmp/rwlock"), json.loads)


def _remove_damaged(path: Path, read: Callable[[str], object]) -> None:
    try:
        read(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (YAMLError, Invalid, ValueError):
        path.unlink()
        print(f"{path} was half written by a run that was killed: removed; finished stages come from DVC's cache")


if __name__ == "__main__":
    run(main)
