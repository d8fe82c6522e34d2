"""Single networks of ``torch.nn`` layers, where ``nn.Sequential`` does not suffice: with skips, or steps in time."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


class PlainHidden(nn.Module):
    """A hidden layer: dense, what stands up to the activation's output, and what stands after it."""

    def __init__(self, dense: nn.Module, act: Sequence[nn.Module], after: Sequence[nn.Module]) -> None:
        super().__init__()
        self.dense, self.act, self.after = dense, nn.Sequential(*act), nn.Sequential(*after)


class PlainFeedForward(nn.Module):
    """Hidden layers of which some add a lower one, and an output layer that may take the input too.

    Args:
        normalize_input: layers on the input.
        hidden: the hidden layers.
        output: the output layer.
        skips: for each hidden layer the lower one that is added to its dense layer's output, from 0; or ``None``.
        adds_outputs: whether outputs are added, or what the dense layers gave.
        wide: whether the input joins the highest hidden layer's output.
    """

    def __init__(
        self,
        normalize_input: Sequence[nn.Module],
        hidden: Sequence[PlainHidden],
        output: nn.Module,
        skips: Sequence[int | None],
        adds_outputs: bool,
        wide: bool,
    ) -> None:
        super().__init__()
        self.normalize_input = nn.Sequential(*normalize_input)
        self.hidden = nn.ModuleList(hidden)
        self.output = output
        self.skips, self.adds_outputs, self.wide = list(skips), adds_outputs, wide

    def forward(self, x: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch output"]:
        """Return the logits."""
        x = start = self.normalize_input(x)
        lower: list[Tensor] = []
        for layer, skip in zip(self.hidden, self.skips, strict=True):
            assert isinstance(layer, PlainHidden)  # noqa: S101
            z = layer.dense(x)
            if skip is not None:
                z = z + lower[skip]
            x = layer.after(layer.act(z))
            lower.append(x if self.adds_outputs else z)
        logits: Tensor = self.output(torch.cat([x, start], 1) if self.wide else x)
        return logits


class PlainRecurrent(nn.Module):
    """Elman's network, unrolled.

    Args:
        into: from a step's features to the hidden layer, with its bias.
        recurrent: from the hidden layer to itself, without a bias.
        act: normalization and activation.
        after: behind the last step.
        output: the output layer.
        steps: that are read, the first ones.
        features: of each step.
    """

    def __init__(
        self,
        into: nn.Module,
        recurrent: nn.Module,
        act: Sequence[nn.Module],
        after: Sequence[nn.Module],
        output: nn.Module,
        steps: int,
        features: int,
    ) -> None:
        super().__init__()
        self.into, self.recurrent, self.output = into, recurrent, output
        self.act, self.after = nn.Sequential(*act), nn.Sequential(*after)
        self.steps, self.features = steps, features

    def forward(self, x: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch output"]:
        """Return the logits."""
        rows = x.unflatten(1, (-1, self.features))
        h = self.act(self.into(rows[:, 0]))
        for step in range(1, self.steps):
            h = self.act(self.into(rows[:, step]) + self.recurrent(h))
        logits: Tensor = self.output(self.after(h))
        return logits
