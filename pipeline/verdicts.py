"""One word for a network's health, from when its layers were last looked at.

| verdict | where, of the hidden layers |
|---|---|
| `diverged` | the loss was no longer finite |
| `dying` | in some layer, a share of units of at least `dead` is 0 on every sample |
| `saturated` | in some layer, a share of activations of at least `saturated` is where the function is flat |
| `exploding` | the gradient (rms of ∂loss/∂z) is `gradient_ratio` times the highest layer's in the lowest |
| `vanishing` | it is that much smaller |
| `healthy` | none of these |

The first that holds counts.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Record = dict[str, NDArray[np.floating]]
"""For each measure ``[network, layer]``, hidden layers from the lowest, then the output layer."""


class Limits(Protocol):
    """Where a network stops being healthy; see above."""

    @property
    def dead(self) -> float:
        """Share of units."""

    @property
    def saturated(self) -> float:
        """Share of activations."""

    @property
    def gradient_ratio(self) -> float:
        """Of the lowest hidden layer's gradient and the highest's."""


class Thresholds(NamedTuple):
    """The limits that the project's own studies have."""

    dead: float = 0.75
    saturated: float = 0.5
    gradient_ratio: float = 20.0


VERDICTS = ("healthy", "vanishing", "exploding", "saturated", "dying", "diverged")


def verdicts(alive: NDArray[np.bool_], last: Record | None, thresholds: Limits) -> Sequence[str | None]:
    """Return each network's verdict; ``None`` where its layers were not looked at.

    Args:
        alive: ``[network]``, not diverged.
        last: the last record.
        thresholds: where a network stops being healthy.
    """
    if last is None:
        return [None if ok else "diverged" for ok in alive]
    if last["gradient"].shape[1] == 1:  # there is no hidden layer
        return ["healthy" if ok else "diverged" for ok in alive]
    with np.errstate(divide="ignore", invalid="ignore"):
        # The output layer has no activation: its column is NaN.
        dead, saturated = last["dead"][:, :-1].max(1), last["saturated"][:, :-1].max(1)
        ratio = np.sqrt(last["gradient"][:, 0] / last["gradient"][:, -2])
    chosen = np.select(
        [
            ~alive,
            dead >= thresholds.dead,
            saturated >= thresholds.saturated,
            # where even its mean square is infinite, there may be no ratio
            (ratio >= thresholds.gradient_ratio) | np.isinf(last["gradient"][:, 0]),
            ratio <= 1 / thresholds.gradient_ratio,
        ],
        ["diverged", "dying", "saturated", "exploding", "vanishing"],
        "healthy",  # also where no gradient is left anywhere: every sample is learned
    )
    return [str(verdict) for verdict in chosen]
