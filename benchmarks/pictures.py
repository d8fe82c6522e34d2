"""Pictures of the last run's report for the README, taken with the system's Chromium.

Usage: ``python -m benchmarks.pictures``, after `dvc repro`. Writes ``docs/report.png`` and ``docs/propagation.png``.
"""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAGE = Path("report/index.html")
DOCS = Path("docs")
STUDY = "digits"


def main() -> None:
    """Open the page from disk, and take its first screens and a study's variances."""
    from playwright.sync_api import sync_playwright  # who asks for Chromium alone needs none

    chromium = find_chromium()
    if not chromium or not PAGE.is_file():
        sys.exit(f"error: this takes Chromium ({chromium or 'not found'}) and {PAGE}: `make repro` writes it")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 1500}, locale="en-US", offline=True)
        page.goto(PAGE.resolve().as_uri())
        _picture(page, f"[data-chart='signal-{STUDY}']", DOCS / "propagation.png")
        page.evaluate("window.scrollTo(0, 0)")
        page.screenshot(path=DOCS / "report.png")
        browser.close()


def find_chromium() -> str | None:
    """Return where the system's Chromium is; ``None`` where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _picture(page: "Page", chart: str, file: Path) -> None:
    own = page.locator(f"{chart}:visible").first
    own.scroll_into_view_if_needed()
    own.locator("svg, canvas").first.wait_for()
    own.screenshot(path=file)


if __name__ == "__main__":
    main()
