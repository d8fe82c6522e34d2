"""The loss against PyTorch's, whatever number of networks, samples and classes."""

from itertools import product

import pytest
import torch
from torch.nn import functional as F

from pipeline.networks.scores import cross_entropy


@pytest.mark.parametrize(("networks", "samples", "classes"), list(product((1, 3), (1, 2, 7), (1, 2, 10))))
def test_the_loss_and_its_gradient_are_pytorchs_and_the_logits_stay(networks: int, samples: int, classes: int) -> None:
    torch.manual_seed(0)
    logits = torch.randn(networks, samples, classes, dtype=torch.float64).requires_grad_()
    y = torch.randint(max(classes, 2), (networks, samples))
    before = logits.detach().clone()
    loss = cross_entropy(logits, y)
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    assert logits.equal(before)
    theirs = before.clone().requires_grad_()
    if classes == 1:
        expected = F.binary_cross_entropy_with_logits(theirs[..., 0], y.double(), reduction="none")
    else:
        expected = F.cross_entropy(theirs.flatten(0, 1), y.flatten(), reduction="none").view(y.shape)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected.sum(), theirs)[0])
