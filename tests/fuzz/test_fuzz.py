"""Inputs that nobody thought of: each is taken, or refused in lines; none ends in a traceback, a hang or much memory.

A few of each kind in `make test`; with ``FUZZ_SECONDS=600`` (`make fuzz`, the nightly) they go on for that long.
"""

import os
import resource
import time
import warnings
from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from pydantic import ValidationError
from ruamel.yaml import YAML

from pipeline.advise import _as_json, _text, advise
from pipeline.axes.normalization import NORMALIZATIONS
from pipeline.config import load_params
from pipeline.config.data import TableData
from pipeline.data.prepare import prepare
from pipeline.errors import DataError, FunctionError, ParamsError
from pipeline.theory.functions import as_function
from tests.conftest import ROOT

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
SECONDS = float(os.environ.get("FUZZ_SECONDS", "0")) / 3
"""For each of the three kinds."""
LINES = 21
"""So many faults of a file are shown, and how many more there are."""
MEMORY = 2 * 2**30


@pytest.fixture(autouse=True)
def _within_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Let a test take 2 GiB more than this process has had."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/tables").mkdir(parents=True)
    address_space = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    # Arrow reserves addresses that it does not use: this is for what would take the whole machine.
    resource.setrlimit(resource.RLIMIT_AS, (used + 4 * MEMORY, address_space[1]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    resource.setrlimit(resource.RLIMIT_AS, address_space)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY


def try_many(strategy: st.SearchStrategy, examples: int, attempt: Callable) -> None:
    """Try some examples, again and again with other ones while there is time."""
    ends, turn = time.monotonic() + SECONDS, 0
    while turn == 0 or time.monotonic() < ends:

        @settings(max_examples=examples, deadline=60_000, database=None, suppress_health_check=list(HealthCheck))
        @seed(turn)
        @given(strategy)
        def some(example) -> None:
            attempt(example)

        some()
        turn += 1


# --- tables ---

NAMES = st.sampled_from(["y", "a", "b", "", "Unnamed: 0", "id", "y ", "é", "a,b", "x;y", "0", "1"]) | st.text(
    max_size=5
)
CLASSES = ["NA", "x", "", "1", "2", "accuracy", "é", "a,b", '"', "None", "true", "nan"]


def columns(rows: int) -> st.SearchStrategy:
    def of(values: st.SearchStrategy) -> st.SearchStrategy:
        return st.lists(values, min_size=rows, max_size=rows)

    dates = st.datetimes(min_value=pd.Timestamp("1900-01-01").to_pydatetime())
    return st.one_of(
        of(st.floats(width=64)),
        of(st.floats(-10, 10)),
        of(st.sampled_from([0.5, 1.5, 2.0])),
        of(st.integers(-(2**63), 2**63 - 1)),
        of(st.integers(0, 3)),
        of(st.booleans()),
        of(st.none() | st.integers(0, 3)),
        of(st.sampled_from(CLASSES)),
        of(st.text(max_size=4)),
        of(dates),
        of(st.decimals(-100, 100, places=2).map(lambda d: Decimal(d))),
        of(st.lists(st.integers(0, 3), max_size=2)),
        of(st.binary(max_size=3)),
        st.just(list(range(rows))),
        st.just([rows % 2 + i % 2 for i in range(rows)]),
    )


@st.composite
def table_files(draw) -> tuple[str, bytes | list, dict]:
    """A file's suffix, its bytes or its columns, and what params.yaml says of it."""
    suffix = draw(st.sampled_from(["csv", "parquet", "npz"]))
    about = {
        "target": draw(st.just("y") | NAMES.filter(bool)),
        "scaling": draw(st.sampled_from(["standardize", "unit"])),
        "drop": tuple(draw(st.lists(NAMES, max_size=2))),
        "separator": draw(st.sampled_from([",", ",", ";", "\t"])),
        "decimal": draw(st.sampled_from([".", ".", ","])),
    }
    if draw(st.integers(0, 5)) == 0:
        return suffix, draw(st.binary(max_size=200)), about
    if draw(st.integers(0, 5)) == 0:  # as it should be
        values = draw(st.lists(st.floats(-10, 10), min_size=40, max_size=40, unique=True))
        return suffix, [("x", values), ("y", list("ab") * 20)], about | {"target": "y", "drop": ()}
    rows = draw(st.sampled_from([0, 1, 2, 5, 12, 40, 40]))
    plain = draw(st.booleans())  # but for one column, a table as it should be
    features = [draw(st.lists(st.floats(-10, 10), min_size=rows, max_size=rows)) for _ in range(2 * plain)]
    named = [(f"f{i}", values) for i, values in enumerate(features)]
    named += [(draw(NAMES), draw(columns(rows))) for _ in range(draw(st.integers(0, 1 if plain else 4)))]
    named.append(("y", [CLASSES[i % 2] for i in range(rows)] if plain else draw(columns(rows))))
    return suffix, draw(st.permutations(named)), about


def write(suffix: str, content: bytes | list, about: dict) -> Path | None:
    path = Path(f"data/tables/t.{suffix}")
    if isinstance(content, bytes):
        path.write_bytes(content)
        return path
    names = [name for name, _ in content]
    try:
        if suffix == "parquet":
            pyarrow.parquet.write_table(pa.table([pa.array(values) for _, values in content], names=names), path)
        elif suffix == "npz":
            np.savez(path, **{name or "empty": np.array(values) for name, values in content})
        else:
            frame = pd.DataFrame({i: values for i, (_, values) in enumerate(content)}, dtype=object)
            frame.columns = pd.Index(names, dtype=object)
            frame.to_csv(path, index=False, sep=about["separator"], decimal=about["decimal"])
    except (ValueError, TypeError, OSError, pa.ArrowException, KeyError, OverflowError):
        return None  # what cannot be written needs not be read
    return path


def test_tables() -> None:
    taken, refused = [], []

    def attempt(example) -> None:
        suffix, content, about = example
        path = write(suffix, content, about)
        if path is None:
            return
        split = {"kind": "stratified", "validation": 0.2, "test": 0.2, "seed": 0}
        try:
            data = TableData.model_validate({"source": "table", "path": str(path), "split": split} | about)
        except ValidationError:
            return  # separator and decimal mark are one
        reason = ""
        try:
            dataset = prepare(data)
            assert np.isfinite(dataset.split(0).train.x).all()
            taken.append(dataset)
        except DataError as error:
            reason = str(error)
            refused.append(reason)
        assert len(reason.splitlines()) <= 1

    try_many(table_files(), 250, attempt)
    assert taken, refused[:5]


@given(arrays=st.dictionaries(
    st.sampled_from(["y", "x", "z"]),
    npst.arrays(
        npst.scalar_dtypes() | npst.nested_dtypes(max_leaves=3), npst.array_shapes(min_dims=0, max_side=6, min_side=0)
    ),
))  # fmt: skip
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_arrays_of_any_type_and_shape(arrays: dict) -> None:
    path = Path("data/tables/t.npz")
    with warnings.catch_warnings(action="ignore"):  # names of fields that only newer versions read
        np.savez(path, allow_pickle=False, **arrays)
    split = {"kind": "stratified", "validation": 0.2, "test": 0.2, "seed": 0}
    data = {"source": "table", "path": str(path), "split": split, "target": "y", "scaling": "unit"}
    reason = ""
    try:
        prepare(TableData.model_validate(data))
    except DataError as error:
        reason = str(error)
    assert len(reason.splitlines()) <= 1


# --- params.yaml ---

TEXT = (ROOT / "params.yaml").read_text()
RAW = YAML(typ="safe").load(TEXT)
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just(10**30), st.just({}),
    st.just([]),
    st.lists(st.integers() | st.text(max_size=3), max_size=4), st.just([1] * 3000), st.just("9" * 400),
    st.dictionaries(st.text(max_size=3) | st.integers(), st.integers(), max_size=2), st.dates(),
    st.sampled_from(["1000000x1000000", "relu", "digits", "all", "auto", "../x", "a;b", "1e400", ".inf"]),
    st.sampled_from(["elu(alpha=0.5)", "elu(0.5", "relu()", "norm(-1)", "before(eps=1e400)", "rrelu(0.5,0.1)"]),
    st.text(max_size=8).map(lambda settings: f"elu({settings})"),
)  # fmt: skip


def places(tree: object, path: tuple = ()) -> list[tuple]:
    found = [path] if path else []
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        found += places(value, (*path, key))
    return found


@st.composite
def params_files(draw) -> bytes:
    """``params.yaml`` with some values changed, or with some of its text replaced."""
    if draw(st.booleans()):
        raw = deepcopy(RAW)
        for _ in range(draw(st.integers(1, 3))):
            path = draw(st.sampled_from(places(raw)))
            section = raw
            for key in path[:-1]:
                section = section[key]
            section[path[-1]] = deepcopy(draw(ODD))
        file = Path("raw.yaml")
        with file.open("w", encoding="utf-8") as out:
            YAML(typ="safe").dump(raw, out)
        return file.read_bytes()
    text = TEXT.encode()
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 60)))
        inserted = st.binary(max_size=8) | st.sampled_from(
            [b"&a ", b"*a", b"- ", b": ", b"{", b"[", b"\n", b"'", b"!!x "]
        )
        text = text[:start] + draw(inserted) + text[end:]
    return text


def test_params() -> None:
    taken = []

    def attempt(content: bytes) -> None:
        Path("params.yaml").write_bytes(content)
        reason = ""
        try:
            params = load_params()
            taken.extend(len(params.study(name).networks()) for name in params.run)
        except ParamsError as error:
            reason = str(error)
            assert reason
        assert len(reason.splitlines()) <= LINES

    try_many(params_files(), 120, attempt)
    assert taken


# --- functions ---

UNARY = {
    "sin": np.sin, "cos": np.cos, "exp": np.exp, "log": np.log, "abs": np.abs, "sqrt": np.sqrt, "floor": np.floor,
    "square": np.square, "tanh": np.tanh, "sign": np.sign, "negative": np.negative, "cumsum": np.cumsum,
    "sort": np.sort, "relu": lambda x: np.maximum(x, 0), "clip": lambda x: np.clip(x, -1, 2),
    "mod": lambda x: x % 0.37, "single": lambda x: x.astype(np.float32), "half": lambda x: x.astype(np.float16),
    "logistic": lambda x: 1 / (1 + np.exp(-x)), "round": lambda x: np.round(x, 2), "sum": lambda x: x - x.sum(),
    "noise": lambda x: x + np.random.default_rng().normal(size=x.shape), "reshape": lambda x: x.reshape(-1),
    "complex": lambda x: x * 1j, "raise": lambda x: x if abs(x).max() < 50 else 1 / 0, "list": list,
    "torch": lambda x: torch.from_numpy(np.array(x, np.float64)).relu().numpy(),
    "fine": lambda x: np.sin(1e5 * x), "steep": lambda x: np.tanh(1e6 * x),
}  # fmt: skip
BINARY = {"add": np.add, "multiply": np.multiply, "maximum": np.maximum, "divide": np.divide, "minimum": np.minimum}

EXPRESSIONS = st.recursive(
    st.just(("x",)) | st.floats(-3, 3).map(lambda number: ("number", number)),
    lambda inner: st.tuples(st.sampled_from(sorted(UNARY)), inner)
    | st.tuples(st.sampled_from(sorted(BINARY)), inner, inner),
    max_leaves=4,
)  # fmt: skip


def calculate(expression: tuple, x: np.ndarray) -> np.ndarray:
    head, *rest = expression
    if head == "x":
        return x
    if head == "number":
        return np.full_like(x, rest[0])
    values = [calculate(inner, x) for inner in rest]
    return (UNARY | BINARY)[head](*values)


def test_functions() -> None:
    taken = []

    def attempt(example) -> None:
        expression, depth, normalization = example
        reason = ""
        try:
            function = as_function("mine", lambda x: calculate(expression, x))
            advice = advise(function, depth, 100, normalization)
            assert "inf" not in _text(advice)
            assert "nan" not in _text(advice)
            assert "NaN" not in _as_json(advice)
            taken.append(expression)
        except FunctionError as error:
            reason = str(error)
        assert len(reason.splitlines()) <= 1

    strategy = st.tuples(EXPRESSIONS, st.sampled_from([2, 50, 400]), st.sampled_from(list(NORMALIZATIONS)))
    try_many(strategy, 40, attempt)
    assert taken
