"""Networks, many at a time: initializers, activations, batch norm, the stacked MLP and its un-stacking."""

from pipeline.networks.stack import StackedMLP

__all__ = ["StackedMLP"]
