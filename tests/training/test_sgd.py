import pytest
import torch

from pipeline.training.sgd import StackedSGD

RATES = [0.1, 0.01, 0.5]


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_each_network_steps_as_torch_steps_it_alone(momentum: float, nesterov: bool) -> None:
    start = torch.randn(3, 4, 5)
    stacked = torch.nn.Parameter(start.clone())
    ours = StackedSGD([stacked], torch.tensor(RATES), momentum, nesterov)
    alone = [torch.nn.Parameter(start[k].clone()) for k in range(3)]
    theirs = [
        torch.optim.SGD([p], lr=rate, momentum=momentum, nesterov=nesterov)
        for p, rate in zip(alone, RATES, strict=True)
    ]
    for _ in range(6):
        stacked.grad = torch.randn(3, 4, 5)
        for k, optimizer in enumerate(theirs):
            alone[k].grad = stacked.grad[k].clone()
            optimizer.step()
        ours.step()
    for k in range(3):
        torch.testing.assert_close(stacked[k], alone[k])


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_frozen_network_stays_even_where_its_gradient_is_nan(momentum: float) -> None:
    weights = torch.nn.Parameter(torch.randn(2, 3, 3))
    optimizer = StackedSGD([weights], torch.tensor([0.1, 0.1]), momentum, nesterov=False)
    weights.grad = torch.randn(2, 3, 3)
    optimizer.step()
    before = weights.detach().clone()
    weights.grad = torch.randn(2, 3, 3)
    weights.grad[1] = torch.nan
    optimizer.freeze(torch.tensor([False, True]))
    optimizer.step()
    assert torch.equal(weights[1], before[1])
    assert not torch.equal(weights[0], before[0])
