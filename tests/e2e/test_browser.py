"""What a person sees: the report and the MLflow UI in a real browser."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest
from mlflow import MlflowClient

from tests.e2e.conftest import Clone

pytestmark = pytest.mark.browser
playwright = pytest.importorskip("playwright.sync_api")


@pytest.fixture(scope="module")
def browser() -> Iterator:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def ran(clone: Clone) -> Clone:
    clone.dvc("repro")
    return clone


@pytest.mark.parametrize("width", [360, 1280])
def test_the_report_draws_its_charts_and_fits_the_screen(browser, ran: Clone, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, offline=True)
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"file://{ran.folder}/report/index.html")
    page.wait_for_selector("#curves-mini svg")
    for chart in ("failures", "signal", "gradient"):
        page.wait_for_selector(f"#{chart}-mini svg")
    assert problems == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.fixture(scope="module")
def ui(ran: Clone) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [ran.folder / ".venv/bin/mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
         "--backend-store-uri", f"sqlite:///{ran.folder}/mlflow.db"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(120):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def test_the_mlflow_ui_shows_the_study_and_its_cells(browser, ui: str, ran: Clone, mini) -> None:
    client = MlflowClient(f"sqlite:///{ran.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("mini").experiment_id
    name = "relu · he_normal · clip value · lr 0.1"
    (cell,) = client.search_runs([experiment], f"attributes.run_name = '{name}'")
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(f"{ui}/#/experiments/{experiment}/runs")
    page.get_by_text(f"mini: {len(mini.networks())} networks").first.wait_for(timeout=60_000)
    page.goto(f"{ui}/#/experiments/{experiment}/runs/{cell.info.run_id}/model-metrics")
    for text in (name, "best_val_accuracy", "test_accuracy"):
        page.get_by_text(text, exact=True).first.wait_for(timeout=60_000)
    page.close()
