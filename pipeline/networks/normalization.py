"""Batch norm for a stack, per network and feature, with Keras's conventions; layer norm, per network and sample."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .sums import unit_sum

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

    Args:
        networks: of the stack.
        units: of the layer.
        momentum: share of the moving averages that a batch leaves as it is.
        eps: added to the variance.
        affine: whether scale and shift are learned; else they stay 1 and 0.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, networks: int, units: int, momentum: float, eps: float, affine: bool = True) -> None:
        super().__init__()
        self.momentum, self.eps, self.affine = momentum, eps, affine
        self.frozen = False
        """Whether it stays as it is while training, as in Keras a layer that is not trainable does."""
        self.scale = nn.Parameter(torch.ones(networks, 1, units))
        self.shift = nn.Parameter(torch.zeros(networks, 1, units))
        self.register_buffer("mean", torch.zeros(networks, 1, units))
        self.register_buffer("variance", torch.ones(networks, 1, units))
        self.requires_grad_(True)

    def requires_grad_(self, requires_grad: bool = True) -> "StackedBatchNorm":
        """Let scale and shift be learned, where they ever are."""
        return super().requires_grad_(requires_grad and self.affine)

    def forward(self, x: Batch) -> Batch:
        """Normalise by the batch while training, by the moving mean and variance otherwise."""
        if self.frozen or not self.training:
            scale = self.scale * (self.variance + self.eps).rsqrt()
            return torch.addcmul(self.shift - self.mean * scale, x, scale)
        out, mean, variance = _Normalize.apply(x, self.scale, self.shift, self.eps)  # type: ignore[no-untyped-call]
        self.mean.lerp_(mean, 1 - self.momentum)
        self.variance.lerp_(variance, 1 - self.momentum)
        return out  # type: ignore[no-any-return]

    def unstack(self, network: int) -> nn.BatchNorm1d:
        """Return one network's batch norm."""
        plain = nn.BatchNorm1d(self.mean.shape[-1], eps=self.eps, momentum=1 - self.momentum)
        state = {"weight": self.scale, "bias": self.shift, "running_mean": self.mean, "running_var": self.variance}
        plain.load_state_dict({name: value.data[network, 0] for name, value in state.items()}, strict=False)
        return plain


class _NormalizeUnits(torch.autograd.Function):
    """Ba et al. 2016, eq. 4, with its closed-form gradient; sums over units in an order that is a row's own."""

    @staticmethod
    def forward(ctx: Any, x: Batch, scale: PerUnit, shift: PerUnit, eps: float) -> Batch:
        """Return the normalised samples."""
        centred = x - unit_sum(x) / x.shape[2]
        variance = unit_sum(centred * centred) / x.shape[2]
        inverse_sd = (variance + eps).rsqrt_()
        normalized = centred.mul_(inverse_sd)
        ctx.save_for_backward(normalized, inverse_sd, scale)
        return torch.addcmul(shift, normalized, scale)

    @staticmethod
    def backward(ctx: Any, grad: Batch) -> tuple[Batch, PerUnit, PerUnit, None]:
        """Return the gradients with respect to x, scale and shift."""
        normalized, inverse_sd, scale = ctx.saved_tensors
        inner = grad * scale
        units = grad.shape[2]
        grad_x = inner - unit_sum(inner) / units
        grad_x = torch.addcmul(grad_x, normalized, unit_sum(inner * normalized) / -units).mul_(inverse_sd)
        return grad_x, (grad * normalized).sum(1, keepdim=True), grad.sum(1, keepdim=True), None


class StackedLayerNorm(nn.Module):
    """Layer norm of every network and sample by itself, with a scale and a shift for each unit."""

    def __init__(self, networks: int, units: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.scale = nn.Parameter(torch.ones(networks, 1, units))
        self.shift = nn.Parameter(torch.zeros(networks, 1, units))

    def forward(self, x: Batch) -> Batch:
        """Normalise each sample over its units."""
        return _NormalizeUnits.apply(x, self.scale, self.shift, self.eps)  # type: ignore[no-any-return, no-untyped-call]

    def unstack(self, network: int) -> nn.LayerNorm:
        """Return one network's layer norm."""
        plain = nn.LayerNorm(self.scale.shape[-1], eps=self.eps, dtype=self.scale.dtype)
        plain.load_state_dict({"weight": self.scale.data[network, 0], "bias": self.shift.data[network, 0]})
        return plain
