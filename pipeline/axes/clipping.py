"""Gradient clipping, of each network by itself.

Keras's ``clipnorm`` shrinks each tensor by its own norm; ``global_clipnorm``, PyTorch and Lightning shrink all tensors
by one norm over all of them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from .level import Level, Positive, Registry

if TYPE_CHECKING:
    from torch import Tensor

    from ..training.clipping import Norms


class Clipping(Level):
    """What is done to gradients before an update."""

    clips: ClassVar[bool] = True

    def clip(self, gradients: "Sequence[Tensor]", norms: "Norms") -> None:
        """Clip the gradients ``[network, rows, columns]``, one for each weight or bias, in place."""
        raise NotImplementedError


CLIPPINGS = Registry[Clipping]("clipping")


@CLIPPINGS.register
class NoClipping(Clipping):
    name, formula, source, clips = "none", "g", "", False

    def clip(self, gradients: "Sequence[Tensor]", norms: "Norms") -> None:
        pass


@CLIPPINGS.register
class ByValue(Clipping):
    name, label = "value", "clip by value"
    formula, source = "each element into [-threshold, threshold]", "Mikolov 2012"
    threshold: Positive = 1.0

    def clip(self, gradients: "Sequence[Tensor]", norms: "Norms") -> None:
        for gradient in gradients:
            gradient.clamp_(-self.threshold, self.threshold)


@CLIPPINGS.register
class ByNorm(Clipping):
    name, label = "norm", "clip by norm"
    formula, source = "g · min(1, threshold / |g|), of each tensor by itself", "Keras's clipnorm"
    threshold: Positive = 1.0

    def clip(self, gradients: "Sequence[Tensor]", norms: "Norms") -> None:
        for gradient in gradients:
            gradient.mul_(norms.shrink(norms.own(gradient), self.threshold))


@CLIPPINGS.register
class ByGlobalNorm(Clipping):
    name, label = "global_norm", "clip by global norm"
    formula, source = "g · min(1, threshold / |g|), over all tensors", "Pascanu et al. 2013, algorithm 1"
    threshold: Positive = 1.0

    def clip(self, gradients: "Sequence[Tensor]", norms: "Norms") -> None:
        factor = norms.shrink(norms.over_all(gradients), self.threshold)
        for gradient in gradients:
            gradient.mul_(factor)
