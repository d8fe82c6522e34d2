import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from pipeline.axes.normalization import BatchNormBefore
from pipeline.networks.normalization import StackedBatchNorm, _Normalize, _NormalizeUnits


@pytest.mark.parametrize(
    "normalize", [lambda *x: _Normalize.apply(*x, 1e-3)[0], lambda *x: _NormalizeUnits.apply(*x, 1e-3)]
)
def test_the_closed_form_gradient_is_that_of_finite_differences(normalize) -> None:
    x = torch.randn(2, 6, 3, dtype=torch.float64).requires_grad_()
    scale, shift = (torch.randn(2, 1, 3, dtype=torch.float64).requires_grad_() for _ in range(2))
    assert gradcheck(normalize, (x, scale, shift))


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
