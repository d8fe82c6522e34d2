"""Reused layers: frozen at first, then unfrozen from the top."""

import pytorch_lightning as pl
from torch.optim import Optimizer

from .module import StackModule
from .optimizer import StackedOptimizer
from .recipe import Reuse


class Unfreezing(pl.callbacks.BaseFinetuning):
    """Freezes the reused layers, and unfreezes the top ones of them after some epochs, at a learning rate of its own.

    As in Keras, where a layer's ``trainable`` is changed and the model compiled again: a frozen batch norm goes by its
    moving averages, which stay as they are; the optimizer starts without memory.
    """

    def __init__(self, reuse: Reuse) -> None:
        super().__init__()
        self.reuse = reuse

    def freeze_before_training(self, pl_module: pl.LightningModule) -> None:
        """Freeze all that is reused."""
        assert isinstance(pl_module, StackModule)  # noqa: S101
        pl_module.networks.freeze(self.reuse.reused)

    def finetune_function(self, pl_module: pl.LightningModule, epoch: int, optimizer: Optimizer) -> None:
        """Unfreeze, when it is time."""
        assert isinstance(pl_module, StackModule)  # noqa: S101
        assert isinstance(optimizer, StackedOptimizer)  # noqa: S101
        if epoch == self.reuse.frozen_epochs and self.reuse.unfrozen:
            pl_module.networks.freeze(self.reuse.kept)
            optimizer.restart(self.reuse.learning_rate)
