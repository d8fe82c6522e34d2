"""The real dvc, killed at random moments, interrupted, and run twice at the same time."""

import os
import random
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import Clone

pytestmark = [pytest.mark.e2e, pytest.mark.faults]
TABLES = ("networks.parquet", "history.parquet", "layers.parquet", "metrics.json")
KILLS = 20


def contents(clone: Clone, study: str = "mini") -> dict[str, bytes]:
    return {name: (clone.folder / "results" / study / name).read_bytes() for name in TABLES}


def stored(folder: Path) -> int:
    return len(list(folder.glob("??/*.network")))


def training(process: subprocess.Popen[bytes]) -> bool:
    """Say whether the stage's workers are at work now: dvc has a shell, that has the stage, that has the workers."""
    with suppress(psutil.NoSuchProcess):
        below = psutil.Process(process.pid).children(recursive=True)
        return sum("stages.train" in child.cmdline()[-2:] for child in below) > 1
    return False


def kill_when(process: subprocess.Popen[bytes], store: Path, networks: int, seconds: float) -> bool:
    """Kill a run, its stage and its workers that long after the store has so many networks; say whether it ran on."""
    while process.poll() is None and not (stored(store) >= networks and training(process)):
        time.sleep(0.001)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
    if process.poll() is not None:
        return False
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


def test_runs_that_are_killed_at_random_moments_end_in_equal_bytes(clone: Clone, tmp_path: Path) -> None:
    train = ("repro", "--force", "--single-item", "train@mini")
    clone.change(lambda params: params["compute"].update(stack_size=5))
    clone.dvc("repro", "prepare@mini")
    clone.dvc(*train, NETWORK_STORE=str(tmp_path / "undisturbed"))
    clone.dvc("repro", "--force", "--single-item", "champion@mini", "evaluate@mini")
    expected = contents(clone)
    chance = random.Random(0)  # noqa: S311
    kills = runs = 0
    kept = set()
    while kills < KILLS:
        runs += 1
        store = tmp_path / f"run {runs}"
        for _ in range(KILLS // 4):
            networks = stored(store) + chance.randrange((118 - stored(store)) * 2 // 3 + 1)
            if not kill_when(clone.start_dvc(*train, NETWORK_STORE=str(store)), store, networks, chance.random() / 20):
                break
            kills += 1
            kept.add((runs, stored(store)))
        clone.dvc(*train, NETWORK_STORE=str(store))
        clone.dvc("repro", "evaluate@mini", NETWORK_STORE=str(store))
        assert contents(clone) == expected
    clone.git("checkout", "params.yaml")
    assert len([networks for _, networks in kept if 0 < networks < 118]) >= KILLS / 2
    assert runs >= 2


def test_what_a_killed_dvc_leaves_half_written_is_set_aside(clone: Clone) -> None:
    lock = clone.folder / "dvc.lock"
    whole = lock.read_text()
    lock.write_text(whole[:-10])
    assert clone.dvc("status", check=False).returncode != 0
    assert "dvc.lock cannot be read" in clone.python("-m", "stages.repair").stdout
    assert clone.python("-m", "stages.repair").stdout == ""
    assert (clone.folder / "dvc.lock.damaged").read_text() == whole[:-10]
    assert clone.dvc("status").returncode == 0


def test_ctrl_c_says_what_is_kept_and_the_next_run_goes_on_from_there(clone: Clone, tmp_path: Path) -> None:
    clone.change(lambda params: params["compute"].update(stack_size=5))
    with (tmp_path / "said").open("w") as said:
        running = clone.start_dvc(
            "repro", "--force", "--single-item", "train@mini", to=said, NETWORK_STORE=str(tmp_path / "store")
        )
        while stored(tmp_path / "store") < 30:  # more than a stack
            assert running.poll() is None, "it ended too soon"
            time.sleep(0.01)
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(timeout=20) != 0
    words = (tmp_path / "said").read_text()
    found = re.search(r"mini: stopped with (\d+) of 118 networks", words)
    assert found, words
    assert "finished networks are kept" in words
    assert "Traceback" not in words
    kept = stored(tmp_path / "store")
    assert 0 < int(found[1]) <= kept < 118
    again = clone.dvc("repro", "--force", "--single-item", "train@mini", NETWORK_STORE=str(tmp_path / "store"))
    assert f"{kept} of 118 networks are in the store, {118 - kept} to train" in again.stdout
    clone.git("checkout", "params.yaml")


def test_two_studies_train_at_the_same_time(clone: Clone) -> None:
    def add(params: dict) -> None:
        params["studies"]["mini2"] = {**params["studies"]["mini"], "hidden": [16]}
        params["run"] = ["mini", "mini2"]

    clone.change(add)
    clone.dvc("repro", "prepare@mini2")
    running = [
        clone.start_dvc("--wait-for-lock", "repro", "--force", "--single-item", f"train@{study}")
        for study in ("mini", "mini2")
    ]
    assert [process.wait() for process in running] == [0, 0]
    assert "up to date" in clone.dvc("status", "train@mini", "train@mini2").stdout
    clone.git("checkout", "params.yaml")
