"""The dense layer of a stack."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..compute.kernels import Linear


class StackedLinear(nn.Module):
    """A dense layer of every network: ``x @ weight + bias``.

    Args:
        weight: at the start.
        bias: at the start; ``None`` for a layer without.
    """

    def __init__(
        self, weight: Float[Tensor, "network fan_in fan_out"], bias: Float[Tensor, "network 1 fan_out"] | None
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = None if bias is None else nn.Parameter(bias)

    def forward(self, x: Float[Tensor, "network batch fan_in"]) -> Float[Tensor, "network batch fan_out"]:
        """Return the layer's output."""
        return Linear.apply(x, self.weight, self.bias)  # type: ignore[no-any-return, no-untyped-call]

    def unstack(self, network: int) -> nn.Linear:
        """Return one network's layer."""
        _, fan_in, fan_out = self.weight.shape
        plain = nn.Linear(fan_in, fan_out, bias=self.bias is not None, dtype=self.weight.dtype)
        with torch.no_grad():
            plain.weight.copy_(self.weight[network].T)
            if self.bias is not None:
                plain.bias.copy_(self.bias[network, 0])
        return plain
