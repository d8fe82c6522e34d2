"""Dropout for a stack: each network's mask comes from its own seed."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..axes.activations import SELU_ALPHA, SELU_SCALE
from .seeds import counter_uniform, stream_keys

Batch = Float[Tensor, "network batch unit"]


class StackedDropout(nn.Module):
    """While training, each output is 0 with probability ``rate`` and else divided by 1 - rate (Srivastava et al. 2014).

    Args:
        seeds: each network's.
        layer: the hidden layer, from 0.
        rate: share of the outputs.
    """

    keys: Tensor
    step: Tensor

    def __init__(self, seeds: Sequence[int], layer: int, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("keys", stream_keys(seeds, "dropout", layer), persistent=False)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Batch) -> Batch:
        """Drop some while training."""
        return x * self.kept(x).div_(1 - self.rate) if self.training else x

    def kept(self, x: Batch) -> Batch:
        """Return 1 for what is kept and 0 for what is dropped, drawn anew at each step."""
        u = counter_uniform(self.keys, self.step, x.shape[1], x.shape[2])
        self.step += 1
        # By sign and clamp: a comparison takes longer (torch 2.13, CPU). u is a multiple of 2^-24.
        kept: Tensor = u.sub_(self.rate - 2.0**-25).sign_().clamp_(min=0).to(x.dtype)
        return kept

    def unstack(self, network: int) -> nn.Module:  # noqa: ARG002
        """Return one network's layer; in training mode its mask comes from PyTorch's stream."""
        return nn.Dropout(self.rate)


class StackedAlphaDropout(StackedDropout):
    """Dropout to SELU's limit, scaled and shifted so that mean 0 and variance 1 stay (Klambauer et al. 2017).

    Args:
        seeds: each network's.
        layer: the hidden layer, from 0.
        rate: share of the outputs.
        scale: a of the paper.
        shift: b of the paper.
    """

    def __init__(self, seeds: Sequence[int], layer: int, rate: float, scale: float, shift: float) -> None:
        super().__init__(seeds, layer, rate)
        self.scale, self.shift = scale, shift

    def forward(self, x: Batch) -> Batch:
        """Drop some while training."""
        if not self.training:
            return x
        kept = self.kept(x)
        dropped = (1 - kept).mul_(-self.scale * SELU_ALPHA * SELU_SCALE).add_(self.shift)
        return torch.addcmul(dropped, x, kept, value=self.scale)

    def unstack(self, network: int) -> nn.Module:  # noqa: ARG002
        """Return one network's layer; in training mode its mask comes from PyTorch's stream."""
        return nn.AlphaDropout(self.rate)
