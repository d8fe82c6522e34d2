"""Losses, hits and sums of every network of a stack, in an order that does not depend on the others."""

from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F


def cross_entropy(
    logits: Float[Tensor, "network batch class"], y: Int[Tensor, "network batch"]
) -> Float[Tensor, "network batch"]:
    """Return each sample's softmax cross-entropy, in nats; of one output, a sigmoid unit's binary one."""
    logits = _of_classes(logits)
    return F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").view(y.shape)


def tree_sum(values: Float[Tensor, "network sample"]) -> Float[Tensor, "network"]:
    """Return each network's sum, pair by pair: an order that does not depend on how many networks there are.

    ``sum(1)`` sums one network's row in another order than the same row of several.
    """
    while values.shape[1] > 1:
        if values.shape[1] % 2:
            values = F.pad(values, (0, 1))
        half = values.shape[1] // 2
        values = values[:, :half] + values[:, half:]
    return values[:, 0]


def hits(logits: Float[Tensor, "network batch class"], y: Int[Tensor, "network batch"]) -> Int[Tensor, "network"]:
    """Return how many samples each network gets right."""
    right: Bool[Tensor, "network batch"] = _of_classes(logits).argmax(2) == y
    return right.sum(1)


def _of_classes(logits: Float[Tensor, "network batch output"]) -> Float[Tensor, "network batch class"]:
    """Return the logits of a softmax; a single sigmoid unit is the softmax over 0 and its own logit."""
    return F.pad(logits, (1, 0)) if logits.shape[2] == 1 else logits
