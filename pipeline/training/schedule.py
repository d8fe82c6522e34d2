"""Trains networks on this machine: stack after stack, each under a ``pl.Trainer``, several side by side."""

import json
import logging
import platform
import warnings
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
from pytorch_lightning.plugins.environments import LightningEnvironment  # type: ignore[attr-defined]
from pytorch_lightning.utilities.memory import garbage_collection_cuda, is_oom_error

from ..compiled import engine as compiled
from ..compute.cpu import cap_threads_for_determinism, disable_malloc_trim
from ..compute.engines import engine_of
from ..compute.workers import Notify
from ..config.schema import Compute
from ..data import Dataset
from ..errors import ResourceError
from ..networks.build import parameter_count
from ..networks.stack import Weights
from ..progress import GridProgress
from .checkpoints import EpochCheckpoint, VerifiedIO
from .devices import choose_device, device_memory, device_name, lightning_precision, workers_of
from .module import StackModule
from .outcome import Outcome, outcomes
from .platform import platform_fingerprint
from .recipe import Graph, Recipe
from .stacks import Stack, into_stacks, stack_size
from .store import NetworkStore
from .unfreezing import Unfreezing

# Lightning greets every trainer, and uses a name that torch 2.13 has deprecated: neither is news to the user.
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")

AfterEpoch = Callable[[StackModule], None]
LAYERS_OWN = 1000
"""What a layer takes besides its weights, as many multiplications."""


class Trained(NamedTuple):
    """What some networks came to."""

    outcomes: dict[Recipe, Outcome]
    weights: dict[str, Weights]
    """By key, of those whose weights were asked for."""

    def __or__(self, other: "Trained") -> "Trained":
        """Return both."""
        return Trained(self.outcomes | other.outcomes, self.weights | other.weights)

    def take(self, other: "Trained") -> None:
        """Add another's; many small ones are added in a time that grows with their number, not its square."""
        self.outcomes.update(other.outcomes)
        self.weights.update(other.weights)


class _Task(NamedTuple):
    stack: Stack
    resume: bool
    """From the stack's checkpoint."""


class Schedule(NamedTuple):
    """How networks of one dataset are trained here.

    Args:
        title: what progress and messages call them.
        dataset: prepared.
        compute: where, and how many at a time.
        store: has those that were trained before, and keeps those that are trained now, stack by stack.
        donors: by key, the weights of networks whose layers are reused.
        keep: keys of the networks whose weights are wanted.
    """

    title: str
    dataset: Dataset
    compute: Compute
    store: NetworkStore | None = None
    donors: Mapping[str, Weights] = {}
    keep: Collection[str] = ()

    def train(self, recipes: Iterable[Recipe]) -> Trained:
        """Return what networks come to, each trained once, or never where the store has it.

        Raises:
            ParamsError: the accelerator is not there.
            ResourceError: memory does not suffice for a single network, or a worker was killed.
        """
        wanted = list(dict.fromkeys(recipes))
        found = self._kept(wanted)
        missing = [recipe for recipe in wanted if recipe not in found.outcomes]
        if found.outcomes:
            total, kept = len(wanted), len(found.outcomes)
            print(f"{self.title}: {kept:,} of {total:,} networks are in the store, {len(missing):,} to train")
        return found | self._train(missing) if missing else found

    def _kept(self, recipes: Sequence[Recipe]) -> Trained:
        """Return what the store has; of a network whose weights are wanted, both or nothing."""
        if not self.store:
            return Trained({}, {})
        found = self.store.load_all(recipes)
        weights = self.store.load_weights(recipe.key for recipe in found if recipe.key in self.keep)
        lost = {*self.keep} - weights.keys()
        return Trained({recipe: one for recipe, one in found.items() if recipe.key not in lost}, weights)

    def _train(self, recipes: Sequence[Recipe]) -> Trained:
        """Train networks, stack by stack, side by side; the store has each stack's as soon as it is finished."""
        engine = engine_of(self.compute, workers_of(self.compute))
        unfinished = self.store.unfinished(recipes) if self.store and engine.here else []
        begun = {recipe for stack in unfinished for recipe in stack}
        if begun:
            print(f"{self.title}: {len(begun):,} networks go on from the last epoch they finished")
        memory = device_memory(choose_device(self.compute))
        share = -(-len(recipes) // engine.slots)  # no stack is more than a worker's share

        def size(graph: Graph) -> int:
            asked = self.compute.stack_size
            if isinstance(asked, int):
                return min(share, asked)
            activations = graph.level("batch_size") * sum(graph.design.widths)
            return min(share, stack_size(parameter_count(graph.design), activations, memory))

        tasks = [_Task(Stack.of(stack), True) for stack in unfinished]
        tasks += [_Task(stack, False) for stack in into_stacks([one for one in recipes if one not in begun], size)]
        disable_malloc_trim()
        compiled.prepare()  # before workers are forked, which have it then, and the splits too
        splits = {recipe.split for recipe in recipes}
        for number in splits if len(splits) <= self.dataset.most_splits else ():
            self.dataset.split(number)
        trained = Trained({}, {})
        there = self if engine.here else self._replace(store=None)
        with GridProgress(self.title, len(recipes), sum(map(_effort, recipes))) as progress:

            def take(finished: Trained, *, elsewhere: bool = False) -> None:
                trained.take(finished)
                effort = sum(map(_effort, finished.outcomes))
                progress.stack_done(len(finished.outcomes), effort, elsewhere=elsewhere)

            work = partial(_train, there, (recipes[0], recipes[0].key))
            with closing(self._left(tasks, partial(take, elsewhere=True))) as left:
                for finished in engine.run(work, left, len(tasks), progress.epoch_done):
                    if self.store:
                        self.store.save_all(*finished)
                    take(finished)
        return trained

    def _left(self, tasks: Sequence[_Task], take: Callable[[Trained], None]) -> Generator[_Task]:
        """Yield tasks as they are begun, without the networks that somebody else has trained meanwhile.

        What others are at comes last: then they have mostly finished it. Where they were killed, it is trained here.

        Args:
            tasks: all.
            take: called with what others trained.
        """
        if not self.store:
            yield from tasks
            return
        with self.store.marking() as mark:
            left, insist = [*tasks], False
            while left:
                round_, left = left, []
                for task in round_:
                    recipes = task.stack.recipes
                    if not mark(recipes, insist):
                        left.append(task)
                        continue
                    found = self._kept(recipes)
                    if found.outcomes:
                        take(found)
                        self.store.unmark([recipe.key for recipe in found.outcomes])
                    missing = [recipe for recipe in recipes if recipe not in found.outcomes]
                    if missing:
                        yield task if len(missing) == len(recipes) else _Task(Stack.of(missing), False)
                insist = len(left) == len(round_)

    def _train_task(self, task: _Task, after_epoch: AfterEpoch) -> Trained:
        """Train a stack; where memory does not suffice, one half of it after the other.

        Raises:
            ResourceError: memory does not suffice for a single network.
        """
        stack = task.stack
        checkpoint = self._checkpoint(stack)
        try:
            module = self.train_stack(stack, after_epoch, checkpoint, task.resume)
        except (RuntimeError, MemoryError) as error:
            if not (isinstance(error, MemoryError) or is_oom_error(error)):
                raise
            if len(stack.recipes) == 1:
                shape = "-".join(str(width) for width in stack.graph.design.widths)
                raise ResourceError(
                    f"memory does not suffice for a single network of {shape}; what was finished is kept. "
                    "Make the study's hidden layers or training.batch_size smaller, or compute.workers"
                ) from error
        else:
            return self._came_to(module)
        garbage_collection_cuda()
        first, second = stack.halves()
        print(
            f"warning: memory does not suffice for {len(stack.recipes):,} networks at a time: "
            f"trying {len(first.recipes):,}"
        )
        return self._train_task(_Task(first, False), after_epoch) | self._train_task(_Task(second, False), after_epoch)

    def _checkpoint(self, stack: Stack) -> EpochCheckpoint | None:
        """Return what keeps a stack's state; nothing where layers are frozen for a while, which has few labels."""
        return self.store.checkpoint(stack.recipes) if self.store and not stack.graph.reuse else None

    def _came_to(self, module: StackModule) -> Trained:
        recipes = module.stack.recipes
        found = outcomes(module, device_name(self.compute))
        wanted: dict[str, Weights] = {
            recipe.key: module.networks.weights_of(network)
            for network, recipe in enumerate(recipes)
            if recipe.key in self.keep
        }
        return Trained(dict(zip(recipes, found, strict=True)), wanted)

    def train_stack(
        self,
        stack: Stack,
        after_epoch: AfterEpoch = lambda _module: None,
        checkpoint: EpochCheckpoint | None = None,
        resume: bool = False,
    ) -> StackModule:
        """Train one stack; returns its module, on the CPU, with its history and test scores.

        Args:
            stack: the networks.
            after_epoch: called with the module after each epoch.
            checkpoint: keeps the stack's state.
            resume: go on from there.
        """
        module = StackModule(stack, self.dataset, after_epoch, self.donors)
        reuse = stack.recipes[0].reuse
        callbacks: list[pl.Callback] = [Unfreezing(reuse)] if reuse else []
        if checkpoint:
            callbacks.append(checkpoint)
        self._fit(module, callbacks, checkpoint.path if checkpoint and resume else None)
        return module

    def _fit(self, module: StackModule, callbacks: list[pl.Callback], resume_from: Path | None) -> None:
        """Train a module for its networks' epochs."""
        with cap_threads_for_determinism(len(module.seeds)):
            trainer = pl.Trainer(
                accelerator=self.compute.accelerator,
                devices=1,
                max_epochs=module.graph.epochs,
                logger=False,
                callbacks=callbacks,
                plugins=[
                    VerifiedIO(),
                    LightningEnvironment(),  # one process, whatever SLURM or torchrun say
                    lightning_precision(module.graph.precision, choose_device(self.compute).type),
                ],
                enable_checkpointing=any(isinstance(callback, pl.callbacks.Checkpoint) for callback in callbacks),
                enable_progress_bar=False,
                enable_model_summary=False,
                use_distributed_sampler=False,
            )
            trainer.fit(module, ckpt_path=resume_from, weights_only=True)


def _train(schedule: Schedule, known: tuple[Recipe, str], task: _Task, notify: Notify) -> Trained:
    """Train a stack, wherever this is.

    Args:
        schedule: of the machine that asks.
        known: a recipe, and its key there.
        task: the stack.
        notify: see `tell`.

    Raises:
        ResourceError: this machine would come to other bits than the one that asks, or memory does not suffice.
    """
    recipe, key = known
    own = json.dumps(platform_fingerprint(device_name(schedule.compute)), sort_keys=True)
    if own != recipe.platform:
        raise ResourceError(
            f"{platform.node()} does not compute as the machine that asks does: it is {own}, asked for is "
            f"{recipe.platform}. Install the same versions there, and set compute.reproducible: portable"
        )
    if recipe.key != key:
        raise ResourceError(
            f"{platform.node()} has another version of this project than the machine that asks; install the same there"
        )
    compiled.prepare()
    return schedule._train_task(task, tell(notify, task.stack))


def _effort(recipe: Recipe) -> float:
    """Return about what it takes to train a network, in multiplications by a weight."""
    graph = Graph.of(recipe)
    design = graph.design
    steps = len(design.hidden) if design.architecture.recurrent else 1
    return float((steps * parameter_count(design) + LAYERS_OWN * len(design.hidden)) * graph.labelled * graph.epochs)


def tell(notify: Notify, stack: Stack) -> AfterEpoch:
    """Return what tells `GridProgress.epoch_done` of a stack's epochs: what they took, their best accuracy."""
    one = stack.recipes[0]  # the others take as long
    effort = _effort(one) / one.epochs

    def after_epoch(module: StackModule) -> None:
        best = module.history[-1].validation.accuracy[module.alive]
        notify(effort * len(module.stack.recipes), float(best.max()) if len(best) else 0.0)

    return after_epoch
