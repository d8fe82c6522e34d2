"""Training: from a grid to stacks, each one LightningModule; and the tables that come out."""
