"""The network store: what is kept is what training would give, and what is damaged is never trusted."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from pipeline.params import Cell, Network
from pipeline.training.engine import train_networks
from pipeline.training.store import ASIDE, SUFFIX, NetworkStore, Origin
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
def origin(params, mini, digits) -> Origin:
    return Origin(small(mini), params, digits.card, "cpu")


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(Cell("he_normal", "leaky_relu", "before", "norm", 0.1), 3)


def changes(origin: Origin) -> dict[str, Origin]:
    params, study = origin.params, origin.study
    slope = params.activations.model_copy(
        update={"leaky_relu": params.activations.leaky_relu.model_copy(update={"slope": 0.01})}
    )
    return {
        "epochs": origin._replace(study=study.model_copy(
            update={"training": study.training.model_copy(update={"epochs": 7})})),
        "shape": origin._replace(study=study.model_copy(update={"hidden": (16, 17)})),
        "data": origin._replace(card=origin.card.model_copy(update={"sha256": "0"})),
        "slope": origin._replace(params=params.model_copy(update={"activations": slope})),
        "batch norm": origin._replace(params=params.model_copy(
            update={"batch_norm": params.batch_norm.model_copy(update={"eps": 1e-5})})),
        "threshold": origin._replace(params=params.model_copy(
            update={"clipping": params.clipping.model_copy(update={"norm": 2.0})})),
        "health": origin._replace(params=params.model_copy(
            update={"health": params.health.model_copy(update={"samples": 64})})),
        "device": origin._replace(device="a GPU"),
    }  # fmt: skip


def test_everything_that_determines_a_network_is_in_its_digest(origin: Origin, network: Network) -> None:
    digests = {name: changed.digest(network) for name, changed in changes(origin).items()}
    assert origin.digest(network) not in digests.values()
    assert len(set(digests.values())) == len(digests)


def test_what_does_not_concern_a_network_is_not_in_its_digest(origin: Origin, network: Network) -> None:
    plain = network._replace(cell=network.cell._replace(activation="relu", batch_norm="none", clipping="none"))
    verdicts = origin.params.health.verdicts.model_copy(update={"dead": 0.1})
    compute = origin.params.compute.model_copy(update={"workers": 7, "stack_size": 3})
    health = origin.params.health.model_copy(update={"verdicts": verdicts})
    other = origin._replace(params=origin.params.model_copy(update={"compute": compute, "health": health}))
    assert other.digest(network) == origin.digest(network)
    for name in ("slope", "batch norm", "threshold"):
        assert changes(origin)[name].digest(plain) == origin.digest(plain)


@pytest.fixture(scope="module")
def entry(params, mini, digits, tmp_path_factory) -> tuple[NetworkStore, Path]:
    store = NetworkStore(tmp_path_factory.mktemp("entry"))
    study = small(mini, clipping=("none",), seed=(0,))
    train_networks("mini", study, params, digits, study.networks(), store)
    (path,) = store.entries()
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
    for path in store.entries():
        path.write_bytes(path.read_bytes()[:-1])
    assert train(study, params, digits, store, tmp_path / "again") == first
    assert len(list(store.entries())) == 4


def test_a_store_that_cannot_be_written_loses_no_training(params, mini, digits, tmp_path, capfd) -> None:
    (tmp_path / "file").write_text("not a folder")
    study = small(mini, seed=(0,))
    lost = train(study, params, digits, NetworkStore(tmp_path / "file"), tmp_path / "lost")
    assert "are not kept in" in capfd.readouterr().err
    assert lost == train(study, params, digits, None, tmp_path / "scratch")


def test_pruning_keeps_what_is_used(params, mini, digits, store) -> None:
    study = small(mini, seed=(0, 1))
    train_networks("mini", study, params, digits, study.networks(), store)
    origin = Origin(study, params, digits.card, "cpu")
    used = {origin.digest(network) for network in study.networks()[:3]}
    count, size = store.prune(used)
    assert count == 5
    assert size > 0
    assert {path.stem for path in store.entries()} == used


def test_an_outcome_comes_back_as_it_went_in(entry) -> None:
    store, path = entry
    outcome = store.load(path.stem)
    store.save("0" * 64, outcome)
    again = store.load("0" * 64)
    for ours, theirs in zip(outcome, again, strict=True):
        np.testing.assert_array_equal(ours, theirs)
