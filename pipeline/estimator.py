"""A grid of networks as one scikit-learn estimator: thousands are trained on arrays in the time of a few."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple, cast, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from .config.data import StratifiedSplit
from .config.schema import Accelerator, Compute
from .data.dataset import PARTS, Card, Dataset, Indices, count, seal
from .data.scaling import Scaler
from .errors import LevelError
from .grid import AXIS, Cell, spell_widths
from .networks.build import parameter_count
from .training.devices import choose_device, device_memory, device_name
from .training.recipe import UNWATCHED, Graph, Recipe, recipe
from .training.schedule import Schedule
from .training.stacks import into_stacks, stack_size

GRID = (
    "architecture", "initializer", "activation", "normalization", "regularization", "optimizer", "clipping",
    "learning_rate",
)  # fmt: skip
"""Parameters of which a list is a grid."""
MOST_SEEDS = 2**30
"""Below the seeds that tune learning rates."""


class Trained(NamedTuple):
    """A network, alone."""

    model: nn.Module
    """In evaluation mode and float64, on samples that `scaler` has scaled."""
    scaler: Scaler
    validation_accuracy: float
    """After the last epoch; of one that diverged, that of guessing."""
    diverged: bool


class Stack(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classifies by networks of one shape, trained side by side as one module; each comes out bit for bit as alone.

    A parameter in `GRID` may be a level (``"relu"``, ``"leaky_relu(slope=0.2)"``, ``0.01``) or a list of levels: then
    all combinations are trained, each on ``seeds`` seeds, and the one with the best mean validation accuracy predicts,
    by the mean of its networks' probabilities. ``docs/axes`` lists the levels.

    Args:
        hidden: units of every hidden layer.
        architecture: how the layers are connected.
        initializer: of weights and biases.
        activation: of the hidden layers.
        normalization: before or after them.
        regularization: dropout, penalties and limits.
        optimizer: of the weights.
        clipping: of the gradients.
        learning_rate: of the optimizer.
        batch_size: samples of a step.
        epochs: times that all training samples are seen.
        seeds: networks of each combination; each has its own split, first weights and order of samples.
        validation: share of the samples that are held out to choose by; where a class has too few samples for that,
            networks are scored on what they learned from.
        scaling: ``standardize`` or ``unit``, fitted to each network's own training samples.
        accelerator: ``auto``, ``cpu``, ``gpu`` or ``mps``.
        random_state: of the seeds.

    Attributes:
        classes_: the labels, sorted.
        cv_results_: as of `sklearn.model_selection.GridSearchCV`: a row for each combination, a split for each seed.
        best_index_: of the combination that predicts.
        best_params_: its levels, of the parameters that are lists.
        best_score_: its mean validation accuracy.
        networks_: `Trained`, by combination and seed.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (100,),
        *,
        architecture: Any = "mlp",
        initializer: Any = "he_normal",
        activation: Any = "relu",
        normalization: Any = "none",
        regularization: Any = "none",
        optimizer: Any = "adam",
        clipping: Any = "none",
        learning_rate: Any = 0.01,
        batch_size: int = 32,
        epochs: int = 50,
        seeds: int = 1,
        validation: float = 0.2,
        scaling: str = "standardize",
        accelerator: str = "cpu",
        random_state: Any = 0,
    ) -> None:
        self.hidden = hidden
        self.architecture = architecture
        self.initializer = initializer
        self.activation = activation
        self.normalization = normalization
        self.regularization = regularization
        self.optimizer = optimizer
        self.clipping = clipping
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.seeds = seeds
        self.validation = validation
        self.scaling = scaling
        self.accelerator = accelerator
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> "Stack":  # noqa: N803
        """Train all combinations.

        Args:
            X: ``[sample, feature]``.
            y: ``[sample]``, labels.

        Raises:
            ValueError: a parameter or the data make no sense.
        """
        x, y = validate_data(self, X, y)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y: found one class alone, {self.classes_[0]!r}; allowed: two and more")
        combinations = [*self._combinations()]
        first = int(check_random_state(self.random_state).randint(MOST_SEEDS - self._whole("seeds", 1, 10_000)))
        dataset = self._dataset(x, labels.astype(np.int64))
        compute = self._compute()
        recipes = [
            [self._recipe(cell, first + number, dataset, device_name(compute)) for number in range(self.seeds)]
            for cell in map(self._cell, combinations)
        ]
        trained = _train([one for row in recipes for one in row], dataset, compute)
        self.networks_ = [[trained[one] for one in row] for row in recipes]
        self._keep_scores(combinations)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Return the mean of the best combination's probabilities: ``[sample, class]``."""
        check_is_fitted(self)
        x = validate_data(self, X, reset=False)
        each = [_probabilities(one, x) for one in self.networks_[self.best_index_]]
        mean: NDArray[np.float64] = np.mean(each, axis=0)
        return mean

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the most probable class of each sample."""
        places = self.predict_proba(X).argmax(1)
        chosen: NDArray[Any] = self.classes_[places]
        return chosen

    def _combinations(self) -> Iterator[dict[str, Any]]:
        """Yield the levels of each combination, in their canonical spelling."""
        axes = {}
        for name in GRID:
            given = getattr(self, name)
            levels = list(given) if isinstance(given, (list, tuple, np.ndarray)) else [given]
            if not levels:
                raise ValueError(f"{name}: is empty; allowed: a level, or a list of levels")
            axes[name] = [_level(name, level) for level in levels]
        for chosen in product(*axes.values()):
            yield dict(zip(axes, chosen, strict=True))

    def _whole(self, name: str, least: int, most: int) -> int:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value <= most:
            raise ValueError(f"{name}: found {value!r}; allowed: a whole number from {least:,} to {most:,}")
        return int(value)

    def _compute(self) -> Compute:
        if self.accelerator not in get_args(Accelerator):
            allowed = ", ".join(get_args(Accelerator))
            raise ValueError(f"accelerator: found {self.accelerator!r}; allowed: {allowed}")
        return Compute(
            accelerator=cast(Accelerator, self.accelerator), reproducible="machine", engine="local", workers=1,
            num_cpus=1, num_gpus=0, stack_size="auto",
        )  # fmt: skip

    def _cell(self, levels: dict[str, Any]) -> Cell:
        least = 2 if levels["normalization"] != "none" else 1
        return Cell(
            hidden=spell_widths(list(self.hidden)),
            batch_size=self._whole("batch_size", least, 2**31),
            train_fraction=1.0,
            label_noise=0.0,
            **levels,
        )

    def _recipe(self, cell: Cell, seed: int, dataset: Dataset, device: str) -> Recipe:
        return recipe(cell, seed, self._whole("epochs", 1, 10**6), UNWATCHED, dataset.card, device)

    def _dataset(self, x: NDArray[Any], labels: NDArray[np.int64]) -> Dataset:
        if not 0 < self.validation < 1:
            raise ValueError(f"validation: found {self.validation!r}; allowed: a share above 0 and below 1")
        if self.scaling not in ("standardize", "unit"):
            raise ValueError(f"scaling: found {self.scaling!r}; allowed: standardize, unit")
        places = self._places(labels)
        card = Card(
            source="arrays",
            scaling=self.scaling,
            largest=None,
            names=tuple(f"x{column}" for column in range(x.shape[1])),
            shape=(x.shape[1],),
            classes=tuple(map(str, range(len(self.classes_)))),
            class_type="int",
            split=StratifiedSplit(kind="stratified", validation=0.25, test=0.25, seed=0),
            sha256="",
            **count(labels, places, len(self.classes_)),
        )
        return seal(Dataset(x, labels, places, card))

    def _places(self, labels: NDArray[np.int64]) -> dict[str, Indices]:
        """Return which samples are learned from, and which are held out; all are both where a class has too few."""
        everything = np.arange(len(labels))
        held_out = round(self.validation * len(labels))
        if min(np.bincount(labels)) < 2 or not len(self.classes_) <= held_out <= len(labels) - len(self.classes_):
            return dict.fromkeys(PARTS, everything)
        train, validation = train_test_split(everything, test_size=held_out, stratify=labels, random_state=0)
        return {"train": np.sort(train), "validation": np.sort(validation), "test": np.sort(validation)}

    def _keep_scores(self, combinations: Sequence[dict[str, Any]]) -> None:
        """Set the attributes that `GridSearchCV` has."""
        varied = [name for name in GRID if len({levels[name] for levels in combinations}) > 1]
        scores = np.array([[one.validation_accuracy for one in row] for row in self.networks_])
        mean = scores.mean(1)
        self.cv_results_ = {
            **{
                f"param_{name}": np.ma.MaskedArray([levels[name] for levels in combinations], mask=False)
                for name in varied
            },
            "params": [{name: levels[name] for name in varied} for levels in combinations],
            **{f"split{seed}_test_score": scores[:, seed] for seed in range(scores.shape[1])},
            "mean_test_score": mean,
            "std_test_score": scores.std(1),
            "rank_test_score": (1 + (mean[None, :] > mean[:, None]).sum(1)).astype(np.int32),
            "diverged": np.array([sum(one.diverged for one in row) for row in self.networks_]),
        }
        self.best_index_ = int(mean.argmax())
        self.best_params_ = self.cv_results_["params"][self.best_index_]
        self.best_score_ = float(mean[self.best_index_])


def _level(name: str, level: Any) -> Any:
    """Return a level's canonical spelling, or a learning rate."""
    if name == "learning_rate":
        if isinstance(level, bool) or not isinstance(level, (int, float, np.number)) or not 0 < level < np.inf:
            raise ValueError(f"learning_rate: found {level!r}; allowed: numbers above 0")
        return float(level)
    registry = AXIS[name].registry
    assert registry is not None  # noqa: S101
    try:
        return str(registry.parse(str(level)))
    except LevelError as error:
        raise ValueError(f"{name}: {error}") from None


def _train(recipes: Sequence[Recipe], dataset: Dataset, compute: Compute) -> dict[Recipe, Trained]:
    """Train networks, stack by stack."""
    schedule, memory = Schedule("Stack", dataset, compute), device_memory(choose_device(compute))

    def size(graph: Graph) -> int:
        activations = graph.level("batch_size") * sum(graph.design.widths)
        return stack_size(parameter_count(graph.design), activations, memory)

    found: dict[Recipe, Trained] = {}
    for stack in into_stacks(list(dict.fromkeys(recipes)), size):
        module = schedule.train_stack(stack)
        accuracy = module.history[-1].validation.accuracy.tolist()
        for place, one in enumerate(stack.recipes):
            alive = bool(module.alive[place])
            scaler = dataset.split(one.split).scaler
            score = accuracy[place] if alive else dataset.card.guess_accuracy("validation")
            found[one] = Trained(module.networks.unstack(place).eval().double(), scaler, score, not alive)
    return found


@torch.no_grad()
def _probabilities(one: Trained, x: NDArray[Any]) -> NDArray[np.float64]:
    """Return a network's probabilities, computed in float64: then they do not depend on the other samples."""
    logits = one.model(torch.from_numpy(one.scaler(x).astype(np.float64)))
    found: NDArray[np.float64] = torch.softmax(logits.nan_to_num(), 1).numpy()
    return found
