"""The Ray engine: a stack is a Ray task. See https://docs.ray.io, and docs/scaling.md for what it takes."""

import logging
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

import torch

from ..errors import ParamsError, ResourceError
from .cpu import disable_malloc_trim
from .rounding import everywhere
from .workers import Notify

T = TypeVar("T")
R = TypeVar("R")

ADDRESS = "RAY_ADDRESS"
RETRIES = 5
"""Of a task whose worker or node was lost."""
AHEAD = 2
"""Tasks that wait at the nodes, for each that is worked on: nobody waits for the driver."""
SECONDS_BETWEEN_LOOKS = 0.2
SECONDS_BETWEEN_WORDS = 1.0
SECONDS_TO_CONNECT = 10.0

_work: dict[str, Callable[[Any, Notify], Any]] = {}
"""What this worker was given last, by its reference: a node's workers share its arrays."""


class Cluster:
    """A Ray cluster: the one that ``RAY_ADDRESS`` names, or one of this machine's own.

    Args:
        num_cpus: of a task; a fraction lets several share one.
        num_gpus: likewise.
        workers: CPUs of the cluster of this machine's own.

    Raises:
        ParamsError: Ray is not installed.
        ResourceError: the cluster cannot be reached, or has nothing of what a task asks for.
    """

    here = False

    def __init__(self, num_cpus: float, num_gpus: float, workers: int) -> None:
        self.ray = _connected(workers)
        self.asked = {"CPU": num_cpus, "GPU": num_gpus}
        if self.slots < 1:
            found = ", ".join(f"{self.ray.cluster_resources().get(name, 0):g} {name}" for name in self.asked)
            raise ResourceError(
                f"compute.num_cpus, compute.num_gpus: a task asks for {num_cpus:g} CPU, {num_gpus:g} GPU; the cluster "
                f"has {found}. Ask for less, or start nodes that have them"
            )

    @property
    def slots(self) -> int:
        """How many tasks the cluster works on at a time."""
        there = self.ray.cluster_resources()
        return int(min(there.get(name, 0) / share for name, share in self.asked.items() if share))

    def run(self, work: Callable[[T, Notify], R], tasks: Iterable[T], most: int, notify: Notify) -> Iterator[R]:  # noqa: ARG002
        """See `pipeline.compute.engines.Engine`; the work is sent to each node once."""
        ray = self.ray
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        words = ray.remote(_Words).options(num_cpus=0, scheduling_strategy=here).remote()
        do = ray.remote(_do).options(
            num_cpus=self.asked["CPU"], num_gpus=self.asked["GPU"], max_retries=RETRIES, scheduling_strategy="SPREAD"
        )
        given = ray.put(work)
        left = iter(tasks)
        pending: list[Any] = []
        heard = time.monotonic()
        try:
            while True:
                room = max(1, self.slots) * AHEAD - len(pending)
                pending += [do.remote([given], task, words) for _, task in zip(range(room), left, strict=False)]
                if not pending:
                    break
                ray.wait(pending, timeout=SECONDS_BETWEEN_LOOKS)
                done, pending = ray.wait(pending, num_returns=len(pending), timeout=0)
                if time.monotonic() - heard >= SECONDS_BETWEEN_LOOKS:
                    heard = time.monotonic()
                    for said in ray.get(words.take.remote()):
                        notify(*said)
                for one in done:
                    yield self._result(one)
        finally:
            for one in pending:
                with suppress(Exception):  # it may be finished by now
                    ray.cancel(one, force=True)
            ray.kill(words)

    def _result(self, done: Any) -> Any:
        """Return what a task came to.

        Raises:
            ResourceError: its worker was lost again and again.
        """
        errors = self.ray.exceptions
        try:
            return self.ray.get(done)
        except errors.RayTaskError as error:
            raise error.cause from None  # as if it had been raised here
        except errors.RayError as error:
            raise ResourceError(
                f"a worker of the cluster was lost {RETRIES + 1} times ({type(error).__name__}); what was finished is "
                "kept. Run again to go on, with fewer stacks on a node (compute.num_cpus) or a smaller "
                "compute.stack_size"
            ) from error


def _connected(workers: int) -> Any:
    try:
        import ray
        import ray.util.scheduling_strategies
    except ImportError:
        raise ParamsError("compute.engine: ray is not installed; `pip install .[ray]` installs it") from None
    if not ray.is_initialized():
        address = os.environ.get(ADDRESS)
        if address:
            _knock(address)
        own = {} if address else {"address": "local", "num_cpus": workers, "_node_ip_address": "127.0.0.1"}
        try:
            ray.init(
                **own,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": everywhere()},
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ResourceError(f"{ADDRESS}: no Ray cluster at {address or 'this machine'}: {error}") from error
    return ray


def _knock(address: str) -> None:
    """Find out at once whether anybody is there: Ray itself tries for minutes.

    Raises:
        ResourceError: nobody is.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return  # auto, local
    try:
        socket.create_connection((host, int(port)), SECONDS_TO_CONNECT).close()
    except OSError as error:
        raise ResourceError(
            f"{ADDRESS}: no Ray cluster at {address} ({error.strerror or error}); `ray start --head` starts one"
        ) from None


class _Words:
    """An actor beside the driver, to whom workers say how far they are."""

    def __init__(self) -> None:
        self.words: list[tuple[Any, ...]] = []

    def hear(self, words: list[tuple[Any, ...]]) -> None:
        self.words += words

    def take(self) -> list[tuple[Any, ...]]:
        words, self.words = self.words, []
        return words


def _do(given: list[Any], task: Any, words: Any) -> Any:
    """Do the work for a task, in a worker."""
    import ray

    key = given[0].hex()
    if key not in _work:
        _work.clear()
        _work[key] = ray.get(given[0])
        disable_malloc_trim()
    assigned = ray.get_runtime_context().get_assigned_resources()
    torch.set_num_threads(max(1, int(assigned.get("CPU", 1))))
    said: list[tuple[Any, ...]] = []
    last = time.monotonic()

    def notify(*own: Any) -> None:
        nonlocal last
        said.append(own)
        if time.monotonic() - last >= SECONDS_BETWEEN_WORDS:
            last = time.monotonic()
            words.hear.remote(said.copy())
            said.clear()

    result = _work[key](task, notify)
    if said:
        words.hear.remote(said)
    return result
