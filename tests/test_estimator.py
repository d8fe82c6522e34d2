"""Grids of networks as a scikit-learn estimator."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from pipeline.estimator import Stack

X, Y = load_digits(return_X_y=True)
TRAIN, TEST = slice(0, 1200), slice(1200, None)


@parametrize_with_checks([Stack(), Stack((8,), activation=["relu", "tanh"], seeds=2, epochs=40)])
def test_it_passes_scikit_learns_own_checks(estimator: Stack, check: object) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def stack() -> Stack:
    grid = {"activation": ["relu", "tanh"], "learning_rate": [0.001, 0.01, 10.0], "normalization": ["none", "before"]}
    return Stack((32, 16), **grid, seeds=2, epochs=5).fit(X[TRAIN], Y[TRAIN])


def test_its_results_are_those_of_a_grid_search(stack: Stack) -> None:
    results = stack.cv_results_
    assert len(results["params"]) == len(results["mean_test_score"]) == 2 * 3 * 2
    assert {*results["params"][0]} == {"activation", "learning_rate", "normalization"}
    splits = np.stack([results["split0_test_score"], results["split1_test_score"]], 1)
    np.testing.assert_array_equal(results["mean_test_score"], splits.mean(1))
    assert results["rank_test_score"][stack.best_index_] == 1
    assert stack.best_params_ == results["params"][stack.best_index_]
    assert stack.best_score_ == results["mean_test_score"].max()
    assert results["param_learning_rate"].tolist() == [levels["learning_rate"] for levels in results["params"]]
    assert stack.score(X[TEST], Y[TEST]) > 0.85


def test_each_network_is_bit_for_bit_as_alone(stack: Stack) -> None:
    for place in (1, 6, 11):
        alone = Stack((32, 16), **stack.cv_results_["params"][place], seeds=1, epochs=5).fit(X[TRAIN], Y[TRAIN])
        mine = stack.networks_[place][0].model.state_dict()
        theirs = alone.networks_[0][0].model.state_dict()
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(value, theirs[name]) for name, value in mine.items())


def test_it_works_where_estimators_work(stack: Stack) -> None:
    again = pickle.loads(pickle.dumps(stack))  # noqa: S301
    np.testing.assert_array_equal(again.predict_proba(X[TEST]), stack.predict_proba(X[TEST]))
    piped = make_pipeline(FunctionTransformer(), Stack((16,), epochs=3))
    assert cross_val_score(piped, X[:600], Y[:600], cv=2).mean() > 0.5
    named = Stack((16,), epochs=5).fit(X[:600], np.array(list("abcdefghij"))[Y[:600]])
    assert {*named.predict(X[:50])} <= {*"abcdefghij"}


def test_a_network_that_diverges_guesses_and_is_counted() -> None:
    found = Stack((16,), learning_rate=[1e12, 0.01], optimizer="sgd", epochs=2).fit(X[:300], Y[:300])
    assert found.cv_results_["diverged"].tolist() == [1, 0]
    assert found.cv_results_["mean_test_score"][0] < 0.2
    assert found.best_params_ == {"learning_rate": 0.01}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"activation": "rleu"}, "activation: 'rleu' is not an activation; did you mean 'relu'?"),
        ({"activation": []}, "activation: is empty; allowed: a level, or a list of levels"),
        ({"learning_rate": [0.1, -1]}, "learning_rate: found -1; allowed: numbers above 0"),
        ({"epochs": 0}, "epochs: found 0; allowed: a whole number from 1 to 1,000,000"),
        ({"seeds": 1.5}, "seeds: found 1.5; allowed"),
        ({"batch_size": 1, "normalization": "before"}, "batch_size: found 1; allowed: a whole number from 2"),
        ({"validation": 1}, "validation: found 1; allowed: a share above 0 and below 1"),
        ({"scaling": "none"}, "scaling: found 'none'; allowed: standardize, unit"),
        ({"accelerator": "tpu"}, "accelerator: found 'tpu'; allowed: auto, cpu, gpu, mps"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(parameters: dict, words: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        Stack(**parameters).fit(X[:100], Y[:100])
    assert str(refused.value).startswith(words)
