"""What several rooms' tests need: the project's own parameters, and its smallest study."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config import Params, Study, load_params
from pipeline.data import Dataset
from pipeline.data.prepare import prepare
from tests.s3 import Bucket, serving

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


@pytest.fixture(scope="session")
def served_bucket() -> Iterator[Bucket]:
    """A bucket on an S3 server of this machine."""
    with serving() as bucket:
        yield bucket


@pytest.fixture
def bucket(served_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket, reached from this process."""
    for name, value in served_bucket.environment.items():
        monkeypatch.setenv(name, value)
    return served_bucket


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation site, built as `make docs` does."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    mkdocs = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    for words in (["--site-dir", folder], ["--config-file", "mkdocs.ko.yml", "--site-dir", folder / "ko"]):
        built = subprocess.run([*mkdocs, *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stdout + built.stderr
    return folder
