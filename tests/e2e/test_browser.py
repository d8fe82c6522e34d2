"""What a person sees: the report and the MLflow UI in a real browser."""

import json
import re
import subprocess
from collections.abc import Iterator

import pytest
from mlflow import MlflowClient

from tests.e2e.conftest import Clone
from tests.s3 import free_port, wait_for

pytestmark = pytest.mark.browser
axe_core = pytest.importorskip("axe_playwright_python.sync_playwright")

HANGUL = re.compile(r"[\uac00-\ud7a3]")
SIZES = {"phone": (360, 740), "desktop": (1280, 900)}


@pytest.fixture(scope="module")
def ran(clone: Clone) -> Clone:
    clone.dvc("repro")
    return clone


class Report:
    """The report, opened from disk without a network."""

    def __init__(self, browser, ran: Clone, size: str = "desktop", scheme: str = "light", language: str = "en") -> None:
        width, height = SIZES[size]
        self.problems: list[str] = []
        self.page = browser.new_page(
            viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-US", offline=True
        )
        self.page.on("console", lambda message: self._note(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self._note(str(error)))
        self.page.goto(f"file://{ran.folder}/report/index.html")
        if language != "en":
            self.page.click(f"[data-language={language}]")

    def _note(self, problem: str) -> None:
        self.problems.append(problem)

    def draw_everything(self) -> None:
        """Scroll through the page, open what can be opened, and wait until every chart that is in sight is drawn."""
        self.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        places = self.page.locator("#page [data-chart]")
        for index in range(places.count()):
            places.nth(index).scroll_into_view_if_needed()
            places.nth(index).locator("svg, canvas").first.wait_for()  # maps are drawn on a canvas


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_report_draws_its_charts_fits_the_screen_and_is_accessible(
    browser, ran: Clone, size: str, scheme: str, language: str
) -> None:
    report = Report(browser, ran, size, scheme, language)
    report.draw_everything()
    assert report.problems == []
    assert report.page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    found = axe_core.Axe().run(report.page)
    faults = [rule for rule in found.response["violations"] if rule["impact"] in ("serious", "critical")]
    assert [(rule["id"], [node["html"][:200] for node in rule["nodes"][:3]]) for rule in faults] == []
    report.page.close()


def test_the_first_screen_says_what_came_out(browser, ran: Clone) -> None:
    page = Report(browser, ran).page
    metrics = json.loads((ran.folder / "results/mini/metrics.json").read_text())
    header = page.locator("header")
    assert header.bounding_box()["height"] < SIZES["desktop"][1]
    assert f"{metrics['networks']:,}" in header.inner_text()
    assert f"{metrics['best_cell']['val_accuracy_mean']:.3f}" in header.inner_text()
    assert f"{metrics['diverged']} diverged" in header.inner_text()
    page.close()


def test_a_click_on_a_cell_shows_its_curves_and_layers(browser, ran: Clone) -> None:
    report = Report(browser, ran)
    page, dialog = report.page, report.page.locator("dialog")
    page.locator("button[data-cell]", has_text="0.").first.click()
    assert dialog.is_visible()
    assert re.match(r"glorot_uniform · relu · lr 0\.\d+$", dialog.locator("h2").inner_text())
    for chart in ("curve", "gradient", "activation_sd", "dead"):
        dialog.locator(f"[data-cell-chart={chart}] svg").wait_for()
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert report.problems == []
    page.close()


def test_cells_are_reached_by_keyboard(browser, ran: Clone) -> None:
    page = Report(browser, ran).page
    first = page.locator("table.heat").first.locator("button")
    assert page.locator("table.heat").first.locator("button[tabindex='0']").count() == 1
    first.first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.cell") == first.nth(1).get_attribute("data-cell")
    page.keyboard.press("Enter")
    assert page.locator("dialog h2").inner_text().startswith("glorot_uniform · relu")
    page.locator("dialog .close").click()
    page.close()


def test_the_language_switch_translates_texts_and_charts(browser, ran: Clone) -> None:
    page = Report(browser, ran).page
    assert not HANGUL.search(page.locator("#page").inner_text())
    page.locator("details.claim", has_text="ReLU is better than the sigmoid").locator("summary").click()
    page.click("[data-language=ko]")
    assert page.evaluate("document.documentElement.lang") == "ko"
    assert page.locator("h1").inner_text() == page.title() == "무엇이 심층 신경망을 훈련 가능하게 하는가"
    for text in page.locator(".claim summary span:last-child").all_inner_texts():
        assert HANGUL.search(text)
    chart = page.locator("[data-chart=curves-mini]")
    chart.scroll_into_view_if_needed()
    chart.locator("svg").wait_for()
    assert "검증 정확도" in chart.inner_text()
    page.reload()  # it remembers
    assert page.evaluate("document.documentElement.lang") == "ko"
    page.click("[data-language=en]")
    assert not HANGUL.search(page.locator("#page").inner_text())
    page.close()


def test_a_korean_browser_opens_the_report_in_korean(browser, ran: Clone) -> None:
    page = browser.new_page(locale="ko-KR", offline=True)
    page.goto(f"file://{ran.folder}/report/index.html")
    assert page.evaluate("document.documentElement.lang") == "ko"
    page.close()


def test_the_ledger_can_be_filtered(browser, ran: Clone) -> None:
    page = Report(browser, ran).page
    claims = json.loads((ran.folder / "report/claims.json").read_text())
    for verdict in sorted({entry["verdict"] for entry in claims.values()}):
        page.check(f"input[name=verdict][value='{verdict}']")
        shown = {card.get_attribute("id") for card in page.locator(".claim:visible").all()}
        assert shown == {f"claim-{name}" for name, entry in claims.items() if entry["verdict"] == verdict}
    page.close()


@pytest.fixture(scope="module")
def ui(ran: Clone) -> Iterator[str]:
    port = free_port()
    server = subprocess.Popen(
        [ran.folder / ".venv/bin/mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
         "--backend-store-uri", f"sqlite:///{ran.folder}/mlflow.db"],
        cwd=ran.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def test_the_mlflow_ui_shows_the_study_and_its_cells(browser, ui: str, ran: Clone, mini) -> None:
    client = MlflowClient(f"sqlite:///{ran.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("mini").experiment_id
    name = "he_normal · relu · clip by value · lr 0.1"
    (cell,) = client.search_runs([experiment], f"attributes.run_name = '{name}'")
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(f"{ui}/#/experiments/{experiment}/runs")
    page.get_by_text(f"mini: {len(mini.networks())} networks").first.wait_for(timeout=60_000)
    page.goto(f"{ui}/#/experiments/{experiment}/runs/{cell.info.run_id}/model-metrics")
    for text in (name, "best_val_accuracy", "test_accuracy"):
        page.get_by_text(text, exact=True).first.wait_for(timeout=60_000)
    page.close()


def test_the_mlflow_ui_shows_the_report_among_the_artifacts(browser, ui: str, ran: Clone) -> None:
    client = MlflowClient(f"sqlite:///{ran.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("claims").experiment_id
    (run,) = client.search_runs([experiment])
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.goto(f"{ui}/#/experiments/{experiment}/runs/{run.info.run_id}/artifacts/report/index.html")
    frame = page.frame_locator("iframe").first
    frame.get_by_text("What makes a deep network trainable").first.wait_for(timeout=60_000)
    chart = frame.locator("[data-chart=curves-mini]")
    chart.scroll_into_view_if_needed()
    chart.locator("svg").wait_for(timeout=60_000)
    frame.locator("[data-language=ko]").click()
    frame.get_by_text("교재의 주장").first.wait_for()
    page.close()
