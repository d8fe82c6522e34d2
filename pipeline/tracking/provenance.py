"""Where a run comes from: commit, versions, data."""

import hashlib
import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from mlflow.entities import Dataset as DatasetEntity
from mlflow.entities import DatasetInput, InputTag

from ..data import Card

VERSIONS = ("torch", "pytorch-lightning", "numpy", "scikit-learn", "mlflow", "dvc")
PROJECT = Path(__file__).parent.parent
"""The package ``pipeline``."""


def common_tags() -> dict[str, str]:
    """Return the tags of every run: commit, versions, the DVC stage."""
    tags = {f"version.{name}": version(name) for name in VERSIONS}
    tags |= {"version.python": platform.python_version(), "dvc_stage": os.environ.get("DVC_STAGE", "none")}
    head = commit()
    if head:
        dirty = bool(_git("status", "--porcelain", "--untracked-files=no"))
        tags |= {"mlflow.source.git.commit": head, "git_commit": head, "git_dirty": str(dirty).lower()}
    return tags | {"mlflow.source.name": "dvc repro", "mlflow.source.type": "PROJECT"}


def commit() -> str:
    """Return the code's commit; empty outside a repository."""
    return _git("rev-parse", "HEAD")


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True, check=False)  # noqa: S603, S607
    return done.stdout.strip()


def dataset_input(card: Card) -> DatasetInput:
    """Return a study's data as MLflow lists it among a run's inputs."""
    profile = json.dumps({"samples": card.samples, "class_counts": card.class_counts})
    schema = json.dumps({"features": card.features, "classes": card.classes, "scaling": card.scaling})
    entity = DatasetEntity(card.source, card.sha256[:8], "code", json.dumps({"source": card.source}), schema, profile)
    return DatasetInput(entity, [InputTag("mlflow.data.context", "training")])


def sha256(*parts: str) -> str:
    """Return a digest of texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
