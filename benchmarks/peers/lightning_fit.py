"""Plain Lightning with a DataLoader, one network at a time."""

import logging
import warnings
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from layers import network
from task import Task, run
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
warnings.simplefilter("ignore")


class Plain(pl.LightningModule):
    """One network, as one would write it."""

    def __init__(self, task: Task, features: int) -> None:
        super().__init__()
        self.network, self.rate = network(task, features), task.learning_rate

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the loss."""
        return F.cross_entropy(self.network(batch[0]), batch[1])

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the loss."""
        return F.cross_entropy(self.network(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return plain SGD."""
        return torch.optim.SGD(self.parameters(), lr=self.rate)


def train(task: Task) -> Callable[[], float]:
    """Return what trains one network."""
    x, y, validation_x, validation_y = map(torch.from_numpy, task.parts())
    loaders: list[DataLoader[Any]] = [
        DataLoader(TensorDataset(x, y), task.batch_size, shuffle=True),
        DataLoader(TensorDataset(validation_x, validation_y), 256),
    ]

    def once() -> float:
        trainer = pl.Trainer(
            accelerator="cpu", devices=1, max_epochs=task.epochs, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        )  # fmt: skip
        trainer.fit(Plain(task, x.shape[1]), *loaders)
        return -1.0

    return once


if __name__ == "__main__":
    run(train)
