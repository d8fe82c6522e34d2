"""The network store: what is kept is what training would give, and what is damaged is never trusted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from pipeline.grid import AXES, AXIS, Network
from pipeline.training.recipe import Reuse, Samples, resolve
from pipeline.training.store import ASIDE, SUFFIX, NetworkStore, digest_of
from pipeline.training.study import train_networks
from tests.building import cell, files_of, recipes
from tests.damage import Flip, flipped, flips


def small(mini, **grid):
    block = mini.grid[1].model_copy(update=grid)
    return mini.model_copy(update={"grid": (block,), "training": mini.training.model_copy(update={"epochs": 2})})


def train(study, params, digits, store: NetworkStore | None, folder: Path) -> dict[str, bytes]:
    """Train a study's networks and return its tables' bytes."""
    train_networks("mini", study, params, digits, study.networks(), store).save(folder)
    return {name: (folder / f"{name}.parquet").read_bytes() for name in ("networks", "history", "layers")}


@pytest.fixture
def store(tmp_path: Path) -> NetworkStore:
    return NetworkStore(tmp_path / "store")


def test_only_what_is_new_is_trained_and_comes_out_as_from_scratch(
    params, mini, digits, store, tmp_path, capsys
) -> None:
    before, after = small(mini, seed=(0, 1)), small(mini, seed=(0, 1, 2))
    train(before, params, digits, store, tmp_path / "before")
    capsys.readouterr()
    grown = train(after, params, digits, store, tmp_path / "grown")
    out = capsys.readouterr().out
    assert "8 of 12 networks are in the store, 4 to train" in out
    assert "4 networks trained" in out
    assert grown == train(after, params, digits, None, tmp_path / "scratch")


def test_what_is_removed_trains_nothing(params, mini, digits, store, tmp_path, capsys) -> None:
    train(small(mini, seed=(0, 1)), params, digits, store, tmp_path / "before")
    capsys.readouterr()
    fewer = small(mini, seed=(1,))
    kept = train(fewer, params, digits, store, tmp_path / "kept")
    assert "networks trained" not in capsys.readouterr().out
    assert kept == train(fewer, params, digits, None, tmp_path / "scratch")


def test_networks_that_diverged_are_kept_too(params, mini, digits, store, tmp_path) -> None:
    study = small(mini, initializer=("standard_normal",), learning_rate=(0.1, 1000.0), seed=(0,))
    first = train(study, params, digits, store, tmp_path / "first")
    assert train(study, params, digits, store, tmp_path / "again") == first


@pytest.fixture(scope="module")
def asked(params, mini, digits) -> dict[str, Any]:
    """All that determines a network."""
    network = Network(cell("he_normal", "leaky_relu", "before", "norm", 0.1, optimizer="momentum"), 3)
    return {"network": network, "study": small(mini), "params": params, "card": digits.card, "device": "cpu"}


def key(network: Network, study, params, card, device: str) -> str:
    return resolve(study, params, card, device, [network])[network].key


def at(asked: dict[str, Any], **levels: Any) -> dict[str, Any]:
    network = asked["network"]
    return asked | {"network": network._replace(cell=network.cell._replace(**levels))}


def other_levels(asked: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the same at every level of every axis that has names, but for the network's own."""
    own = asked["network"].cell._asdict()
    return {
        f"{axis}: {level}": at(asked, **{axis: level})
        for axis in AXES
        if (registry := AXIS[axis].registry)
        for level in registry.names
        if level != own[axis]
    }


def changes(asked: dict[str, Any]) -> dict[str, dict[str, Any]]:
    study, params, card = asked["study"], asked["params"], asked["card"]
    return other_levels(asked) | {
        "seed": asked | {"network": asked["network"]._replace(seed=4)},
        "shape": at(asked, hidden="16-17"),
        "batch size": at(asked, batch_size=64),
        "samples": at(asked, train_fraction=0.5),
        "label noise": at(asked, label_noise=0.25),
        "learning rate": at(asked, learning_rate=0.2),
        "slope": at(asked, activation="leaky_relu(slope=0.01)"),
        "batch norm": at(asked, normalization="before(eps=1e-05)"),
        "threshold": at(asked, clipping="norm(threshold=2.0)"),
        "momentum": at(asked, optimizer="momentum(momentum=0.5)"),
        "epochs": asked | {"study": study.model_copy(
            update={"training": study.training.model_copy(update={"epochs": 7})})},
        "data": asked | {"card": card.model_copy(update={"sha256": "0"})},
        "health": asked | {"params": params.model_copy(
            update={"health": params.health.model_copy(update={"samples": 64})})},
        "health epochs": asked | {"params": params.model_copy(
            update={"health": params.health.model_copy(update={"epochs": (0,)})})},
        "device": asked | {"device": "a GPU"},
    }  # fmt: skip


def test_everything_that_determines_a_network_is_in_its_key(asked) -> None:
    keys = {name: key(**changed) for name, changed in changes(asked).items()}
    assert key(**asked) not in keys.values()
    assert len(set(keys.values())) == len(keys)


def test_what_a_network_sees_and_reuses_is_in_its_key(asked) -> None:
    (recipe,) = resolve(asked["study"], asked["params"], asked["card"], "cpu", [asked["network"]]).values()
    seen, reuse = Samples(20, "first", 0), Reuse("donor", 0, 2, 1, 1, 0.1)
    samples = [seen, seen._replace(size=21), seen._replace(choose="stratified"), seen._replace(seed=1)]
    changed = Reuse("other", 1, 3, 0, 2, 0.2)._asdict()
    reuses = [reuse, *(reuse._replace(**{name: value}) for name, value in changed.items())]
    others = [recipe._replace(outputs=1)]
    others += [recipe._replace(samples=chosen) for chosen in samples]
    others += [recipe._replace(reuse=chosen) for chosen in reuses]
    assert len({recipe.key, *(other.key for other in others)}) == 1 + len(others)


def test_what_does_not_concern_a_network_is_not_in_its_key(asked) -> None:
    params, study = asked["params"], asked["study"]
    verdicts = params.health.verdicts.model_copy(update={"dead": 0.1})
    compute = params.compute.model_copy(update={"workers": 7, "stack_size": 3})
    health = params.health.model_copy(update={"verdicts": verdicts})
    training = study.training.model_copy(update={"batch_size": 64})
    others = {
        "params": params.model_copy(update={"compute": compute, "health": health}),
        "study": study.model_copy(update={"hidden": (99,), "training": training, "grid": study.grid * 2}),
    }
    assert key(**(asked | others)) == key(**asked)


@pytest.mark.parametrize(
    "levels",
    [
        {"activation": "leaky_relu(slope=0.3)"},
        {"normalization": "before(momentum=0.9, eps=0.001)"},
        {"clipping": "norm(1)"},
        {"optimizer": "momentum(0.9)"},
    ],
)
def test_how_a_level_is_spelled_is_not_in_a_networks_key(asked, levels: dict[str, str]) -> None:
    assert key(**at(asked, **levels)) == key(**asked)


@pytest.fixture(scope="module")
def entry(params, mini, digits, tmp_path_factory) -> tuple[NetworkStore, Path]:
    store = NetworkStore(tmp_path_factory.mktemp("entry"))
    study = small(mini, clipping=("none",), seed=(0,))
    train_networks("mini", study, params, digits, study.networks(), store)
    (path,) = files_of(store)
    return store, path


@given(flip=flips)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_is_noticed_wherever_it_is(entry, flip: Flip, capsys) -> None:
    store, path = entry
    with flipped(path, flip) as damaged:
        assert store.load(path.stem) is None
        assert "is damaged" in capsys.readouterr().err
        assert not path.exists()
        assert (store.folder / ASIDE / path.name).read_bytes() == damaged
    assert store.load(path.stem) is not None


@pytest.mark.parametrize("length", [0, 10, 40, 200])
def test_a_truncated_entry_is_noticed(entry, length: int) -> None:
    store, path = entry
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    assert store.load(path.stem) is None
    path.write_bytes(whole)


def test_another_networks_entry_is_noticed(entry, capsys) -> None:
    store, path = entry
    stranger = store.folder / "ff" / f"{'f' * 64}{SUFFIX}"
    stranger.parent.mkdir(exist_ok=True)
    stranger.write_bytes(path.read_bytes())
    assert store.load("f" * 64) is None
    assert "belongs to another network" in capsys.readouterr().err


def test_a_damaged_entry_is_trained_anew(params, mini, digits, store, tmp_path) -> None:
    study = small(mini, seed=(0,))
    first = train(study, params, digits, store, tmp_path / "first")
    for path in files_of(store):
        path.write_bytes(path.read_bytes()[:-1])
    assert train(study, params, digits, store, tmp_path / "again") == first
    assert len(store.entries()) == 4


def test_a_store_that_cannot_be_written_loses_no_training(params, mini, digits, tmp_path, capfd) -> None:
    (tmp_path / "file").write_text("not a folder")
    study = small(mini, seed=(0,))
    lost = train(study, params, digits, NetworkStore(tmp_path / "file"), tmp_path / "lost")
    assert "are not kept in" in capfd.readouterr().err
    assert lost == train(study, params, digits, None, tmp_path / "scratch")


def test_pruning_keeps_what_is_used(params, mini, digits, store) -> None:
    study = small(mini, seed=(0, 1))
    train_networks("mini", study, params, digits, study.networks(), store)
    used = {recipe.key for recipe in recipes(study.networks()[:3], study, params, digits)}
    count, size = store.prune(used)
    assert count == 5
    assert size > 0
    assert {digest_of(name) for name in store.entries()} == used


def test_an_outcome_comes_back_as_it_went_in(entry) -> None:
    store, path = entry
    outcome = store.load(path.stem)
    store.save("0" * 64, outcome)
    again = store.load("0" * 64)
    for ours, theirs in zip(outcome, again, strict=True):
        np.testing.assert_array_equal(ours, theirs)
