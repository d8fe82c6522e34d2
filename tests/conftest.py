"""What several rooms' tests need: the project's own parameters, and its smallest study."""

from pathlib import Path

import pytest

from pipeline.config import Params, Study, load_params
from pipeline.data import Dataset
from pipeline.data.prepare import prepare

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def params() -> Params:
    return load_params(ROOT / "params.yaml")


@pytest.fixture(scope="session")
def mini(params: Params) -> Study:
    return params.study("mini")


@pytest.fixture(scope="session")
def digits(mini: Study) -> Dataset:
    return prepare(mini.data)
