"""Trains a stack by compiled code, where it has all that its networks need; torch's layers hold the weights."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..axes import clipping, optimizers, regularizers
from ..axes.activations import ACTIVATIONS
from ..axes.architectures import ARCHITECTURES
from ..axes.initializers import INITIALIZERS
from ..axes.normalization import NORMALIZATIONS
from ..networks.build import build_networks
from ..networks.parts import StackedPart
from ..networks.stack import Design, StackedNetwork
from . import epoch, rules
from .cache import Locator
from .machine import BLOCK_ROWS, BLOCK_SIZE, Memory
from .native import AVAILABLE, is_compiled
from .program import (
    NotCompilableError,
    Program,
    batch_norms,
    parameter_sizes,
    random_layers,
    record,
    starts,
)

Numbers = NDArray[np.float32]

OPTIMIZERS = {
    optimizers.SGD: rules.SGD,
    optimizers.Momentum: rules.MOMENTUM,
    optimizers.Nesterov: rules.NESTEROV,
    optimizers.RMSprop: rules.RMSPROP,
    optimizers.Adam: rules.ADAM,
    optimizers.AdamW: rules.ADAMW,
}
CLIPPINGS = {
    clipping.NoClipping: epoch.NO_CLIPPING,
    clipping.ByValue: epoch.BY_VALUE,
    clipping.ByNorm: epoch.BY_NORM,
    clipping.ByGlobalNorm: epoch.BY_GLOBAL_NORM,
}
PENALTIES = {
    regularizers.NoRegularizer: rules.NO_PENALTY,
    regularizers.Dropout: rules.NO_PENALTY,
    regularizers.AlphaDropout: rules.NO_PENALTY,
    regularizers.L1: rules.L1,
    regularizers.L2: rules.L2,
    regularizers.MaxNorm: rules.MAX_NORM,
}


def prepare() -> None:
    """Load the compiled code, or compile it where that has never been done here: about 30 seconds."""
    if not AVAILABLE or is_compiled(epoch.observe):
        return
    if not any(Path(Locator(0).get_cache_path()).glob("*.nbi")):
        print("compiling the training loop, once on this machine: about 30 s", flush=True)
    mlp, relu, none = ARCHITECTURES.parse("mlp"), ACTIVATIONS.parse("relu"), NORMALIZATIONS.parse("none")
    design = Design((2,), (2,), 2, mlp, relu, none, regularizers.NoRegularizer())
    engine = Engine(
        build_networks(design, [INITIALIZERS.parse("he_normal")], [0], [1.0]),
        Learning(optimizers.SGD(), regularizers.NoRegularizer(), [clipping.NoClipping()], 1),
    )
    part = StackedPart([np.zeros((1, 2), np.float32)], [np.zeros(1, np.int64)], [0])
    order = torch.zeros(1, 1, dtype=torch.int64)
    alive, down = torch.ones(1, dtype=torch.bool), torch.zeros(1, 1, 1)
    engine.train(part, order, alive, down, {}, 0, (False, False, False))
    engine.score(part, 1)
    engine.observe(part, 1, (0.0, 0.0))


class Learning(NamedTuple):
    """How a stack's networks learn, and what is remembered from step to step."""

    optimizer: optimizers.Optimizer
    regularizer: regularizers.Regularizer
    clipping: Sequence[clipping.Clipping]
    batch_size: int


class Seen(NamedTuple):
    """What an epoch came to."""

    losses: Numbers
    correct: NDArray[np.int64]
    first: Numbers
    """``[network, measure, matrix]``: of the first step, see `HealthRecorder`."""
    last: Numbers


class Engine:
    """Trains and scores a stack's networks.

    Args:
        networks: the stack.
        learning: how they learn.

    Raises:
        NotCompilableError: there is something that compiled code does not know.
    """

    def __init__(self, networks: StackedNetwork, learning: Learning) -> None:
        if not AVAILABLE:
            raise NotCompilableError("NumPy's matrix product")
        self.networks, self.learning = networks, learning
        self.optimizer = _known(OPTIMIZERS, learning.optimizer)
        self.penalty = _known(PENALTIES, learning.regularizer)
        self.clipping = np.array([_known(CLIPPINGS, mode) for mode in learning.clipping])
        self.threshold = np.array([getattr(mode, "threshold", 0.0) for mode in learning.clipping], np.float32)
        if any(tensor.dtype != torch.float32 or tensor.device.type != "cpu" for tensor in networks.parameters()):
            raise NotCompilableError("what is not float32 on a CPU")
        record(networks)

    def train(
        self,
        part: StackedPart,
        order: Tensor,
        alive: Tensor,
        down: Tensor,
        state: dict[Tensor, dict[str, Tensor]],
        taken: int,
        watch: tuple[bool, bool, bool],
    ) -> Seen:
        """Train an epoch; weights, moving averages and moments change in place.

        Args:
            part: the training samples.
            order: ``[network, place]``: samples.
            alive: ``[network]``; it changes.
            down: ``[network, 1, 1]``: minus the learning rate.
            state: the optimizer's, by parameter.
            taken: steps of the optimizer before.
            watch: whether to count clipped steps, to keep the first step, the last one.
        """
        program = record(self.networks)
        parameters = list(self.networks.parameters())
        stack = self._stack(parameters, state, down)
        size, matrices = len(down), len(self.networks.kernels)
        batch, count = self.learning.batch_size, order.shape[1]
        steps = -(-count // batch)
        how = self._rules(taken, steps)
        seen = Seen(
            np.zeros(size, np.float32),
            np.zeros(size, np.int64),
            np.zeros((size, 4, matrices), np.float32),
            np.zeros((size, 4, matrices), np.float32),
        )
        memory, logits = _memory(program, min(batch, count)), (program.logits, program.outputs)
        orders, living = order.numpy(), alive.numpy()
        for network, one in enumerate(stack):
            seen.losses[network], seen.correct[network], living[network] = epoch.train(
                program.instructions, program.tensors, logits, program.input, memory, one, how,
                self.clipping[network], self.threshold[network], living[network], *part.of(network), orders[network],
                epoch.Watch(*watch, seen.first[network], seen.last[network]),
            )  # fmt: skip
        self._take_back(parameters, state, stack)
        for layer in random_layers(self.networks):
            layer.step += steps
        return seen

    def score(self, part: StackedPart, rows: int) -> tuple[Numbers, NDArray[np.uint8]]:
        """Return each network's mean loss, and ``[network, sample]``: 1 where it is right, else 0.

        Args:
            part: the samples.
            rows: samples at a time.
        """
        program = record(self.networks)
        size = self.networks.networks
        losses, hits = np.zeros(size, np.float32), np.zeros((size, len(part)), np.uint8)
        memory, logits = _memory(program, min(rows, len(part)), training=False), (program.logits, program.outputs)
        for network, one in enumerate(self._stack(list(self.networks.parameters()))):
            losses[network], _ = epoch.score(
                program.instructions, logits, program.input, memory, one, *part.of(network), hits[network]
            )
        return losses, hits

    def _stack(
        self, parameters: Sequence[Tensor], state: Mapping[Tensor, dict[str, Tensor]] = {}, down: Tensor | None = None
    ) -> list[rules.One]:
        """Return the networks as compiled code takes them."""
        size, names = self.networks.networks, self.learning.optimizer.moments
        flat = [parameter.detach().reshape(size, -1) for parameter in parameters]
        moments = [
            [
                state[parameter][name].reshape(size, -1) if parameter in state else torch.zeros_like(one)
                for parameter, one in zip(parameters, flat, strict=True)
            ]
            for name in names
        ]
        averages = [
            tensor.reshape(size, -1) for norm in batch_norms(self.networks) for tensor in (norm.mean, norm.variance)
        ]
        keys = [layer.keys.reshape(size, -1) for layer in random_layers(self.networks)]
        weights, moving = _joined(flat, size), _joined(averages, size)
        remembered = np.stack([_joined(one, size) for one in moments], 1) if names else np.zeros((size, 0, 0), "f4")
        random = torch.cat(keys, 1).numpy() if keys else np.zeros((size, 0), np.int32)
        gradients = np.zeros(weights.shape[1], np.float32)
        rates = np.zeros(size, np.float32) if down is None else down.reshape(-1).numpy()
        arrays = zip(weights, moving, remembered, random, rates, strict=True)
        return [rules.One(own[0], gradients, *own[1:]) for own in arrays]

    @torch.no_grad()
    def _take_back(
        self, parameters: Sequence[Tensor], state: dict[Tensor, dict[str, Tensor]], stack: list[rules.One]
    ) -> None:
        """Give the weights, averages and moments to torch's layers and optimizer."""
        weights = torch.from_numpy(np.stack([one.parameters for one in stack]))
        moving = torch.from_numpy(np.stack([one.moving for one in stack]))
        moments = torch.from_numpy(np.stack([one.moments for one in stack]))
        sizes = parameter_sizes(self.networks)
        for parameter, start, size in zip(parameters, starts(sizes), sizes, strict=True):
            if not parameter.requires_grad:
                continue
            end = start + size
            parameter.copy_(weights[:, start:end].reshape(parameter.shape))
            for number, name in enumerate(self.learning.optimizer.moments):
                moment = moments[:, number, start:end].reshape(parameter.shape).clone()
                state.setdefault(parameter, {})[name] = moment
        start = 0
        for norm in batch_norms(self.networks):
            for tensor in (norm.mean, norm.variance):
                end = start + tensor.shape[2]
                tensor.copy_(moving[:, start:end].reshape(tensor.shape))
                start = end

    def observe(self, part: StackedPart, count: int, flat: tuple[float, float]) -> tuple[Numbers, NDArray[np.bool_]]:
        """Return what samples show of each hidden layer, ``[measure, network, layer]``, and which units are off.

        See `pipeline.networks.observe`.

        Args:
            part: the samples.
            count: of these, how many, the first ones.
            flat: below and above what the activation is flat.
        """
        program = record(self.networks)
        sites = np.array(program.sites)
        memory, logits = _memory(program, min(count, len(part))), (program.logits, program.outputs)
        bounds = np.array(flat, np.float32)
        stack, how = self._stack(list(self.networks.parameters())), self._rules(0, 1)
        seen = np.zeros((len(stack), 6, len(sites)), np.float32)
        off = np.zeros((len(stack), len(sites), sites[:, 3].max()), np.bool_)
        for network, (one, shown, silent) in enumerate(zip(stack, seen, off, strict=True)):
            x, y = part.of(network)
            epoch.observe(
                program.instructions, sites, logits, program.input, memory, one, how, x[:count], y[:count], bounds,
                shown, silent,
            )  # fmt: skip
        return seen.transpose(1, 0, 2), off

    def _rules(self, taken: int, steps: int) -> rules.Rules:
        random = random_layers(self.networks)
        return rules.Rules(
            self.optimizer,
            self._constants(),
            self._corrections(taken, steps),
            self.penalty,
            np.float32(self._strength()),
            self.learning.batch_size,
            int(random[0].step) if random else 0,
        )

    def _constants(self) -> Numbers:
        rule = self.learning.optimizer
        if isinstance(rule, optimizers.Momentum | optimizers.Nesterov):
            constants = [rule.momentum]
        elif isinstance(rule, optimizers.RMSprop):
            constants = [rule.rho, 1 - rule.rho, rule.eps]
        elif isinstance(rule, optimizers.Adam | optimizers.AdamW):
            constants = [rule.beta_1, 1 - rule.beta_1, rule.beta_2, 1 - rule.beta_2, rule.eps]
            constants += [getattr(rule, "weight_decay", 0.0)]
        else:
            constants = []
        return np.array(constants, np.float32)

    def _corrections(self, taken: int, steps: int) -> Numbers:
        rule = self.learning.optimizer
        if not isinstance(rule, optimizers.Adam | optimizers.AdamW):
            return np.zeros(0, np.float32)
        return np.array([rule.correction(taken + step + 1) for step in range(steps)], np.float32)

    def _strength(self) -> float:
        rule = self.learning.regularizer
        if isinstance(rule, regularizers.L2):
            return 2 * rule.strength
        if isinstance(rule, regularizers.MaxNorm):
            return rule.limit
        return rule.strength if isinstance(rule, regularizers.L1) else 0.0


def _known(codes: Mapping[Any, int], entry: object) -> int:
    """Return the number that compiled code has for an entry of an axis."""
    found = codes.get(type(entry))
    if found is None:
        raise NotCompilableError(type(entry).__name__)
    return found


def _joined(tensors: Sequence[Tensor], size: int) -> Numbers:
    """Return tensors ``[network, number]`` side by side, as an array of its own."""
    return torch.cat(list(tensors), 1).numpy() if tensors else np.zeros((size, 0), np.float32)


def _memory(program: Program, rows: int, training: bool = True) -> Memory:
    widest = int(max(program.instructions["units"].max(), program.instructions["fan_in"].max()))
    sizes = (rows * program.columns, rows * program.columns, rows * widest, rows * program.outputs, rows, rows)
    block = max(BLOCK_SIZE, BLOCK_ROWS * widest)
    values, gradients, scratch, terms, totals, losses, one = (np.zeros(size, np.float32) for size in (*sizes, block))
    return Memory(values, gradients, scratch, terms, totals, losses, np.zeros(rows, np.uint8), one, rows, training)


if __name__ == "__main__":
    prepare()
