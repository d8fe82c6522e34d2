"""Training: from a grid to stacks, each one LightningModule; and the tables that come out."""

from pipeline.training.engine import train_networks
from pipeline.training.results import Results

__all__ = ["Results", "train_networks"]
