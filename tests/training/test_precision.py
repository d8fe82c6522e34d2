"""Products in low precision: refused where a machine has none, and by themselves in every network."""

import numpy as np
import pytest
import torch

from pipeline.compute.kernels import Linear
from pipeline.config import Params, Study
from pipeline.data import Dataset
from pipeline.errors import ParamsError
from pipeline.training.devices import LOSS_SCALE, check_precision
from pipeline.training.outcome import outcomes
from pipeline.training.recipe import resolve
from pipeline.training.schedule import Schedule
from pipeline.training.stacks import Stack
from pipeline.training.study import train_networks
from tests.building import recipes

has_bfloat16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="this processor has no bfloat16"
)


def with_precision(study: Study, precision: str) -> Study:
    return study.model_copy(update={"training": study.training.model_copy(update={"precision": precision})})


def on_this_machine(params: Params, **compute: str) -> Params:
    return params.model_copy(update={"compute": params.compute.model_copy(update={"accelerator": "cpu", **compute})})


@pytest.mark.parametrize(
    ("precision", "reproducible", "message"),
    [
        ("float16-mixed", "machine", "training.precision: found 'float16-mixed', which needs a GPU; allowed on a CPU"),
        ("tf32", "machine", "training.precision: found 'tf32', which needs a GPU; allowed on a CPU"),
        pytest.param("bfloat16-mixed", "portable", "Set compute.reproducible: machine", marks=has_bfloat16),
    ],
)
def test_a_precision_that_is_not_here_is_refused_before_any_work(
    mini: Study, params: Params, digits: Dataset, precision: str, reproducible: str, message: str
) -> None:
    with pytest.raises(ParamsError, match=message):
        train_networks(
            "mini", with_precision(mini, precision), on_this_machine(params, reproducible=reproducible), digits,
            mini.networks(),
        )  # fmt: skip


def test_a_processor_without_bfloat16_is_told(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False, raising=False)
    with pytest.raises(ParamsError, match="which this processor does not have; allowed: float32"):
        check_precision("bfloat16-mixed", on_this_machine(params, reproducible="machine").compute)


def test_products_are_low_and_sums_are_not() -> None:
    """Both ways: factors are rounded to bfloat16; signals, gradients and biases stay in single precision."""
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(2, 5, 5, generator=generator, requires_grad=True) for _ in range(2))
    bias = torch.full((2, 1, 5), 1 / 3, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        out = Linear.apply(x, weight, bias)
    assert out.dtype == torch.float32
    low = (x.bfloat16() @ weight.bfloat16()).float() + bias
    torch.testing.assert_close(out, low, rtol=0, atol=0)
    grad = torch.randn(2, 5, 5, generator=generator)
    out.backward(grad)
    expected = (x.bfloat16().mT @ grad.bfloat16()).float()
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, expected, rtol=0, atol=0)
    assert bias.grad is not None
    torch.testing.assert_close(bias.grad, grad.sum(1, keepdim=True))


@has_bfloat16
def test_bfloat16_trains_nearly_as_well_and_a_network_does_not_notice_its_neighbours(
    mini: Study, params: Params, digits: Dataset
) -> None:
    machine = on_this_machine(params, reproducible="machine")
    networks = [network for network in mini.networks() if network.cell.activation == "selu"][:6]
    low = list(resolve(with_precision(mini, "bfloat16-mixed"), machine, digits.card, "cpu", networks).values())
    full = list(resolve(mini, machine, digits.card, "cpu", networks).values())
    assert {recipe.key for recipe in low}.isdisjoint(recipe.key for recipe in full)
    schedule = Schedule("test", digits, machine.compute)
    alone = [outcomes(schedule.train_stack(Stack.of([recipe])), "cpu")[0] for recipe in low]
    groups: dict[str, list[int]] = {}
    for place, recipe in enumerate(low):
        groups.setdefault(recipe.cell.normalization, []).append(place)
    for places in groups.values():
        stack = Stack.of([low[place] for place in places])
        module = schedule.train_stack(stack)
        assert module.engine is None
        for recipe, one in zip(stack.recipes, outcomes(module, "cpu"), strict=True):
            np.testing.assert_array_equal(one.history, alone[low.index(recipe)].history)
    exact = Schedule("test", digits, machine.compute).train(full).outcomes
    for recipe, one in zip(full, alone, strict=True):
        assert not np.array_equal(one.history, exact[recipe].history)
        np.testing.assert_allclose(one.history[-1], exact[recipe].history[-1], atol=0.05)


def test_a_scaled_loss_gives_the_same_gradient(
    mini: Study, params: Params, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power of two, so that in single precision nothing changes but what overflows."""
    from pipeline.training.module import StackModule

    assert LOSS_SCALE == 2**10
    (recipe,) = recipes(mini.networks()[:1], mini, params, digits)
    monkeypatch.setattr(StackModule, "compiles", False)
    plain = outcomes(Schedule("test", digits, params.compute).train_stack(Stack.of([recipe])), "cpu")[0]
    monkeypatch.setattr(StackModule, "loss_scale", LOSS_SCALE)
    scaled = outcomes(Schedule("test", digits, params.compute).train_stack(Stack.of([recipe])), "cpu")[0]
    np.testing.assert_array_equal(plain.history, scaled.history)
