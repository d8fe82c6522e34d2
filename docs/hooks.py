"""What MkDocs builds besides the files of this folder: a page for each claim of the kept full ledger, and the style."""

import json
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from pipeline.evaluation.golden import FULL_LEDGER
from pipeline.report.site import claim_pages

STYLE = ".md-typeset a:not(.headerlink, .md-button) { text-decoration: underline }"  # not told by colour alone


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the claims, in the site's language, and the style."""
    root = Path(config.config_file_path).parent
    kept = json.loads((root / FULL_LEDGER).read_text(encoding="utf-8"))
    for name, text in claim_pages(kept, config.theme["language"], root).items():
        files.append(File.generated(config, f"claims/{name}.md", content=text))
    files.append(File.generated(config, "style.css", content=STYLE))
    return files
