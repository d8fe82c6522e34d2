"""Stacked training beside plain Lightning with a DataLoader, in one run: `make bench`.

The peer is what a Lightning tutorial writes: an ``nn.Sequential``, a ``DataLoader`` that shuffles a ``TensorDataset``,
automatic optimization by ``torch.optim.SGD``, a validation loop; it logs nothing, which would cost it more than a step.
Both train the same cell of the study, on the same data, batches and epochs; the stack is trained by the pipeline's own
engine, the start of its workers and all metrics included.
"""

import platform
import time
from itertools import pairwise

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from pipeline.config import Params, Study, load_params
from pipeline.data import Dataset, Part
from pipeline.data.prepare import prepare
from pipeline.grid import Cell, Network
from pipeline.training.study import train_networks

GOALS = {"digits": 20.0, "fashion_notebook": 3.0}
"""At least how many times cheaper a network of the stack is meant to be."""
LEVELS = {
    "digits": {"initializer": "he_normal", "activation": "relu", "learning_rate": 0.1},
    "fashion_notebook": {"initializer": "he_normal", "activation": "leaky_relu", "learning_rate": 0.001},
}
"""Of the cell that is trained; its other levels are the study's, or neutral."""
NETWORKS = {"digits": 256, "fashion_notebook": 16}
EPOCHS = {"digits": 10, "fashion_notebook": 2}


class Plain(pl.LightningModule):
    """One network, as one would write it."""

    def __init__(self, study: Study, cell: Cell, dataset: Dataset) -> None:
        super().__init__()
        widths = (dataset.card.features, *study.hidden_widths, len(dataset.card.classes))
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(widths[:-1]):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU() if cell.activation == "relu" else nn.LeakyReLU(0.3)]
        self.network = nn.Sequential(*layers, nn.Linear(*widths[-2:]))
        self.rate = cell.learning_rate

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the loss."""
        return F.cross_entropy(self.network(batch[0]), batch[1])

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the loss."""
        return F.cross_entropy(self.network(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return plain SGD."""
        return torch.optim.SGD(self.parameters(), lr=self.rate)


def loader(part: Part, batch_size: int, shuffle: bool) -> DataLoader:
    """Return a DataLoader over a part."""
    data = TensorDataset(torch.from_numpy(part.x), torch.from_numpy(part.y))
    return DataLoader(data, batch_size=batch_size, shuffle=shuffle)


def seconds_plain(study: Study, cell: Cell, dataset: Dataset) -> float:
    """Return seconds for a network-epoch of plain Lightning."""
    batch, epochs = study.training.batch_size, study.training.epochs
    trainer = pl.Trainer(
        accelerator="auto", devices=1, max_epochs=epochs, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    started = time.perf_counter()
    trainer.fit(
        Plain(study, cell, dataset), loader(dataset.train, batch, shuffle=True), loader(dataset.validation, 256, False)
    )
    return (time.perf_counter() - started) / epochs


def seconds_stacked(name: str, study: Study, params: Params, cell: Cell, dataset: Dataset, networks: int) -> float:
    """Return seconds for a network-epoch of the pipeline's engine, start and end of its workers included."""
    wanted = [Network(cell, seed) for seed in range(networks)]
    started = time.perf_counter()
    train_networks(name, study, params, dataset, wanted)
    return (time.perf_counter() - started) / networks / study.training.epochs


def main() -> None:
    """Print both, and the ratio, for each study."""
    params = load_params()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU ({platform.machine()})"
    print(f"torch {torch.__version__}, pytorch-lightning {pl.__version__}, {torch.get_num_threads()} threads, {device}")
    for name, goal in GOALS.items():
        study = params.study(name)
        cell = Cell.of(study.own_levels | LEVELS[name])
        dataset = prepare(study.data)
        training = study.training.model_copy(update={"epochs": EPOCHS[name]})
        study = study.model_copy(update={"training": training})
        ours = seconds_stacked(name, study, params, cell, dataset, NETWORKS[name])
        plain = seconds_plain(study, cell, dataset)
        print(
            f"{name}: plain Lightning {1e3 * plain:.1f} ms, stacked {1e3 * ours:.2f} ms a network-epoch: "
            f"{plain / ours:.1f} times cheaper (goal: {goal:g})"
        )


if __name__ == "__main__":
    main()
