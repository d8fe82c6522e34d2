"""Architectures: how the hidden layers are connected."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from .level import Level, Registry


class Architecture(Level):
    """What a hidden layer takes beside the layer below it, and what the output layer takes."""

    recurrent: ClassVar[bool] = False
    """Whether hidden layers are steps in time, which share their weights."""
    wide: ClassVar[bool] = False
    """Whether the output layer takes the network's input beside the highest hidden layer."""

    @property
    def predicted(self) -> bool:
        """Whether the theory says how signals and gradients pass."""
        return bool(self.theory)

    def fans(self, shape: Sequence[int], hidden: Sequence[int], outputs: int) -> list[tuple[int, int]]:
        """Return fan-in and fan-out of every weight matrix, the output layer's last.

        Args:
            shape: of a sample.
            hidden: units of every hidden layer.
            outputs: of the network.
        """
        features = math.prod(shape)
        fans = list(pairwise((features, *hidden, outputs)))
        if self.wide:
            fans[-1] = (fans[-1][0] + features, outputs)
        return fans

    def skips_from(self, layer: int) -> int | None:
        """Return which lower hidden layer, from 0, is added to a hidden layer's z; ``None`` where none is."""
        del layer
        return None

    def fault(self, widths: Sequence[int]) -> str | None:
        """Return what makes hidden layers of these widths impossible, in words; ``None`` where nothing does."""
        del widths
        return None


ARCHITECTURES = Registry[Architecture]("architecture")


@ARCHITECTURES.register
class MLP(Architecture):
    theory = "Poole et al. 2016; Schoenholz et al. 2017"
    name, formula, source = "mlp", "z[l] = W[l] a[l-1] + b[l], a[l] = φ(z[l])", "Rumelhart et al. 1986"


@ARCHITECTURES.register
class Residual(Architecture):
    """A skip over every two layers, from the first hidden layer on; the skip adds z, or with preactivation=false a."""

    name = "residual"
    formula = "z[l] = W[l] a[l-1] + b[l] + z[l-2] for l = 3, 5, …; with preactivation=false + a[l-2]"
    source = "He et al. 2016, Identity mappings, fig. 1; He et al. 2015, Deep residual learning"
    theory = "Yang & Schoenholz 2017; with preactivation=false no prediction"
    preactivation: bool = True

    @property
    def predicted(self) -> bool:
        return self.preactivation  # sums of outputs are no Gaussians

    def skips_from(self, layer: int) -> int | None:
        return layer - 2 if layer >= 2 and layer % 2 == 0 else None

    def fault(self, widths: Sequence[int]) -> str | None:
        return _equal(widths, "a skip adds layers of one width")


@ARCHITECTURES.register
class WideAndDeep(Architecture):
    name, label, wide = "wide_and_deep", "wide & deep", True
    theory = "of the hidden layers, as for mlp"
    formula, source = "logits = W (a[L], x) + b: the input joins the output layer", "Cheng et al. 2016"


@ARCHITECTURES.register
class Recurrent(Architecture):
    """Elman's: one hidden layer, whose output joins its own next input. As many steps as there are hidden layers."""

    name, recurrent = "recurrent", True
    theory = "Chen, Pennington & Schoenholz 2018, section 3.1"
    formula, source = (
        "z[t] = V x[t] + W a[t-1] + b, a[t] = φ(z[t]), a[0] = 0; logits = U a[T] + c",
        "Elman 1990, fig. 2",
    )

    def fans(self, shape: Sequence[int], hidden: Sequence[int], outputs: int) -> list[tuple[int, int]]:
        """Those of V, W and U."""
        units = hidden[0]
        return [(shape[-1], units), (units, units), (units, outputs)]

    def fault(self, widths: Sequence[int]) -> str | None:
        return _equal(widths, "steps share one hidden layer") if widths else "it needs a hidden layer"


def _equal(widths: Sequence[int], why: str) -> str | None:
    return None if len({*widths}) < 2 else f"{why}; allowed: one width for all hidden layers, such as 20x50"
