"""The health of every layer while training: looked at now and then, without changing what is trained."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from ..compiled.engine import Engine
from ..networks import StackedNetwork
from ..networks.activations import StackedPReLU
from ..networks.observe import Observation, observe
from ..networks.parts import StackedPart
from ..networks.sums import norms, tree_sum
from ..theory.functions import Function
from ..verdicts import Record
from .names import OF_STATES, OF_STEPS


class HealthRecorder:
    """Records the layers of a stack at chosen epochs.

    Of a training step (the first one for epoch 0, an epoch's last one for any other): the L2 norm of each weight
    matrix's gradient before and after clipping, the share of the epoch's steps in which it was clipped, and the
    update's L2 norm as a share of the weights'. Of the samples looked at: see `Observation`; the share of units that
    are off, and of those that were when last looked at, the share that is not any more; the mean slope of PReLU.

    Args:
        networks: the stack.
        function: its activation.
        epochs: at which to look; 0 is before the first step.
        clips: whether any network's gradient is clipped.
        part: of whose samples.
        samples: how many are looked at, the first ones.
        records: takes what is seen, by epoch.
        engine: looks by compiled code, to the same bits.
    """

    def __init__(
        self,
        networks: StackedNetwork,
        function: Function,
        epochs: set[int],
        clips: bool,
        part: StackedPart,
        samples: int,
        records: dict[int, Record],
        engine: Engine | None = None,
    ) -> None:
        self.networks, self.function, self.clips = networks, function, clips
        self.weights = networks.site_kernels
        self.epochs, self.part, self.samples = epochs, part, samples
        self.records, self.engine = records, engine
        self._clipped = torch.zeros(networks.networks, len(self.weights), device=part.x.device)
        self._steps = 0
        self._off: Tensor | None = None

    def look(self, epoch: int) -> None:
        """Record the layers' state after an epoch, if it is one of the chosen; 0 is before the first step."""
        if epoch not in self.epochs:
            return
        if len(self.weights) > 1:
            if self.engine:
                shares, off = self.engine.observe(self.part, self.samples, self.function.unsaturated_range)
                seen = Observation._make([*torch.from_numpy(shares), torch.from_numpy(off)])
            else:
                seen = observe(self.networks, self.function, *self.part.slice(0, self.samples))
            self._keep(epoch, dict(zip(OF_STATES, (*seen[:-1], *self._woken(seen.off)), strict=False)))
        acts = [layer for layer in self.networks.activations if isinstance(layer, StackedPReLU)]
        if acts:
            slopes = [tree_sum(act.slope.detach()[:, 0]) / act.slope.shape[2] for act in acts]
            self._keep(epoch, {"prelu_slope": torch.stack(slopes, 1)})

    def _woken(self, off: Bool[Tensor, "network layer unit"]) -> tuple[Tensor, Tensor]:
        """Return ``[network, layer]``: the share of units that are off, and of those that were, of those that are not.

        The second is NaN where none was off, or nobody looked before.
        """
        units = torch.tensor(self.networks.design.hidden, device=off.device)
        before = torch.zeros_like(off) if self._off is None else self._off
        self._off = off
        return off.sum(2) / units, (before & ~off).sum(2) / before.sum(2)

    def watched(self, epoch: int) -> tuple[bool, bool, bool]:
        """Return whether to count an epoch's clipped steps, and whether to keep its first and its last step."""
        return self.clips and epoch in self.epochs, epoch == 1 and 0 in self.epochs, epoch in self.epochs

    def keep_steps(self, epoch: int, first: NDArray[np.float32], last: NDArray[np.float32]) -> None:
        """Record an epoch's first and last step, ``[network, measure, layer]``, where they are watched."""
        _, at_first, at_last = self.watched(epoch)
        for at, kept, steps in ((0, at_first, first), (epoch, at_last, last)):
            if kept:
                measures = torch.from_numpy(steps).unbind(1)
                self._keep(at, dict(zip(OF_STEPS, measures, strict=True)))

    def step(self, epoch: int, first: bool, last: bool) -> AbstractContextManager[None] | None:
        """Return what watches a step, from before clipping until after the update; ``None`` for one not watched.

        Args:
            epoch: from 1.
            first: of the epoch.
            last: of the epoch.
        """
        recorded = {0} & self.epochs if epoch == 1 and first else set()
        if last:
            recorded |= {epoch} & self.epochs
        counts = self.clips and epoch in self.epochs
        return self._watch(recorded, first) if recorded or counts else None

    @contextmanager
    def _watch(self, recorded: set[int], first: bool) -> Iterator[None]:
        with torch.no_grad():
            before = self._gradient_norms()
            start = [weight.clone() for weight in self.weights] if recorded else []
            yield
            after = self._gradient_norms()
            clipped = (after < before).float()
            if first:
                self._clipped.zero_()
                self._steps = 0
            self._clipped += clipped
            self._steps += 1
            for at in recorded:
                moved = [norms(end - begin) for begin, end in zip(start, self.weights, strict=True)]
                ratio = torch.stack(moved, 1) / torch.stack([norms(begin) for begin in start], 1)
                share = clipped if at == 0 else self._clipped / self._steps
                self._keep(at, dict(zip(OF_STEPS, (before, after, share, ratio), strict=True)))

    def _gradient_norms(self) -> Float[Tensor, "network layer"]:
        return torch.stack([norms(weight.grad) for weight in self.weights if weight.grad is not None], 1)

    def _keep(self, epoch: int, columns: dict[str, Tensor]) -> None:
        """Keep measures ``[network, layer]``; of those of hidden layers alone, the output layer's are NaN."""
        for name, values in columns.items():
            record = np.full((len(values), len(self.weights)), np.nan)
            record[:, : values.shape[1]] = values.cpu().numpy()
            self.records.setdefault(epoch, {})[name] = record
