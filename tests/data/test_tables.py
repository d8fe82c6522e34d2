import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from pipeline.config.data import StratifiedSplit, TableData
from pipeline.data import tables
from pipeline.data.prepare import prepare
from pipeline.data.samples import Samples
from pipeline.data.scaling import fit_scaler
from pipeline.errors import DataError

SPLIT = StratifiedSplit(kind="stratified", validation=0.25, test=0.25, seed=0)
FRAME = pd.DataFrame({"a": [1.0, 2.5, 3.0, 4.0], "b": [1, 0, 1, 0], "kind": ["x", "y", "x", "y"]})


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data/tables").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)


def about(name: str, target: str = "kind", **more: object) -> TableData:
    return TableData.model_validate(
        {"source": "table", "path": f"data/tables/{name}", "target": target, "scaling": "standardize", "split": SPLIT}
        | more
    )


def read(content: pd.DataFrame | str | bytes | dict, suffix: str = "csv", target: str = "kind", **more) -> Samples:
    """Read a table that a frame, a text or arrays were written to."""
    data = about(f"t.{suffix}", target, **more)
    path = Path(data.path)
    if isinstance(content, dict):
        np.savez(path, **content)
    elif isinstance(content, pd.DataFrame):
        {"csv": content.to_csv, "parquet": content.to_parquet}[suffix](path, index=False)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tables.read_table(data)


def refusal(content, suffix: str = "csv", target: str = "kind", **more) -> str:
    """Return why a table is refused: one line that names the file."""
    with pytest.raises(DataError) as refused:
        read(content, suffix, target, **more)
    message = str(refused.value)
    assert message.startswith(f"data/tables/t.{suffix}: ")
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize("suffix", ["csv", "parquet", "npz"])
def test_a_table_is_read_from_each_format(suffix: str) -> None:
    samples = read({name: FRAME[name].to_numpy().astype("U1" if name == "kind" else float) for name in FRAME}
                   if suffix == "npz" else FRAME, suffix)  # fmt: skip
    np.testing.assert_array_equal(samples.features, [[1, 1], [2.5, 0], [3, 1], [4, 0]])
    np.testing.assert_array_equal(samples.labels, [0, 1, 0, 1])
    assert (samples.names, samples.classes, samples.class_type) == (("a", "b"), ("x", "y"), "str")


# --- what is refused ---


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (FRAME.assign(a=[1.0, np.nan, 3.0, 4.0]), "1 values are missing, the first in column 'a', row 2"),
        (FRAME.assign(b=list("pqrs")), "feature 'b' is not numeric (it holds 'p')"),
        (FRAME.assign(b=["2024-01-01"] * 4), "feature 'b' is not numeric (it holds datetime.date("),
        (FRAME.rename(columns={"kind": "kimd"}), "has no target column 'kind'; did you mean 'kimd'?"),
        (FRAME.assign(kind="x"), "target 'kind' has 1 class; allowed: at least 2"),
        (FRAME.assign(kind=["x", "", "y", "y"]), "1 values of the target 'kind' are missing or infinite, the first in"),
        (FRAME[["kind"]], "has no feature beside the target"),
        (FRAME.assign(a=[1.0, np.inf, 3.0, 4.0]), "feature 'a', row 2 is infinite in 32 bits"),
        (FRAME.assign(a=[1.0, 1e39, 3.0, 4.0]), "feature 'a', row 2 is infinite in 32 bits (it holds 1e+39)"),
        (FRAME.to_csv(), "column 1 has no name (found ''): a data frame's index?"),
        (pd.read_csv(io.StringIO(FRAME.to_csv())), "column 1 has no name (found 'Unnamed: 0')"),
        (FRAME.assign(id=[0, 1, 2, 3]), "feature 'id' grows from row to row (0, 1, 2, …)"),
        (FRAME.assign(row=[1, 2, 3, 4]), "feature 'row' grows from row to row (1, 2, 3, …)"),
        (FRAME.assign(key=[7, 9, 10, 300]), "feature 'key' grows from row to row (7, 9, 10, …)"),
        ("a,kind\n1,x,9\n2,y,9\n", "cannot be read as CSV: CSV parse error"),
        ("a,kind\n1,x\n2,y,9\n", "cannot be read as CSV: CSV parse error"),
        ("a,b,kind\n1,x\n2,y\n", "cannot be read as CSV: CSV parse error"),
        ("kind,a,kind\nx,1,x\ny,2,y\n", "'kind' names 2 columns"),
        ("a,a,kind\n1,1,x\n2,2,y\n", "'a' names 2 columns"),
        ("a,b,kind\n", "has no rows"),
        ("", "cannot be read as CSV: Empty CSV file"),
        ("a;b;kind\n1;2;x\n3;4;y\n", "its columns seem to be separated by ';'; set data.separator to that"),
        ("a\tkind\n1\tx\n", r"separated by '\t'"),
        ("a,kind\n\xe9,x\n2,y\n".encode("latin-1"), "save the table as UTF-8"),
        (FRAME.assign(kind=np.random.default_rng(0).normal(size=4)), "target 'kind' looks continuous: 4 different"),
    ],
)  # fmt: skip
def test_a_csv_that_does_not_say_what_it_means_is_refused(content, message: str) -> None:
    assert message in refusal(content)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.float64(3), "kind": [0, 1]}, "array 'a' is a single value"),
        ({"a": [1.0, 2.0, 3.0], "kind": [0, 1]}, "array 'a' holds 3 samples, 'kind' 2"),
        ({"a": np.array([1j, 2]), "kind": [0, 1]}, "feature 'a' is not numeric"),
        ({"a": np.array(["2024", "2025"], "M8[Y]"), "kind": [0, 1]}, "feature 'a' is not numeric"),
        ({"a": np.zeros((0, 2)), "kind": np.zeros(0)}, "has no rows"),
        ({"a": np.array([object(), object()]), "kind": [0, 1]}, "pickle"),
        ({"a": np.array([2**60 + i for i in range(40)]), "kind": [0, 1] * 20}, "whole numbers of more than 53 bits"),
        ({"a": [1.0, 2.0], "kind": np.zeros((2, 3))}, "has no target column 'kind'"),
    ],
)
def test_an_npz_that_is_no_table_is_refused(arrays: dict, message: str) -> None:
    assert message in refusal(arrays, "npz")


@pytest.mark.parametrize("suffix", ["csv", "parquet", "npz"])
@pytest.mark.parametrize("content", [b"", b"\x00\x01garbage\xff" * 9, b"PK\x03\x04"])
def test_a_file_that_is_no_table_is_refused(suffix: str, content: bytes) -> None:
    assert "cannot be read as" in refusal(content, suffix)


def test_a_single_array_is_refused() -> None:
    np.save("data/tables/t.npy", np.zeros((4, 2)))
    assert "it is an NPY file" in refusal(Path("data/tables/t.npy").read_bytes(), "npz")


def test_a_missing_table_and_an_unknown_format_are_refused() -> None:
    with pytest.raises(DataError, match="is not there"):
        tables.read_table(about("t.csv"))
    with pytest.raises(DataError, match=r"'\.csw' is not a table's format; did you mean '\.csv'"):
        tables.read_table(about("t.csw"))


def test_a_name_twice_in_a_parquet_file_is_refused() -> None:
    table = pa.table([pa.array([1, 2]), pa.array([3, 4]), pa.array(["x", "y"])], names=["a", "a", "kind"])
    pyarrow.parquet.write_table(table, "data/tables/t.parquet")
    with pytest.raises(DataError, match="'a' names 2 columns"):
        tables.read_table(about("t.parquet"))


def test_a_continuous_target_is_told_from_numbered_classes() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    assert "looks continuous" in refusal({"x": x, "kind": x * 152 + rng.normal(size=400)}, "npz")
    assert "looks continuous" in refusal({"x": x, "kind": np.round(x, 2)}, "npz")
    assert "looks continuous" in refusal({"x": x, "kind": rng.permutation(400)}, "npz")
    disease = load_diabetes().target  # whole numbers, and yet no classes
    assert "looks continuous: 214 different" in refusal({"x": rng.normal(size=442), "kind": disease}, "npz")
    assert read({"x": x, "kind": rng.integers(80, size=400)}, "npz").class_type == "int"
    assert read({"x": x, "kind": rng.integers(2, 11, size=400) / 2}, "npz").classes[:2] == ("1.0", "1.5")


# --- what is read, and how ---


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_words_that_other_readers_take_for_missing_are_classes(suffix: str) -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.5, 4.0], "kind": ["NA", "EU", "null", "nan"]})
    assert read(frame, suffix).classes == ("EU", "NA", "nan", "null")


def test_a_number_that_is_missing_among_numbered_classes_is_refused() -> None:
    assert "missing or infinite, the first in row 3" in refusal("a,kind\n1,3\n2,4\n4,NA\n5,4\n")


@pytest.mark.parametrize("target", [4, "4"])
def test_integer_column_names_are_found_in_a_parquet_file(target) -> None:
    frame = pd.DataFrame({0: [1.0, 2.0, 3.5, 4.0], target: [1, 0, 1, 0]})
    frame.columns = pd.Index(list(frame.columns), dtype=object)
    pyarrow.parquet.write_table(
        pa.table({str(name): column.to_numpy() for name, column in frame.items()}), "data/tables/t.parquet"
    )
    assert tables.read_table(about("t.parquet", "4")).names == ("0",)


def test_pandas_integer_columns_and_index_are_read() -> None:
    frame = pd.DataFrame(np.arange(8.0)[::-1].reshape(4, 2) ** 2).assign(**{"4": [1, 0, 1, 0]}).rename(columns={"4": 4})
    frame.index = pd.Index([10, 11, 12, 13], name="when")
    frame.to_parquet("data/tables/t.parquet")
    samples = tables.read_table(about("t.parquet", "4"))
    assert (samples.names, samples.classes) == (("0", "1"), ("0", "1"))


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 1, 1)])
def test_one_value_for_each_sample_is_a_column_whatever_its_dimensions(shape: tuple[int, ...]) -> None:
    samples = read({"x": np.ones((4, 2, 3)), "y": np.array([0, 1, 0, 1]).reshape(shape)}, "npz", "y")
    np.testing.assert_array_equal(samples.labels, [0, 1, 0, 1])
    assert samples.names == tuple(f"x[{i}]" for i in range(6))


@pytest.mark.parametrize(
    ("values", "classes", "class_type"),
    [
        ([10, 2, 1, 11], ("1", "2", "10", "11"), "int"),
        (["10", "2", "1", "x"], ("1", "10", "2", "x"), "str"),
        ([True, False, True, False], ("False", "True"), "bool"),
        ([0.0, 1.0, 0.0, 1.0], ("0.0", "1.0"), "float"),
        (pd.Categorical(["low", "high", "low", "high"]), ("high", "low"), "str"),
        (pd.Categorical([3, 20, 3, 20]), ("3", "20"), "int"),
        (pd.array([3, 20, 3, 20], "Int64"), ("3", "20"), "int"),
        ([b"x", b"y", b"x", b"y"], ("x", "y"), "str"),
    ],
)
def test_classes_keep_their_type_and_the_order_of_their_values(values, classes, class_type) -> None:
    repeated = pd.DataFrame({"a": [1.0, 2.0, 3.5, 4.0], "kind": values})
    samples = read(pd.concat([repeated] * 3), "parquet")
    assert (samples.classes, samples.class_type) == (classes, class_type)


def test_columns_are_dropped_by_name() -> None:
    frame = FRAME.assign(id=[0, 1, 2, 3], note=list("pqrs"))
    assert read(frame, drop=("id", "note")).names == ("a", "b")
    assert "data.drop: 'not' is no column; did you mean 'note'?" in refusal(frame, drop=("not",))
    assert "data.drop: 'kind' is the target" in refusal(frame, drop=("kind",))


def test_an_index_without_a_name_may_be_dropped() -> None:
    assert read(FRAME.to_csv(), drop=("",)).names == ("a", "b")
    assert read(FRAME.rename_axis("Unnamed: 0").to_csv(), drop=("Unnamed: 0",)).names == ("a", "b")


def test_semicolons_and_decimal_commas_have_settings() -> None:
    text = "a;b;kind\n1,5;-2;x\n3,25;4;y\n"
    assert "decimal commas? Then set data.decimal to ','" in refusal(text, separator=";")
    np.testing.assert_array_equal(read(text, separator=";", decimal=",").features, [[1.5, -2], [3.25, 4]])


def test_a_column_whose_type_shows_late_in_a_long_file_is_read() -> None:
    rows = [*(f"{i % 7},x" for i in range(300_000)), "0.5,y"]
    samples = read("a,kind\n" + "\n".join(rows))
    assert samples.features[-1, 0] == 0.5


def test_parquet_decimals_are_numbers() -> None:
    column = pa.array(["1.25", "2.50"]).cast(pa.decimal128(5, 2))
    pyarrow.parquet.write_table(pa.table({"a": column, "kind": ["x", "y"]}), "data/tables/t.parquet")
    np.testing.assert_array_equal(tables.read_table(about("t.parquet")).features, [[1.25], [2.5]])


# --- scaling ---


@pytest.mark.parametrize("scaling", ["standardize", "unit"])
@pytest.mark.parametrize("offset", [0, 1_700_000_000, 10**15])
def test_values_far_from_zero_stay_apart(scaling: str, offset: int) -> None:
    rng = np.random.default_rng(0)
    kind = np.arange(64) % 4
    x = offset + 10 * kind + rng.integers(0, 4, size=64)
    np.savez("data/tables/t.npz", x=x, kind=kind)
    dataset = prepare(about("t.npz", scaling=scaling))
    values = np.concatenate([getattr(dataset.split(0), part).x for part in ("train", "validation", "test")])
    assert len(np.unique(values)) == len(np.unique(x))


def test_a_feature_that_loses_its_values_is_refused_or_warned_of(capsys) -> None:
    kind = np.arange(64) % 2
    crushed = np.arange(64) % 8 + 0.0
    crushed[np.arange(0, 64, 5)] = 1e14
    np.savez("data/tables/t.npz", x=crushed, kind=kind)
    prepare(about("t.npz"))
    assert "warning: feature 'x': of 9 different values 2 are left in 32 bits" in capsys.readouterr().err
    np.savez("data/tables/t.npz", x=1e-200 * (np.arange(64) % 8), kind=kind)
    with pytest.raises(DataError, match="feature 'x': of 8 different values 1 are left"):
        prepare(about("t.npz"))


@pytest.mark.parametrize("scaling", ["standardize", "unit"])
def test_scaling_is_scikit_learns_in_float64(scaling: str) -> None:
    x = np.random.default_rng(0).normal(1e6, 3, size=(200, 3)) * [1, 1e-3, 0]
    theirs = (StandardScaler() if scaling == "standardize" else MinMaxScaler()).fit(x[:100]).transform(x)
    np.testing.assert_allclose(fit_scaler(x[:100], scaling, None)(x), theirs, rtol=1e-6, atol=1e-6)


@given(content=st.binary(max_size=300) | st.text(max_size=300).map(str.encode), suffix=st.sampled_from(["csv", "npz"]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_table_or_refused_in_a_line(content: bytes, suffix: str) -> None:
    reason = ""
    try:
        read(content, suffix)
    except DataError as error:
        reason = str(error)
    assert len(reason.splitlines()) <= 1
