"""Where a project's own files are that outlive a run: its networks, and what MLflow keeps."""

from pathlib import Path

COPIES = (".dvc", "tmp", "exps")
"""In which `dvc exp run --queue` and ``--temp`` run each experiment in a copy of its own, which they delete."""


def checkout() -> Path:
    """Return the project's folder, from here; in a copy that DVC made for an experiment, the one it is a copy of."""
    for folder in Path.cwd().parents:
        if folder.parts[-len(COPIES) :] == COPIES:
            return folder.parents[len(COPIES) - 1]
    return Path()
