"""The documentation site in a real browser, in both languages, from a server as readers meet it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.s3 import free_port, wait_for

pytestmark = pytest.mark.browser
axe_core = pytest.importorskip("axe_playwright_python.sync_playwright")

PAGES = ("index.html", "tutorial.html", "claims/index.html", "claims/sigmoid-worse-than-relu.html")
OURS = {"include": [[".md-content"]], "exclude": [[".highlight"]]}
"""The rest, and the colours of code, are the theme's."""
SAYS = {
    "en": ("What makes a deep network trainable", "Tutorial", "What textbooks say", "In deep networks ReLU"),
    "ko": ("무엇이 깊은 신경망을 훈련 가능하게 하는가", "자습서", "교재의 주장", "깊은 신경망에서는 ReLU"),
}


@pytest.fixture(scope="module")
def served(site: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(site), str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
@pytest.mark.parametrize("language", SAYS)
def test_pages_open_fit_the_screen_and_are_accessible(
    browser, served: str, language: str, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(served) else problems.append(request.url))
    for name, words in zip(PAGES, SAYS[language], strict=True):
        page.goto(f"{served}/{'' if language == 'en' else language + '/'}{name}")
        assert page.locator("h1").inner_text().startswith(words)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        found = axe_core.Axe().run(page, context=OURS)
        faults = [rule for rule in found.response["violations"] if rule["impact"] in ("serious", "critical")]
        assert [(name, rule["id"], [node["html"][:200] for node in rule["nodes"][:3]]) for rule in faults] == []
    assert problems == []
    page.close()


def test_a_reader_searches_and_changes_the_language(browser, served: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{served}/index.html")
    page.locator("[data-md-component=search-query]").click()
    page.keyboard.type("HealthMonitor")
    page.locator(".md-search-result__link").first.wait_for()
    page.keyboard.press("Escape")
    page.locator(".md-select button").hover()
    page.get_by_role("link", name="한국어").click()
    page.wait_for_url("**/ko/index.html")
    assert page.locator("html").get_attribute("lang") == "ko"
    page.close()
