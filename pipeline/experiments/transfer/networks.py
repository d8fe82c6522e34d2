"""Which networks an experiment trains, and their recipes."""

from collections.abc import Mapping
from typing import NamedTuple

from ...config import Transfer
from ...data import Card
from ...grid import Cell, spell_widths
from ...training.recipe import UNWATCHED, Recipe, Reuse, Samples, recipe

OWN_STREAMS = 2**32
"""Added to a seed for task B, so that the layers it does not reuse do not start as A's did."""


class TransferNetwork(NamedTuple):
    """One network: of task A, of task B from scratch, or of task B on the lowest layers of A's of the same seed."""

    task: str
    """``A`` or ``B``."""
    labels: int
    """Training samples."""
    reused: int
    """Hidden layers taken from A, see `Transfer.reuse_from`; 0 is from scratch."""
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


def transfer_recipe(
    network: TransferNetwork, transfer: Transfer, card: Card, device: str, donors: Mapping[int, Recipe]
) -> Recipe:
    """Return a network's recipe.

    Args:
        network: which.
        transfer: its experiment.
        card: of its task's data.
        device: ``cpu``, or the GPU's name.
        donors: task A's recipes by seed.
    """
    cell = Cell(
        architecture="mlp",
        hidden=spell_widths(transfer.hidden),
        initializer=transfer.initializer,
        activation=transfer.activation,
        normalization=transfer.normalization,
        regularization="none",
        optimizer=transfer.optimizer,
        clipping="none",
        batch_size=transfer.training.batch_size,
        train_fraction=1.0,
        label_noise=0.0,
        learning_rate=transfer.learning_rate,
    )
    of_a = network.task == "A"
    classes = len(card.classes)
    return recipe(
        cell,
        network.seed + (0 if of_a else OWN_STREAMS),
        transfer.training.epochs,
        UNWATCHED,  # the layers' health is the grid's subject
        card,
        device,
        samples=Samples(network.labels, "first" if of_a else transfer.choose, network.seed),
        outputs=1 if classes == 2 else classes,  # two classes are told apart by one sigmoid unit
        reuse=Reuse(
            donors[network.seed].key,
            0 if transfer.reuse_from == "bottom" else len(transfer.hidden_widths) - network.reused,
            network.reused,
            network.unfrozen,
            transfer.frozen_epochs,
            transfer.unfrozen_learning_rate,
        )
        if network.reused
        else None,
        split=card.split_of(network.seed),
    )
