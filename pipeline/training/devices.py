"""Where networks are trained."""

import torch
from pytorch_lightning.accelerators import AcceleratorRegistry

from pipeline.compute.workers import worker_count
from pipeline.config.schema import Compute
from pipeline.errors import ParamsError


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
