"""Batch norm for a stack: per network and feature (Ioffe & Szegedy 2015), with Keras's conventions."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pipeline.params import BatchNorm

Batch = Float[Tensor, "network batch unit"]
PerUnit = Float[Tensor, "network 1 unit"]


class _Normalize(torch.autograd.Function):
    """Ioffe & Szegedy 2015, algorithm 1, with its closed-form gradient.

    A function of its own for two reasons, both measured: autograd through ``mean`` and ``var`` is five times slower,
    and ``F.batch_norm`` over the features of all networks at once rounds a network's sums by its place in the stack.
    """

    @staticmethod
    def forward(ctx: Any, x: Batch, scale: PerUnit, shift: PerUnit, eps: float) -> tuple[Batch, PerUnit, PerUnit]:
        """Return the normalised batch, its mean and its biased variance."""
        mean = x.mean(1, keepdim=True)
        centred = x - mean
        variance = (centred * centred).mean(1, keepdim=True)
        inverse_sd = (variance + eps).rsqrt_()
        normalized = centred.mul_(inverse_sd)
        ctx.save_for_backward(normalized, inverse_sd, scale)
        ctx.mark_non_differentiable(mean, variance)
        return torch.addcmul(shift, normalized, scale), mean, variance

    @staticmethod
    def backward(ctx: Any, grad: Batch, *_: Tensor) -> tuple[Batch, PerUnit, PerUnit, None]:
        """Return the gradients with respect to x, scale and shift."""
        normalized, inverse_sd, scale = ctx.saved_tensors
        grad_shift = grad.sum(1, keepdim=True)
        grad_scale = (grad * normalized).sum(1, keepdim=True)
        size = grad.shape[1]
        grad_x = torch.addcmul(grad - grad_shift / size, normalized, grad_scale / -size).mul_(inverse_sd * scale)
        return grad_x, grad_scale, grad_shift, None


class StackedBatchNorm(nn.Module):
    """Batch norm of every network and feature by itself.

    As in Keras, the moving variance averages the biased batch variance (PyTorch's averages the unbiased one).
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, networks: int, units: int, settings: BatchNorm) -> None:
        super().__init__()
        self.settings = settings
        self.frozen = False
        """Whether it stays as it is while training, as in Keras a layer that is not trainable does."""
        self.scale = nn.Parameter(torch.ones(networks, 1, units))
        self.shift = nn.Parameter(torch.zeros(networks, 1, units))
        self.register_buffer("mean", torch.zeros(networks, 1, units))
        self.register_buffer("variance", torch.ones(networks, 1, units))

    def forward(self, x: Batch) -> Batch:
        """Normalise by the batch while training, by the moving mean and variance otherwise."""
        if self.frozen or not self.training:
            scale = self.scale * (self.variance + self.settings.eps).rsqrt()
            return torch.addcmul(self.shift - self.mean * scale, x, scale)
        out, mean, variance = _Normalize.apply(x, self.scale, self.shift, self.settings.eps)  # type: ignore[no-untyped-call]
        self.mean.lerp_(mean, 1 - self.settings.momentum)
        self.variance.lerp_(variance, 1 - self.settings.momentum)
        return out  # type: ignore[no-any-return]

    def unstack(self, network: int) -> nn.BatchNorm1d:
        """Return one network's batch norm."""
        plain = nn.BatchNorm1d(self.mean.shape[-1], eps=self.settings.eps, momentum=1 - self.settings.momentum)
        state = {"weight": self.scale, "bias": self.shift, "running_mean": self.mean, "running_var": self.variance}
        plain.load_state_dict({name: value.data[network, 0] for name, value in state.items()}, strict=False)
        return plain
