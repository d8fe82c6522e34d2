"""Worker processes: stacks side by side, one thread each, which is faster than one stack on all threads.

Measured on 2 cores: two workers train 1.3 times as many networks a second as one process with two threads. On a CPU it
changes no result (see `pipeline.networks.stack`).
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

import joblib
import torch

from ..errors import ResourceError

SECONDS_BETWEEN_LOOKS = 0.2
AHEAD = 1
"""Tasks that wait for a worker: none waits for the next task."""
PR_SET_PDEATHSIG = 1

T = TypeVar("T")
R = TypeVar("R")
Notify = Callable[..., None]

_work: Any = None
_queue: Any = None


def cores() -> int:
    """Return how many cores this process may use: by its affinity, and by the quota of its container."""
    return int(joblib.cpu_count())


def worker_count(wanted: int | str) -> int:
    """Return how many processes ``compute.workers`` asks for: a number, or ``auto`` for one for each core."""
    return wanted if isinstance(wanted, int) else cores()


def run_all(work: Callable[[T, Notify], R], tasks: Iterable[T], workers: int, notify: Notify) -> Iterator[R]:
    """Do the work for every task and yield its results as they come.

    Args:
        work: called with a task and a ``notify`` of its own, whose words reach the caller's ``notify``.
        tasks: what it is called with; each is asked for when a worker will soon be free for it.
        workers: number of processes; 1 for this one.
        notify: called in this process.

    Raises:
        ResourceError: a worker was killed.
    """
    if workers == 1:
        for task in tasks:
            yield work(task, notify)
        return
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    queue = context.SimpleQueue()
    threads = max(1, cores() // workers)
    left = iter(tasks)
    pending: set[Future[R]] = set()
    with _pool(workers, context, (work, queue, threads, os.getpid())) as pool:
        while True:
            with warnings.catch_warnings():
                # From Python 3.12 on: threads and fork may deadlock. Of ours none runs yet but fsspec's, which waits
                # for its next request; BLAS's are fork-safe.
                warnings.filterwarnings("ignore", message=".*multi-threaded.*fork", category=DeprecationWarning)
                pending |= {pool.submit(_do, task) for task in islice(left, workers + AHEAD - len(pending))}
            if not pending:
                return
            done, pending = wait(pending, timeout=SECONDS_BETWEEN_LOOKS, return_when=FIRST_COMPLETED)
            while not queue.empty():
                notify(*queue.get())
            try:
                yield from [future.result() for future in done]
            except BrokenProcessPool as error:
                raise ResourceError(
                    "a worker process was killed from outside, most likely for lack of memory; what was finished is "
                    "kept. Run again to go on, with a smaller compute.workers or compute.stack_size"
                ) from error


@contextmanager
def _pool(workers: int, context: Any, begin_with: tuple[Any, ...]) -> Iterator[ProcessPoolExecutor]:
    """Give a pool whose workers end at once where the block fails or is interrupted."""
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=begin_with)
    try:
        yield pool
    except BaseException:
        for process in multiprocessing.active_children():
            process.kill()  # Lightning hears SIGTERM, and would finish its epoch first
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(work: Callable[[Any, Notify], Any], queue: Any, threads: int, parent: int) -> None:
    """Make a process a worker: few threads, no ear for Ctrl-C (the parent has one), an end when the parent ends."""
    global _work, _queue
    _work, _queue = work, queue
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before it could be told
            os._exit(1)


def _do(task: Any) -> Any:
    return _work(task, lambda *words: _queue.put(words))
