"""Reuse of layers: what is frozen stays as it is, A stays as it was, and nobody notices the neighbours."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.evaluation.transfer import published_transfer, summarize_transfer, transfer_metrics
from pipeline.training import checkpoints
from pipeline.training.store import NetworkStore
from pipeline.transfer.engine import Experiment, run_transfer
from pipeline.transfer.module import TransferModule
from pipeline.transfer.networks import TransferNetwork, networks_of_a, networks_of_b
from pipeline.transfer.results import SETTING, load_transfer


@pytest.fixture(scope="module")
def transfer(params):
    """An experiment with all that a layer may hold, momentum included."""
    base = params.transfer["mini"]["three_and_five"]
    training = base.training.model_copy(update={"momentum": 0.5})
    return base.model_copy(update={"activation": "prelu", "batch_norm": "before", "hidden": (12, 8, 8),
                                   "training": training, "frozen_epochs": 2})  # fmt: skip


@pytest.fixture(scope="module")
def experiment(params, mini, digits, transfer) -> Experiment:
    made = Experiment("mini", mini, params, digits, transfer, None)
    made.run()
    return made


def b_network(reused: int, unfrozen: int, seed: int = 0) -> TransferNetwork:
    return TransferNetwork("B", 20, reused, unfrozen, seed)


def blocks(module: TransferModule) -> list[dict[str, torch.Tensor]]:
    return [
        {f"{k}.{name}": value.clone() for k, layer in enumerate(block) for name, value in layer.state_dict().items()}
        for block in module.networks.blocks
    ]


@pytest.mark.parametrize(("reused", "unfrozen"), [(1, 0), (2, 0), (3, 0), (3, 1), (3, 3), (2, 1)])
def test_frozen_layers_are_bit_for_bit_as_they_came_from_a(experiment: Experiment, reused: int, unfrozen: int) -> None:
    module = experiment.train_stack([b_network(reused, unfrozen, 0), b_network(reused, unfrozen, 1)])
    of_a = [experiment.weights[seed] for seed in (0, 1)]
    for place, layer in module.networks.named_children():
        (depth,) = [d for d, block in enumerate([*module.networks.blocks, [module.networks[-1]]]) if layer in block]
        for name, ours in layer.state_dict().items():
            key = f"{place}.{name}"
            theirs = np.stack([weights[key] for weights in of_a])
            same = ours.shape == theirs.shape and np.array_equal(ours.numpy(), theirs)
            assert same == (depth < reused - unfrozen), key


def test_while_frozen_nothing_below_has_a_gradient(experiment: Experiment) -> None:
    seen = []

    def look(module: TransferModule) -> None:
        seen.append([all(p.grad is None for layer in block for p in layer.parameters())
                     for block in module.networks.blocks])  # fmt: skip

    experiment.train_stack([b_network(3, 1)], look)
    assert seen == [[True, True, True], [True, True, True], [True, True, False]]


def test_a_is_unchanged_by_what_is_built_on_it(experiment: Experiment) -> None:
    before = {seed: {k: v.copy() for k, v in weights.items()} for seed, weights in experiment.weights.items()}
    experiment.train_stack([b_network(3, 3)])
    for seed, weights in experiment.weights.items():
        for name, value in weights.items():
            np.testing.assert_array_equal(value, before[seed][name])


@pytest.mark.parametrize(("reused", "unfrozen"), [(0, 0), (2, 1)])
def test_a_network_comes_out_the_same_alone_and_in_a_stack(experiment: Experiment, reused: int, unfrozen: int) -> None:
    both = experiment.train_stack([b_network(reused, unfrozen, 0), b_network(reused, unfrozen, 1)])
    alone = experiment.train_stack([b_network(reused, unfrozen, 1)])
    for name, value in alone.networks.weights_of(0).items():
        np.testing.assert_array_equal(value, both.networks.weights_of(1)[name])


def test_scratch_is_what_plain_torch_trains(params, mini, digits) -> None:
    """One network, full batches, against torch.nn, torch.optim and the binary cross-entropy of a sigmoid unit."""
    base = params.transfer["mini"]["three_and_five"]
    training = base.training.model_copy(update={"batch_size": 64})
    experiment = Experiment("mini", mini, params, digits, base.model_copy(update={"training": training}), None)
    network = b_network(0, 0)
    untrained = experiment.build([network])
    plain = untrained.networks.unstack(0).double().train()
    x = torch.from_numpy(experiment.tasks["B"].train.x[untrained.samples[0]]).double()
    y = torch.from_numpy(experiment.tasks["B"].train.y[untrained.samples[0]]).double()
    optimizer = torch.optim.SGD(plain.parameters(), lr=base.learning_rate)
    losses = []
    for _ in range(training.epochs):
        loss = nn.functional.binary_cross_entropy(torch.sigmoid(plain(x)[:, 0]), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    stacked = experiment.train_stack([network])
    np.testing.assert_allclose([float(epoch.train.loss[0]) for epoch in stacked.history], losses, rtol=1e-5)


def test_every_network_has_a_row(params, mini, digits, tmp_path: Path, capsys) -> None:
    store = NetworkStore(tmp_path / "store")
    experiments = params.transfer["mini"]
    results = run_transfer("mini", mini, params, digits, experiments, store)
    (wanted,) = experiments.values()
    assert len(results.transfer) == len(networks_of_b(wanted)) + len(wanted.seed)
    assert len(results.transfer_history) == results.transfer["epochs"].sum()
    results.save(tmp_path / "first")
    capsys.readouterr()
    # Again, of which all is in the store; then with one axis longer, which needs A's weights.
    run_transfer("mini", mini, params, digits, experiments, store).save(tmp_path / "again")
    assert "12 of 12 networks are in the store, 0 to train" in capsys.readouterr().out
    longer = {"three_and_five": wanted.model_copy(update={"reused": (0, 1, 2)})}
    fewer = {"three_and_five": wanted.model_copy(update={"reused": (1,)})}
    part = NetworkStore(tmp_path / "part")
    run_transfer("mini", mini, params, digits, fewer, part)
    grown = run_transfer("mini", mini, params, digits, longer, part)
    assert "8 of 12 networks are in the store, 4 to train" in capsys.readouterr().out
    grown.save(tmp_path / "grown")
    for table in ("transfer", "transfer_history"):
        first = (tmp_path / "first" / f"{table}.parquet").read_bytes()
        assert first == (tmp_path / "again" / f"{table}.parquet").read_bytes()
        assert first == (tmp_path / "grown" / f"{table}.parquet").read_bytes()
    assert load_transfer(tmp_path / "first").transfer[SETTING].equals(results.transfer[SETTING])


def test_an_interrupted_task_a_goes_on_from_its_last_epoch(params, mini, digits, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(checkpoints, "SECONDS_WORTH_KEEPING", 0.0)
    monkeypatch.setattr(checkpoints, "LARGEST_SHARE", 1e9)
    store = NetworkStore(tmp_path)
    experiment = Experiment("mini", mini, params, digits, params.transfer["mini"]["three_and_five"], store)
    networks = networks_of_a(experiment.transfer, len(experiment.tasks["A"].train.y))
    seen: list[int] = []

    def interrupt(module: TransferModule) -> None:
        if len(module.history) == 2:
            raise KeyError

    with pytest.raises(KeyError):
        experiment.train_stack(networks, interrupt)
    again = experiment.train_stack(networks, lambda module: seen.append(len(module.history)))
    assert seen == [2, 3]
    experiment.store = None
    whole = experiment.train_stack(networks)
    for name, value in whole.networks.weights_of(1).items():
        np.testing.assert_array_equal(value, again.networks.weights_of(1)[name])


def test_the_summary_pairs_by_seed_and_chooses_on_validation(params, mini, digits) -> None:
    results = run_transfer("mini", mini, params, digits, params.transfer["mini"])
    summary = summarize_transfer(results.transfer, 0.95)
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
    assert published_transfer("mini", summary).empty


@pytest.mark.parametrize("network", [b_network(0, 0), b_network(1, 0), b_network(1, 1)])
def test_the_first_epoch_starts_where_the_protocol_says(experiment: Experiment, network: TransferNetwork) -> None:
    """Layers that are not reused start alike, whatever is reused below them."""
    scratch, ours = (experiment.build([n]).networks for n in (b_network(0, 0), network))
    for place in range(network.reused, 3):
        for a, b in zip(scratch.blocks[place], ours.blocks[place], strict=True):
            for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True):
                assert x.equal(y)
