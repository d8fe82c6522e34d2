"""The notebook, run from top to bottom."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHART = "vegaEmbed"

pytestmark = pytest.mark.filterwarnings("ignore:.*(Proactor|event loop|datetime.utcnow).*")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_draws_its_charts(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells), "kept without its outputs"
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    shown = [output["data"].get("text/html", "") for cell in cells for output in cell.outputs if "data" in output]
    assert sum(CHART in page for page in shown) == 3
    said = "".join(output.get("text", "") for cell in cells for output in cell.outputs)
    assert "GELU" in said
    assert "Traceback" not in said


def test_outside_a_checkout_it_asks_for_one(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    setup = next(cell for cell in notebook.cells if cell.cell_type == "code")
    shutil.copy(ROOT / "golden/ledger.json", tmp_path / "unrelated.json")
    names: dict = {}
    lookup = setup.source.split("if checkout is None")[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        exec(lookup, names)  # noqa: S102
        assert names["checkout"] is None
        patch.chdir(ROOT / "docs")
        exec(lookup, names)  # noqa: S102
        assert names["checkout"] == ROOT
