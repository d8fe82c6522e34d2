"""Reuse of layers: what is frozen stays as it is, A stays as it was, and nobody notices the neighbours."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from pipeline.evaluation.transfer import summarize_transfer, transfer_metrics
from pipeline.experiments.names import TRANSFER_SETTING
from pipeline.experiments.transfer.networks import TransferNetwork, networks_of_b
from pipeline.experiments.transfer.results import load_transfer
from pipeline.experiments.transfer.run import Experiment, run_transfer
from pipeline.experiments.transfer.tasks import Task
from pipeline.networks.stack import StackedNetwork, Weights
from pipeline.training import checkpoints
from pipeline.training.module import StackModule
from pipeline.training.schedule import Schedule
from pipeline.training.stacks import Stack
from pipeline.training.store import WEIGHTS_SUFFIX, NetworkStore
from tests.building import files_of


@pytest.fixture(scope="module")
def transfer(params):
    """An experiment with all that a layer may hold, momentum included."""
    base = params.transfer["mini"]["three_and_five"]
    return base.model_copy(update={"activation": "prelu", "normalization": "before", "hidden": (12, 8, 8),
                                   "optimizer": "momentum(momentum=0.5)", "reused": (0, 1, 2, 3),
                                   "unfrozen": (0, 1, "all"), "frozen_epochs": 2})  # fmt: skip


@pytest.fixture(scope="module")
def experiment(params, digits, transfer) -> Experiment:
    return Experiment("mini", params, digits, transfer, None)


@pytest.fixture(scope="module")
def donors(experiment: Experiment) -> dict[str, Weights]:
    """By key, the weights of A's networks."""
    recipes = experiment.of_a.values()
    return experiment.schedule("A")._replace(keep={recipe.key for recipe in recipes}).train(recipes).weights


@pytest.fixture(scope="module")
def schedule(experiment: Experiment, donors: dict[str, Weights]) -> Schedule:
    """How task B's networks are trained."""
    return experiment.schedule("B")._replace(donors=donors)


def b_network(reused: int, unfrozen: int, seed: int = 0) -> TransferNetwork:
    return TransferNetwork("B", 20, reused, unfrozen, seed)


def stack_of(experiment: Experiment, *networks: TransferNetwork) -> Stack:
    return Stack.of([experiment.of_b[network] for network in networks])


def states(networks: StackedNetwork) -> dict[str, tuple[int, torch.Tensor]]:
    """Return by name each tensor, and the hidden layer that it is of, from 0; the output layer's comes after them."""
    found = {}
    for place, layer in networks.named_modules():
        depths = [depth for depth, block in enumerate(networks.blocks()) if any(layer is one for one in block)]
        for name, tensor in layer.state_dict().items() if depths else ():
            found[f"{place}.{name}"] = (depths[0], tensor)
    rest = {name: (networks.sites, tensor) for name, tensor in networks.state_dict().items() if name not in found}
    return found | rest


@pytest.mark.parametrize(("reused", "unfrozen"), [(1, 0), (2, 0), (3, 0), (3, 1), (3, 3), (2, 1)])
def test_frozen_layers_are_bit_for_bit_as_they_came_from_a(
    experiment: Experiment, donors, schedule, reused: int, unfrozen: int
) -> None:
    both = stack_of(experiment, b_network(reused, unfrozen, 0), b_network(reused, unfrozen, 1))
    of_a = [donors[experiment.donors[seed].key] for seed in (0, 1)]
    found = states(schedule.train_stack(both).networks)
    assert {depth for depth, _ in found.values()} == {0, 1, 2, 3}
    for name, (depth, ours) in found.items():
        if ours.ndim:
            theirs = np.stack([weights[name] for weights in of_a])
            same = ours.shape == theirs.shape and np.array_equal(ours.numpy(), theirs)
            assert same == (depth < reused - unfrozen), name


@pytest.mark.parametrize("unfrozen", [0, 1])
def test_of_the_upper_layers_those_above_the_thawed_ones_stay_as_they_came(
    params, digits, transfer, unfrozen: int
) -> None:
    """From the top: the two highest of three; of these the higher one is thawed."""
    experiment = Experiment("mini", params, digits, transfer.model_copy(update={"reuse_from": "top"}), None)
    keys = {recipe.key for recipe in experiment.of_a.values()}
    donors = experiment.schedule("A")._replace(keep=keys).train(experiment.of_a.values()).weights
    stack = stack_of(experiment, b_network(2, unfrozen, 0))
    started, ended = (
        states(module.networks)
        for module in (
            StackModule(stack, experiment.tasks["B"], donors=donors),
            experiment.schedule("B")._replace(donors=donors).train_stack(stack),
        )
    )
    of_a = donors[experiment.donors[0].key]
    for name, (depth, start) in started.items():
        if start.ndim:
            assert (start.shape[1:] == of_a[name].shape and np.array_equal(start[0], of_a[name])) >= (depth in (1, 2))
            assert ended[name][1].equal(start) == (depth in range(1, 3 - unfrozen)), name


def test_permuted_inputs_are_the_same_numbers_in_another_place(digits, params) -> None:
    wanted = params.transfer["mini"]["three_and_five"]
    own, other = (Task(digits, wanted.task_a, permuted=one) for one in (False, True))
    mine, theirs = own.split(1).train, other.split(1).train
    np.testing.assert_array_equal(np.sort(mine.x, axis=1), np.sort(theirs.x, axis=1))
    assert (mine.x != theirs.x).any(axis=0).sum() > 40
    assert own.card.sha256 != other.card.sha256


def test_while_frozen_nothing_below_has_a_gradient(experiment: Experiment, schedule) -> None:
    seen = []

    def look(module: StackModule) -> None:
        seen.append([all(p.grad is None for layer in block for p in layer.parameters())
                     for block in module.networks.blocks()])  # fmt: skip

    schedule.train_stack(stack_of(experiment, b_network(3, 1)), look)
    assert seen == [[True, True, True], [True, True, True], [True, True, False]]


def test_a_is_unchanged_by_what_is_built_on_it(experiment: Experiment, donors, schedule) -> None:
    before = {key: {name: value.copy() for name, value in weights.items()} for key, weights in donors.items()}
    schedule.train_stack(stack_of(experiment, b_network(3, 3)))
    for key, weights in donors.items():
        for name, value in weights.items():
            np.testing.assert_array_equal(value, before[key][name])


@pytest.mark.parametrize(("reused", "unfrozen"), [(0, 0), (2, 1)])
def test_a_network_comes_out_the_same_alone_and_in_a_stack(
    experiment: Experiment, schedule, reused: int, unfrozen: int
) -> None:
    networks = [b_network(reused, unfrozen, seed) for seed in (0, 1)]
    both = schedule.train_stack(stack_of(experiment, *networks))
    alone = schedule.train_stack(stack_of(experiment, networks[1]))
    for name, value in alone.networks.weights_of(0).items():
        np.testing.assert_array_equal(value, both.networks.weights_of(1)[name])


def test_scratch_is_what_plain_torch_trains(params, digits) -> None:
    """One network, full batches, against torch.nn, torch.optim and the binary cross-entropy of a sigmoid unit."""
    base = params.transfer["mini"]["three_and_five"]
    training = base.training.model_copy(update={"batch_size": 64})
    experiment = Experiment("mini", params, digits, base.model_copy(update={"training": training}), None)
    stack = stack_of(experiment, b_network(0, 0))
    untrained = StackModule(stack, experiment.tasks["B"])
    plain = untrained.networks.unstack(0).double().train()
    assert len(untrained.samples[0]) == 20
    x = torch.from_numpy(experiment.tasks["B"].split(0).train.x[untrained.samples[0]]).double()
    y = torch.from_numpy(experiment.tasks["B"].split(0).train.y[untrained.samples[0]]).double()
    optimizer = torch.optim.SGD(plain.parameters(), lr=base.learning_rate)
    losses = []
    for _ in range(training.epochs):
        loss = nn.functional.binary_cross_entropy(torch.sigmoid(plain(x)[:, 0]), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    stacked = experiment.schedule("B").train_stack(stack)
    np.testing.assert_allclose([float(epoch.train.loss[0]) for epoch in stacked.history], losses, rtol=1e-5)


def test_every_network_has_a_row(params, digits, tmp_path: Path, capsys) -> None:
    store = NetworkStore(tmp_path / "store")
    experiments = params.transfer["mini"]
    results = run_transfer("mini", params, digits, experiments, store)
    (wanted,) = experiments.values()
    assert len(results.transfer) == len(networks_of_b(wanted)) + len(wanted.seed)
    assert len(results.transfer_history) == results.transfer["epochs"].sum()
    results.save(tmp_path / "first")
    capsys.readouterr()
    # Again, of which all is in the store; then with one axis longer, which needs A's weights.
    run_transfer("mini", params, digits, experiments, store).save(tmp_path / "again")
    out = capsys.readouterr().out
    assert "task A: 2 of 2 networks are in the store, 0 to train" in out
    assert "task B: 10 of 10 networks are in the store, 0 to train" in out
    longer = {"three_and_five": wanted.model_copy(update={"reused": (0, 1, 2)})}
    fewer = {"three_and_five": wanted.model_copy(update={"reused": (1,)})}
    part = NetworkStore(tmp_path / "part")
    run_transfer("mini", params, digits, fewer, part)
    grown = run_transfer("mini", params, digits, longer, part)
    out = capsys.readouterr().out
    assert "task A: 2 of 2 networks are in the store, 0 to train" in out
    assert "task B: 6 of 10 networks are in the store, 4 to train" in out
    grown.save(tmp_path / "grown")
    for table in ("transfer", "transfer_history"):
        first = (tmp_path / "first" / f"{table}.parquet").read_bytes()
        assert first == (tmp_path / "again" / f"{table}.parquet").read_bytes()
        assert first == (tmp_path / "grown" / f"{table}.parquet").read_bytes()
    assert load_transfer(tmp_path / "first").transfer[TRANSFER_SETTING].equals(results.transfer[TRANSFER_SETTING])


def test_weights_of_a_that_were_lost_are_trained_anew(params, digits, tmp_path: Path, capsys) -> None:
    store, experiments = NetworkStore(tmp_path), params.transfer["mini"]
    fewer = {name: wanted.model_copy(update={"reused": (1,)}) for name, wanted in experiments.items()}
    run_transfer("mini", params, digits, fewer, store)
    lost, _ = (path for path in files_of(store) if path.suffix == WEIGHTS_SUFFIX)
    lost.unlink()
    capsys.readouterr()
    grown = run_transfer("mini", params, digits, experiments, store)
    assert "task A: 1 of 2 networks are in the store, 1 to train" in capsys.readouterr().out
    pd.testing.assert_frame_equal(grown.transfer, run_transfer("mini", params, digits, experiments).transfer)


def test_an_interrupted_task_a_goes_on_from_its_last_epoch(params, digits, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(checkpoints, "SECONDS_WORTH_KEEPING", 0.0)
    monkeypatch.setattr(checkpoints, "LARGEST_SHARE", 1e9)
    experiments = params.transfer["mini"]
    store = NetworkStore(tmp_path / "store")
    experiment = Experiment("mini", params, digits, experiments["three_and_five"], store)
    stack = Stack.of(list(experiment.of_a.values()))
    seen: list[int] = []

    def interrupt(module: StackModule) -> None:
        if len(module.history) == 2:
            raise KeyError

    schedule, checkpoint = experiment.schedule("A"), store.checkpoint(stack.recipes)
    with pytest.raises(KeyError):
        schedule.train_stack(stack, interrupt, checkpoint)
    again = schedule.train_stack(stack, lambda module: seen.append(len(module.history)), checkpoint, resume=True)
    assert seen == [2, 3]
    whole = schedule.train_stack(stack)
    for name, value in whole.networks.weights_of(1).items():
        np.testing.assert_array_equal(value, again.networks.weights_of(1)[name])
    with pytest.raises(KeyError):
        schedule.train_stack(stack, interrupt, checkpoint)
    capsys.readouterr()
    resumed = run_transfer("mini", params, digits, experiments, store)
    assert "task A: 2 networks go on from the last epoch they finished" in capsys.readouterr().out
    pd.testing.assert_frame_equal(resumed.transfer, run_transfer("mini", params, digits, experiments).transfer)
    assert store.checkpoints() == {}


def test_the_summary_pairs_by_seed_and_chooses_on_validation(params, digits) -> None:
    results = run_transfer("mini", params, digits, params.transfer["mini"])
    summary = summarize_transfer(results.transfer, results.transfer_hits, digits.card, 0.95)
    table = results.transfer.query("task == 'B'")
    for row in summary.to_dict("records"):
        own = table.query(f"reused == {row['reused']} and unfrozen == {row['unfrozen']}").set_index("seed")
        base = table.query("reused == 0").set_index("seed")
        gain = own["test_accuracy"] - base["test_accuracy"]
        assert row["gain_mean"] == pytest.approx(gain.mean())
        errors = (1 - own["test_accuracy"]).mean() / (1 - base["test_accuracy"]).mean()
        assert row["error_ratio"] == pytest.approx(errors)
    chosen = summary[summary["chosen"] & (summary["reused"] > 0)]
    assert chosen["val_accuracy"].tolist() == [summary[summary["reused"] > 0]["val_accuracy"].max()]
    metrics = transfer_metrics(results.transfer, summary)
    assert metrics["three_and_five"]["labels"]["20"]["reuse"] == chosen["test_accuracy_mean"].iloc[0]


@pytest.mark.parametrize("network", [b_network(0, 0), b_network(1, 0), b_network(1, 1)])
def test_the_first_epoch_starts_where_the_protocol_says(
    experiment: Experiment, donors, network: TransferNetwork
) -> None:
    """Layers that are not reused start alike, whatever is reused below them."""
    scratch, ours = (
        states(StackModule(stack_of(experiment, one), experiment.tasks["B"], donors=donors).networks)
        for one in (b_network(0, 0), network)
    )
    for name, (depth, start) in scratch.items():
        assert depth < network.reused or start.equal(ours[name][1]), name
