"""The files of the report: the page, Markdown with pictures, and the tables behind `dvc plots`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import vl_convert

from ..config import Params
from ..evaluation.maps import Drawn
from .page import Ledger, contents, figures, render_markdown, render_page
from .tables import (
    StudyResults,
    confusion_table,
    learning_curves,
    propagation_curves,
    settings_table,
)

PLOTS = {
    "curves": learning_curves,
    "settings": settings_table,
    "confusion": confusion_table,
    "propagation": propagation_curves,
}


def write_report(
    studies: Sequence[StudyResults],
    params: Params,
    ledger: Ledger,
    maps: Mapping[str, Drawn],
    folder: Path,
    commit: str = "",
) -> Path:
    """Write ``index.html``, ``report.md`` with ``figures/*.svg``, and ``plots/*.csv``; return the page's path.

    Args:
        studies: those that ran.
        params: all parameters.
        ledger: the claims.
        maps: by name.
        folder: it is made where it is missing.
        commit: of the code.
    """
    for name in ("plots", "figures"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, table in PLOTS.items():
        pd.concat([table(study) for study in studies]).to_csv(folder / "plots" / f"{name}.csv", index=False)
    report = contents(studies, params, ledger, maps, commit)
    for name, chart in figures(report).items():
        (folder / "figures" / f"{name}.svg").write_text(vl_convert.vegalite_to_svg(chart), encoding="utf-8")
    (folder / "report.md").write_text(render_markdown(report), encoding="utf-8")
    page = folder / "index.html"
    page.write_text(render_page(report), encoding="utf-8")
    return page
