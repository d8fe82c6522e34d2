import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from pipeline.axes.normalization import NORMALIZATIONS, BatchNormBefore
from pipeline.networks.context import LayerContext
from pipeline.networks.normalization import StackedBatchNorm, _Normalize, _NormalizeUnits
from tests.building import build


@pytest.mark.parametrize(
    "normalize", [lambda *x: _Normalize.apply(*x, 1e-3)[0], lambda *x: _NormalizeUnits.apply(*x, 1e-3)]
)
def test_the_closed_form_gradient_is_that_of_finite_differences(normalize) -> None:
    x = torch.randn(2, 6, 3, dtype=torch.float64).requires_grad_()
    scale, shift = (torch.randn(2, 1, 3, dtype=torch.float64).requires_grad_() for _ in range(2))
    assert gradcheck(normalize, (x, scale, shift))


@pytest.mark.parametrize("spelling", ["before(affine=false)", "after(affine=false)"])
def test_without_scale_and_shift_a_layer_only_normalises(spelling: str) -> None:
    layer = NORMALIZATIONS.parse(spelling).build(LayerContext(0, 4, [0, 1]))
    assert not any(parameter.requires_grad for parameter in layer.parameters())
    assert not any(parameter.requires_grad for parameter in layer.requires_grad_().parameters())
    out = layer.train()(torch.randn(2, 200, 4) * 3 + 5)
    torch.testing.assert_close(out.mean(1), torch.zeros(2, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var(1, correction=0), torch.ones(2, 4), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("spelling", "layers"),
    [
        ("before", ["bn", "dense", "bn", "act", "dense+bias"]),
        ("before(input=false)", ["dense", "bn", "act", "dense+bias"]),
        ("before(bias=true)", ["bn", "dense+bias", "bn", "act", "dense+bias"]),
        ("after", ["bn", "dense+bias", "act", "bn", "dense+bias"]),
        ("after(input=false)", ["dense+bias", "act", "bn", "dense+bias"]),
    ],
)
def test_layers_stand_where_a_level_says(spelling: str, layers: list[str]) -> None:
    plain = build((6, 5, 3), normalization=spelling).unstack(0)
    assert isinstance(plain, nn.Sequential)
    kinds = {nn.BatchNorm1d: "bn", nn.ReLU: "act"}
    found = [
        kinds.get(type(layer)) or ("dense+bias" if getattr(layer, "bias", None) is not None else "dense")
        for layer in plain
    ]
    assert found == layers


@pytest.mark.parametrize("network", [0, 1, 2])
def test_a_stack_normalises_as_torch_does_one_network_at_a_time(network: int) -> None:
    defaults = BatchNormBefore()
    stacked = StackedBatchNorm(3, 5, defaults.momentum, defaults.eps).train()
    nn.init.normal_(stacked.scale)
    nn.init.normal_(stacked.shift)
    plain = stacked.unstack(network).train()
    batch = 20
    for _ in range(4):
        x = torch.randn(3, batch, 5) * 3 + 1
        torch.testing.assert_close(stacked(x)[network], plain(x[network]), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(stacked.mean[network, 0], plain.running_mean)
    # PyTorch averages the unbiased variance, Keras the biased one. Both started from 1.
    assert plain.running_var is not None
    start = defaults.momentum**4
    biased = (plain.running_var - start) * (batch - 1) / batch + start
    torch.testing.assert_close(stacked.variance[network, 0], biased)
    x = torch.randn(3, batch, 5)
    evaluated = stacked.unstack(network).eval()
    torch.testing.assert_close(stacked.eval()(x)[network], evaluated(x[network]), rtol=1e-5, atol=1e-5)
