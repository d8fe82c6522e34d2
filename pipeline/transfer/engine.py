"""Runs the transfer experiments of a study: task A, task B from scratch, task B on the lowest layers of A."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import pytorch_lightning as pl

from pipeline.compute.cpu import keep_freed_memory
from pipeline.compute.workers import Notify, run_all
from pipeline.data import Dataset
from pipeline.params import Params, Study, Transfer
from pipeline.progress import GridProgress
from pipeline.training.engine import choose_device, device_name, fit, tell, workers_of
from pipeline.training.module import StackModule
from pipeline.training.outcome import Outcome, outcomes
from pipeline.training.store import NetworkStore, Weights
from pipeline.transfer.module import TransferModule, Unfreezing
from pipeline.transfer.networks import (
    TransferNetwork,
    TransferOrigin,
    networks_of_a,
    networks_of_b,
    stack_of,
    study_of,
)  # fmt: skip
from pipeline.transfer.results import TransferResults, tabulate
from pipeline.transfer.tasks import check_tasks, labelled, task_dataset

Trained = dict[TransferNetwork, Outcome]


def run_transfer(
    title: str,
    study: Study,
    params: Params,
    dataset: Dataset,
    experiments: Mapping[str, Transfer],
    store: NetworkStore | None = None,
) -> TransferResults:
    """Run the transfer experiments of a study.

    Args:
        title: the study's name.
        study: whose data are used.
        params: settings that all studies share.
        dataset: the study's.
        experiments: by name.
        store: has what was trained before, and keeps what is trained now.

    Raises:
        ParamsError: an experiment asks for classes or labels that the data do not have.
    """
    for name, transfer in experiments.items():
        check_tasks(f"transfer.{title}.{name}", transfer, dataset)
    keep_freed_memory()
    found = {
        name: Experiment(f"{title}, {name}", study, params, dataset, transfer, store).run()
        for name, transfer in sorted(experiments.items())
    }
    return tabulate(found)


class Experiment:
    """One experiment: its tasks, and how their networks are trained."""

    def __init__(
        self, title: str, study: Study, params: Params, dataset: Dataset, transfer: Transfer, store: NetworkStore | None
    ) -> None:
        # The layers' health is the grid's subject.
        health = params.health.model_copy(update={"epochs": ()})
        self.title, self.transfer, self.store = title, transfer, store
        self.study, self.params = study_of(study, transfer), params.model_copy(update={"health": health})
        self.tasks = {
            "A": task_dataset(dataset, transfer.task_a),
            "B": task_dataset(dataset, transfer.task_b),
        }
        device = choose_device(params)
        self.device, self.workers = device_name(device), workers_of(params, device)
        data = " ".join(task.card.sha256 for task in self.tasks.values())
        self.origin = TransferOrigin(transfer, params, data, self.device)
        self.of_a = networks_of_a(transfer, len(self.tasks["A"].train.y))
        self.of_b = networks_of_b(transfer)
        self.weights: dict[int, Weights] = {}
        """Of A's networks, by seed."""

    @property
    def digests(self) -> set[str]:
        """The keys of its networks in the store."""
        return {self.origin.digest(network) for network in [*self.of_a, *self.of_b]}

    def run(self) -> Trained:
        """Train what the store has not, A's networks first."""
        of_a, of_b = self.of_a, self.of_b
        found = self.store.load_all([*of_a, *of_b], self.origin) if self.store else {}
        missing = [network for network in of_b if network not in found]
        wanted = {network.seed for network in missing if network.reused}
        if self.store:
            kept = {
                network.seed: self.store.load_weights(self.origin.digest(network))
                for network in of_a
                if network.seed in wanted
            }
            self.weights = {seed: weights for seed, weights in kept.items() if weights is not None}
        again = [n for n in of_a if n not in found or (n.seed in wanted and n.seed not in self.weights)]
        left = len(again) + len(missing)
        if found:
            total = len(of_a) + len(of_b)
            print(f"{self.title}: {total - left:,} of {total:,} networks are in the store, {left:,} to train")
        found |= self._train("A", [again[start :: self.workers] for start in range(min(self.workers, len(again)))])
        stacks: dict[tuple[int, ...], list[TransferNetwork]] = defaultdict(list)
        for network in missing:
            stacks[network.labels, network.reused, network.unfrozen].append(network)
        return found | self._train("B", list(stacks.values()))

    def _train(self, task: str, stacks: Sequence[list[TransferNetwork]]) -> Trained:
        trained: Trained = {}
        if not stacks:
            return trained

        def work(networks: list[TransferNetwork], notify: Notify) -> tuple[Trained, dict[TransferNetwork, Weights]]:
            module = self.train_stack(networks, tell(notify))
            trained = dict(zip(networks, outcomes(module, self.device).values(), strict=True))
            kept = {n: module.networks.weights_of(k) for k, n in enumerate(networks)} if task == "A" else {}
            return trained, kept

        networks = sum(map(len, stacks))
        with GridProgress(f"{self.title}, task {task}", networks, self.transfer.training.epochs) as progress:
            for finished, weights in run_all(work, stacks, min(self.workers, len(stacks)), progress.epoch_done):
                trained |= finished
                self.weights |= {network.seed: arrays for network, arrays in weights.items()}
                if self.store:
                    self.store.save_all(finished, self.origin, weights)
                progress.stack_done(len(finished))
        return trained

    def train_stack(
        self, networks: list[TransferNetwork], after_epoch: Callable[[StackModule], None] = lambda _module: None
    ) -> TransferModule:
        """Train networks that share labels, reused and unfrozen layers."""
        module, first = self.build(networks, after_epoch), networks[0]
        after = (self.transfer.frozen_epochs, self.transfer.unfrozen_learning_rate)
        callbacks: list[pl.Callback] = [Unfreezing(first.reused, first.unfrozen, *after)] if first.reused else []
        resume_from = None
        if self.store and first.task == "A":  # B's few labels are trained in seconds
            checkpoint = self.store.checkpoint(networks, self.origin)
            callbacks.append(checkpoint)
            resume_from = checkpoint.path if checkpoint.path in self.store.checkpoints() else None
        fit(module, self.params, callbacks, resume_from)
        return module

    def build(
        self, networks: list[TransferNetwork], after_epoch: Callable[[StackModule], None] = lambda _module: None
    ) -> TransferModule:
        """Return networks that share labels, reused and unfrozen layers, as they are before training."""
        transfer, first = self.transfer, networks[0]
        task = self.tasks[first.task]
        samples = [
            labelled(task.train.y, network.labels, "first" if first.task == "A" else transfer.choose, network.seed)
            for network in networks
        ]
        module = TransferModule(stack_of(networks, transfer), self.study, self.params, task, samples, after_epoch)
        if first.reused:
            module.networks.reuse([self.weights[network.seed] for network in networks], first.reused)
        return module
