from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.compute.workers import run_all
from pipeline.errors import ParamsError
from pipeline.grid import AXES, Network
from pipeline.networks.build import parameter_count
from pipeline.progress import GridProgress
from pipeline.training.names import KEY, METRICS
from pipeline.training.order import Epochs
from pipeline.training.stacks import into_stacks, stack_size
from pipeline.training.study import check_fit, train_networks
from tests.building import build, cell, recipes, train_together


def small(mini, epochs: int = 2, **changes):
    return mini.model_copy(update={"training": mini.training.model_copy(update={"epochs": epochs}), **changes})


def with_workers(params, workers: int):
    return params.model_copy(
        update={"compute": params.compute.model_copy(update={"workers": workers, "stack_size": 8})}
    )


@pytest.fixture(scope="module")
def results(params, mini, digits):
    return train_networks("mini", small(mini), with_workers(params, 2), digits, mini.networks())


def test_every_network_has_a_row_and_every_finished_epoch(results, mini) -> None:
    assert [tuple(row) for row in results.networks[KEY].itertuples(index=False)] == [
        (*network.cell, network.seed) for network in mini.networks()
    ]
    assert len(results.history) == results.networks["epochs"].sum()


def test_one_worker_and_two_give_equal_bytes(results, params, mini, digits, tmp_path: Path) -> None:
    again = train_networks("mini", small(mini), with_workers(params, 1), digits, mini.networks())
    results.save(tmp_path / "two")
    again.save(tmp_path / "one")
    for table in ("networks", "history"):
        assert (tmp_path / "one" / f"{table}.parquet").read_bytes() == (
            tmp_path / "two" / f"{table}.parquet"
        ).read_bytes()


def test_networks_learn(results) -> None:
    learned = results.networks.query("learning_rate == 0.1 and normalization == 'none'")
    assert learned["val_accuracy"].mean() > 0.8


def test_a_network_that_diverges_is_recorded_as_guessing(results, digits) -> None:
    diverged = results.networks[results.networks["status"] == "diverged"]
    assert set(diverged["learning_rate"]) == {1000.0}
    assert (diverged["health"] == "diverged").all()
    assert (diverged["epochs"] < 2).all()
    assert diverged[["train_loss", "val_loss", "test_loss"]].isna().all(axis=None)
    counts = np.array([digits.card.class_counts[part] for part in ("train", "validation", "test")])
    guesses = counts[:, counts[0].argmax()] / counts.sum(1)
    assert (diverged[["train_accuracy", "val_accuracy", "test_accuracy"]] == guesses).all(axis=None)
    trained = results.networks[results.networks["status"] == "trained"]
    assert np.isfinite(trained[[*METRICS, "test_loss", "test_accuracy"]]).all(axis=None)


def test_a_network_that_diverges_is_frozen(params, mini, digits) -> None:
    wild = Network(cell("standard_normal", "relu", learning_rate=1000.0), 0)
    module = train_together([wild], small(mini, 5), params, digits)
    assert not module.alive.any()
    assert len(module.history) < 5  # nothing is left to train: the trainer stops


def test_the_training_scores_are_those_of_the_epochs_batches(params, mini, digits) -> None:
    """As Keras reports them; here with a learning rate so small that the weights stay: the mean over all samples."""
    still = Network(cell("he_normal", "tanh", learning_rate=1e-12), 3)
    module = train_together([still], small(mini, 1), params, digits)
    plain = module.networks.unstack(0)
    x, y = map(torch.from_numpy, digits.split(3).train)
    logits = plain(x)
    train = module.history[0].train
    torch.testing.assert_close(train.loss[0], torch.nn.functional.cross_entropy(logits, y))
    torch.testing.assert_close(train.accuracy[0], (logits.argmax(1) == y).float().mean())


def test_scores_are_scikit_learns(params, mini, digits) -> None:
    from sklearn.metrics import accuracy_score, log_loss

    networks = [Network(cell("glorot_uniform", "selu", "after"), seed) for seed in (1, 2)]
    module = train_together(networks, small(mini), params, digits)
    for k, network in enumerate(networks):
        x, y = digits.split(network.seed).test
        p = module.networks.unstack(k)(torch.from_numpy(x)).softmax(1).detach().double().numpy()
        p /= p.sum(1, keepdims=True)
        assert module.test.loss[k].item() == pytest.approx(log_loss(y, p), rel=1e-5)
        assert module.test.accuracy[k].item() == pytest.approx(accuracy_score(y, p.argmax(1)))


def test_hits_are_the_samples_that_a_network_gets_right(params, mini, digits) -> None:
    networks = [Network(cell("glorot_uniform", "selu"), seed) for seed in (1, 2)]
    networks.append(Network(cell("standard_normal", learning_rate=1000.0), 0))
    results = train_networks("mini", small(mini), params, digits, networks)
    found = dict(zip(results.hits["seed"], results.hits["hits"], strict=True))
    right = {seed: np.unpackbits(np.frombuffer(one, np.uint8), count=360) for seed, one in found.items()}
    for row in results.networks.itertuples():
        assert right[row.seed].mean() == pytest.approx(row.test_accuracy, abs=1e-7)
    module = train_together(networks[:1], small(mini), params, digits)
    np.testing.assert_array_equal(right[1], module.labels("test")[0] == digits.split(1).test.y)
    most = np.argmax(digits.card.class_counts["train"])
    np.testing.assert_array_equal(right[0], digits.split(0).test.y == most)  # diverged: it guesses


def test_an_epoch_shows_every_sample_once_in_the_seeds_own_order() -> None:
    epoch = 0
    epochs = Epochs([5, 6, 5], [np.arange(100)] * 3, epoch=lambda: epoch)
    (first,) = list(epochs)
    epoch = 1
    (second,) = list(epochs)
    for order in (*first, *second):
        np.testing.assert_array_equal(np.sort(order), np.arange(100))
    assert torch.equal(first[0], first[2])
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], second[0])


def test_an_epoch_shows_a_network_its_own_samples_alone() -> None:
    samples = [np.arange(0, 40), np.arange(60, 100)]
    (order,) = Epochs([5, 5], samples, epoch=lambda: 3)
    for own, chosen in zip(order, samples, strict=True):
        np.testing.assert_array_equal(np.sort(own), chosen)
    assert torch.equal(order[0] + 60, order[1])


def test_stacks_hold_every_network_once_and_share_what_is_in_a_graph(params, digits) -> None:
    block = {
        "hidden": ("2x64", "64-32"), "optimizer": ("sgd", "momentum", "momentum(momentum=0.5)"),
        "clipping": ("value", "none", "norm(threshold=0.5)", "norm"), "batch_size": (32, 64),
        "normalization": ("none", "before", "before(eps=1e-05)"), "regularization": ("none", "l2"),
        "train_fraction": (0.5, 1.0), "label_noise": (0.0, 0.25), "seed": (0,),
    }  # fmt: skip
    study = params.study("digits")
    varied = study.model_copy(update={"grid": (study.grid[1].model_copy(update=block),)})
    made = recipes([*{*study.networks(), *varied.networks()}], study, params, digits)
    stacks = into_stacks(made, lambda _graph: 64)
    assert sorted(recipe.key for stack in stacks for recipe in stack.recipes) == sorted(recipe.key for recipe in made)
    for stack in stacks:
        for axis in {*AXES} - {"initializer", "clipping", "label_noise", "learning_rate"}:
            assert {getattr(recipe.cell, axis) for recipe in stack.recipes} == {stack.graph.level(axis)}
        modes = [recipe.cell.clipping for recipe in stack.recipes]
        assert sum(a != b for a, b in pairwise(modes)) == len(set(modes)) - 1
        assert len(stack.recipes) <= 64
    assert any(len({recipe.cell.initializer for recipe in stack.recipes}) > 1 for stack in stacks)
    assert any(len({recipe.cell.clipping for recipe in stack.recipes}) == 4 for stack in stacks)


def test_a_larger_shape_gives_a_smaller_stack() -> None:
    small = build((64, 64, 64, 10)).design
    larger = small._replace(shape=(784,), hidden=(300, 100))
    largest = larger._replace(hidden=(4000, 4000))
    sizes = [stack_size(parameter_count(one), sum(one.widths), None) for one in (small, larger, largest)]
    assert sizes[0] > sizes[1] > sizes[2] == 1


@pytest.mark.parametrize("memory", [None, 80 * 2**30])
def test_many_steps_give_a_smaller_stack_than_their_weights_would(memory: int | None) -> None:
    sizes = [stack_size(1000, 64 * 32 * steps, memory) for steps in (1, 10, 100, 10_000_000)]
    assert sizes[0] >= sizes[1] > sizes[2] > sizes[3] == 1


@pytest.mark.parametrize("widths", [(64, 10), (64, 16, 16, 10), (784, 300, 100, 10)])
def test_the_parameters_of_a_shape_are_those_of_its_network(widths: tuple[int, ...]) -> None:
    networks = build(widths)
    assert parameter_count(networks.design) == sum(parameter.numel() for parameter in networks.parameters())


def test_a_batch_larger_than_the_training_part_is_refused_before_training(params, mini, digits) -> None:
    study = mini.model_copy(update={"training": mini.training.model_copy(update={"batch_size": 2000})})
    with pytest.raises(ParamsError, match=r"studies.mini.training.batch_size: found 2,000; allowed: at most 1,077"):
        train_networks("mini", study, params, digits, study.networks())


def test_a_batch_size_of_the_grid_is_checked_too(params, mini, digits) -> None:
    block = mini.grid[0].model_copy(update={"batch_size": (32, 2000)})
    study = mini.model_copy(update={"grid": (block,)})
    with pytest.raises(ParamsError, match=r"studies.mini.grid: batch_size: found 2,000; allowed: at most 1,077"):
        train_networks("mini", study, params, digits, study.networks())


def test_a_last_batch_of_one_sample_is_refused_where_batch_norm_needs_two(params, mini, digits) -> None:
    study = mini.model_copy(update={"training": mini.training.model_copy(update={"batch_size": 269})})  # 4 · 269 + 1
    with pytest.raises(ParamsError, match="batch norm needs two"):
        train_networks("mini", study, params, digits, study.networks())
    check_fit("mini", study, digits, [n for n in study.networks() if n.cell.normalization == "none"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the accelerator")
def test_an_accelerator_that_is_not_there_is_refused(params, mini, digits) -> None:
    wanted = params.model_copy(update={"compute": params.compute.model_copy(update={"accelerator": "gpu"})})
    with pytest.raises(ParamsError, match=r"compute.accelerator: found 'gpu', which this machine does not have"):
        train_networks("mini", mini, wanted, digits, mini.networks())


def test_an_error_in_a_worker_reaches_the_caller() -> None:
    def work(task: int, _notify) -> int:
        if task == 2:
            raise ValueError("task 2")
        return task

    with pytest.raises(ValueError, match="task 2"):
        list(run_all(work, range(4), workers=2, notify=print))


def test_workers_notify_the_caller() -> None:
    heard = []

    def work(task: int, notify) -> int:
        notify(task)
        return task * task

    assert sorted(run_all(work, range(5), workers=2, notify=heard.append)) == [0, 1, 4, 9, 16]
    assert sorted(heard) == list(range(5))


def test_tables_hold_nothing_that_changes_from_run_to_run(results) -> None:
    assert "seconds" not in {*results.networks, *results.history}
    assert isinstance(results.timings, pd.DataFrame)


def test_the_time_left_is_by_what_networks_take(monkeypatch, capsys) -> None:
    clock = iter([0.0, 20.0, 90.0, 100.0])
    monkeypatch.setattr("pipeline.progress.time.monotonic", lambda: next(clock))
    with GridProgress("study", 2, 20.0) as progress:
        progress.epoch_done(10.0, 0.5)  # the first of two that take as much
        assert "study: 0/2 networks, 20 s left" in capsys.readouterr().out
        progress.stack_done(1, 18.0)  # it stopped early
        progress.epoch_done(0.0, 0.6)
        assert "study: 1/2 networks, 10 s left" in capsys.readouterr().out
    assert "study: 1 networks trained in 100.0 s, best val accuracy 0.6000" in capsys.readouterr().out
