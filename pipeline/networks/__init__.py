"""Networks, many at a time: layers, the ways in which they are connected, and each as plain ``torch.nn``."""

from .build import build_networks
from .stack import Design, StackedNetwork

__all__ = ["Design", "StackedNetwork", "build_networks"]
