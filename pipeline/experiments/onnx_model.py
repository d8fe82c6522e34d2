"""The champion as ONNX: from the source's own columns to probabilities, without any of this project's code.

The scaler is part of the graph, in float64 as in training, so that nobody has to know of it.
"""

import logging
import warnings
from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..data.scaling import Scaler


class FromRawFeatures(nn.Module):
    """A network on features in their own units.

    Args:
        network: takes scaled features, gives logits.
        scaler: of its dataset.
    """

    shift: Tensor
    factor: Tensor

    def __init__(self, network: nn.Module, scaler: Scaler) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("shift", torch.tensor(scaler.shift, dtype=torch.float64))
        self.register_buffer("factor", torch.tensor(scaler.factor, dtype=torch.float64))

    def forward(self, features: Float[Tensor, "sample feature"]) -> Float[Tensor, "sample class"]:
        """Return the probability of each class."""
        scaled = (features - self.shift) / self.factor
        return torch.softmax(self.network(scaled.float()), 1)


def to_onnx(network: nn.Module, scaler: Scaler) -> bytes:
    """Return a network and its dataset's scaler as an ONNX model.

    It takes ``features``, float64 ``[sample, feature]``, and gives ``probabilities``, float32 ``[sample, class]``.
    Equal networks give equal bytes: what the exporter notes of this machine's folders is left out.

    Args:
        network: in evaluation mode, as `StackedNetwork.unstack` gives it.
        scaler: of its dataset.
    """
    whole = FromRawFeatures(_exportable(network), scaler).eval()
    example = torch.zeros(2, len(scaler.shift), dtype=torch.float64)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the exporter itself uses
        program = torch.onnx.export(
            whole,
            (example,),
            input_names=["features"],
            output_names=["probabilities"],
            dynamic_shapes=({0: torch.export.Dim("samples")},),
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    model = program.model_proto
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.functions):
        del part.metadata_props[:]
    written: bytes = model.SerializeToString(deterministic=True)
    return written


def _exportable(network: nn.Module) -> nn.Module:
    """Return a copy of a network in evaluation mode, without the layers of which the exporter knows no more."""
    copied = deepcopy(network)
    for name, layer in list(copied.named_modules()):
        if isinstance(layer, nn.RReLU):
            copied.set_submodule(name, nn.LeakyReLU((layer.lower + layer.upper) / 2))
    return copied
