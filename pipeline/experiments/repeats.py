"""The champion's setting on a few splits, from a few seeds on each: what tells a seed's luck from a split's."""

import pandas as pd

from ..config import Params, Study
from ..config.data import StratifiedSplit
from ..data import Dataset
from ..grid import Network
from ..training.devices import device_name
from ..training.outcome import outcomes
from ..training.recipe import resolve
from ..training.results import tabulate
from ..training.schedule import Schedule
from ..training.stacks import Stack
from .champion import choose_champion

SPLITS = 10
SEEDS = 2
"""On each split."""
COLUMNS = ["split", "seed", "hits"]


def repeat(study: Study, params: Params, dataset: Dataset, networks: pd.DataFrame) -> pd.DataFrame:
    """Train the champion's setting on splits that seeds share.

    Args:
        study: its budget.
        params: settings that all studies share.
        dataset: the study's.
        networks: the study's, as they were recorded.

    Returns:
        One row per network: ``split``, ``seed`` and ``hits``, see `pipeline.training.results.Results`. None where all
        networks of the study have one split, of which its own tables tell, or where all have diverged.
    """
    champion, split = choose_champion(networks), dataset.card.split
    if champion is None or not isinstance(split, StratifiedSplit):
        return pd.DataFrame(columns=COLUMNS)
    shared = dataset.card.model_copy(update={"split": split.model_copy(update={"seeds_per_split": SEEDS})})
    data = Dataset(dataset.features, dataset.labels, dataset.places, shared)
    first = SEEDS * dataset.card.split_of(int(networks["seed"].min()))
    wanted = [Network(champion.cell, seed) for seed in range(first, first + SPLITS * SEEDS)]
    recipes = resolve(study, params, shared, device_name(params.compute), wanted, watched=False)
    module = Schedule("", data, params.compute).train_stack(Stack.of([recipes[network] for network in wanted]))
    found = dict(zip(wanted, outcomes(module, device=""), strict=True))
    hits = tabulate(found, params.health.verdicts, data).hits
    return hits.assign(split=[shared.split_of(int(seed)) for seed in hits["seed"]])[COLUMNS]
