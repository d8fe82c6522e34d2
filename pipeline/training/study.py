"""Trains the networks of a study's grid."""

import math
from collections.abc import Iterable, Sequence

from ..axes.normalization import NORMALIZATIONS
from ..config import Params, Study
from ..data import Card, Dataset
from ..errors import ParamsError
from ..grid import AXES, Cell, Network
from .devices import check_precision, device_name
from .names import KEY
from .outcome import Outcome
from .recipe import Recipe, resolve
from .results import Results, final_scores, tabulate
from .schedule import Schedule
from .store import NetworkStore
from .tuning import Score, to_tune, tune, tuning_seeds


def train_networks(
    title: str,
    study: Study,
    params: Params,
    dataset: Dataset,
    networks: Sequence[Network],
    store: NetworkStore | None = None,
) -> Results:
    """Train networks of a study, at learning rates that are found first where they are tuned; return their tables.

    Args:
        title: the study's name.
        study: its grid and budget.
        params: settings that all studies share.
        dataset: the study's.
        networks: which.
        store: has those that were trained before, and keeps those that are trained now, stack by stack.

    Raises:
        ParamsError: the study does not fit its data, or the accelerator or the precision is not there.
        ResourceError: memory does not suffice for a single network, or a worker was killed.
    """
    check_fit(title, study, dataset, networks)
    check_precision(study.training.precision, params.compute)
    card, device = dataset.card, device_name(params.compute)

    def train(name: str, networks: Iterable[Network]) -> dict[Network, Outcome]:
        recipes = resolve(study, params, card, device, networks)
        trained = Schedule(name, dataset, params.compute, store).train(recipes.values()).outcomes
        return {network: trained[recipe] for network, recipe in recipes.items()}

    chose: dict[Network, Outcome] = {}

    def score(networks: Sequence[Network]) -> dict[Network, Score]:
        found = train(f"{title}, learning rates", networks)
        chose.update(found)
        return {network: _score(outcome, card) for network, outcome in found.items()}

    tuned = tune(to_tune(networks), params.tuning, params.base_seed, score)
    outcomes = train(title, sorted({tuned.network(network) for network in networks}))
    return tabulate(outcomes, params.health.verdicts, dataset, tuned.table, chose)


def recorded_recipes(study: Study, params: Params, card: Card, results: Results) -> set[Recipe]:
    """Return the recipes of all networks that a study's tables are of, those that chose learning rates too."""
    device, seeds = device_name(params.compute), tuning_seeds(params.tuning, params.base_seed)
    compared = [Network(Cell.of(row), row["seed"]) for row in results.networks[KEY].to_dict("records")]
    chose = [Network(Cell.of(row), seed) for row in results.tuning[list(AXES)].to_dict("records") for seed in seeds]
    return {*resolve(study, params, card, device, [*compared, *chose]).values()}


def _score(outcome: Outcome, card: Card) -> Score:
    scores = final_scores(outcome, card)
    return Score(scores["val_accuracy"], scores["val_loss"] if outcome.alive else math.inf)


def check_fit(title: str, study: Study, dataset: Dataset, networks: Sequence[Network]) -> None:
    """Refuse a study that asks for more than its data has.

    Raises:
        ParamsError: a batch is larger than the training part, or its last one is too small for batch norm.
    """
    samples = dataset.card.samples["train"]
    normalized = {
        network.cell.batch_size for network in networks if NORMALIZATIONS.parse(network.cell.normalization).of_batch
    }
    for size in sorted({network.cell.batch_size for network in networks}):
        key = "training.batch_size" if size == study.training.batch_size else "grid: batch_size"
        if size > samples:
            raise ParamsError(
                f"studies.{title}.{key}: found {size:,}; allowed: at most {samples:,}, the training samples"
            )
        if samples % size == 1 and size in normalized:
            raise ParamsError(
                f"studies.{title}.{key}: found {size:,}, which leaves the last "
                f"batch one of the {samples:,} samples; batch norm needs two: choose another size"
            )
