"""Where samples come from: scikit-learn's digits, Fashion-MNIST, synthetic sequences, a table of the user's."""

import gzip
import os
import struct
from pathlib import Path
from typing import Literal

import numpy as np
import pooch
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from ..config.data import (
    DIGITS_CLASSES,
    FASHION_MNIST_CLASSES,
    AnyData,
    BundledData,
    FashionData,
    ParityData,
    SequenceData,
    SpiralsData,
    TableData,
    TeacherData,
)
from ..errors import DataError
from .samples import Samples
from .sequences import read_sequences
from .synthetic import read_parity, read_spirals, read_teacher
from .tables import read_table

FASHION_MNIST_DIR = "FASHION_MNIST_DIR"
FASHION_MNIST_URL = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
FASHION_MNIST_MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}


def read(data: AnyData) -> Samples:
    """Read a source's samples.

    Raises:
        DataError: they are missing, damaged or unfit.
    """
    match data:
        case SequenceData():
            return read_sequences(data)
        case TeacherData():
            return read_teacher(data)
        case SpiralsData():
            return read_spirals(data)
        case ParityData():
            return read_parity(data)
        case BundledData():
            return read_digits() if data.source == "digits" else read_bundled(data.source)
        case FashionData():
            return read_fashion_mnist()
        case TableData():
            return read_table(data)


def read_digits() -> Samples:
    """Read scikit-learn's bundled digits: 1,797 images of 8 × 8 pixels from 0 to 16, 10 classes."""
    bunch = load_digits()
    return Samples(
        bunch.data,
        tuple(bunch.feature_names),
        bunch.target.astype(np.int64),
        DIGITS_CLASSES,
        "int",
        (8, 8),
        largest=16.0,
    )


def read_bundled(source: Literal["breast_cancer", "wine"]) -> Samples:
    """Read scikit-learn's breast cancer (569 samples, 30 features, 2 classes) or wine (178, 13, 3)."""
    bunch = {"breast_cancer": load_breast_cancer, "wine": load_wine}[source]()
    return Samples(
        bunch.data,
        tuple(map(str, bunch.feature_names)),
        bunch.target.astype(np.int64),
        tuple(map(str, bunch.target_names)),
        "str",
    )


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
        features=np.concatenate(images).reshape(-1, 28 * 28),
        names=tuple(f"pixel_{row}_{column}" for row in range(28) for column in range(28)),
        labels=np.concatenate(labels).astype(np.int64),
        classes=FASHION_MNIST_CLASSES,
        class_type="str",
        shape=(28, 28),
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
