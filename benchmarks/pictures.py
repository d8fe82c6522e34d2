"""Pictures of the last run's report for the README, taken with the system's Chromium, and of the maps that are kept.

Usage: ``python -m benchmarks.pictures``, after `dvc repro`. Writes ``docs/report.png``, ``docs/propagation.png`` and
``docs/map-<map>.png`` with the table of ``docs/maps.md``.
"""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import vl_convert

from benchmarks.report import replace
from pipeline.evaluation.golden import MAPS
from pipeline.evaluation.maps import Drawn, load_map
from pipeline.report.charts import map_chart

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAGE = Path("report/index.html")
DOCS = Path("docs")
STUDY = "digits"


def main() -> None:
    """Open the page from disk, and take its first screens and a study's variances."""
    maps = {folder.name: load_map(folder) for folder in sorted(MAPS.glob("*"))}
    for name, drawn in maps.items():
        chart = map_chart(drawn) | {"width": 560, "background": "white", "usermeta": {}}
        (DOCS / f"map-{name}.png").write_bytes(vl_convert.vegalite_to_png(json.dumps(chart), scale=1.5))
    replace(DOCS / "maps.md", "maps", maps_table(maps))
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


def maps_table(maps: Mapping[str, Drawn]) -> str:
    """Return how far theory's lines are from the measured ones, as Markdown."""
    rows = [
        "| map | networks | learned | diverged | where learning begins | where it ends | edge between them |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, drawn in maps.items():
        own = drawn.metrics
        rows.append(
            f"| {name} | {own['networks']:,} | {own['learned']:,} | {own['diverged']:,} | "
            f"{own['ordered_distance']:.0%} | {own['chaotic_distance']:.0%} | {own['edge_inside']:.0%} |"
        )
    return "\n".join(rows) + "\n"


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
