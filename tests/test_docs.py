"""The documentation site: built strictly, in both languages, with links that lead somewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from benchmarks.pictures import maps_table
from pipeline.evaluation.claims.entries import CLAIMS
from pipeline.evaluation.golden import MAPS
from pipeline.evaluation.maps import load_map
from tests.conftest import ROOT

BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"\n]+)\")?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Links(HTMLParser):
    """Collects where a page leads to, what it loads, and its anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.to: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag, attrs) -> None:
        found = dict(attrs)
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and found.get("href"):
            self.to.append(found["href"])
        elif found.get("src") or (tag == "link" and found.get("rel") in ("stylesheet", "icon")):
            self.loads.append(found.get("src") or found["href"])


def links(page: Path) -> Links:
    found = Links()
    found.feed(page.read_text(encoding="utf-8"))
    return found


def test_every_link_leads_somewhere(site: Path) -> None:
    pages = {page: links(page) for page in site.rglob("*.html") if page.name != "404.html"}
    assert len(pages) > 2 * len(CLAIMS)
    lost = []
    for page, found in pages.items():
        for link in [*found.to, *found.loads]:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            anchored = not parts.fragment or target not in pages or unquote(parts.fragment) in pages[target].anchors
            if not target.is_file() or not anchored:
                lost.append((page.relative_to(site).as_posix(), link))
    assert lost == []


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loaded = {link for page in site.rglob("*.html") for link in links(page).loads if urlsplit(link).scheme}
    assert loaded == set()


def test_no_star_of_a_formula_became_emphasis(site: Path) -> None:
    emphasised = {text for page in site.rglob("*.html") for text in re.findall(r"<em>([^<]*)</em>", page.read_text())}
    assert emphasised
    assert [text for text in emphasised if text.startswith(")") or text.count("(") != text.count(")")] == []


@pytest.mark.parametrize(("language", "words"), [("", ("Measured", "Query")), ("ko", ("측정", "질의"))])
def test_every_claim_has_a_page_of_its_own(site: Path, language: str, words: tuple[str, ...]) -> None:
    listed = links(site / language / "claims/index.html").to
    for claim in CLAIMS:
        page = (site / language / f"claims/{claim.id}.html").read_text(encoding="utf-8")
        assert claim.id in page
        assert all(word in page for word in words)
        assert claim.kind == "cost" or f"{claim.id}.html" in listed


def test_both_tutorials_run_the_same() -> None:
    english, korean = (
        BLOCK.findall((ROOT / name).read_text(encoding="utf-8")) for name in ("docs/tutorial.md", "docs/ko/tutorial.md")
    )
    assert len(english) == 6
    assert english == korean


def test_the_table_of_the_maps_is_that_of_the_kept_ones() -> None:
    maps = {folder.name: load_map(ROOT / folder) for folder in sorted(MAPS.glob("*"))}
    assert len(maps) == 3
    assert maps_table(maps) in (ROOT / "docs/maps.md").read_text(encoding="utf-8")
