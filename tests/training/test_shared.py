"""One store, several engines at a time: nothing is lost, and little is trained twice."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from pipeline.errors import ResourceError
from pipeline.training import schedule as schedules
from pipeline.training.outcome import Outcome
from pipeline.training.recipe import Recipe
from pipeline.training.schedule import Schedule
from pipeline.training.stacks import Stack
from pipeline.training.store import UNDER_WAY, NetworkStore
from pipeline.training.study import train_networks
from tests.building import recipes
from tests.conftest import ROOT
from tests.training.test_store import small

TABLES = ("networks", "history", "layers")
SEEDS = 12
STACK = 2
WORKERS = 2
ENGINE = f"""
import sys
from pathlib import Path
from pipeline.compute.engines import engine_of
from pipeline.config import load_params
from pipeline.data.prepare import prepare
from pipeline.training.store import NetworkStore
from pipeline.training.study import train_networks
from tests.training.test_shared import many

class Telling(NetworkStore):
    "Says which networks were trained here."
    def save_all(self, outcomes, weights=None):
        super().save_all(outcomes, weights)
        print(*("kept " + recipe.key for recipe in outcomes), sep="\\n", file=sys.stderr)

params = load_params()
study = many(params.study("mini"))
params = params.model_copy(update={{"compute": params.compute.model_copy(
    update={{"stack_size": {STACK}, "workers": {WORKERS}, "engine": sys.argv[3]}})}})
data, store = prepare(study.data), Telling(sys.argv[1])
engine_of(params.compute, {WORKERS})  # a cluster is reached now
print("ready", flush=True)
sys.stdin.readline()
train_networks("mini", study, params, data, study.networks(), store).save(Path(sys.argv[2]))
"""


def many(mini):
    """Return a study of 48 networks that take a few seconds."""
    return mini.model_copy(update={
        "grid": (mini.grid[1].model_copy(update={"seed": tuple(range(SEEDS)), "learning_rate": (0.01,)}),),
        "training": mini.training.model_copy(update={"epochs": 30}),
    })  # fmt: skip


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "store") if request.param == "folder" else request.getfixturevalue("bucket").url("shared")


def train_side_by_side(place: str, folder: Path, *engines: tuple[str, dict[str, str]]) -> int:
    """Let engines train the same networks into one store at once; return how often one was trained again.

    Args:
        place: the store.
        folder: for the tables.
        engines: their names, and what they run with besides.
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ENGINE, place, str(folder / str(number)), engine], cwd=ROOT, text=True,
            env=os.environ | environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for number, (engine, environment) in enumerate(engines)
    ]  # fmt: skip
    for process in processes:  # each is told once it is ready
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0 for _ in engines], said
    trained = [[line.removeprefix("kept ") for line in err.splitlines() if line.startswith("kept ")] for _, err in said]
    assert all(trained)  # each had a part
    times = Counter(key for keys in trained for key in keys)
    assert len(times) == 4 * SEEDS  # nothing is lost
    one, *others = ({name: (folder / str(number) / f"{name}.parquet").read_bytes() for name in TABLES}
                    for number in range(len(engines)))  # fmt: skip
    assert all(other == one for other in others)
    assert NetworkStore(place).storage.sizes(UNDER_WAY) == {}
    return sum(times.values()) - len(times)


def test_two_engines_lose_nothing_and_train_next_to_nothing_twice(place: str, tmp_path: Path) -> None:
    again = train_side_by_side(place, tmp_path, ("local", {}), ("local", {}))
    under_way = STACK * (WORKERS + 1)  # with the stack that waits for a worker
    assert again <= 2 * under_way


class Watching(NetworkStore):
    """Counts how often each network is trained."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.trained: list[str] = []

    def save_all(self, outcomes, weights=None) -> None:
        super().save_all(outcomes, weights)
        self.trained += [recipe.key for recipe in outcomes]


def test_what_a_killed_engine_was_at_is_trained_last(params, mini, digits, tmp_path: Path) -> None:
    study, store = small(mini, seed=(0, 1)), Watching(tmp_path)
    (first, *rest) = recipes(study.networks(), study, params, digits)
    store.storage.write({f"{UNDER_WAY}/of-one-that-was-killed": first.key.encode()})
    train_networks("mini", study, one_by_one(params), digits, study.networks(), store)
    assert store.trained[-1] == first.key
    assert {*store.trained} == {first.key, *(recipe.key for recipe in rest)}
    assert store.storage.sizes(UNDER_WAY) == {}  # nor is it left for the next


def test_what_another_finishes_meanwhile_is_not_trained(params, mini, digits, tmp_path: Path, capsys) -> None:
    study = small(mini, seed=(0, 1))
    wanted = recipes(study.networks(), study, params, digits)
    compute = one_by_one(params).compute
    expected = Schedule("mini", digits, compute).train(wanted).outcomes

    class Busy(Watching):
        """A store into which somebody else writes all the rest, once the first network is kept."""

        def save_all(self, outcomes, weights=None) -> None:
            super().save_all(outcomes, weights)
            NetworkStore(tmp_path).save_all({one: expected[one] for one in wanted[3:]})

    store = Busy(tmp_path)
    found: dict[Recipe, Outcome] = Schedule("mini", digits, compute, store).train(wanted).outcomes
    assert found.keys() == expected.keys()
    assert {*store.trained} == {recipe.key for recipe in wanted[:3]}
    assert "8 networks trained" in (out := capsys.readouterr().out)
    assert "5 of them elsewhere" in out


def one_by_one(params):
    compute = params.compute.model_copy(update={"stack_size": 1, "workers": 1})
    return params.model_copy(update={"compute": compute})


def test_a_machine_that_would_come_to_other_bits_refuses(params, mini, digits) -> None:
    study = small(mini, seed=(0,))
    (recipe, *_) = wanted = recipes(study.networks(), study, params, digits)
    schedule, task = Schedule("mini", digits, params.compute), schedules._Task(Stack.of(wanted), False)
    with pytest.raises(ResourceError, match="has another version of this project"):
        schedules._train(schedule, (recipe, "0" * 64), task, print)
    elsewhere = recipe._replace(platform="{}")
    with pytest.raises(ResourceError, match="does not compute as the machine that asks does"):
        schedules._train(schedule, (elsewhere, elsewhere.key), task, print)
