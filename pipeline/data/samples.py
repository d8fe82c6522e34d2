"""What every source gives."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

ClassType = Literal["bool", "int", "float", "str"]


class Samples(NamedTuple):
    """Raw samples, before they are split and scaled."""

    features: NDArray[np.float64] | NDArray[np.uint8]
    """``[sample, feature]``, in the source's own units."""
    names: tuple[str, ...]
    """Of the features."""
    labels: NDArray[np.int64]
    """``[sample]``, from 0 to the number of classes less 1."""
    classes: tuple[str, ...]
    """Each class's name, by label."""
    class_type: ClassType
    """What the source holds: numbers, words."""
    shape: tuple[int, ...] = ()
    """Of a sample: steps (an image's rows), and features of each; empty where features have no order."""
    largest: float | None = None
    """The largest value a feature can take (255 for pixels of one byte); ``None`` where there is no such value."""
    official_test: int = 0
    """How many samples, the last ones, the source itself sets apart for testing."""
