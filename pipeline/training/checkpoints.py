"""Epoch checkpoints: a stack that trains for long goes on from its last finished epoch, not from its first."""

import sys
import time
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import CheckpointIO

from .atomic import sealed, verified, write_whole

SECONDS_WORTH_KEEPING = 60.0
"""A stack that trains for less is trained anew."""
LARGEST_SHARE = 0.02
"""Of the training time that writing checkpoints may take."""
NETWORKS = "networks"
"""Key of the digests of a checkpoint's networks, in the stack's order."""


class EpochCheckpoint(pl.callbacks.Checkpoint):
    """Writes a stack's state after its epochs, where it trains for longer than a minute.

    Args:
        path: the file.
        networks: digests of the stack's networks.
    """

    def __init__(self, path: Path, networks: list[str]) -> None:
        self.path, self.networks = path, networks
        self.started = self.written = time.monotonic()
        self.cost = 0.0
        self.epochs = 0

    def on_train_epoch_end(self, trainer: pl.Trainer, _module: pl.LightningModule) -> None:
        """Write, if it is worth its time."""
        self.epochs += 1
        now = time.monotonic()
        assert trainer.max_epochs is not None  # noqa: S101
        left = trainer.max_epochs - trainer.current_epoch - 1
        whole = (now - self.started) / self.epochs * trainer.max_epochs
        if left == 0 or whole < SECONDS_WORTH_KEEPING or self.cost > LARGEST_SHARE * (now - self.written):
            return
        try:
            trainer.save_checkpoint(self.path)
        except OSError as error:
            print(f"warning: {self.path} cannot be written ({error.strerror}); training goes on", file=sys.stderr)
        self.written = time.monotonic()
        self.cost = self.written - now

    def on_save_checkpoint(self, _trainer: pl.Trainer, _module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Say whose state it is."""
        checkpoint[NETWORKS] = self.networks


class VerifiedIO(CheckpointIO):
    """Lets Lightning write its checkpoints whole or not at all, and read nothing but tensors and plain values."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:  # noqa: ARG002
        """Write a checkpoint."""
        content = BytesIO()
        torch.save(checkpoint, content)
        write_whole(Path(path), sealed(content.getvalue()))

    def load_checkpoint(
        self,
        path: Any,
        map_location: Any = None,  # noqa: ARG002
        weights_only: bool | None = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        """Read a checkpoint onto the CPU; `ValueError` where it is damaged, or holds more than plain values."""
        content = BytesIO(verified(Path(path).read_bytes()))
        try:
            checkpoint: dict[str, Any] = torch.load(content, map_location="cpu", weights_only=True)
        except (UnpicklingError, RuntimeError, EOFError) as error:
            raise ValueError("it is no checkpoint") from error
        return checkpoint

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint."""
        Path(path).unlink(missing_ok=True)
