import gzip
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.data import sources
from pipeline.errors import DataError

FASHION = os.environ.get(sources.FASHION_MNIST_DIR)
needs_fashion_mnist = pytest.mark.skipif(not FASHION, reason=f"{sources.FASHION_MNIST_DIR} names no folder")


def table(path: Path, frame: pd.DataFrame) -> Path:
    writers = {".csv": frame.to_csv, ".parquet": frame.to_parquet}
    if path.suffix == ".npz":
        np.savez(path, **{str(name): column.to_numpy() for name, column in frame.items()})
    else:
        writers[path.suffix](path, index=False)
    return path


FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [1, 0, 1, 0], "kind": ["x", "y", "x", "y"]})


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.npz"])
def test_a_table_is_read_from_each_format(name: str, tmp_path: Path) -> None:
    frame = FRAME.assign(kind=[0, 1, 0, 1]) if name.endswith("npz") else FRAME
    samples = sources.read_table(table(tmp_path / name, frame), "kind")
    np.testing.assert_array_equal(samples.features, [[1, 1], [2, 0], [3, 1], [4, 0]])
    np.testing.assert_array_equal(samples.labels, [0, 1, 0, 1])
    assert len(samples.classes) == 2


def test_an_array_of_images_in_an_npz_file_gives_a_feature_for_each_pixel(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", image=np.zeros((4, 2, 3)), y=[0, 1, 0, 1])
    assert sources.read_table(tmp_path / "t.npz", "y").features.shape == (4, 6)


@pytest.mark.parametrize(
    ("frame", "target", "message"),
    [
        (FRAME.assign(a=[1.0, np.nan, 3.0, 4.0]), "kind", "1 values are missing, the first in column 'a', row 2"),
        (FRAME.assign(b=list("pqrs")), "kind", "feature 'b' is not numeric (it holds 'p')"),
        (FRAME, "kimd", "has no target column 'kimd'; did you mean 'kind'?"),
        (FRAME.assign(kind="x"), "kind", "target 'kind' has 1 class; allowed: at least 2"),
        (FRAME[["kind"]], "kind", "has no feature beside the target"),
        (FRAME.assign(a=[1.0, np.inf, 3.0, 4.0]), "kind", "feature 'a', row 2 is infinite"),
    ],
)
def test_an_unfit_table_is_refused(frame: pd.DataFrame, target: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        sources.read_table(table(tmp_path / "t.csv", frame), target)
    assert message in str(refused.value)
    assert "t.csv" in str(refused.value)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.npz"])
def test_a_file_that_is_no_table_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\x00\x01garbage\xff" * 9)
    with pytest.raises(DataError, match=name):
        sources.read_table(tmp_path / name, "kind")


def test_a_missing_table_and_an_unknown_format_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not there"):
        sources.read_table(tmp_path / "t.csv", "kind")
    with pytest.raises(DataError, match=r"'\.csw' is not a table's format; did you mean '\.csv'"):
        sources.read_table(tmp_path / "t.csw", "kind")


def test_no_pickle_is_read_from_an_npz_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", a=np.array([object(), object()]), kind=[0, 1])
    with pytest.raises(DataError, match="pickle"):
        sources.read_table(tmp_path / "t.npz", "kind")


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
