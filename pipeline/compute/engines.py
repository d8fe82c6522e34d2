"""Engines: where stacks are trained, side by side on this machine or on the nodes of a Ray cluster."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ..config.schema import Compute
from .workers import Notify, run_all, worker_count

T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    """Does the work for tasks that do not depend on each other."""

    @property
    def slots(self) -> int:
        """How many tasks it works on at a time."""

    @property
    def here(self) -> bool:
        """Whether workers see this machine's files."""

    def run(self, work: Callable[[T, Notify], R], tasks: Iterable[T], most: int, notify: Notify) -> Iterator[R]:
        """Do the work for every task and yield its results as they come.

        Args:
            work: called with a task and a ``notify`` of its own, whose words reach the caller's ``notify``. It, tasks
                and results may have to cross to another machine.
            tasks: what it is called with; each is asked for when a worker will soon be free for it.
            most: how many tasks there may be.
            notify: called in this process.

        Raises:
            ResourceError: a worker was lost, and what it did cannot be done again.
        """


@dataclass(frozen=True)
class Local:
    """Processes of this machine."""

    slots: int
    here: bool = True

    def run(self, work: Callable[[T, Notify], R], tasks: Iterable[T], most: int, notify: Notify) -> Iterator[R]:
        """See `Engine`."""
        return run_all(work, tasks, min(self.slots, most), notify)


def engine_of(compute: Compute, slots: int) -> Engine:
    """Return the engine that ``compute.engine`` names.

    Args:
        compute: the parameters.
        slots: stacks that this machine trains at a time.

    Raises:
        ParamsError: it is ``ray``, which is not installed.
        ResourceError: the cluster cannot be reached, or has nothing of what a task asks for.
    """
    if compute.engine == "ray":
        from .cluster import Cluster  # Ray is an extra

        return Cluster(compute.num_cpus, compute.num_gpus, worker_count(compute.workers))
    return Local(slots)
