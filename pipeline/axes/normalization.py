"""Normalization of a network's signals between its layers."""

from typing import TYPE_CHECKING, ClassVar, Literal

from .level import Level, Positive, Registry, Share

if TYPE_CHECKING:
    from torch import nn

    from ..networks.context import LayerContext

Placement = Literal["none", "before", "after"]


class Normalization(Level):
    """What stands before or after each hidden layer's activation."""

    placement: ClassVar[Placement]
    """Of the activation."""
    of_batch: ClassVar[bool] = False
    """Whether statistics are the batch's: then a batch needs two samples."""

    @property
    def of_input(self) -> bool:
        """Whether the network's input is normalised too."""
        return False

    @property
    def keeps_bias(self) -> bool:
        """Whether dense layers have a bias: not where a shift takes its place."""
        return True

    def build(self, context: "LayerContext") -> "nn.Module":
        """Return a layer on ``[network, batch, unit]``."""
        raise NotImplementedError


NORMALIZATIONS = Registry[Normalization]("normalization")


@NORMALIZATIONS.register
class NoNormalization(Normalization):
    name, formula, source, placement = "none", "z", "", "none"
    theory = "see the activation"


class _BatchNorm(Normalization):
    """Keras's convention: moving = momentum · moving + (1 - momentum) · batch; PyTorch's momentum is 1 minus this.

    The momentum is PyTorch's (0.1 there), the eps Keras's. After 44 steps 1 % is left of the averages that it starts
    with; Keras's momentum, 0.99, takes 459 steps.
    """

    formula, source = "γ·(z - mean) / sqrt(variance + eps) + β, over the batch", "Ioffe & Szegedy 2015, algorithm 1"
    theory = "Yang et al. 2019"
    of_batch = True
    momentum: Share = 0.9
    eps: Positive = 0.001
    affine: bool = True
    """Whether γ and β are learned; else they stay at 1 and 0."""
    input: bool = True
    """Whether a layer of it stands on the network's input."""

    @property
    def of_input(self) -> bool:
        return self.input

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.batch_norm(self.momentum, self.eps, self.affine)


@NORMALIZATIONS.register
class BatchNormBefore(_BatchNorm):
    name, placement, label = "before", "before", "batch norm before"
    bias: bool = False
    """Whether the dense layers keep the bias that β stands in for."""

    @property
    def keeps_bias(self) -> bool:
        return self.bias


@NORMALIZATIONS.register
class BatchNormAfter(_BatchNorm):
    name, placement, label = "after", "after", "batch norm after"


@NORMALIZATIONS.register
class LayerNorm(Normalization):
    """Before the activation. Keras's eps; PyTorch's is 1e-5."""

    name, placement, label = "layer_norm", "before", "layer norm"
    theory = "each layer's variance set to 1; as Yang et al. 2019 for a wide layer"
    formula, source = "γ·(z - mean) / sqrt(variance + eps) + β, over the units", "Ba et al. 2016, eq. 4"
    eps: Positive = 0.001

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.layer_norm(self.eps)
