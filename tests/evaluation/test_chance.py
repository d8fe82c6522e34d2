"""What one network owes to chance, on hits that were drawn with known shares of it."""

import numpy as np
import pandas as pd
import pytest

from pipeline.data import Card
from pipeline.evaluation.chance import Chance, chance, decompose
from pipeline.training.names import KEY
from tests.building import cell


def right(generator: np.random.Generator, splits: int, seeds: int, places: int, *sds: float) -> np.ndarray:
    """Return hits of networks whose chance to hit a sample is 0.7, less or more by seed, split and sample."""
    of_seed, of_split, of_sample = sds
    share = 0.7 + generator.normal(0, of_split, (splits, 1, 1)) + generator.normal(0, of_seed, (splits, seeds, 1))
    share = share + generator.choice([-of_sample, of_sample], (splits, 1, places))
    return (generator.random((splits, seeds, places)) < share).astype(np.uint8)


@pytest.mark.parametrize("sds", [(0.03, 0.04, 0.2), (0.0, 0.05, 0.25), (0.05, 0.0, 0.1)])
def test_the_parts_are_those_that_were_planted(sds: tuple[float, float, float]) -> None:
    generator, places = np.random.default_rng(0), 400
    found = [decompose(right(generator, 10, 2, places, *sds), 1e-9) for _ in range(400)]
    squares = {name: np.mean([getattr(one, name) ** 2 for one in found]) for name in ("seed", "test")}
    binomial = (0.7 * 0.3 - sds[2] ** 2) / places  # a network's own luck with each sample is its seed's
    assert squares["seed"] == pytest.approx(sds[0] ** 2 + binomial, rel=0.1)
    assert squares["test"] == pytest.approx(sds[2] ** 2 / places, rel=0.1)
    splits = np.mean([one.split for one in found if one.split is not None])
    assert splits == pytest.approx(sds[1], abs=0.006 if sds[1] else 0.013)  # never below 0


def test_together_they_are_what_accuracies_vary_by() -> None:
    generator = np.random.default_rng(0)
    found = decompose(right(generator, 2_000, 2, 100, 0.03, 0.05, 0.2), 1e-9)
    first = right(generator, 5_000, 1, 100, 0.03, 0.05, 0.2).mean(axis=(1, 2))
    assert found.together == pytest.approx(first.std(), rel=0.05)


def test_with_one_split_for_all_the_studys_own_seeds_tell(digits) -> None:
    generator = np.random.default_rng(0)
    drawn = right(generator, 1, 5, digits.card.samples["test"], 0.03, 0.0, 0.2)[0]
    rows = [(*cell(), seed) for seed in range(5)] + [(*cell(activation="elu"), 0)]
    packed = [np.packbits(own).tobytes() for own in (*drawn, drawn[0])]
    hits = pd.DataFrame(rows, columns=KEY).assign(hits=packed)
    official = Card.model_construct(**dict(digits.card) | {"split": None})
    champion = {"champion": cell()._asdict() | {"seed": 3, "val_accuracy": 0.9}}
    found = chance(champion, hits, pd.DataFrame(), official)
    assert isinstance(found, Chance)
    assert (found.split, found.networks) == (None, 5)
    assert found.seed == pytest.approx(drawn.mean(1).std(ddof=1))
    assert chance({}, hits, pd.DataFrame(), official) is None
