"""A Lightning callback that watches the health of anyone's network while it trains."""

import math
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, fx, nn

from ..errors import FunctionError
from ..theory.functions import Function
from ..verdicts import Thresholds, verdicts
from .graph import Graph, Weighted, is_convolutional, module_function

if TYPE_CHECKING:
    from pytorch_lightning import Callback, LightningModule, Trainer
else:  # the one of the two packages that the user's own module comes from
    _lightning = "lightning.pytorch" if "lightning.pytorch" in sys.modules else "pytorch_lightning"
    Callback = import_module(_lightning).Callback

THRESHOLDS = Thresholds()
ADVICE = {
    "dying": "a smaller learning rate, or an activation that is nowhere flat (leaky_relu, elu), keeps units alive",
    "saturated": "smaller weights (`initialize_`) or a normalization before the activation keep it off the flat parts",
    "exploding": "gradient clipping or smaller weights (`initialize_`) hold the lower layers' gradients",
    "vanishing": "`initialize_`, a normalization or residual connections let gradients through",
    "diverged": "a smaller learning rate or gradient clipping keeps the loss finite",
}


@dataclass(eq=False)
class Site:
    """Where an activation stands, and what was seen there since a look began."""

    name: str
    """Of the layer before it; of the activation's own module where that is not known."""
    function: Function
    convolutional: bool
    """Whether units are channels, in dimension 1; else they are the last dimension."""
    call: Callable[[Tensor], Tensor] | None = None
    """Computes it; ``None`` where a module does."""
    samples: int = 0
    alive: Tensor | None = None
    """``[unit]``: whether it was not 0 on some sample."""
    flat: list[Tensor] = field(default_factory=list)
    """Of every batch, the share of activations taken where the function is flat."""
    gradients: list[Tensor] = field(default_factory=list)
    """Of every batch, the mean square of ∂loss/∂z."""
    since: int | None = None
    """The epoch in which it was first unhealthy."""

    def forget(self) -> None:
        """Begin anew."""
        self.samples, self.alive, self.flat, self.gradients = 0, None, [], []

    def see_input(self, z: Tensor) -> None:
        """Take note of what goes in, and of the gradient when it comes back."""
        low, high = self.function.unsaturated_range
        if math.isfinite(low) or math.isfinite(high):
            with torch.no_grad():
                self.flat.append(((z < low) | (z > high)).float().mean())
        if z.requires_grad:
            z.register_hook(lambda gradient: self.gradients.append(gradient.detach().float().square().mean()))

    def see_output(self, a: Tensor) -> None:
        """Take note of what comes out."""
        with torch.no_grad():
            unit = 1 if self.convolutional and a.ndim > 2 else a.ndim - 1
            alive = (a != 0).movedim(unit, 0).flatten(1).any(1)
            self.alive = alive if self.alive is None or self.alive.shape != alive.shape else self.alive | alive
            self.samples += len(a)

    def measures(self) -> dict[str, float]:
        """Return what was seen: shares, and the root mean square of ∂loss/∂z."""
        dead = math.nan if self.alive is None else float((~self.alive).float().mean())
        flat = float(torch.stack(self.flat).mean()) if self.flat else 0.0
        gradient = float(torch.stack(self.gradients).mean().sqrt()) if self.gradients else math.nan
        return {"dead": dead, "saturated": flat, "gradient": gradient}


class Watch:
    """A module that is watched while a look lasts: each call in a step is a site of its own.

    Args:
        module: an activation's own; or the layer whose output goes into an activation that is a call.
        sites: in the order of the calls.
    """

    def __init__(self, module: nn.Module, sites: list[Site]) -> None:
        self.module, self.sites = module, sites
        self.calls = 0
        self._hooks: list[Any] = []

    def begin(self) -> None:
        """Hook into the module."""
        for site in self.sites:
            site.forget()
        if self.sites[0].call is None:
            self._hooks.append(self.module.register_forward_pre_hook(self._before))
        self._hooks.append(self.module.register_forward_hook(self._after))

    def end(self) -> None:
        """Leave the module as it was."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def _before(self, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        if torch.is_grad_enabled():  # not while validating
            self.sites[self.calls % len(self.sites)].see_input(inputs[0])

    def _after(self, _: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        if torch.is_grad_enabled():
            site = self.sites[self.calls % len(self.sites)]
            if site.call is None:
                site.see_output(output)
            else:
                site.see_input(output)
                with torch.no_grad():
                    site.see_output(site.call(output.detach().clone()))
            self.calls += 1


class Look(NamedTuple):
    """What one look showed."""

    step: int
    epoch: int
    verdict: str
    layers: dict[str, dict[str, float]]
    """By activation's site: ``dead``, ``saturated``, ``gradient``; by weighted layer: ``gradient_norm``,
    ``gradient_norm_clipped``, ``update_ratio``."""


class HealthMonitor(Callback):
    """Watches every layer's gradients, units and updates, says when they go wrong, and logs them.

    A look takes as many steps as it takes to see enough samples; between looks nothing is watched. Measures go to all
    loggers of the trainer, as ``health/<layer>/<measure>``; `looks` keeps them.

    Args:
        every_n_steps: from one look to the next.
        samples: that a look sees at least: a unit that is 0 on all of them is dead.
        thresholds: of the verdicts.
        warn: say in words what goes wrong, once for each layer and verdict.

    Raises:
        ValueError: `every_n_steps` or `samples` is below 1.
    """

    def __init__(
        self, every_n_steps: int = 100, samples: int = 128, thresholds: Thresholds = THRESHOLDS, warn: bool = True
    ) -> None:
        super().__init__()
        for name, value in (("every_n_steps", every_n_steps), ("samples", samples)):
            if value < 1:
                raise ValueError(f"{name}: found {value}; allowed: at least 1")
        self.every_n_steps, self.samples, self.thresholds, self.warn = every_n_steps, samples, thresholds, warn
        self.looks: list[Look] = []
        self._sites: list[Site] = []
        self._watches: list[Watch] = []
        self._looking = False
        self._weights: dict[str, Tensor] = {}
        self._before: dict[str, Tensor] = {}
        self._norms: dict[str, float] = {}
        self._said: set[tuple[str, str]] = set()

    @property
    def verdict(self) -> str:
        """The last look's; ``healthy`` before the first."""
        return self.looks[-1].verdict if self.looks else "healthy"

    def on_fit_start(self, trainer: "Trainer", pl_module: "LightningModule") -> None:
        """Find the layers and the activations."""
        by_module: dict[tuple[nn.Module, bool], list[Site]] = {}
        found = [*sites(pl_module)]
        self._sites = [site for site, _ in found]
        for site, module in found:
            by_module.setdefault((module, site.call is None), []).append(site)
        self._watches = [Watch(module, calls) for (module, _), calls in by_module.items()]
        self._weights = {
            name: layer.weight
            for name, layer in pl_module.named_modules()
            if isinstance(layer, Weighted) and layer.weight.requires_grad
        }
        if not self._watches and self.warn:
            warnings.warn("HealthMonitor: finds no activations; it watches weights and gradients alone", stacklevel=2)

    def on_train_batch_start(
        self, trainer: "Trainer", pl_module: "LightningModule", batch: Any, batch_idx: int
    ) -> None:
        """Begin to look, if it is time."""
        step = trainer.global_step
        if not self._looking and step % self.every_n_steps == 0 and not (self.looks and self.looks[-1].step > step):
            self._looking = True
            for watch in self._watches:
                watch.begin()
        for watch in self._watches:
            watch.calls = 0

    def on_before_optimizer_step(
        self, trainer: "Trainer", pl_module: "LightningModule", optimizer: torch.optim.Optimizer
    ) -> None:
        """Keep the gradients' norms before clipping, and the weights before the update."""
        if self._looking and all(site.samples >= self.samples for site in self._seen()):
            self._norms = self._gradient_norms()
            self._before = {name: weight.detach().clone() for name, weight in self._weights.items()}

    def on_train_batch_end(
        self, trainer: "Trainer", pl_module: "LightningModule", outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """End a look that has seen enough: judge, log and warn."""
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        finite = not isinstance(loss, Tensor) or bool(torch.isfinite(loss).all())
        if self._looking and (self._before or not finite):
            self._end(trainer, finite)

    def on_fit_end(self, trainer: "Trainer", pl_module: "LightningModule") -> None:
        """Take all hooks away."""
        self._stop()

    def on_exception(self, trainer: "Trainer", pl_module: "LightningModule", exception: BaseException) -> None:
        """Take all hooks away."""
        self._stop()

    def _seen(self) -> list[Site]:
        """Return the sites that were passed, those of the lowest layers first."""
        return [site for site in self._sites if site.samples]

    def _gradient_norms(self) -> dict[str, float]:
        """Return the L2 norm of every weight's gradient."""
        found = {name: weight.grad for name, weight in self._weights.items() if weight.grad is not None}
        norms = (
            torch.stack([gradient.detach().float().norm() for gradient in found.values()]) if found else torch.zeros(0)
        )
        return dict(zip(found, norms.tolist(), strict=True))

    def _end(self, trainer: "Trainer", finite: bool) -> None:
        """Judge what was seen, log it and warn."""
        layers: dict[str, dict[str, float]] = {site.name: site.measures() for site in self._seen()}
        clipped = self._gradient_norms()
        moved = {
            name: float((weight.detach() - self._before[name]).float().norm() / self._before[name].float().norm())
            for name, weight in self._weights.items()
            if name in self._before
        }
        for name, norm in self._norms.items():
            layers.setdefault(name, {}).update(
                gradient_norm=norm,
                gradient_norm_clipped=clipped.get(name, math.nan),
                update_ratio=moved.get(name, math.nan),
            )
        verdict = self._judge(finite)
        look = Look(trainer.global_step, trainer.current_epoch, verdict, layers)
        self.looks.append(look)
        self._log(trainer, look)
        if self.warn:
            self._say(look)
        self._stop()

    def _judge(self, finite: bool) -> str:
        """Return the network's verdict, by the rule of the project's own studies."""
        columns = [site.measures() for site in self._seen()]
        if not columns:
            return "healthy" if finite else "diverged"
        # The output layer has no activation: its column is NaN.
        record = {
            name: np.array([[*(column[name] for column in columns), math.nan]])
            for name in ("dead", "saturated", "gradient")
        }
        record["gradient"] = record["gradient"] ** 2
        return str(verdicts(np.array([finite]), record, self.thresholds)[0])

    def _log(self, trainer: "Trainer", look: Look) -> None:
        metrics = {
            f"health/{name}/{measure}": value
            for name, measures in look.layers.items()
            for measure, value in measures.items()
            if math.isfinite(value)
        }
        for logger in trainer.loggers:
            logger.log_metrics({**metrics, "health/healthy": float(look.verdict == "healthy")}, step=look.step)

    def _say(self, look: Look) -> None:
        """Warn of each layer that goes wrong, and of the network, once."""
        seen = self._seen()
        for site in seen:
            measures = look.layers[site.name]
            for verdict, measure, words in (
                ("dying", "dead", "of the units are dead"),
                ("saturated", "saturated", "of the activations are where the function is flat"),
            ):
                if measures[measure] >= getattr(self.thresholds, measure):
                    site.since = look.epoch if site.since is None else site.since
                    share = f"{measures[measure]:.0%}".replace("%", " %")
                    self._warn(site.name, verdict, f"layer {site.name}: {share} {words} since epoch {site.since}")
        if look.verdict in ("exploding", "vanishing"):
            lowest, highest = (look.layers[site.name]["gradient"] for site in (seen[0], seen[-1]))
            more = lowest / highest if look.verdict == "exploding" else highest / lowest
            size = "larger" if look.verdict == "exploding" else "smaller"
            self._warn(
                "", look.verdict,
                f"the gradient at layer {seen[0].name} is {more:.3g} times {size} than at layer "
                f"{seen[-1].name}, in epoch {look.epoch}",
            )  # fmt: skip
        elif look.verdict == "diverged":
            self._warn("", "diverged", f"the loss is no longer finite, in epoch {look.epoch}")

    def _warn(self, layer: str, verdict: str, words: str) -> None:
        if (layer, verdict) not in self._said:
            self._said.add((layer, verdict))
            warnings.warn(f"{words}; {ADVICE[verdict]}", stacklevel=2)

    def _stop(self) -> None:
        for watch in self._watches:
            watch.end()
        self._looking, self._before, self._norms = False, {}, {}


def sites(module: nn.Module, prefix: str = "") -> Iterator[tuple[Site, nn.Module]]:
    """Yield where activations stand in a module, and which module to watch for each, those of the lowest layers first.

    They are read off its FX graph; of a part that cannot be traced, off its own modules.
    """
    try:
        graph = Graph(module)
    except FunctionError:
        for name, child in module.named_children():
            inside = f"{prefix}{name}"
            if any(isinstance(one, Weighted) for one in child.modules()) and not isinstance(child, Weighted):
                yield from sites(child, f"{inside}.")
            elif not isinstance(child, Weighted):
                with_function = _activation(child)
                if with_function is not None:
                    yield Site(inside, with_function, convolutional=False), child
        return
    for node in graph.nodes:
        step = graph.steps[node]
        if step.kind != "function" or step.function is None:
            continue
        before = _layer_before(graph, node)
        direct = node.all_input_nodes[0]
        if step.module is not None and before is not None:
            name, convolutional = before
            yield Site(f"{prefix}{name}", step.function, convolutional), step.module
        elif step.call is not None and before is not None and direct.op == "call_module":
            name, convolutional = before
            watched = graph.modules[str(direct.target)]
            yield Site(f"{prefix}{name}", step.function, convolutional, step.call), watched


def _activation(module: nn.Module) -> Function | None:
    if any(True for _ in module.parameters()) or any(True for _ in module.children()):
        return None
    try:
        return module_function(module)
    except FunctionError:
        return None


def _layer_before(graph: Graph, node: fx.Node) -> tuple[str, bool] | None:
    """Return the name of the weighted layer nearest before a node, and whether it is convolutional."""
    todo = [*node.all_input_nodes]
    while todo:
        one = todo.pop(0)
        if graph.steps[one].kind == "weights":
            return str(one.target), is_convolutional(graph.modules[str(one.target)])
        todo += one.all_input_nodes
    return None
