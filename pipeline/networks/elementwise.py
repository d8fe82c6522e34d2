"""Smooth activations that round an element the same wherever it stands in a tensor.

PyTorch's own sigmoid, ELU, SELU, SiLU and Mish take a vectorised path for most elements and a scalar one, which rounds
otherwise, for what is left at the end of each thread's share (torch 2.13, CPU). Where a network stands in a stack, and
how many threads there are, would then change its bits. Arithmetic, comparisons and the ``exp`` and ``tanh`` of
`pipeline.compute.kernels` do not have that fault: these functions are made of them, each with its closed-form gradient.
"""

import math
from typing import Any

import torch
from torch import Tensor

from ..compute.kernels import exp_, log_, ndtr, tanh_

ERF = (0.3275911, 0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
"""Of formula 7.1.26 in Abramowitz & Stegun 1964: p, a1 to a5."""


class Swish(torch.autograd.Function):
    """z · sigmoid(beta · z)."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, beta: float) -> Tensor:
        """Return the activation of z."""
        sigma = _sigmoid(beta * z)
        ctx.save_for_backward(z, sigma)
        ctx.beta = beta
        return z * sigma

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """σ · (1 + beta · z · (1 - σ))."""
        z, sigma = ctx.saved_tensors
        slope: Tensor = (1 - sigma).mul_(z).mul_(ctx.beta).add_(1).mul_(sigma)
        return grad * slope, None


class Sigmoid(torch.autograd.Function):
    """1 / (1 + exp(-z))."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        """Return the activation of z."""
        sigma = _sigmoid(z)
        ctx.save_for_backward(sigma)
        return sigma

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """σ · (1 - σ)."""
        (sigma,) = ctx.saved_tensors
        slope: Tensor = (1 - sigma).mul_(sigma)
        return grad * slope


class Tanh(torch.autograd.Function):
    """tanh z."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        """Return the activation of z."""
        out = tanh_(z.clone())
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """1 - tanh²."""
        (out,) = ctx.saved_tensors
        slope: Tensor = (out * out).neg_().add_(1)
        return slope.mul_(grad)


class ELU(torch.autograd.Function):
    """scale · (z if z > 0 else alpha · (exp z - 1)): ELU with scale 1, SELU with its own two constants.

    exp z - 1 is 2 t / (1 - t) with t = tanh(z / 2), as exact near 0: NumPy's ``expm1`` rounds by the processor.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, alpha: float, scale: float) -> Tensor:
        """Return the activation of z."""
        t = tanh_(z.clamp(max=0).mul_(0.5))
        out = t.div_(1 - t).mul_(2 * alpha).add_(z.clamp(min=0)).mul_(scale)
        ctx.save_for_backward(out)
        ctx.alpha, ctx.scale = alpha, scale
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """Scale where the output is above 0, else output + scale · alpha."""
        (out,) = ctx.saved_tensors
        at_zero = ctx.scale * ctx.alpha
        slope = out.clamp(max=0).add_(_positive(out), alpha=ctx.scale - at_zero).add_(at_zero)
        return grad * slope, None, None


class SlopedReLU(torch.autograd.Function):
    """max(z, 0) + slope · min(z, 0), for a slope that broadcasts against z: learned (PReLU) or not (RReLU)."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, slope: Tensor) -> Tensor:
        """Return the activation of z ``[network, batch, unit]``."""
        ctx.save_for_backward(z, slope)
        return z.clamp(min=0).addcmul_(z.clamp(max=0), slope)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None]:
        """1 where z > 0, else the slope; and for a learned slope the sum of min(z, 0) over the batch."""
        z, slope = ctx.saved_tensors
        # slope + (1 - slope) · [z > 0]
        derivative = torch.addcmul(slope, _positive(z), 1 - slope)
        grad_slope = (grad * z.clamp(max=0)).sum(1, keepdim=True) if ctx.needs_input_grad[1] else None
        return grad * derivative, grad_slope


class Mish(torch.autograd.Function):
    """z · tanh(ln(1 + exp z)), where with e = exp z and w = e · (e + 2) the tanh is w / (w + 2)."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        """Return the activation of z."""
        below = z.clamp(max=20)  # from 20 on, the tanh is 1 and the slope too
        e = exp_(below.clone())
        w = e * (e + 2)
        tanh = w / (w + 2)
        ctx.save_for_backward(below, e, w, tanh)
        return z * tanh

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """Tanh + 4 · z · e · (e + 1) / (w + 2)²."""
        below, e, w, tanh = ctx.saved_tensors
        inverse = (w + 2).reciprocal_()
        slope: Tensor = (e + 1).mul_(e).mul_(inverse).mul_(inverse).mul_(below).mul_(4).add_(tanh)
        return grad * slope


class Softplus(torch.autograd.Function):
    """ln(1 + exp z) = max(z, 0) + ln(1 + e) with e = exp(-abs(z)).

    ln(1 + e) is ln(u) · e / (u - 1) with u = 1 + e as it is rounded, exact also for small e (Kahan).
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        """Return the activation of z."""
        e = exp_(-z.abs())
        u = e + 1
        above_one = u - 1
        smallest = torch.finfo(z.dtype).eps / 4
        logarithm = log_(u) * (e / above_one.clamp(min=smallest))
        logarithm += e * (1 - _positive(above_one))  # where 1 + e is 1
        ctx.save_for_backward(z)
        return z.clamp(min=0).add_(logarithm)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """1 / (1 + exp(-z))."""
        (z,) = ctx.saved_tensors
        return grad * _sigmoid(z)


class GELU(torch.autograd.Function):
    """z · Φ(z). Where there are 32 bits, Φ by Abramowitz & Stegun 1964, 7.1.26: exact to 1.5e-7, as torch's own."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        """Return the activation of z."""
        x = z.abs().mul_(0.5**0.5)
        e = exp_((x * x).neg_())
        if z.dtype == torch.float64:
            cdf = ndtr(z)
        else:
            p, *factors = ERF
            t = x.mul_(p).add_(1).reciprocal_()
            tail = torch.zeros_like(t)
            for factor in reversed(factors):
                tail.add_(factor).mul_(t)
            tail.mul_(e).mul_(0.5)
            cdf = (1 - tail * 2).mul_(_positive(z)).add_(tail)
        ctx.save_for_backward(z, e, cdf)
        return z * cdf

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """Φ(z) + z · φ(z), the normal density."""
        z, e, cdf = ctx.saved_tensors
        slope: Tensor = (z * e).mul_((2 * math.pi) ** -0.5).add_(cdf)
        return grad * slope


def hard_sigmoid(z: Tensor) -> Tensor:
    """Return min(max(z + 3, 0), 6) / 6."""
    return (z + 3).clamp(0, 6) / 6


def _positive(z: Tensor) -> Tensor:
    """Return 1 where z > 0, else 0. By sign and clamp: ``where`` takes ten times as long (torch 2.13, CPU)."""
    return z.sign().clamp_(min=0)


def _sigmoid(z: Tensor) -> Tensor:
    return exp_(-z).add_(1).reciprocal_()
