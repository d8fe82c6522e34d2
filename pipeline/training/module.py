"""The LightningModule of a stack: many networks, one training step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from pipeline.data import Dataset, Part
from pipeline.networks import StackedMLP
from pipeline.params import Params, Study
from pipeline.training.batches import Batches
from pipeline.training.clipping import clip_gradients
from pipeline.training.sgd import StackedSGD
from pipeline.training.stacks import Stack

SCORED_AT_A_TIME = 1024
"""Samples. A constant: were it to depend on the stack, so would the rounding."""

PerNetwork = Float[Tensor, "network"]


class Scores(NamedTuple):
    """Mean loss (nats) and accuracy (0 to 1) of each network over some samples."""

    loss: PerNetwork
    accuracy: PerNetwork


class Epoch(NamedTuple):
    """What an epoch came to."""

    train: Scores
    """Over the epoch's batches as they were trained on, as Keras reports it."""
    validation: Scores


class StackModule(pl.LightningModule):
    """Trains a stack of networks by SGD on softmax cross-entropy.

    A network whose loss is no longer finite has diverged: it is frozen and disturbs nobody.

    Args:
        stack: the networks.
        study: its shape and budget.
        params: settings that all studies share.
        dataset: prepared; it moves to the accelerator with the module.
        after_epoch: called with the module after each epoch.
    """

    alive: Tensor
    epochs: Tensor

    def __init__(
        self,
        stack: Stack,
        study: Study,
        params: Params,
        dataset: Dataset,
        after_epoch: Callable[["StackModule"], None] = lambda _module: None,
    ) -> None:
        super().__init__()
        self.stack, self.training_params, self.thresholds = stack, study.training, params.clipping
        self.seeds = [network.seed for network in stack.networks]
        self.after_epoch = after_epoch
        self.networks = StackedMLP(
            widths=(dataset.card.features, *study.hidden_widths, len(dataset.card.classes)),
            activation=stack.activation,
            batch_norm=stack.batch_norm,
            initializers=[network.cell.initializer for network in stack.networks],
            seeds=self.seeds,
            activations=params.activations,
            batch_norm_settings=params.batch_norm,
        )
        for name, part in (("train", dataset.train), ("validation", dataset.validation), ("test", dataset.test)):
            self._hold(name, part)
        size = len(stack.networks)
        self.register_buffer("alive", torch.ones(size, dtype=torch.bool))
        self.register_buffer("epochs", torch.zeros(size, dtype=torch.int64))
        self.register_buffer("loss_sum", torch.zeros(size), persistent=False)
        self.register_buffer("correct", torch.zeros(size, dtype=torch.int64), persistent=False)
        self.history: list[Epoch] = []
        self.test: Scores | None = None
        """After training."""

    def _hold(self, name: str, part: Part) -> None:
        self.register_buffer(f"{name}_x", torch.from_numpy(part.x), persistent=False)
        self.register_buffer(f"{name}_y", torch.from_numpy(part.y), persistent=False)

    def forward(self, x: Float[Tensor, "network batch feature"]) -> Float[Tensor, "network batch class"]:
        """Return the logits."""
        logits: Tensor = self.networks(x)
        return logits

    # --- training ------------------------------------------------------------------------------------------------

    def train_dataloader(self) -> Batches:
        """Return the batches, as indices: the samples are here."""
        samples = len(self.get_buffer("train_y"))
        return Batches(self.seeds, samples, self.training_params.batch_size, lambda: self.current_epoch)

    def configure_optimizers(self) -> Optimizer:
        """Return SGD with each network's learning rate."""
        rates = [network.cell.learning_rate for network in self.stack.networks]
        return StackedSGD(
            self.networks.parameters(),
            torch.tensor(rates, device=self.device),
            self.training_params.momentum,
            self.training_params.nesterov,
        )

    def on_train_epoch_start(self) -> None:
        """Begin the epoch's sums."""
        self.get_buffer("loss_sum").zero_()
        self.get_buffer("correct").zero_()

    def training_step(self, indices: Int[Tensor, "network batch"], *_: Any) -> Tensor:
        """Return the sum of the networks' mean losses: its gradient for a network is that of the network's own."""
        x = self.get_buffer("train_x").index_select(0, indices.flatten()).unflatten(0, indices.shape)
        y = self.get_buffer("train_y")[indices]
        logits = self(x)
        losses = cross_entropy(logits, y)
        with torch.no_grad():
            loss_sum = tree_sum(losses)
            self.alive &= loss_sum.isfinite()
            self.get_buffer("loss_sum").add_(loss_sum)
            self.get_buffer("correct").add_(hits(logits, y))
        return losses.sum() / indices.shape[1]

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,  # noqa: ARG002
        gradient_clip_algorithm: str | None = None,  # noqa: ARG002
    ) -> None:
        """Clip each network's gradients in its own mode, and freeze the networks that have diverged."""
        assert isinstance(optimizer, StackedSGD)  # noqa: S101
        gradients = [p.grad for p in self.networks.parameters() if p.grad is not None]
        clip_gradients(gradients, [network.cell.clipping for network in self.stack.networks], self.thresholds)
        if not self.alive.all():
            optimizer.freeze(~self.alive)

    def on_train_epoch_end(self) -> None:
        """Score the validation part and record the epoch."""
        samples = len(self.get_buffer("train_y"))
        train = Scores(self.get_buffer("loss_sum") / samples, self.get_buffer("correct") / samples)
        validation = self.score("validation")
        self.alive &= validation.loss.isfinite()
        self.epochs += self.alive
        self.history.append(Epoch(train, validation))
        self.after_epoch(self)
        if not self.alive.any():
            self.trainer.should_stop = True

    def on_train_end(self) -> None:
        """Score the test part, while the networks are still on the accelerator."""
        self.test = self.score("test")

    # --- scoring -------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def score(self, part: str) -> Scores:
        """Return the scores of every network on the ``train``, ``validation`` or ``test`` part."""
        x, y = self.get_buffer(f"{part}_x"), self.get_buffer(f"{part}_y")
        size = len(self.seeds)
        losses = []
        correct = torch.zeros(size, dtype=torch.int64, device=self.device)
        self.networks.eval()
        for some_x, some_y in zip(x.split(SCORED_AT_A_TIME), y.split(SCORED_AT_A_TIME), strict=True):
            targets = some_y.expand(size, -1)
            logits = self(some_x.expand(size, -1, -1))
            losses.append(cross_entropy(logits, targets))
            correct += hits(logits, targets)
        self.networks.train()
        return Scores(tree_sum(torch.cat(losses, 1)) / len(y), correct / len(y))


def cross_entropy(
    logits: Float[Tensor, "network batch class"], y: Int[Tensor, "network batch"]
) -> Float[Tensor, "network batch"]:
    """Return each sample's softmax cross-entropy, in nats."""
    return F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").view(y.shape)


def tree_sum(values: Float[Tensor, "network sample"]) -> Float[Tensor, "network"]:
    """Return each network's sum, pair by pair: an order that does not depend on how many networks there are.

    ``sum(1)`` sums one network's row in another order than the same row of several.
    """
    while values.shape[1] > 1:
        if values.shape[1] % 2:
            values = F.pad(values, (0, 1))
        half = values.shape[1] // 2
        values = values[:, :half] + values[:, half:]
    return values[:, 0]


def hits(logits: Float[Tensor, "network batch class"], y: Int[Tensor, "network batch"]) -> Int[Tensor, "network"]:
    """Return how many samples each network gets right."""
    right: Bool[Tensor, "network batch"] = logits.argmax(2) == y
    return right.sum(1)
