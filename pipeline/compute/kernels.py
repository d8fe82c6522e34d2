"""Matrix products and transcendental functions that round alike on every x86-64 processor, wherever their operands lie.

On a CPU torch leaves these to Intel's MKL, whose products round by the alignment of their operands, and whose products
and functions (``exp``, ``tanh``, ``erf``, even ``sqrt``) round by the processor's maker. NumPy brings its own: products
by OpenBLAS, which copies its operands into buffers of its own before it multiplies, and functions that treat all
elements alike. They work on the tensors' own memory and are no slower (docs/reproducibility.md). Other devices have
torch's.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..axes import special

# With several threads OpenBLAS splits a product by how many there are. Workers use the cores, a stack each.
threadpool_limits(1, user_api="blas")


class Linear(torch.autograd.Function):
    """``x @ weight + bias`` of every network."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Float[Tensor, "network batch fan_in"],
        weight: Float[Tensor, "network fan_in fan_out"],
        bias: Float[Tensor, "network 1 fan_out"] | None,
    ) -> Float[Tensor, "network batch fan_out"]:
        """Return a dense layer's output."""
        ctx.save_for_backward(x, weight)
        ctx.low = low_precision(x)
        out = matmul(x, weight, ctx.low)
        return out if bias is None else out.add_(bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Return the gradients with respect to x, weight and bias."""
        x, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        return (
            matmul(grad, weight.mT, ctx.low) if wanted[0] else None,
            matmul(x.mT, grad, ctx.low) if wanted[1] else None,
            grad.sum(1, keepdim=True) if wanted[2] else None,
        )


def low_precision(x: Tensor) -> torch.dtype | None:
    """Return the type of numbers that `torch.autocast` asks products for, if it does: Lightning's mixed precision."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None


def matmul(
    a: Float[Tensor, "network rows inner"],
    b: Float[Tensor, "network inner columns"],
    low: torch.dtype | None = None,
) -> Tensor:
    """Return each network's matrix product ``[network, rows, columns]``, without a gradient.

    Args:
        a: first factors.
        b: second factors.
        low: type of numbers that they are rounded to before; the product has a's.
    """
    if low is not None:
        with torch.autocast(a.device.type, enabled=False):
            return torch.bmm(a.to(low), b.to(low)).to(a.dtype)
    if a.device.type != "cpu":
        return torch.bmm(a, b)
    out = torch.empty(len(a), a.shape[1], b.shape[2], dtype=a.dtype)
    with np.errstate(all="ignore"):  # a network may diverge
        np.matmul(_array(a), _array(b), out=out.numpy())
    return out


def exp_(x: Tensor) -> Tensor:
    """Replace x by exp x."""
    return _in_place(np.exp, Tensor.exp_, x)


def log_(x: Tensor) -> Tensor:
    """Replace x by ln x."""
    return _in_place(np.log, Tensor.log_, x)


def sqrt_(x: Tensor) -> Tensor:
    """Replace x by √x, correctly rounded."""
    return _in_place(np.sqrt, Tensor.sqrt_, x)


def tanh_(x: Tensor) -> Tensor:
    """Replace x by tanh x."""
    return _in_place(np.tanh, Tensor.tanh_, x)


def ndtr(x: Tensor) -> Tensor:
    """Return the standard normal distribution Φ(x), of numbers in 64 bits."""
    if x.device.type != "cpu":
        share: Tensor = torch.special.ndtr(x)
        return share
    return torch.from_numpy(special.ndtr(_array(x).astype(np.float64, copy=False)))


def _in_place(ours: np.ufunc, torchs: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    if x.device.type != "cpu":
        return torchs(x)
    array = _array(x)
    with np.errstate(all="ignore"):
        ours(array, out=array)
    return x


def _array(x: Tensor) -> NDArray[np.floating]:
    """Return a tensor of the CPU as an array on the same memory."""
    return cast("NDArray[np.floating]", x.detach().numpy())
