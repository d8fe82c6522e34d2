"""Runs the transfer experiments of a study: task A, task B from scratch, task B on the lowest layers of A."""

from collections.abc import Mapping

from ...config import Params, Transfer
from ...data import Dataset
from ...training.devices import device_name
from ...training.outcome import Outcome
from ...training.recipe import Recipe
from ...training.schedule import Schedule
from ...training.store import NetworkStore
from .networks import TransferNetwork, networks_of_a, networks_of_b, transfer_recipe
from .results import TransferResults, tabulate
from .tasks import Task, check_tasks


def run_transfer(
    title: str,
    params: Params,
    dataset: Dataset,
    experiments: Mapping[str, Transfer],
    store: NetworkStore | None = None,
) -> TransferResults:
    """Run the transfer experiments of a study.

    Args:
        title: the study's name.
        params: settings that all studies share.
        dataset: the study's.
        experiments: by name.
        store: has what was trained before, and keeps what is trained now.

    Raises:
        ParamsError: an experiment asks for classes or labels that the data do not have.
    """
    for name, transfer in experiments.items():
        check_tasks(f"transfer.{title}.{name}", transfer, dataset)
    own = {
        name: Experiment(f"{title}, {name}", params, dataset, transfer, store)
        for name, transfer in sorted(experiments.items())
    }
    return tabulate(
        {name: one.run() for name, one in own.items()}, {name: one.tasks for name, one in own.items()}, experiments
    )


class Experiment:
    """One experiment: its tasks, and how their networks are trained."""

    def __init__(
        self, title: str, params: Params, dataset: Dataset, transfer: Transfer, store: NetworkStore | None
    ) -> None:
        self.title, self.params, self.transfer, self.store = title, params, transfer, store
        self.tasks = {
            "A": Task(dataset, transfer.task_a, permuted=transfer.task_a_inputs == "permuted"),
            "B": Task(dataset, transfer.task_b),
        }
        device = device_name(params.compute)
        of_a = networks_of_a(transfer, self.tasks["A"].card.samples["train"])
        self.donors = {
            network.seed: transfer_recipe(network, transfer, self.tasks["A"].card, device, {}) for network in of_a
        }
        self.of_a: dict[TransferNetwork, Recipe] = {network: self.donors[network.seed] for network in of_a}
        self.of_b: dict[TransferNetwork, Recipe] = {
            network: transfer_recipe(network, transfer, self.tasks["B"].card, device, self.donors)
            for network in networks_of_b(transfer)
        }

    @property
    def keys(self) -> set[str]:
        """Its networks' keys in the store."""
        return {recipe.key for recipe in (*self.of_a.values(), *self.of_b.values())}

    def run(self) -> dict[TransferNetwork, Outcome]:
        """Train what the store has not, A's networks first; of these, it keeps the weights that B's may reuse."""
        wanted = {recipe.reuse.donor for recipe in self.of_b.values() if recipe.reuse}
        of_a = self.schedule("A")._replace(keep=wanted).train(self.of_a.values())
        of_b = self.schedule("B")._replace(donors=of_a.weights).train(self.of_b.values())
        trained = of_a.outcomes | of_b.outcomes
        return {network: trained[recipe] for network, recipe in (self.of_a | self.of_b).items()}

    def schedule(self, task: str) -> Schedule:
        """Return how a task's networks are trained."""
        return Schedule(f"{self.title}, task {task}", self.tasks[task], self.params.compute, self.store)
