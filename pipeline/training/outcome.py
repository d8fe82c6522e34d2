"""What training one network came to: all that the tables say of it, as arrays."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .names import MEASURES

if TYPE_CHECKING:
    from torch import Tensor

    from .module import StackModule


class Outcome(NamedTuple):
    """A trained network."""

    alive: bool
    """Whether its loss stayed finite."""
    epochs: int
    """That it finished with a finite loss."""
    history: NDArray[np.float32]
    """``[epoch, metric]``: `METRICS` after each of these epochs."""
    test: NDArray[np.float32]
    """``[2]``: loss and accuracy on the test part."""
    hits: NDArray[np.uint8]
    """Which samples of the test part it gets right, eight in a byte: see ``numpy.packbits``."""
    health_epochs: NDArray[np.int64]
    """``[record]``: epochs at which its layers were looked at."""
    health: NDArray[np.float32]
    """``[record, measure, layer]``: `MEASURES`, NaN where there is none."""
    seconds: float
    """Its share of its stack's wall time."""
    stack_size: int
    device: str


def outcomes(module: "StackModule", device: str) -> list[Outcome]:
    """Return what each network of a trained stack came to, in the stack's order."""
    assert module.test is not None and module.hits is not None  # noqa: S101, PT018
    size = len(module.stack.recipes)
    alive, epochs = _numpy(module.alive), _numpy(module.epochs)
    # [epoch, metric, network]
    history = np.stack([[_numpy(score) for part in epoch for score in part] for epoch in module.history])
    test = np.stack([_numpy(score) for score in module.test])
    records = module.records
    layers = module.networks.sites + 1
    unknown = np.full((size, layers), np.nan)
    # [record, measure, network, layer]
    health = np.array([[record.get(name, unknown) for name in MEASURES] for record in records.values()], np.float32)
    health = health.reshape(len(records), len(MEASURES), size, layers)
    looked = np.array(list(records), np.int64)
    # What the stack did after a network diverged is no part of what that network came to.
    test[:, ~alive] = np.nan
    hits = np.packbits(module.hits & alive[:, None], axis=1)
    return [
        Outcome(
            alive=bool(alive[k]),
            epochs=int(epochs[k]),
            history=history[: epochs[k], :, k],
            test=test[:, k],
            hits=hits[k],
            health_epochs=looked[looked <= epochs[k]],
            health=health[looked <= epochs[k], :, k],
            seconds=module.seconds / size,
            stack_size=size,
            device=device,
        )
        for k in range(size)
    ]


def _numpy(tensor: "Tensor") -> np.ndarray:
    return tensor.detach().cpu().numpy()
