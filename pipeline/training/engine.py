"""Trains networks on this machine: stack after stack, each under a ``pl.Trainer``."""

import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import AcceleratorRegistry
from pytorch_lightning.plugins.environments import LightningEnvironment  # type: ignore[attr-defined]
from pytorch_lightning.utilities.memory import garbage_collection_cuda, is_oom_error

from pipeline.compute.cpu import keep_freed_memory, whole_sums
from pipeline.compute.workers import Notify, run_all, worker_count
from pipeline.data import Dataset
from pipeline.errors import ParamsError, ResourceError
from pipeline.params import Network, Params, Study
from pipeline.progress import GridProgress
from pipeline.training.checkpoints import EpochCheckpoint, SealedIO
from pipeline.training.module import StackModule
from pipeline.training.outcome import Outcome, outcomes
from pipeline.training.results import Results, tabulate
from pipeline.training.stacks import Stack, into_stacks, stack_size, widths_of
from pipeline.training.store import NetworkStore, Origin

# Lightning greets every trainer, and uses a name that torch 2.13 has deprecated: neither is news to the user.
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")


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
        study: its shape and budget.
        params: settings that all studies share.
        dataset: the study's.
        networks: which.
        store: has those that were trained before, and keeps those that are trained now, stack by stack.

    Raises:
        ParamsError: the study does not fit its data, or the accelerator is not there.
        ResourceError: memory does not suffice for a single network, or a worker was killed.
    """
    check_fit(title, study, dataset)
    origin = Origin(study, params, dataset.card, device_name(choose_device(params)))
    found = store.load_all(networks, origin) if store else {}
    missing = [network for network in networks if network not in found]
    if found:
        print(f"{title}: {len(found):,} of {len(networks):,} networks are in the store, {len(missing):,} to train")
    if missing:
        found |= _train_missing(title, missing, dataset, origin, store)
    return tabulate(found, params.health.verdicts)


class _Task(NamedTuple):
    stack: Stack
    resume: bool
    """From the stack's checkpoint."""


def _train_missing(
    title: str, networks: Sequence[Network], dataset: Dataset, origin: Origin, store: NetworkStore | None
) -> dict[Network, Outcome]:
    """Train networks, stack by stack, side by side; the store has each stack's as soon as it is finished."""
    study, params = origin.study, origin.params
    unfinished = list(store.unfinished(networks, origin).values()) if store else []
    begun = {network for stack in unfinished for network in stack}
    if begun:
        print(f"{title}: {len(begun):,} networks go on from the last epoch they finished")
    fresh = [network for network in networks if network not in begun]
    device = choose_device(params)
    workers = workers_of(params, device)
    size = _stack_size(study, params, dataset, device, len(networks), workers)
    tasks = [_Task(Stack(stack[0].cell.activation, stack[0].cell.batch_norm, stack), True) for stack in unfinished]
    tasks += [_Task(stack, False) for stack in into_stacks(fresh, size)]
    keep_freed_memory()
    with GridProgress(title, len(networks), study.training.epochs) as progress:

        def work(task: _Task, notify: Notify) -> dict[Network, Outcome]:
            return _train_task(task, dataset, origin, store, tell(notify))

        trained: dict[Network, Outcome] = {}
        for finished in run_all(work, tasks, min(workers, len(tasks)), progress.epoch_done):
            trained |= finished
            if store:
                store.save_all(finished, origin)
            progress.stack_done(len(finished))
    return trained


def tell(notify: Notify) -> Callable[[StackModule], None]:
    """Return what tells `GridProgress.epoch_done` of a stack's epochs: its networks, its best validation accuracy."""

    def after_epoch(module: StackModule) -> None:
        best = module.history[-1].validation.accuracy[module.alive]
        notify(len(module.seeds), float(best.max()) if len(best) else 0.0)

    return after_epoch


def _train_task(
    task: _Task,
    dataset: Dataset,
    origin: Origin,
    store: NetworkStore | None,
    after_epoch: Callable[[StackModule], None],
) -> dict[Network, Outcome]:
    """Train a stack; where memory does not suffice, one half of it after the other.

    Raises:
        ResourceError: memory does not suffice for a single network.
    """
    stack = task.stack
    checkpoint = store.checkpoint(stack.networks, origin) if store else None
    try:
        module = train_stack(stack, origin.study, origin.params, dataset, after_epoch, checkpoint, task.resume)
    except (RuntimeError, MemoryError) as error:
        if not (isinstance(error, MemoryError) or is_oom_error(error)):
            raise
        if len(stack.networks) == 1:
            widths = "-".join(str(width) for width in widths_of(origin.study, dataset.card))
            raise ResourceError(
                f"memory does not suffice for a single network of {widths}; what was finished is kept. "
                "Make the study's hidden layers or training.batch_size smaller, or compute.workers"
            ) from error
    else:
        return outcomes(module, origin.device)
    garbage_collection_cuda()
    half = -(-len(stack.networks) // 2)
    print(f"warning: memory does not suffice for {len(stack.networks):,} networks at a time: trying {half:,}")
    halves = [stack._replace(networks=part) for part in (stack.networks[:half], stack.networks[half:])]
    first, second = (_train_task(_Task(part, False), dataset, origin, store, after_epoch) for part in halves)
    return first | second


def train_stack(
    stack: Stack,
    study: Study,
    params: Params,
    dataset: Dataset,
    after_epoch: Callable[[StackModule], None] = lambda _module: None,
    checkpoint: EpochCheckpoint | None = None,
    resume: bool = False,
) -> StackModule:
    """Train one stack; returns its module, on the CPU, with its history and test scores.

    Args:
        stack: the networks.
        study: its shape and budget.
        params: settings that all studies share.
        dataset: the study's.
        after_epoch: called with the module after each epoch.
        checkpoint: keeps the stack's state.
        resume: go on from there.
    """
    module = StackModule(stack, study, params, dataset, after_epoch)
    fit(module, params, [checkpoint] if checkpoint else [], checkpoint.path if checkpoint and resume else None)
    return module


def fit(module: StackModule, params: Params, callbacks: list[pl.Callback], resume_from: Path | None = None) -> None:
    """Train a module for its study's epochs."""
    with whole_sums(len(module.seeds)):
        trainer = pl.Trainer(
            accelerator=params.compute.accelerator,
            devices=1,
            max_epochs=module.training_params.epochs,
            logger=False,
            callbacks=callbacks,
            plugins=[SealedIO(), LightningEnvironment()],  # one process, whatever SLURM or torchrun say
            enable_checkpointing=any(isinstance(callback, pl.callbacks.Checkpoint) for callback in callbacks),
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        trainer.fit(module, ckpt_path=resume_from, weights_only=True)


def check_fit(title: str, study: Study, dataset: Dataset) -> None:
    """Refuse a study that asks for more than its data has.

    Raises:
        ParamsError: a batch is larger than the training part.
    """
    samples = dataset.card.samples["train"]
    if study.training.batch_size > samples:
        raise ParamsError(
            f"studies.{title}.training.batch_size: found {study.training.batch_size:,}; "
            f"allowed: at most {samples:,}, the training samples"
        )
    if samples % study.training.batch_size == 1 and _normalizes(study):
        raise ParamsError(
            f"studies.{title}.training.batch_size: found {study.training.batch_size:,}, which leaves the last "
            f"batch one of the {samples:,} samples; batch norm needs two: choose another size"
        )


def _normalizes(study: Study) -> bool:
    return any(placement != "none" for block in study.grid for placement in block.batch_norm)


def choose_device(params: Params) -> torch.device:
    """Return the device that Lightning will train on.

    Raises:
        ParamsError: the accelerator asked for is not there.
    """
    wanted = params.compute.accelerator
    name = {"gpu": "cuda"}.get(wanted, wanted)
    if wanted == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    elif name != "cpu" and not AcceleratorRegistry.get(name).is_available():
        raise ParamsError(
            f"compute.accelerator: found {wanted!r}, which this machine does not have; allowed: auto, cpu"
        )
    return torch.device(name)


def workers_of(params: Params, device: torch.device) -> int:
    """Return how many processes train stacks side by side: one on a GPU, which a single stack fills."""
    return worker_count(params.compute.workers) if device.type == "cpu" else 1


def _stack_size(
    study: Study, params: Params, dataset: Dataset, device: torch.device, networks: int, workers: int
) -> int:
    """Return how many networks to train at a time; never more than a worker's share of them."""
    size = params.compute.stack_size
    if not isinstance(size, int):
        size = stack_size(widths_of(study, dataset.card), _memory(device))
    return min(size, -(-networks // workers))


def _memory(device: torch.device) -> int | None:
    """Return a GPU's memory in bytes."""
    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else None


def device_name(device: torch.device) -> str:
    """Return what tables call a device: ``cpu``, or the GPU's name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
