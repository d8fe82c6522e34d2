"""The LightningModule of a stack: many networks, one training step."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from ..axes.clipping import CLIPPINGS
from ..axes.initializers import INITIALIZERS
from ..axes.optimizers import OPTIMIZERS
from ..compiled.engine import Engine, Learning
from ..compiled.program import NotCompilableError
from ..compute.kernels import sqrt_
from ..data import Dataset, Part, Split
from ..data.dataset import PARTS
from ..networks import build_networks
from ..networks.parts import StackedPart
from ..networks.scores import correct, cross_entropy
from ..networks.stack import Weights
from ..networks.sums import tree_sum
from ..theory.functions import function_of
from ..verdicts import Record
from .capture import CapturedStep
from .clipping import clip_gradients
from .devices import LOSS_SCALE
from .health import HealthRecorder
from .optimizer import TAKEN, StackedOptimizer
from .order import Epochs
from .samples import chosen_samples, noisy_labels
from .stacks import Stack

SCORED_AT_A_TIME = 96
"""Samples; fewer of a recurrent network. Constants: were it to depend on the stack, so would the rounding."""
STEPS_AT_A_TIME = 8 * SCORED_AT_A_TIME
"""Of all samples together: what the input gives every step is computed at once."""

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
    """Trains a stack of networks on softmax cross-entropy.

    What Lightning does around a training step costs 3 ms, which is more than the step itself on a small network: here a
    training step is an epoch, and the loop over its batches is ours.

    A network whose loss is no longer finite has diverged: it is frozen and disturbs nobody.

    Args:
        stack: the networks.
        dataset: prepared; it moves to the accelerator with the module.
        after_epoch: called with the module after each epoch.
        donors: by key, the weights of networks whose layers are reused.
    """

    alive: Tensor
    epochs: Tensor
    loss_sum: Tensor
    correct: Tensor
    compiles = True
    """Whether compiled code may train; torch's layers come to the same bits."""

    def __init__(
        self,
        stack: Stack,
        dataset: Dataset,
        after_epoch: Callable[["StackModule"], None] = lambda _module: None,
        donors: Mapping[str, Weights] | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.stack, self.graph = stack, stack.graph
        self.seeds = [recipe.seed for recipe in stack.recipes]
        self.modes = [CLIPPINGS.parse(recipe.cell.clipping) for recipe in stack.recipes]
        self.after_epoch = after_epoch
        splits = {number: dataset.split(number) for number in sorted({recipe.split for recipe in stack.recipes})}
        squares = {number: float(np.square(split.train.x, dtype=np.float64).mean()) for number, split in splits.items()}
        self.networks = build_networks(
            self.graph.design,
            [INITIALIZERS.parse(recipe.cell.initializer) for recipe in stack.recipes],
            self.seeds,
            [squares[recipe.split] for recipe in stack.recipes],
        )
        reuses = [recipe.reuse for recipe in stack.recipes if recipe.reuse]
        if reuses:
            self.networks.reuse([(donors or {})[reuse.donor] for reuse in reuses], reuses[0].reused)
        self.function = function_of(self.graph.design.activation)
        self.train_part, self.validation_part, self.test_part = (self._part(name, splits) for name in PARTS)
        self.regularizer = self.graph.design.regularization
        self.rule = OPTIMIZERS.parse(self.graph.level("optimizer"))
        self.engine: Engine | None = None
        """Trains by compiled code, where it can; decided when training starts."""
        self.samples = [chosen_samples(splits[recipe.split].train.y, recipe.samples) for recipe in stack.recipes]
        self.learned = self._learned(splits, len(dataset.card.classes))
        size = len(stack.recipes)
        self.register_buffer("alive", torch.ones(size, dtype=torch.bool))
        self.register_buffer("epochs", torch.zeros(size, dtype=torch.int64))
        self.register_buffer("loss_sum", torch.zeros(size), persistent=False)
        self.register_buffer("correct", torch.zeros(size, dtype=torch.int64), persistent=False)
        self.captured: CapturedStep | None = None
        """Takes steps on an NVIDIA GPU, where it can; decided when training starts."""
        self.history: list[Epoch] = []
        self.records: dict[int, Record] = {}
        """What was seen of the layers, by epoch; see `HealthRecorder`."""
        self.test: Scores | None = None
        """After training."""
        self.hits: NDArray[np.bool_] | None = None
        """``[network, sample]``: which samples of the test part they get right, once these were scored."""
        self.started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """How long it has been training, earlier attempts included."""
        return time.perf_counter() - self.started

    def _part(self, name: str, splits: Mapping[int, Split]) -> StackedPart:
        """Return the ``train``, ``validation`` or ``test`` part as the networks see it."""
        parts: list[Part] = [getattr(split, name) for split in splits.values()]
        numbers = list(splits)
        own = [numbers.index(recipe.split) for recipe in self.stack.recipes]
        return StackedPart([part.x for part in parts], [part.y for part in parts], own)

    def _learned(self, splits: Mapping[int, Split], classes: int) -> StackedPart:
        """Return the training part as it is learned from: with labels that may be wrong, by network."""
        recipes = self.stack.recipes
        if not any(recipe.cell.label_noise for recipe in recipes):
            return self.train_part
        labels = [noisy_labels(splits[r.split].train.y, classes, r.cell.label_noise, r.seed) for r in recipes]
        return StackedPart([s.train.x for s in splits.values()], labels, self.train_part.splits, range(len(recipes)))

    def forward(self, x: Float[Tensor, "network batch feature"]) -> Float[Tensor, "network batch class"]:
        """Return the logits."""
        logits: Tensor = self.networks(x)
        return logits

    # --- training ---------------------------------------------------------------------------------

    def on_train_start(self) -> None:
        """Look at the layers before the first step; the networks are on the accelerator by now."""
        if self.compiles:
            self.engine = self._engine()
        # Layers that are unfrozen later, and Adam's corrections of each step, are not what was recorded.
        if self.device.type == "cuda" and not self.graph.reuse and not hasattr(self.rule, "correction"):
            self.captured = CapturedStep(self._step)
        self.health = HealthRecorder(
            self.networks,
            self.function,
            {self.graph.epochs if epoch == "last" else int(epoch) for epoch in self.graph.health_epochs},
            clips=any(mode.clips for mode in self.modes),
            part=self.train_part,
            samples=self.graph.health_samples,
            records=self.records,
            engine=self.engine,
        )
        if self.current_epoch == 0:
            self.health.look(0)

    def _engine(self) -> Engine | None:
        """Return what trains by compiled code; ``None`` where something asks for torch."""
        batch_size = self.graph.level("batch_size")
        if self.graph.precision != "float32":
            return None
        try:
            return Engine(self.networks, Learning(self.rule, self.regularizer, self.modes, batch_size))
        except NotCompilableError:
            return None

    def train_dataloader(self) -> Epochs:
        """Return the epochs, each as one batch of sample indices: the samples themselves are here."""
        return Epochs(self.seeds, self.samples, lambda: self.current_epoch)

    def configure_optimizers(self) -> Optimizer:
        """Return the optimizer, with each network's learning rate."""
        rates = [recipe.cell.learning_rate for recipe in self.stack.recipes]
        return StackedOptimizer(
            self.networks.parameters(),
            torch.tensor(rates, dtype=torch.float32, device=self.device),
            self.rule,
        )

    def training_step(self, order: Int[Tensor, "network sample"], *_: Any) -> None:
        """Train one epoch, batch by batch, the last partial batch kept."""
        if self.engine:
            self._train_compiled(self.engine, order)
            return
        self.loss_sum.zero_()
        self.correct.zero_()
        batches = order.split(self.graph.level("batch_size"), dim=1)
        for number, indices in enumerate(batches, 1):
            watched = self.health.step(self.current_epoch + 1, first=number == 1, last=number == len(batches))
            if watched or not self.captured:
                self._step(indices, watched)
            else:
                self.captured(indices)
        self.train_scores = Scores(self.loss_sum / order.shape[1], self.correct / order.shape[1])

    def _step(self, indices: Int[Tensor, "network place"], watched: AbstractContextManager[None] | None = None) -> None:
        """Train on a batch, without waiting for the accelerator but where the step is watched."""
        x, targets = self.learned.batch(indices)
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, StackedOptimizer)  # noqa: S101
        logits = self(x)
        losses = cross_entropy(logits, targets)
        with torch.no_grad():
            batch_loss = tree_sum(losses)
            self.alive.logical_and_(batch_loss.isfinite())
            self.loss_sum += batch_loss
            self.correct += correct(logits, targets).sum(1)
        optimizer.zero_grad()
        # The gradient of the sum is, for each network, the gradient of its own mean loss.
        self.manual_backward(losses.sum() / indices.shape[1] * self.loss_scale)
        self._penalize()
        with watched or nullcontext():
            self.configure_gradient_clipping(optimizer)
            optimizer.step()
            self._constrain()

    def _train_compiled(self, engine: Engine, order: Int[Tensor, "network sample"]) -> None:
        """Train one epoch by compiled code, to the same bits."""
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, StackedOptimizer)  # noqa: S101
        epoch = self.current_epoch + 1
        (group,) = optimizer.param_groups
        seen = engine.train(
            self.learned, order, self.alive, optimizer.down, optimizer.state, group[TAKEN], self.health.watched(epoch)
        )
        group[TAKEN] += -(-order.shape[1] // engine.learning.batch_size)
        if not self.alive.all():
            optimizer.freeze(~self.alive)
        self.health.keep_steps(epoch, seen.first, seen.last)
        losses, correct = torch.from_numpy(seen.losses), torch.from_numpy(seen.correct)
        self.train_scores = Scores(losses / order.shape[1], correct / order.shape[1])

    @property
    def loss_scale(self) -> float:
        """What the loss is multiplied by before its gradient is computed, which is divided by it."""
        return LOSS_SCALE if self.graph.precision == "float16-mixed" else 1.0

    @torch.no_grad()
    def _penalize(self) -> None:
        if self.loss_scale != 1:
            for parameter in self.networks.parameters():
                if parameter.grad is not None:
                    parameter.grad /= self.loss_scale
        for weight in self.networks.kernels:
            if weight.grad is not None:
                self.regularizer.penalize(weight, weight.grad)

    @torch.no_grad()
    def _constrain(self) -> None:
        for weight in self.networks.kernels:
            if weight.requires_grad:
                self.regularizer.constrain(weight, sqrt_)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,  # noqa: ARG002
        gradient_clip_algorithm: str | None = None,  # noqa: ARG002
    ) -> None:
        """Clip each network's gradients in its own mode, and freeze the networks that have diverged."""
        assert isinstance(optimizer, StackedOptimizer)  # noqa: S101
        clip_gradients([p.grad for p in self.parameters() if p.grad is not None], self.modes)
        if self.device.type == "cuda" or not self.alive.all():  # to ask a GPU would wait for it
            optimizer.freeze(~self.alive)

    def on_train_epoch_end(self) -> None:
        """Score the validation part and record the epoch."""
        validation = self.score("validation")
        self.alive.logical_and_(validation.loss.isfinite())
        self.epochs.add_(self.alive)
        self.history.append(Epoch(self.train_scores, validation))
        self.health.look(self.current_epoch + 1)
        self.after_epoch(self)
        if not self.alive.any():
            self.trainer.should_stop = True

    def on_train_end(self) -> None:
        """Score the test part, while the networks are still on the accelerator."""
        self.test = self.score("test")

    # --- checkpoints ------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what was recorded; weights, moving averages and velocities are there."""
        checkpoint["history"] = [[tuple(scores) for scores in epoch] for epoch in self.history]
        checkpoint["records"] = {
            epoch: {name: torch.from_numpy(values) for name, values in record.items()}
            for epoch, record in self.records.items()
        }
        checkpoint["seconds"] = self.seconds

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up what was recorded."""
        self.history = [Epoch(*(Scores(*scores) for scores in epoch)) for epoch in checkpoint["history"]]
        for epoch, record in checkpoint["records"].items():
            self.records[epoch] = {name: values.numpy() for name, values in record.items()}
        self.started -= checkpoint["seconds"]

    # --- scoring ----------------------------------------------------------------------------------

    @property
    def _scored_at_a_time(self) -> int:
        recurrent = self.graph.design.architecture.recurrent
        return min(SCORED_AT_A_TIME, max(64, STEPS_AT_A_TIME // self.networks.sites)) if recurrent else SCORED_AT_A_TIME

    @torch.no_grad()
    def _logits(
        self, part: StackedPart
    ) -> Iterator[tuple[Float[Tensor, "network some class"], Int[Tensor, "network some"]]]:
        """Yield every network's logits and the labels, some samples at a time."""
        self.networks.eval()
        for start in range(0, len(part), self._scored_at_a_time):
            x, y = part.slice(start, start + self._scored_at_a_time)
            with self.trainer.precision_plugin.forward_context():
                logits = self(x)
            yield logits, y
        self.networks.train()

    def labels(self, part: str) -> NDArray[np.int64]:
        """Return the label that each network gives each sample of a part: ``[network, sample]``."""
        chosen = [logits.argmax(2) for logits, _ in self._logits(getattr(self, f"{part}_part"))]
        labels: NDArray[np.int64] = torch.cat(chosen, 1).cpu().numpy()
        return labels

    @torch.no_grad()
    def score(self, name: str) -> Scores:
        """Return the scores of every network on the ``train``, ``validation`` or ``test`` part."""
        part: StackedPart = getattr(self, f"{name}_part")
        if self.engine:
            loss, right = map(torch.from_numpy, self.engine.score(part, self._scored_at_a_time))
        else:
            losses, hits = [], []
            for logits, targets in self._logits(part):
                losses.append(cross_entropy(logits, targets))
                hits.append(correct(logits, targets))
            loss, right = tree_sum(torch.cat(losses, 1)) / len(part), torch.cat(hits, 1)
        if name == "test":
            self.hits = right.to("cpu", torch.bool).numpy()
        return Scores(loss, right.sum(1) / len(part))
