"""Tables that are folders of files: they say what the same table says in memory."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.training import tables
from pipeline.training.tables import Filter, Rows, load_table, open_table, save_table

ROWS = 1000


@pytest.fixture
def table() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    return pd.DataFrame({
        "activation": generator.choice(["relu", "leaky_relu(slope=0.2)", "it's"], ROWS),
        "learning_rate": generator.choice([0.03, 0.1, 1 / 3], ROWS),
        "seed": generator.integers(0, 5, ROWS),
        "layer": np.arange(ROWS) % 4 + 1,
        "gradient": np.where(generator.random(ROWS) < 0.1, np.nan, generator.random(ROWS)),
    })  # fmt: skip


@pytest.fixture
def folder(table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tables, "ROWS_OF_A_FILE", 150)
    place = tmp_path / "it's one.parquet"
    save_table(table, place)
    return place


def test_a_table_of_many_rows_is_a_folder_that_pandas_reads_too(table: pd.DataFrame, folder: Path) -> None:
    assert len(list(folder.iterdir())) == 7
    pd.testing.assert_frame_equal(load_table(folder), table)
    pd.testing.assert_frame_equal(pd.read_parquet(folder), table)
    assert open_table(folder) == folder


def test_a_table_takes_the_place_of_one_of_another_size(table: pd.DataFrame, folder: Path) -> None:
    save_table(table[:300], folder)
    assert len(list(folder.iterdir())) == 2
    save_table(table[:100], folder)
    pd.testing.assert_frame_equal(open_table(folder), table[:100])
    save_table(table, folder)
    pd.testing.assert_frame_equal(load_table(folder), table)


@pytest.mark.parametrize(
    "filters",
    [
        (),
        (("activation", "==", "it's"),),
        (("layer", "<=", 2), ("layer", ">", 1)),
        (("learning_rate", "in", {0.1, 1 / 3}), ("activation", "in", {"relu", "none such"})),
        (("activation", "==", "none such"),),
    ],
)
@pytest.mark.parametrize("columns", [None, ["seed", "gradient"]])
def test_rows_of_a_folder_are_those_in_memory(
    table: pd.DataFrame, folder: Path, filters: tuple[Filter, ...], columns: list[str] | None
) -> None:
    keys = table.loc[table["gradient"] > 0.5, ["activation", "seed", "learning_rate"]].drop_duplicates()
    keys = keys[keys["seed"] < 3].astype({"activation": "category"})
    in_memory = table.astype({"activation": pd.CategoricalDtype(sorted(table["activation"].unique()))})
    for of in (None, keys.astype({"activation": in_memory["activation"].dtype})):
        one = Rows(folder).where(*filters).read(columns, of)
        other = Rows(in_memory).where(*filters).read(columns, of)
        if "activation" in other:
            other = other.astype({"activation": table["activation"].dtype})
        pd.testing.assert_frame_equal(one, other.reset_index(drop=True))


def test_distinct_values_of_a_folder_are_those_in_memory(table: pd.DataFrame, folder: Path) -> None:
    for columns in (["layer"], ["activation", "learning_rate"]):
        one, other = (Rows(source).where(("seed", ">", 1)).distinct(columns) for source in (folder, table))
        pd.testing.assert_frame_equal(one, other)
    assert Rows(pd.DataFrame()).distinct(["layer"]).empty
