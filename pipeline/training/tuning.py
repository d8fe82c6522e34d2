"""Learning rates that are tuned: rates are added until, for every setting, the best one lies between two others."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from ..config.schema import RATES, Tuning
from ..grid import AXES, TUNED, Cell, Network

FIRST_SEED = 2**31
"""Of the networks that choose a rate; above every seed of a grid, so that none of them is compared afterwards."""
COLUMNS = [*AXES, "networks", "diverged", "val_accuracy", "val_loss", "chosen", "edge"]


class Score(NamedTuple):
    """What a network came to on the validation part."""

    accuracy: float
    """Of one that diverged, that of guessing."""
    loss: float
    """Infinite of one that diverged."""


class Tuned(NamedTuple):
    """Which rates were found."""

    rates: dict[Cell, float]
    """By cell, whose own rate is `TUNED`."""
    table: pd.DataFrame
    """One row per cell that was tried, sorted: its axes with the rate tried; ``networks``, how many chose; how many of
    them ``diverged``; their mean ``val_accuracy`` and ``val_loss``, NaN where one diverged; whether it was ``chosen``;
    and whether it is at the ``edge``, with no rate beyond it to try."""

    def network(self, network: Network) -> Network:
        """Return a network at the rate that was found for it; as it is where its rate was given."""
        rate = self.rates.get(network.cell)
        return network if rate is None else network._replace(cell=network.cell._replace(learning_rate=rate))


Tried = Mapping[float, Sequence[Score]]
"""By rate."""


def tune(
    cells: Iterable[Cell],
    tuning: Tuning,
    base_seed: int,
    score: Callable[[Sequence[Network]], Mapping[Network, Score]],
) -> Tuned:
    """Find a learning rate for each of some cells.

    The best one has the highest mean validation accuracy; of equal ones, the lowest loss. Where no larger (smaller)
    rate was tried than the best, the next larger (smaller) one of `RATES` is tried, until there is a worse one on
    either side: one that makes networks diverge is worse.

    Args:
        cells: whose rate is `TUNED`.
        tuning: which rates every cell tries, and on how many seeds.
        base_seed: another one gives other seeds.
        score: trains networks.
    """
    tried: dict[Cell, dict[float, list[Score]]] = {cell: {} for cell in cells}
    seeds = tuning_seeds(tuning, base_seed)
    pending: dict[Cell, Collection[float]] = dict.fromkeys(tried, tuning.rates)
    while pending:
        wanted = {
            (cell, rate): [Network(cell._replace(learning_rate=rate), seed) for seed in seeds]
            for cell, rates in pending.items()
            for rate in rates
        }
        found = score([network for networks in wanted.values() for network in networks])
        for (cell, rate), networks in wanted.items():
            tried[cell][rate] = [found[network] for network in networks]
        pending = {cell: beyond for cell, rates in tried.items() if (beyond := _beyond(rates))}
    return Tuned({cell: best_rate(rates) for cell, rates in tried.items()}, _table(tried))


def tuning_seeds(tuning: Tuning, base_seed: int) -> list[int]:
    """Return the seeds of the networks that choose a rate."""
    return [FIRST_SEED + base_seed + number for number in range(tuning.seeds)]


def best_rate(tried: Tried) -> float:
    """Return the best of the rates that were tried."""

    def merit(rate: float) -> tuple[float, float, float]:
        scores = tried[rate]
        return sum(one.accuracy for one in scores), -sum(one.loss for one in scores), -rate

    return max(tried, key=merit)


def _neighbours(rate: float) -> list[float]:
    place = RATES.index(rate)
    return [*RATES[max(0, place - 1) : place], *RATES[place + 1 : place + 2]]


def _beyond(tried: Tried) -> list[float]:
    """Return which rates are to be tried next."""
    return [rate for rate in _neighbours(best_rate(tried)) if rate not in tried]


def _table(tried: Mapping[Cell, Tried]) -> pd.DataFrame:
    rows = []
    for cell, rates in tried.items():
        chosen = best_rate(rates)
        for rate, scores in rates.items():
            count, diverged = len(scores), sum(one.loss == float("inf") for one in scores)
            accuracy = sum(one.accuracy for one in scores) / count
            loss = float("nan") if diverged else sum(one.loss for one in scores) / count
            edge = rate == chosen and len(_neighbours(rate)) < 2
            own = cell._replace(learning_rate=rate)
            rows.append((*own, count, diverged, accuracy, loss, rate == chosen, edge))
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(list(AXES), ignore_index=True)


def to_tune(networks: Iterable[Network]) -> list[Cell]:
    """Return the cells of some networks whose rate is yet to be tuned, each once, sorted."""
    return sorted({network.cell for network in networks if network.cell.learning_rate == TUNED})
