"""What the package does to anyone's module: variances by `initialize_` beside torch's, and what `HealthMonitor` costs.

Usage: ``python -m benchmarks.modules`` (some minutes). Writes ``benchmarks/results/modules-<hardware>-<date>.json`` and
the tables in ``docs/in-your-code.md``. The cost is that of looks in one fit, each beside the steps that follow it,
in which nothing is watched.
"""

import logging
import math
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.report import machine, render_modules, save
from pipeline.modules.initialize import initialize_
from pipeline.modules.monitor import HealthMonitor

DEPTH, WIDTH, CLASSES, SAMPLES, DRAWS = 50, 256, 10, 256, 20
BATCH, STEPS, OFTEN, WARM_UP = 64, 2000, 10, 10
"""Of the fit in which looks are timed, from one to the next, and how many are left out."""
SCHEMES = ("PyTorch's default", "kaiming_normal_", "initialize_")


class Plain(nn.Module):
    """Linear layers of one width, with an activation behind each."""

    def __init__(self, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(DEPTH))
        self.head, self.activation = nn.Linear(WIDTH, CLASSES), activation

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return every hidden layer's z, ``[sample, unit]``, and the logits."""
        seen = [self.layers[0](x)]
        for layer in [*self.layers][1:]:
            seen.append(layer(self.activation(seen[-1])))
        return [*seen, self.head(self.activation(seen[-1]))]


class Residual(nn.Module):
    """A stream that nothing normalises, and branches of two layers, each behind GELU, that are added to it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, CLASSES)
        self.first = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(DEPTH // 2))
        self.second = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(DEPTH // 2))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the stream behind the stem and each block, ``[sample, unit]``, and the logits."""
        seen = [self.stem(x)]
        for first, second in zip(self.first, self.second, strict=True):
            seen.append(seen[-1] + second(F.gelu(first(F.gelu(seen[-1])))))
        return [*seen, self.head(F.gelu(seen[-1]))]


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "GELU": lambda: Plain(F.gelu),
    "tanh": lambda: Plain(torch.tanh),
    "SELU": lambda: Plain(F.selu),
    "ReLU": lambda: Plain(F.relu),
    "residual, GELU": Residual,
}


def initialized(network: nn.Module, scheme: str, seed: int) -> None:
    """Draw a network's weights; torch's default has drawn them."""
    if scheme == "initialize_":
        initialize_(network, generator=torch.Generator().manual_seed(seed))
    elif scheme == "kaiming_normal_":
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)


def flows(network: nn.Module, x: Tensor) -> tuple[float, float]:
    """Return the last hidden layer's mean square over the first's, and the gradient's at the first over the last's."""
    *seen, logits = network(x)
    first, last = seen[0], seen[-1]
    for z in (first, last):
        z.retain_grad()
    F.cross_entropy(logits, torch.randint(0, CLASSES, (SAMPLES,))).backward()
    signal = float(last.detach().square().mean() / first.detach().square().mean())
    return signal, float(first.grad.square().mean() / last.grad.square().mean())


def side_by_side() -> list[dict[str, Any]]:
    """Return for every network and scheme the ratios of its draws."""
    rows = []
    torch.set_default_dtype(torch.float64)  # in float32 the default's gradients end at 0
    for name, build in NETWORKS.items():
        for scheme in SCHEMES:
            found = []
            for seed in range(DRAWS):
                torch.manual_seed(seed)
                network, x = build(), torch.randn(SAMPLES, WIDTH)
                initialized(network, scheme, seed)
                found.append(flows(network, x))
            signals, gradients = map(list, zip(*found, strict=True))
            rows.append({"network": name, "scheme": scheme, "signals": signals, "gradients": gradients})
            middle = [float(np.exp(np.mean(np.log(ratios)))) for ratios in (signals, gradients)]
            print(f"{name}, {scheme}: signal {middle[0]:.3g}, gradient {middle[1]:.3g}", flush=True)
    torch.set_default_dtype(torch.float32)
    return rows


class Classifier(pl.LightningModule):
    """A module as people write it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the loss."""
        x, y = batch
        return F.cross_entropy(self.network(x), y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Plain SGD."""
        return torch.optim.SGD(self.parameters(), lr=0.01)


def mlp() -> nn.Module:
    """Four hidden layers of 256."""
    sizes = [256, 256, 256, 256]
    return nn.Sequential(*[part for n in sizes for part in (nn.Linear(256, n), nn.ReLU())], nn.Linear(256, 10))


def cnn() -> nn.Module:
    """Three convolutions and two dense layers."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Flatten(),
        nn.Linear(64 * 16, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


class Clock(pl.Callback):
    """Takes the time when it is called: first before and last after all other callbacks of a step."""

    def __init__(self) -> None:
        self.starts: list[float] = []
        self.ends: list[float] = []

    def on_train_batch_start(self, *_: Any) -> None:
        """A step begins."""
        self.starts.append(time.perf_counter())

    def on_train_batch_end(self, *_: Any) -> None:
        """A step has ended."""
        self.ends.append(time.perf_counter())


def monitor_cost() -> list[dict[str, Any]]:
    """Return for each module the milliseconds of steps in which nothing is watched, and those of a look more."""
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    rows = []
    for name, build, shape in (("an MLP of 4 x 256", mlp, (256,)), ("a CNN", cnn, (1, 16, 16))):
        torch.manual_seed(0)
        data = DataLoader(TensorDataset(torch.randn(4096, *shape), torch.randint(0, 10, (4096,))), BATCH, shuffle=True)
        monitor, before, after = HealthMonitor(every_n_steps=OFTEN, warn=False), Clock(), Clock()
        trainer = pl.Trainer(
            accelerator="cpu", max_steps=STEPS, max_epochs=-1, callbacks=[before, monitor, after], logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(Classifier(build()), data)
        assert len(monitor.looks) == STEPS // OFTEN  # noqa: S101
        steps = 1000 * (np.array(after.ends) - np.array(before.starts)).reshape(-1, OFTEN)[WARM_UP:]
        lasts = math.ceil(monitor.samples / BATCH)
        plain = np.median(steps[:, lasts:], axis=1)
        looks = steps[:, :lasts].sum(axis=1) - lasts * plain
        rows.append({"module": name, "steps": plain.tolist(), "looks": looks.tolist()})
        cost = np.median(looks) / np.median(plain) / HealthMonitor().every_n_steps
        print(
            f"{name}: {np.median(plain):.2f} ms a step, {np.median(looks):.2f} ms more a look: {cost:.1%}", flush=True
        )
    return rows


def main() -> None:
    """Measure, write, render."""
    interval = HealthMonitor().every_n_steps
    measured = {"interval": interval, "cost": monitor_cost(), "variances": side_by_side()}
    save("modules", {**machine(), "depth": DEPTH, "width": WIDTH, **measured})
    render_modules()


if __name__ == "__main__":
    main()
