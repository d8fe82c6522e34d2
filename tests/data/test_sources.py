import gzip
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.data import sources
from pipeline.errors import DataError

FASHION = os.environ.get(sources.FASHION_MNIST_DIR)
needs_fashion_mnist = pytest.mark.skipif(not FASHION, reason=f"{sources.FASHION_MNIST_DIR} names no folder")


def test_without_network_the_error_says_both_ways_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(sources.FASHION_MNIST_DIR, raising=False)
    monkeypatch.setattr(sources, "FASHION_MNIST_URL", "http://127.0.0.1:9/")  # the discard port: nothing answers
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DataError) as refused:
        sources.read_fashion_mnist()
    assert "connect this machine to the network" in str(refused.value)
    assert "set FASHION_MNIST_DIR to a folder" in str(refused.value)


def test_a_folder_without_the_files_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(sources.FASHION_MNIST_DIR, str(tmp_path))
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz is not there"):
        sources.read_fashion_mnist()


@needs_fashion_mnist
def test_a_file_that_is_not_the_official_one_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert FASHION is not None
    for file in Path(FASHION).glob("*.gz"):
        shutil.copy(file, tmp_path)
    labels = tmp_path / "t10k-labels-idx1-ubyte.gz"
    labels.chmod(0o644)
    labels.write_bytes(gzip.compress(gzip.decompress(labels.read_bytes())[:-1] + b"\x01"))
    monkeypatch.setenv(sources.FASHION_MNIST_DIR, str(tmp_path))
    with pytest.raises(DataError, match="is not the official file's"):
        sources.read_fashion_mnist()


@needs_fashion_mnist
def test_fashion_mnist_is_what_its_authors_say() -> None:
    samples = sources.read_fashion_mnist()
    assert samples.features.shape == (70_000, 784)
    assert (samples.features.min(), samples.features.max()) == (0, 255)
    assert samples.official_test == 10_000
    np.testing.assert_array_equal(np.bincount(samples.labels[:60_000]), [6_000] * 10)
    np.testing.assert_array_equal(np.bincount(samples.labels[60_000:]), [1_000] * 10)
    assert samples.classes[samples.labels[0]] == "Ankle boot"
