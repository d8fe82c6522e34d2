"""Which networks an experiment trains, and what determines each of them."""

import hashlib
import json
from typing import Any, NamedTuple

from pipeline.params import Cell, Network, Params, Study, Transfer
from pipeline.training.place import place
from pipeline.training.stacks import Stack
from pipeline.training.store import code_digest

OWN_STREAMS = 2**32
"""Added to a seed for task B, so that the layers it does not reuse do not start as A's did."""
GRIDS = {"labels", "reused", "unfrozen", "seed"}


class TransferNetwork(NamedTuple):
    """One network: of task A, of task B from scratch, or of task B on the lowest layers of A's of the same seed."""

    task: str
    """``A`` or ``B``."""
    labels: int
    """Training samples."""
    reused: int
    """Hidden layers taken from A, the lowest; 0 is from scratch."""
    unfrozen: int
    """Of these, from the top, those that are trained after a while."""
    seed: int

    @property
    def method(self) -> str:
        """``scratch`` or ``reuse``."""
        return "reuse" if self.reused else "scratch"


def networks_of_a(transfer: Transfer, samples: int) -> list[TransferNetwork]:
    """Return task A's networks, one for each seed; ``samples`` is the size of its training part."""
    return [TransferNetwork("A", samples, 0, 0, seed) for seed in sorted(transfer.seed)]


def networks_of_b(transfer: Transfer) -> list[TransferNetwork]:
    """Return task B's networks, once each; ``unfrozen`` layers beyond those that are reused are all of these."""
    depth = len(transfer.hidden_widths)
    reused = {depth if layers == "all" else int(layers) for layers in transfer.reused} | {0}
    pairs = {(k, min(k, depth if layers == "all" else int(layers))) for k in reused for layers in transfer.unfrozen}
    return sorted(
        TransferNetwork("B", labels, k, m, seed)
        for labels in transfer.labels
        for k, m in pairs
        for seed in transfer.seed
    )


class TransferOrigin(NamedTuple):
    """What the networks of an experiment have in common; see `pipeline.training.store.Origin`."""

    transfer: Transfer
    params: Params
    data: str
    """SHA-256 of the task's data, and of A's where it is reused."""
    device: str

    def digest(self, network: TransferNetwork) -> str:
        """Return a network's key in the store."""
        settings = self.transfer.model_dump(exclude=GRIDS)
        described: dict[str, Any] = {
            "transfer": list(network),
            "settings": settings,
            "activation": getattr(self.params.activations, self.transfer.activation).model_dump(),
            "batch_norm": self.params.batch_norm.model_dump(),
            "data": self.data,
            "code": code_digest("pipeline/transfer/engine.py"),
            "place": place(self.device),
        }
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def stack_of(networks: list[TransferNetwork], transfer: Transfer) -> Stack:
    """Return networks that share labels, reused and unfrozen layers as a stack of the training."""
    cell = Cell(transfer.initializer, transfer.activation, transfer.batch_norm, "none", transfer.learning_rate)
    shift = OWN_STREAMS if networks[0].task == "B" else 0
    return Stack(
        transfer.activation, transfer.batch_norm, tuple(Network(cell, network.seed + shift) for network in networks)
    )


def study_of(study: Study, transfer: Transfer) -> Study:
    """Return a study's data with an experiment's shape and budget."""
    return study.model_copy(update={"hidden": transfer.hidden, "training": transfer.training})
