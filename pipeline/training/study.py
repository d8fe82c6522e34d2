"""Trains the networks of a study's grid."""

from collections.abc import Sequence

from pipeline.axes.normalization import NORMALIZATIONS
from pipeline.config import Params, Study
from pipeline.data import Dataset
from pipeline.errors import ParamsError
from pipeline.grid import Network
from pipeline.training.devices import check_precision, device_name
from pipeline.training.recipe import resolve
from pipeline.training.results import Results, tabulate
from pipeline.training.schedule import Schedule
from pipeline.training.store import NetworkStore


def train_networks(
    title: str,
    study: Study,
    params: Params,
    dataset: Dataset,
    networks: Sequence[Network],
    store: NetworkStore | None = None,
) -> Results:
    """Train networks of a study and return their tables.

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
    recipes = resolve(study, params, dataset.card, device_name(params.compute), networks)
    trained = Schedule(title, dataset, params.compute, store).train(recipes.values()).outcomes
    return tabulate({network: trained[recipe] for network, recipe in recipes.items()}, params.health.verdicts)


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
