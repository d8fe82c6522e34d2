"""Networks that reuse another network's lowest layers: frozen at first, then unfrozen from the top."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch.optim import Optimizer

from pipeline.data import Dataset
from pipeline.params import Params, Study
from pipeline.training.module import StackModule
from pipeline.training.order import Epochs
from pipeline.training.sgd import StackedSGD
from pipeline.training.stacks import Stack


class TransferModule(StackModule):
    """A stack of which each network has its own labelled samples; two classes are told apart by one sigmoid unit.

    Args:
        stack: the networks.
        study: shape and budget.
        params: settings that all studies share.
        dataset: the task's.
        samples: for each network, ``[network, label]``, the training samples that are labelled.
        after_epoch: called with the module after each epoch.
    """

    def __init__(
        self,
        stack: Stack,
        study: Study,
        params: Params,
        dataset: Dataset,
        samples: Sequence[NDArray[np.intp]],
        after_epoch: Callable[[StackModule], None] = lambda _module: None,
    ) -> None:
        classes = len(dataset.card.classes)
        super().__init__(stack, study, params, dataset, after_epoch, outputs=1 if classes == 2 else classes)
        self.samples = torch.from_numpy(np.stack(samples))

    def train_dataloader(self) -> Any:
        """Return the epochs: each network's labelled samples, in the order of its own seed."""
        epochs = Epochs(self.seeds, self.samples.shape[1], lambda: self.current_epoch)
        return _Chosen(epochs, self.samples)


class _Chosen:
    """Orders of some of the samples, from orders of their places among those."""

    def __init__(self, epochs: Epochs, samples: torch.Tensor) -> None:
        self.epochs, self.samples = epochs, samples

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Any:
        for order in self.epochs:
            yield self.samples.gather(1, order)


class Unfreezing(pl.callbacks.BaseFinetuning):
    """Freezes the reused layers, and unfreezes the top ones of them after some epochs, at a learning rate of its own.

    As in Keras, where a layer's ``trainable`` is changed and the model compiled again: a frozen batch norm goes by its
    moving averages, which stay as they are; the optimizer starts without velocity.

    Args:
        reused: hidden layers, the lowest.
        unfrozen: of these, from the top.
        epochs: for which all of them are frozen.
        learning_rate: afterwards.
    """

    def __init__(self, reused: int, unfrozen: int, epochs: int, learning_rate: float) -> None:
        super().__init__()
        self.reused, self.unfrozen, self.epochs, self.learning_rate = reused, unfrozen, epochs, learning_rate

    def freeze_before_training(self, pl_module: pl.LightningModule) -> None:
        """Freeze all that is reused."""
        assert isinstance(pl_module, TransferModule)  # noqa: S101
        pl_module.networks.freeze(self.reused)

    def finetune_function(self, pl_module: pl.LightningModule, epoch: int, optimizer: Optimizer) -> None:
        """Unfreeze, when it is time."""
        assert isinstance(pl_module, TransferModule)  # noqa: S101
        assert isinstance(optimizer, StackedSGD)  # noqa: S101
        if epoch == self.epochs and self.unfrozen:
            pl_module.networks.freeze(self.reused - self.unfrozen)
            optimizer.restart(self.learning_rate)
