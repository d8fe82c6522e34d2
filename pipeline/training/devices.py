"""Where networks are trained."""

import torch
from pytorch_lightning.accelerators import AcceleratorRegistry
from pytorch_lightning.plugins.precision import MixedPrecision, Precision

from ..compute.workers import worker_count
from ..config.schema import Compute
from ..errors import ParamsError

LOSS_SCALE = 1024.0
"""In float16, whose smallest numbers would swallow gradients; Micikevicius et al. 2018, section 3.2."""


def choose_device(compute: Compute) -> torch.device:
    """Return the device that Lightning will train on.

    Raises:
        ParamsError: the accelerator asked for is not there.
    """
    wanted = compute.accelerator
    name = {"gpu": "cuda"}.get(wanted, wanted)
    if wanted == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    elif name != "cpu" and not AcceleratorRegistry.get(name).is_available():
        raise ParamsError(
            f"compute.accelerator: found {wanted!r}, which this machine does not have; allowed: auto, cpu"
        )
    return torch.device(name)


def check_precision(precision: str, compute: Compute) -> None:
    """Refuse a precision that this machine, or its reproducibility, does not have.

    Raises:
        ParamsError: it does not.
    """
    if precision == "float32":
        return
    device, found = choose_device(compute), f"training.precision: found {precision!r}"
    if device.type == "cpu" and precision != "bfloat16-mixed":
        raise ParamsError(f"{found}, which needs a GPU; allowed on a CPU: float32, bfloat16-mixed")
    if device.type == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        raise ParamsError(f"{found}, which this processor does not have; allowed: float32")
    if device.type == "cpu" and compute.reproducible == "portable":
        raise ParamsError(
            f"{found}, which rounds by the kind of processor; allowed with compute.reproducible: portable: float32. "
            "Set compute.reproducible: machine"
        )
    if (
        device.type == "cuda"
        and precision in {"bfloat16-mixed", "tf32"}
        and torch.cuda.get_device_capability() < (8, 0)
    ):
        raise ParamsError(f"{found}, which this GPU does not have; allowed: float32, float16-mixed")
    if device.type == "mps" and precision != "float16-mixed":
        raise ParamsError(f"{found}, which this GPU does not have; allowed: float32, float16-mixed")


def lightning_precision(precision: str, device: str) -> Precision:
    """Return Lightning's plugin for a precision.

    In float16 the loss is scaled by a constant (`LOSS_SCALE`), not by Lightning's scaler: that one skips a step of
    all networks where one of them overflows.
    """
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    if precision == "bfloat16-mixed":
        return MixedPrecision("bf16-mixed", device)
    if precision == "float16-mixed":
        return MixedPrecision("16-mixed", device, torch.amp.GradScaler(device, enabled=False))
    return Precision()


def device_name(compute: Compute) -> str:
    """Return what tables call the device that Lightning will train on: ``cpu``, or the GPU's name."""
    device = choose_device(compute)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def device_memory(device: torch.device) -> int | None:
    """Return a GPU's memory in bytes; ``None`` for a CPU."""
    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else None


def workers_of(compute: Compute) -> int:
    """Return how many processes train stacks side by side: one on a GPU, which a single stack fills."""
    return worker_count(compute.workers) if choose_device(compute).type == "cpu" else 1
