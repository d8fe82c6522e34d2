"""The tables' columns."""

from ..grid import AXES

KEY = [*AXES, "seed"]
"""The columns that say which network a row is about."""
METRICS = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
"""Losses in nats, accuracies from 0 to 1."""
OF_STEPS = ("gradient_norm", "clipped_norm", "clipped_share", "update_ratio")
OF_STATES = (
    "signal",
    "gradient",
    "activation_mean",
    "activation_sd",
    "dead",
    "saturated",
    "off",
    "woken",
    "prelu_slope",
)
MEASURES = (*OF_STEPS, *OF_STATES)
"""Of a layer's health, see `HealthRecorder`."""
