"""A stranger's Lightning module, watched: what goes wrong is found and said, and training is what it was."""

import math
import warnings
from pathlib import Path

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from pipeline.modules.initialize import initialize_
from pipeline.modules.monitor import HealthMonitor

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*log_every_n_steps.*"),
]


class Strangers(pl.LightningModule):
    def __init__(self, net: nn.Module, rate: float = 0.01) -> None:
        super().__init__()
        self.net, self.rate = net, rate

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        x, y = batch
        return F.cross_entropy(self.net(x), y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.rate)


class Functional(nn.Module):
    """One activation module for all layers, and one that is a function."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(20, 20) for _ in range(3))
        self.act, self.last, self.out = nn.Tanh(), nn.Linear(20, 20), nn.Linear(20, 3)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = self.act(layer(x))
        return self.out(F.relu(self.last(x)))


def data(batch: int = 32, shape: tuple[int, ...] = (20,), samples: int = 256) -> DataLoader:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(samples, *shape, generator=draw)
    return DataLoader(TensorDataset(x, (x.flatten(1).sum(1) > 0).long()), batch_size=batch)


def deep(activation: type[nn.Module], depth: int = 8, width: int = 20) -> nn.Sequential:
    torch.manual_seed(0)
    hidden = [layer for _ in range(depth) for layer in (nn.Linear(width, width), activation())]
    return nn.Sequential(*hidden, nn.Linear(width, 3))


def fit(module: pl.LightningModule, monitor: HealthMonitor | None, loader: DataLoader, **options: object) -> None:
    trainer = pl.Trainer(
        **{
            "max_epochs": 2, "accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False,
            "enable_checkpointing": False, "logger": False, "callbacks": [monitor] if monitor else [], **options,
        }
    )  # fmt: skip
    trainer.fit(module, loader)


def test_dead_relus_are_found_and_said_in_words(tmp_path: Path) -> None:
    net = deep(nn.ReLU)
    with torch.no_grad():
        net[4].bias.fill_(-100.0)  # no sample gets over that
    monitor = HealthMonitor(every_n_steps=4)
    logger = CSVLogger(tmp_path)
    with pytest.warns(
        UserWarning, match=r"layer net\.4: 100 % of the units are dead since epoch 0; a smaller learning"
    ):
        fit(Strangers(net), monitor, data(), logger=logger)
    assert monitor.verdict == "dying"
    assert monitor.looks[-1].layers["net.4"]["dead"] == 1
    assert monitor.looks[-1].layers["net.0"]["dead"] < 0.75
    logged = pd.read_csv(Path(logger.log_dir) / "metrics.csv")
    assert {"health/net.4/dead", "health/net.0/gradient_norm", "health/net.0/update_ratio"} <= {*logged}
    assert (logged["health/healthy"].dropna() == 0).all()


def test_gradients_that_explode_are_found() -> None:
    net = deep(nn.Tanh)
    with torch.no_grad():
        for layer in net:
            if isinstance(layer, nn.Linear):
                layer.weight.normal_(0, 1.0)
    monitor = HealthMonitor(every_n_steps=4, thresholds=HealthMonitor().thresholds._replace(saturated=1.01))
    with pytest.warns(UserWarning, match=r"the gradient at layer net\.0 is .* times larger than at layer net\.14"):
        fit(Strangers(net, 1e-5), monitor, data())
    assert monitor.verdict == "exploding"


def test_gradients_that_vanish_are_found_and_initialize_mends_them() -> None:
    net = deep(nn.Sigmoid)
    monitor = HealthMonitor()
    with pytest.warns(
        UserWarning, match=r"net\.0 is .* times smaller than at layer net\.14, in epoch 0; `initialize_`"
    ):
        fit(Strangers(net), monitor, data())
    assert monitor.verdict == "vanishing"
    net = deep(nn.Tanh)
    initialize_(net)
    monitor = HealthMonitor()
    with warnings.catch_warnings(action="error", category=UserWarning):
        warnings.filterwarnings("ignore", message=".*many workers.*")
        fit(Strangers(net), monitor, data())
    assert monitor.verdict == "healthy"


def test_a_loss_that_is_no_number_is_said() -> None:
    monitor = HealthMonitor(every_n_steps=1)
    with pytest.warns(UserWarning, match="the loss is no longer finite, in epoch 0; a smaller learning rate"):
        fit(Strangers(deep(nn.LeakyReLU), 1e12), monitor, data())
    assert "diverged" in {look.verdict for look in monitor.looks}


@pytest.mark.parametrize("clip", [None, 0.05])
def test_training_is_bit_for_bit_what_it_was(clip: float | None) -> None:
    nets = []
    for monitor in (None, HealthMonitor(every_n_steps=1, warn=False)):
        net = deep(nn.ReLU)
        fit(Strangers(net, 0.1), monitor, data(), gradient_clip_val=clip)
        nets.append(net)
        assert not any(one._forward_hooks or one._forward_pre_hooks for one in net.modules())
    assert all(torch.equal(a, b) for a, b in zip(*(net.parameters() for net in nets), strict=True))


def test_what_is_measured_is_what_autograd_gives() -> None:
    net = deep(nn.Tanh, depth=2)
    twin = deep(nn.Tanh, depth=2)
    monitor = HealthMonitor(every_n_steps=1, samples=1, warn=False)
    loader = data(batch=256)
    fit(Strangers(net, 0.5), monitor, loader, max_epochs=1, gradient_clip_val=0.01)
    x, y = next(iter(loader))
    z0 = twin[0](x)
    z0.retain_grad()
    F.cross_entropy(twin[4](twin[3](twin[2](twin[1](z0)))), y).backward()
    seen = monitor.looks[0].layers["net.0"]
    assert seen["gradient"] == pytest.approx(float(z0.grad.square().mean().sqrt()), rel=1e-5)
    assert seen["gradient_norm"] == pytest.approx(float(twin[0].weight.grad.norm()), rel=1e-5)
    total = math.sqrt(sum(float(parameter.grad.square().sum()) for parameter in twin.parameters()))
    shrunk = min(1, 0.01 / total)
    assert seen["gradient_norm_clipped"] == pytest.approx(seen["gradient_norm"] * shrunk, rel=1e-4)
    moved = 0.5 * seen["gradient_norm_clipped"] / float(twin[0].weight.detach().norm())
    assert seen["update_ratio"] == pytest.approx(moved, rel=1e-3)


def test_one_activation_for_all_layers_and_one_that_is_a_call_are_told_apart() -> None:
    monitor = HealthMonitor(every_n_steps=1, warn=False)
    fit(Strangers(Functional()), monitor, data())
    named = [name for name, measures in monitor.looks[-1].layers.items() if "dead" in measures]
    assert named == ["net.layers.0", "net.layers.1", "net.layers.2", "net.last"]
    assert monitor.looks[-1].layers["net.last"]["saturated"] == 0


def test_a_units_in_a_convolution_are_its_channels() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(4 * 9, 3))
    with torch.no_grad():
        net[1].bias[1:] = -100.0
    monitor = HealthMonitor(warn=False)
    fit(Strangers(net), monitor, data(shape=(1, 5, 5)))
    assert monitor.looks[0].layers["net.0"]["dead"] == 0.75
    assert monitor.verdict == "dying"


def test_a_look_waits_until_it_has_seen_enough_samples() -> None:
    monitor = HealthMonitor(every_n_steps=8, samples=128, warn=False)
    fit(Strangers(deep(nn.ReLU)), monitor, data(batch=16, samples=256), max_epochs=1)
    assert [look.step for look in monitor.looks] == [8, 16]


def test_bad_numbers_are_named() -> None:
    with pytest.raises(ValueError, match="every_n_steps: found 0; allowed: at least 1"):
        HealthMonitor(every_n_steps=0)
