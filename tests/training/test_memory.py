"""Memory that does not suffice, and workers that the system kills: real limits, real signals."""

import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import pandas as pd
import pytest
import torch

from pipeline.compiled import engine
from pipeline.compute.workers import run_all
from pipeline.config import Params, Study
from pipeline.data import Dataset
from pipeline.errors import ResourceError
from pipeline.training.results import load_results
from pipeline.training.study import train_networks

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's limits")


def limited(theirs: Connection, spare_bytes: int, work: Callable[[], object]) -> None:
    torch.set_num_threads(1)  # a thread that cannot be started would end the process
    engine.prepare()  # loading code takes memory too, which is not what is asked here
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + spare_bytes, resource.RLIM_INFINITY))
    try:
        work()
        theirs.send("done")
    except ResourceError as error:
        theirs.send(f"error: {error}")


def in_a_process_with(spare_bytes: int, work: Callable[[], object]) -> str:
    """Do some work in a process of its own that may not take more memory than that; return what it says.

    Not a fork, which may wait for ever for threads it did not take along and has the heap that earlier tests left.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=limited, args=(theirs, spare_bytes, work))
    process.start()
    theirs.close()
    said = ours.recv()
    process.join()
    return said


def train(study: Study, params: Params, dataset: Dataset, folder: Path | None = None) -> None:
    results = train_networks("wide", study, params, dataset, study.networks())
    if folder:
        results.save(folder)


@pytest.fixture(scope="module")
def wide(mini):
    """32 networks that take 50 MB each while they are trained."""
    block = mini.grid[1].model_copy(update={"clipping": ("none",), "seed": tuple(range(32))})
    training = mini.training.model_copy(update={"epochs": 1, "batch_size": 1024})
    return mini.model_copy(update={"grid": (block,), "hidden": (1400, 1400), "training": training})


def one_stack_at_a_time(params):
    return params.model_copy(
        update={"compute": params.compute.model_copy(update={"workers": 1, "stack_size": 32}),
                "health": params.health.model_copy(update={"epochs": ()})}
    )  # fmt: skip


def test_a_stack_that_does_not_fit_into_memory_is_halved_until_it_does(params, wide, digits, tmp_path, capfd) -> None:
    work = partial(train, wide, one_stack_at_a_time(params), digits, tmp_path / "halved")
    assert in_a_process_with(700 * 2**20, work) == "done"
    assert "memory does not suffice for 32 networks at a time: trying 16" in capfd.readouterr().out
    some = wide.networks()[::10]
    expected = train_networks("wide", wide, one_stack_at_a_time(params), digits, some).networks
    halved = load_results(tmp_path / "halved").networks
    pd.testing.assert_frame_equal(halved[::10].reset_index(drop=True), expected)


def test_memory_that_does_not_hold_one_network_is_an_error(params, wide, digits) -> None:
    wider = wide.model_copy(update={"hidden": (12000, 12000)})
    said = in_a_process_with(2**28, partial(train, wider, one_stack_at_a_time(params), digits))
    assert "error: memory does not suffice for a single network of 64-12000-12000-10" in said


def test_a_worker_that_is_killed_ends_the_run_with_a_message() -> None:
    def work(task: int, _notify) -> int:
        if task == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    with pytest.raises(ResourceError, match="a worker process was killed from outside"):
        list(run_all(work, range(4), 2, print))
