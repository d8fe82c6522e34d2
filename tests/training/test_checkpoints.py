"""A stack that is interrupted goes on from its last epoch, and comes out as if nothing had happened."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.grid import Network
from pipeline.training import checkpoints
from pipeline.training.atomic import sealed, write_whole
from pipeline.training.outcome import outcomes
from pipeline.training.results import tabulate
from pipeline.training.store import ASIDE, NetworkStore
from pipeline.training.study import train_networks
from tests.building import cell, recipes, train_together


class InterruptionError(Exception):
    """What ends a training in the middle."""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NetworkStore:
    monkeypatch.setattr(checkpoints, "SECONDS_WORTH_KEEPING", 0.0)
    monkeypatch.setattr(checkpoints, "LARGEST_SHARE", 1e9)
    return NetworkStore(tmp_path / "store")


def stack_of(activation: str, normalization: str) -> list[Network]:
    """Return networks that have all that a state can have, one of which diverges."""
    tame = cell("he_normal", activation, normalization, learning_rate=0.05, optimizer="nesterov")
    wild = tame._replace(initializer="standard_normal", learning_rate=1e30)
    return [Network(tame, 0), Network(tame, 1), Network(wild, 0), Network(tame._replace(clipping="norm"), 0)]


def study_of(mini):
    return mini.model_copy(update={"training": mini.training.model_copy(update={"epochs": 4})})


def interrupt_after(epochs: int):
    def after_epoch(module) -> None:
        if len(module.history) == epochs + 1:  # its own checkpoint is written after this
            raise InterruptionError

    return after_epoch


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize(("activation", "normalization"), [("rrelu", "before"), ("prelu", "none")])
def test_going_on_gives_the_bits_of_a_run_without_a_break(
    params, mini, digits, store, tmp_path, activation: str, normalization: str, epochs: int
) -> None:
    networks = stack_of(activation, normalization)
    given = (networks, study_of(mini), params, digits)
    whole = train_together(*given)
    checkpoint = store.checkpoint(recipes(*given))
    with pytest.raises(InterruptionError):
        train_together(*given, interrupt_after(epochs), checkpoint)
    seen = []
    again = train_together(*given, lambda module: seen.append(len(module.history)), checkpoint, resume=True)
    assert seen == list(range(epochs + 1, 5))
    for name, module in (("whole", whole), ("again", again)):
        came_to = dict(zip(networks, outcomes(module, "cpu"), strict=True))
        tabulate(came_to, params.health.verdicts, digits).save(tmp_path / name)
    for table in ("networks", "history", "layers"):
        assert (tmp_path / "whole" / f"{table}.parquet").read_bytes() == (
            tmp_path / "again" / f"{table}.parquet"
        ).read_bytes()
    for ours, theirs in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
        np.testing.assert_array_equal(ours, theirs)  # a diverged network's are NaN


def left_behind(params, mini, digits, store):
    """Return a study, and its networks, whose only stack was interrupted after two epochs."""
    networks, study = stack_of("relu", "none"), study_of(mini)
    checkpoint = store.checkpoint(recipes(networks, study, params, digits))
    with pytest.raises(InterruptionError):
        train_together(networks, study, params, digits, interrupt_after(2), checkpoint)
    return study, networks


def test_a_study_takes_up_what_an_earlier_run_began_and_drops_its_checkpoint(
    params, mini, digits, store, capsys
) -> None:
    study, networks = left_behind(params, mini, digits, store)
    others = [Network(networks[0].cell, 7), Network(networks[0].cell, 8)]
    train_networks("mini", study, params, digits, [*networks, *others], store)
    assert "mini: 4 networks go on from the last epoch they finished" in capsys.readouterr().out
    assert store.checkpoints() == {}
    assert len(store.entries()) == 6


def test_a_checkpoint_of_networks_that_nobody_wants_any_more_is_left_alone(params, mini, digits, store, capsys) -> None:
    study, networks = left_behind(params, mini, digits, store)
    train_networks("mini", study, params, digits, networks[1:], store)
    assert "go on from" not in capsys.readouterr().out
    assert len(store.checkpoints()) == 1
    store.prune(set())
    assert store.checkpoints() == {}


def test_a_damaged_checkpoint_is_set_aside_and_its_networks_are_trained_from_the_start(
    params, mini, digits, store, capfd
) -> None:
    study, networks = left_behind(params, mini, digits, store)
    (path,) = store.checkpoints()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    train_networks("mini", study, params, digits, networks, store)
    out, err = capfd.readouterr()
    assert "is damaged" in err
    assert "go on from" not in out
    assert (store.folder / ASIDE / path.name).is_file()


def test_a_checkpoint_that_holds_code_is_not_run(params, mini, digits, store, capfd) -> None:
    left_behind(params, mini, digits, store)
    (path,) = store.checkpoints()

    class Evil:
        def __reduce__(self):
            return (print, ("code ran",))

    content = BytesIO()
    torch.save({"networks": Evil()}, content)
    write_whole(path, sealed(content.getvalue()))
    assert store.checkpoints() == {}
    out, err = capfd.readouterr()
    assert "it is no checkpoint" in err
    assert "code ran" not in out


def test_short_stacks_write_no_checkpoint(params, mini, digits, tmp_path) -> None:
    store = NetworkStore(tmp_path)
    given = (stack_of("relu", "none"), study_of(mini), params, digits)
    checkpoint = store.checkpoint(recipes(*given))
    train_together(*given, checkpoint=checkpoint)
    assert not checkpoint.path.exists()
