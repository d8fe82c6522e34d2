"""Where samples come from: scikit-learn's digits, Fashion-MNIST, a table of the user's."""

import gzip
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pooch
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from pipeline.errors import DataError, did_you_mean
from pipeline.params import BundledData, FashionData, TableData

FASHION_MNIST_DIR = "FASHION_MNIST_DIR"
FASHION_MNIST_URL = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
FASHION_MNIST_MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
FASHION_MNIST_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


class Samples(NamedTuple):
    """Raw samples, before they are split and scaled."""

    features: NDArray[np.float32]
    """``[sample, feature]``, in the source's own units."""
    labels: NDArray[np.int64]
    """``[sample]``, from 0 to the number of classes less 1."""
    classes: tuple[str, ...]
    """Each class's name, by label."""
    largest: float | None
    """The largest value a feature can take (255 for pixels of one byte); ``None`` where there is no such value."""
    official_test: int = 0
    """How many samples, the last ones, the source itself sets apart for testing."""


def read(data: BundledData | FashionData | TableData) -> Samples:
    """Read a source's samples.

    Raises:
        DataError: they are missing, damaged or unfit.
    """
    match data:
        case BundledData():
            return read_digits()
        case FashionData():
            return read_fashion_mnist()
        case TableData():
            return read_table(Path(data.path), data.target)


def read_digits() -> Samples:
    """Read scikit-learn's bundled digits: 1,797 images of 8 × 8 pixels from 0 to 16, 10 classes."""
    features, labels = load_digits(return_X_y=True)
    return Samples(features.astype(np.float32), labels.astype(np.int64), tuple("0123456789"), 16.0)


# --- Fashion-MNIST ----------------------------------------------------------------------------------------------


def read_fashion_mnist() -> Samples:
    """Read Fashion-MNIST's 60,000 training and 10,000 test images of 28 × 28 bytes (Xiao et al. 2017).

    Raises:
        DataError: the files are neither in ``$FASHION_MNIST_DIR`` nor to be downloaded, or not the official ones.
    """
    files = fashion_mnist_files()
    images = [_read_idx(file, dimensions=3) for name, file in files.items() if "images" in name]
    labels = [_read_idx(file, dimensions=1) for name, file in files.items() if "labels" in name]
    return Samples(
        features=np.concatenate(images).reshape(-1, 28 * 28).astype(np.float32),
        labels=np.concatenate(labels).astype(np.int64),
        classes=FASHION_MNIST_CLASSES,
        largest=255.0,
        official_test=len(labels[1]),
    )


def fashion_mnist_files() -> dict[str, Path]:
    """Return the four official files, verified by their MD5 sums, downloaded once where no folder is named.

    Raises:
        DataError: a file is missing, is not the official one, or cannot be downloaded.
    """
    if folder := os.environ.get(FASHION_MNIST_DIR):
        return {name: _verified(Path(folder) / name, md5) for name, md5 in FASHION_MNIST_MD5.items()}
    cache = pooch.create(
        path=pooch.os_cache("trainability") / "fashion-mnist",
        base_url=FASHION_MNIST_URL,
        registry={name: f"md5:{md5}" for name, md5 in FASHION_MNIST_MD5.items()},
    )
    try:
        return {name: Path(cache.fetch(name)) for name in FASHION_MNIST_MD5}
    except (OSError, ValueError) as error:  # no network (requests' errors are OSErrors), or the wrong bytes
        raise DataError(
            f"Fashion-MNIST could not be downloaded from {FASHION_MNIST_URL} ({type(error).__name__}). Two ways out: "
            f"connect this machine to the network and run again, or set {FASHION_MNIST_DIR} to a folder that holds "
            f"{', '.join(FASHION_MNIST_MD5)}"
        ) from error


def _verified(file: Path, md5: str) -> Path:
    if not file.is_file():
        raise DataError(
            f"{FASHION_MNIST_DIR}: {file} is not there; the folder must hold {', '.join(FASHION_MNIST_MD5)}"
        )
    found = pooch.file_hash(str(file), alg="md5")
    if found != md5:
        raise DataError(f"{file}: MD5 {found} is not the official file's {md5}; get the file again")
    return file


def _read_idx(file: Path, dimensions: int) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes (magic number, sizes, values; all big-endian)."""
    content = gzip.decompress(file.read_bytes())
    header = 4 * (1 + dimensions)
    magic, *shape = struct.unpack(f">{1 + dimensions}I", content[:header])
    if magic != 0x0800 + dimensions:
        raise DataError(
            f"{file}: starts with {magic:#010x}, not with {0x0800 + dimensions:#010x} as an IDX file of bytes"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


# --- tables -----------------------------------------------------------------------------------------------------


def read_table(path: Path, target: str) -> Samples:
    """Read a table for classification: a CSV or Parquet file's columns, or an NPZ file's arrays by name.

    Args:
        path: the file; its suffix says its format.
        target: the column (in an NPZ file, the 1-D array) that holds the classes. All others are features.

    Raises:
        DataError: no such file, format or target; a value is missing; a feature is not numeric; fewer than 2 classes.
    """
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {
        ".csv": pd.read_csv, ".parquet": pd.read_parquet, ".npz": _read_npz,
    }  # fmt: skip
    if path.suffix not in readers:
        raise DataError(f"{path}: {path.suffix!r} is not a table's format{did_you_mean(path.suffix, readers)}")
    try:
        table = readers[path.suffix](path)
    except FileNotFoundError:
        raise DataError(f"{path} is not there; put the table there or mend the study's data.path") from None
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read as {path.suffix[1:].upper()}: {error}") from error
    if target not in table:
        raise DataError(f"{path}: has no target column {target!r}{did_you_mean(target, map(str, table.columns))}")
    _refuse_missing_values(path, table)
    features = table.drop(columns=target)
    if features.shape[1] == 0:
        raise DataError(f"{path}: has no feature beside the target {target!r}")
    for name, column in features.items():
        if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
            example = column.iloc[0]
            raise DataError(f"{path}: feature {name!r} is not numeric (it holds {example!r}); encode or drop it")
    classes, labels = np.unique(table[target].to_numpy().astype(str), return_inverse=True)
    if len(classes) < 2:
        raise DataError(f"{path}: target {target!r} has {len(classes)} class; allowed: at least 2")
    values = features.to_numpy(dtype=np.float32)
    if not np.isfinite(values).all():
        raise DataError(f"{path}: feature {_first_bad(features, ~np.isfinite(values))} is infinite in 32 bits")
    return Samples(values, labels.astype(np.int64), tuple(map(str, classes)), largest=None)


def _read_npz(path: Path) -> pd.DataFrame:
    with np.load(path, allow_pickle=False) as arrays:
        columns: dict[str, NDArray[np.generic]] = {}
        for name, array in arrays.items():
            if array.ndim == 1:
                columns[name] = array
            else:  # an array [sample, ...] is a feature for each of a sample's elements
                flat = array.reshape(len(array), -1)
                columns |= {f"{name}[{i}]": flat[:, i] for i in range(flat.shape[1])}
    return pd.DataFrame(columns)


def _refuse_missing_values(path: Path, table: pd.DataFrame) -> None:
    missing = table.isna().to_numpy()
    if missing.any():
        raise DataError(
            f"{path}: {missing.sum():,} values are missing, the first in column {_first_bad(table, missing)}; "
            "fill them or drop their rows"
        )


def _first_bad(table: pd.DataFrame, bad: NDArray[np.bool_]) -> str:
    row, column = np.argwhere(bad)[0]
    return f"{table.columns[column]!r}, row {row + 1}"
