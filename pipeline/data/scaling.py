"""Scaling: features in the source's units, brought to those that networks are trained on."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from ..config.data import Scaling


class Scaler(BaseModel):
    """(x - shift) / factor, feature by feature."""

    model_config = ConfigDict(frozen=True)

    shift: tuple[float, ...]
    factor: tuple[float, ...]

    def __call__(self, features: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return samples ``[sample, feature]`` scaled: in float64, and then rounded to float32."""
        scaled: NDArray[np.float64] = (features - np.array(self.shift)) / np.array(self.factor)
        return scaled.astype(np.float32)


def fit_scaler(train: NDArray[np.generic], scaling: Scaling, largest: float | None) -> Scaler:
    """Fit a scaler to the training features ``[sample, feature]``, in float64.

    ``standardize`` gives every feature mean 0 and standard deviation 1. ``unit`` brings features into [0, 1]: divided
    by the largest value that the source allows (pixels / 255) where there is one, else feature by feature. A feature
    that is constant keeps its unit.
    """
    if scaling == "unit" and largest is not None:
        return Scaler(shift=(0.0,) * train.shape[1], factor=(largest,) * train.shape[1])
    exact = train.astype(np.float64)
    if scaling == "standardize":
        standard = StandardScaler().fit(exact)
        return Scaler(shift=standard.mean_.tolist(), factor=standard.scale_.tolist())
    unit = MinMaxScaler().fit(exact)
    return Scaler(shift=unit.data_min_.tolist(), factor=np.where(unit.data_range_ == 0, 1.0, unit.data_range_).tolist())
