"""Learning rates that are tuned."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.schema import RATES, Tuning
from pipeline.grid import AXES, TUNED, Cell, Network
from pipeline.training.store import NetworkStore, digest_of
from pipeline.training.study import recorded_recipes, train_networks
from pipeline.training.tuning import FIRST_SEED, Score, Tuned, tune, tuning_seeds
from tests.building import cell

START = Tuning(seeds=2, rates=(0.03, 0.1, 0.3))
WANTED = cell(learning_rate=TUNED)


class Trials:
    """Trains nothing: a network's accuracy is a function of its learning rate."""

    def __init__(self, accuracy: Callable[[float], float], diverges_from: float = math.inf) -> None:
        self.accuracy, self.diverges_from = accuracy, diverges_from
        self.rounds: list[list[Network]] = []

    def __call__(self, networks: Sequence[Network]) -> Mapping[Network, Score]:
        self.rounds.append(list(networks))
        return {network: self.score(network.cell.learning_rate) for network in networks}

    def score(self, rate: float) -> Score:
        return Score(0.1, math.inf) if rate >= self.diverges_from else Score(self.accuracy(rate), 1.0)


def peak(at: float) -> Callable[[float], float]:
    return lambda rate: 1 - 0.1 * abs(math.log10(rate / at))


def found(trials: Trials, cells: Sequence[Cell] = (WANTED,), start: Tuning = START) -> Tuned:
    return tune(cells, start, 0, trials)


@given(st.sampled_from(RATES[1:-1]))
def test_the_best_rate_is_found_wherever_it_is_and_lies_between_two_others(best: float) -> None:
    tuned = found(Trials(peak(best)))
    assert tuned.rates == {WANTED: best}
    place = RATES.index(best)
    assert {RATES[place - 1], RATES[place + 1]} <= {*tuned.table["learning_rate"]}
    assert not tuned.table["edge"].any()


def test_rates_that_need_not_be_tried_are_not() -> None:
    trials = Trials(peak(0.1))
    found(trials)
    assert [len(networks) for networks in trials.rounds] == [3 * 2]


def test_divergence_is_an_end() -> None:
    """More is better until networks diverge: the last rate at which they do not is an interior point."""
    tuned = found(Trials(lambda rate: 0.5 + 0.05 * math.log10(rate / 1e-6), diverges_from=3.0))
    assert tuned.rates[WANTED] == 1.0
    tried = tuned.table.set_index("learning_rate")
    assert tried.loc[3.0, "diverged"] == 2
    assert math.isnan(tried.loc[3.0, "val_loss"])
    assert not tried["edge"].any()


@pytest.mark.parametrize(("accuracy", "end"), [(peak(1e9), RATES[-1]), (peak(1e-30), RATES[0])])
def test_a_best_rate_at_the_end_of_all_is_said_to_be_there(accuracy: Callable[[float], float], end: float) -> None:
    tuned = found(Trials(accuracy))
    assert tuned.rates[WANTED] == end
    assert tuned.table.set_index("learning_rate")["edge"].to_dict()[end]


def test_of_equally_accurate_rates_the_one_with_the_lower_loss_is_taken_then_the_smaller_one() -> None:
    losses = {0.03: 0.5, 0.1: 0.4, 0.3: 0.4}

    def score(networks: Sequence[Network]) -> dict[Network, Score]:
        return {one: Score(0.9, losses.get(one.cell.learning_rate, 0.6)) for one in networks}

    assert tune([WANTED], START, 0, score).rates[WANTED] == 0.1


def test_every_cell_is_tuned_by_itself_and_all_in_the_same_rounds() -> None:
    others = [cell(activation=name, learning_rate=TUNED) for name in ("tanh", "elu")]
    best = dict(zip(others, (0.1, 3.0), strict=True))

    def score(networks: Sequence[Network]) -> dict[Network, Score]:
        rounds.append({one.cell.activation for one in networks})
        return {
            one: Score(peak(best[one.cell._replace(learning_rate=TUNED)])(one.cell.learning_rate), 1.0)
            for one in networks
        }

    rounds: list[set[str]] = []
    assert tune(others, START, 0, score).rates == best
    assert rounds == [{"tanh", "elu"}, {"elu"}, {"elu"}, {"elu"}]


@given(seeds=st.integers(1, 5), base=st.integers(0, 2**30 - 1))
def test_the_seeds_that_choose_are_none_of_a_grids(seeds: int, base: int) -> None:
    trials = Trials(peak(0.1))
    tune([WANTED], Tuning(seeds=seeds, rates=(0.1,)), base, trials)
    used = {network.seed for networks in trials.rounds for network in networks}
    assert used == {FIRST_SEED + base + number for number in range(seeds)}
    assert min(used) >= 2 * 2**30  # above every seed of a grid with the largest base seed


def test_a_network_whose_rate_was_given_stays_as_it_is() -> None:
    tuned = found(Trials(peak(1.0)))
    assert tuned.network(Network(WANTED, 3)) == Network(WANTED._replace(learning_rate=1.0), 3)
    given_ = Network(cell(learning_rate=0.02), 3)
    assert tuned.network(given_) == given_


# --- with real networks ---


@pytest.fixture(scope="module")
def tuned_study(mini):
    block = mini.grid[0].model_copy(update={
        "initializer": ("he_normal",), "activation": ("relu", "tanh"), "normalization": ("none",),
        "learning_rate": ("tuned",), "seed": (0, 1),
    })  # fmt: skip
    explicit = block.model_copy(update={"activation": ("relu",), "learning_rate": (0.02,)})
    return mini.model_copy(update={"grid": (block, explicit)})


def test_a_study_is_trained_at_the_rates_that_were_found(tuned_study, params, digits, tmp_path, capsys) -> None:
    store = NetworkStore(tmp_path)
    networks = tuned_study.networks()
    results = train_networks("mini", tuned_study, params, digits, networks, store)
    tuning = results.tuning
    chosen = tuning[tuning["chosen"]]
    assert {*chosen["activation"]} == {"relu", "tanh"}
    assert (tuning["networks"] == params.tuning.seeds).all()
    assert tuning.equals(tuning.sort_values(list(AXES), ignore_index=True))
    own = results.networks[results.networks["tuned"]]
    assert {(row.activation, row.learning_rate) for row in own.itertuples()} == {
        (row.activation, row.learning_rate) for row in chosen.itertuples()
    }
    assert {*results.networks.loc[~results.networks["tuned"], "learning_rate"]} == {0.02}
    best = tuning.groupby("activation")["val_accuracy"].max()
    for row in chosen.itertuples():
        assert row.val_accuracy == best[row.activation]

    layers = results.tuning_layers
    assert {*layers["seed"]} == {*tuning_seeds(params.tuning, params.base_seed)}
    looked = layers[["activation", "learning_rate"]].drop_duplicates().sort_values(["activation", "learning_rate"])
    tried = tuning[["activation", "learning_rate"]].sort_values(["activation", "learning_rate"])
    assert looked.to_numpy().tolist() == tried.to_numpy().tolist()

    recipes = recorded_recipes(tuned_study, params, digits.card, results)
    assert {digest_of(name) for name in store.entries()} == {recipe.key for recipe in recipes}
    capsys.readouterr()
    again = train_networks("mini", tuned_study, params, digits, networks, store)
    assert "to train" in (said := capsys.readouterr().out)
    assert "trained in" not in said  # all are in the store, those too that chose the rates
    for name in ("networks", "history", "layers", "tuning", "tuning_layers"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(results, name))


def test_another_base_seed_gives_other_networks(tuned_study, params, digits) -> None:
    moved = tuned_study.with_base_seed(100)
    assert {network.seed for network in moved.networks()} == {100, 101}
    first, second = (
        train_networks("mini", study, params, digits, [n for n in study.networks() if n.cell.learning_rate])
        for study in (tuned_study, moved)
    )
    assert not np.intersect1d(first.networks["test_loss"], second.networks["test_loss"]).size
