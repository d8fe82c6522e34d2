"""Losses and correct answers of every network of a stack, in an order that does not depend on the others."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from ..compute.kernels import exp_, log_


def cross_entropy(
    logits: Float[Tensor, "network batch class"], y: Int[Tensor, "network batch"]
) -> Float[Tensor, "network batch"]:
    """Return each sample's softmax cross-entropy, in nats; of one output, a sigmoid unit's binary one."""
    return _CrossEntropy.apply(_of_classes(logits), y)  # type: ignore[no-any-return, no-untyped-call]


class _CrossEntropy(torch.autograd.Function):
    """ln Σ exp(logit) - logit of the sample's class. PyTorch's sums over the classes by the width of a vector."""

    @staticmethod
    def forward(
        ctx: Any, logits: Float[Tensor, "network batch class"], y: Int[Tensor, "network batch"]
    ) -> Float[Tensor, "network batch"]:
        """Return each sample's cross-entropy."""
        labels = y.flatten()[None]
        # [class, sample]: sums over rows are the fast ones. A copy, also of a single sample's logits.
        terms = logits.flatten(0, 1).t().clone(memory_format=torch.contiguous_format)
        terms -= terms.amax(0)
        own = terms.gather(0, labels)[0]
        total = _sum_of_rows(exp_(terms))
        ctx.save_for_backward(terms, total, labels)
        return log_(total.clone()).sub_(own).view(y.shape)

    @staticmethod
    def backward(ctx: Any, grad: Float[Tensor, "network batch"]) -> tuple[Float[Tensor, "network batch class"], None]:
        """Return the gradient with respect to the logits: the softmax, less 1 for the sample's class."""
        terms, total, labels = ctx.saved_tensors
        of_sample = grad.flatten()
        of_logits = (terms * (of_sample / total)).scatter_add_(0, labels, -of_sample[None])
        return of_logits.t().reshape(*grad.shape, -1), None


def _sum_of_rows(values: Float[Tensor, "class sample"]) -> Float[Tensor, "sample"]:
    """Return each column's sum, pair by pair. ``sum(0)`` adds up the last columns in another order than the others."""
    while len(values) > 1:
        half = len(values) // 2
        pairs = values[:half] + values[half : 2 * half]
        if len(values) % 2:
            pairs[0] += values[-1]
        values = pairs
    return values[0]


def correct(
    logits: Float[Tensor, "network batch class"], y: Int[Tensor, "network batch"]
) -> Bool[Tensor, "network batch"]:
    """Return which samples each network gets right."""
    return _of_classes(logits).argmax(2) == y


def _of_classes(logits: Float[Tensor, "network batch output"]) -> Float[Tensor, "network batch class"]:
    """Return the logits of a softmax; a single sigmoid unit is the softmax over 0 and its own logit."""
    return F.pad(logits, (1, 0)) if logits.shape[2] == 1 else logits
