"""The champion's setting again, on splits that seeds share."""

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation.chance import chance
from pipeline.experiments import repeats
from pipeline.training.study import train_networks


@pytest.fixture(scope="module")
def networks(params, mini, digits) -> pd.DataFrame:
    return train_networks("mini", mini, params, digits, mini.networks()[:6]).networks


def test_seeds_share_splits_and_hits_are_of_these(params, mini, digits, networks, monkeypatch) -> None:
    monkeypatch.setattr(repeats, "SPLITS", 3)
    found = repeats.repeat(mini, params, digits, networks)
    assert found["split"].tolist() == [0, 0, 1, 1, 2, 2]
    assert found["seed"].tolist() == list(range(6))
    # Seed 0 has split 0 in the study, too
    champion = repeats.choose_champion(networks)
    assert champion is not None
    same = networks[(networks["seed"] == 0) & (networks["activation"] == champion.cell.activation)]
    same = same[same["learning_rate"] == champion.cell.learning_rate]
    same = same[same["initializer"] == champion.cell.initializer]
    bits = np.unpackbits(np.frombuffer(found["hits"][0], np.uint8), count=digits.card.samples["test"])
    if len(same):
        assert bits.mean() == pytest.approx(same["test_accuracy"].iloc[0])
    owed = chance({"champion": champion.cell._asdict()}, pd.DataFrame(), found, digits.card)
    assert owed is not None
    assert owed.networks == 6
    assert 0 < owed.test < owed.together < 0.2


def test_where_all_diverged_there_is_nothing_to_repeat(params, mini, digits, networks) -> None:
    lost = networks.assign(status="diverged")
    assert repeats.repeat(mini, params, digits, lost).empty
