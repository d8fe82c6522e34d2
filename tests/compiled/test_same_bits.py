"""Compiled code and torch's layers, trained by autograd, come to the same bits."""

from typing import Any

import numpy as np
import pytest
import torch

from pipeline.compiled import epoch, program
from pipeline.compiled.program import Kind, NotCompilableError, record
from pipeline.config import Params, Study
from pipeline.data import Dataset
from pipeline.grid import Cell, Network
from pipeline.training.module import StackModule
from pipeline.training.outcome import Outcome, outcomes
from pipeline.training.recipe import resolve
from pipeline.training.schedule import Schedule
from pipeline.training.stacks import Stack

SEEDS = 3
LEVELS = {"initializer": "he_normal", "activation": "relu", "learning_rate": 0.05, "hidden": "20-33-18"}
"""Widths that fill no vector, and some."""
DEEP = {"hidden": "20-20-20-20"}
VARIED: list[dict[str, Any]] = [
    *({"activation": one} for one in (
        "sigmoid", "tanh", "relu", "leaky_relu", "rrelu", "prelu", "elu", "elu(alpha=0.5)", "selu", "gelu",
        "gelu_sigmoid", "swish", "mish", "softplus", "hard_sigmoid", "identity",
    )),
    *({"normalization": one, "activation": other} for one in ("before", "after", "layer_norm")
      for other in ("relu", "rrelu", "mish")),
    *({"normalization": one} for one in ("before(affine=false)", "before(input=false)", "before(bias=true)",
                                         "after(affine=false)")),
    {"normalization": "before(affine=false, bias=true)", "clipping": "global_norm(0.1)", "optimizer": "adam"},
    {"initializer": "glorot_uniform(scale=0.6667)"},
    *({"regularization": one} for one in ("dropout", "alpha_dropout(rate=0.2)", "l1", "l2", "max_norm(limit=0.5)")),
    *({"optimizer": one, "learning_rate": 0.003, "regularization": other}
      for one in ("momentum", "nesterov", "rmsprop", "adam", "adamw") for other in ("none", "l2")),
    *({"clipping": one} for one in ("value(0.01)", "norm(0.1)", "global_norm(0.1)")),
    *({"architecture": one, **DEEP, "normalization": other}
      for one in ("residual", "residual(preactivation=false)", "wide_and_deep")
      for other in ("none", "before", "after")),
    {"initializer": "standard_normal", "learning_rate": 1000.0},
    {"initializer": "standard_normal", "learning_rate": 1.0, "normalization": "before"},
    {"initializer": "standard_normal", "learning_rate": 1000.0, "clipping": "global_norm", "optimizer": "adam"},
    {"label_noise": 0.2, "train_fraction": 0.3},
    {"hidden": "7-5-40-300-100", "batch_size": 50},
    {"hidden": "150", "batch_size": 1000},
]  # fmt: skip
"""Of the neutral cell above; at least one for each instruction and rule, and networks that diverge."""


def train(
    study: Study,
    params: Params,
    digits: Dataset,
    levels: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    compiles: bool,
) -> StackModule:
    """Return a trained stack of the study's shape and budget."""
    cell = Cell.of(study.own_levels | LEVELS | levels)
    recipes = resolve(study, params, digits.card, "cpu", [Network(cell, seed) for seed in range(SEEDS)])
    monkeypatch.setattr(StackModule, "compiles", compiles)
    module = Schedule("test", digits, params.compute).train_stack(Stack.of(list(recipes.values())))
    assert bool(module.engine) == compiles
    return module


def same(one: Outcome, other: Outcome) -> None:
    for name, value in one._asdict().items():
        if name != "seconds":
            np.testing.assert_array_equal(value, getattr(other, name), err_msg=name)


@pytest.mark.parametrize("levels", VARIED, ids=lambda levels: ",".join(map(str, levels.values())))
def test_every_level_comes_out_the_same(
    levels: dict[str, Any], mini: Study, params: Params, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled, by_torch = (train(mini, params, digits, levels, monkeypatch, one) for one in (True, False))
    pairs = zip(outcomes(compiled, "cpu"), outcomes(by_torch, "cpu"), strict=True)
    for number, (one, other) in enumerate(pairs):
        same(one, other)
        if one.alive:
            ours, theirs = (module.networks.weights_of(number) for module in (compiled, by_torch))
            assert ours.keys() == theirs.keys()
            for name, weights in ours.items():
                np.testing.assert_array_equal(weights, theirs[name], err_msg=name)
    ours, theirs = (module.optimizers(use_pl_optimizer=False).state_dict() for module in (compiled, by_torch))
    assert ours["param_groups"] == theirs["param_groups"]
    for number, moments in theirs["state"].items():
        for name, values in moments.items():
            living = compiled.alive
            torch.testing.assert_close(ours["state"][number][name][living], values[living], rtol=0, atol=0)


def test_code_is_compiled_for_one_type_of_each_argument() -> None:
    """Another one would be compiled anew, for 30 seconds, in the middle of a run. After the tests above."""
    for function in (epoch.train, epoch.score, epoch.observe):
        assert len(function.overloads) == 1


def test_the_cases_have_every_instruction(mini: Study, params: Params, digits: Dataset) -> None:
    met = set()
    for levels in VARIED:
        cell = Cell.of(mini.own_levels | LEVELS | levels)
        (recipe,) = resolve(mini, params, digits.card, "cpu", [Network(cell, 0)]).values()
        met |= set(record(StackModule(Stack.of([recipe]), digits).networks).instructions["kind"])
    assert met == set(Kind)


def test_a_network_that_compiled_code_does_not_know_is_trained_by_torch(
    mini: Study, params: Params, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(program.ELEMENTWISE, next(iter(program.ELEMENTWISE)))
    cell = Cell.of(mini.own_levels | LEVELS | {"activation": "sigmoid"})
    (recipe,) = resolve(mini, params, digits.card, "cpu", [Network(cell, 0)]).values()
    module = Schedule("test", digits, params.compute).train_stack(Stack.of([recipe]))
    assert module.engine is None
    assert len(module.history) == mini.training.epochs
    with pytest.raises(NotCompilableError, match="Sigmoid"):
        record(module.networks)
