"""The page: one HTML file with its styles, charts and scripts inside, that needs no network."""

import json
import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.evaluation.claims.entries import CLAIMS
from pipeline.evaluation.claims.ledger import Verdict
from pipeline.evaluation.names import setting_name
from pipeline.params import AXES, INITIALIZERS, Params
from pipeline.propagation.agreement import summarize
from pipeline.report.charts import curves_chart, failures_chart, heat, labels_chart, propagation_chart, reuse_chart
from pipeline.report.tables import (
    StudyResults,
    confusion_table,
    depth_maps,
    health_table,
    heatmaps,
    learning_curves,
    propagation_curves,
    settings_table,
    transfer_sections,
)

# The library's own default snippet, which its type does not let one leave out.
EMBED = "window.vegaEmbed = vegaEmbed;"
HERE = Path(__file__).parent
SHOWN = 5
"""Best and worst settings that a study's table lists."""
PROPAGATION_TITLES = {
    "signal": "Variance of the pre-activations",
    "gradient": "Variance of the gradient, as a share of the highest layer's",
}
LIBRARIES = ("torch", "pytorch-lightning", "scikit-learn", "numpy")


def write_report(studies: Sequence[StudyResults], params: Params, claims: Mapping[str, Any], folder: Path) -> Path:
    """Write ``index.html`` and ``plots/*.csv`` into a folder; return the page's path.

    Args:
        studies: those that ran.
        params: all parameters.
        claims: the ledger, see `pipeline.evaluation.claims.ledger.as_metrics`.
        folder: it is made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    tables = {
        "curves": learning_curves,
        "settings": settings_table,
        "confusion": confusion_table,
        "propagation": propagation_curves,
    }
    for name, table in tables.items():
        pd.concat([table(study) for study in studies]).to_csv(plots / f"{name}.csv", index=False)
    page = folder / "index.html"
    page.write_text(render(studies, params, claims), encoding="utf-8")
    return page


def render(studies: Sequence[StudyResults], params: Params, claims: Mapping[str, Any]) -> str:
    """Return the page."""
    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
    environment.filters |= {
        "accuracy": _accuracy,
        "interval": _interval,
        "percent": _percent,
        "gain": _gain,
        "duration": _duration,
        "exp": math.exp,
    }
    environment.globals |= {"heat": heat, "setting_name": setting_name}
    sections = [_section(study, params) for study in studies]
    charts = {name: chart for section in sections for name, chart in section["charts"].items()}
    return environment.get_template("page.html").render(
        sections=sections,
        ledger=[(claim, claims[claim.id]) for claim in CLAIMS],
        verdicts=[(name, sum(entry["verdict"] == name for entry in claims.values())) for name in get_args(Verdict)],
        networks=sum(len(study.results.networks) for study in studies),
        seconds=sum(study.results.timings["seconds"].sum() for study in studies),
        diverged=sum(study.evaluation.metrics["diverged"] for study in studies),
        at_chance=sum(study.evaluation.metrics["at_chance"] for study in studies),
        confidence=params.evaluation.confidence,
        propagation=params.propagation,
        thresholds=params.health.verdicts,
        initializers=INITIALIZERS,
        versions={name: version(name) for name in LIBRARIES},
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        # `</` would end the script element that these stand in
        specifications=json.dumps(charts, default=str).replace("</", "<\\/"),
        vega=vl_convert.javascript_bundle(EMBED).replace("</script", "<\\/script"),
    )


def _section(study: StudyResults, params: Params) -> dict[str, Any]:
    tuned, cells = study.tuned, study.evaluation.cells
    charts: dict[str, Any] = {}
    if len(study.results.history):
        charts[f"curves-{study.name}"] = curves_chart(learning_curves(study))
    if cells["clipping"].nunique() > 1:
        charts[f"failures-{study.name}"] = failures_chart(_clipping_block(cells))
    curves = propagation_curves(study)
    for quantity, title in PROPAGATION_TITLES.items():
        charts[f"{quantity}-{study.name}"] = propagation_chart(curves, quantity, title)
    experiments = transfer_sections(study, params.evaluation.confidence)
    for experiment in experiments:
        charts[f"labels-{study.name}-{experiment.name}"] = labels_chart(experiment.summary)
        charts[f"reuse-{study.name}-{experiment.name}"] = reuse_chart(experiment.summary)
    rows = tuned.to_dict("records")
    timings = study.results.timings
    return {
        "name": study.name,
        "study": study.study,
        "card": study.card,
        "metrics": study.evaluation.metrics,
        "details": study.evaluation.details,
        "best": rows[:SHOWN],
        "worst": rows[SHOWN:][-SHOWN:],
        "settings": len(rows),
        "heatmaps": heatmaps(study),
        "health": health_table(study),
        "depths": depth_maps(study),
        "depth": len(study.study.hidden_widths),
        "agreement": summarize(study.propagation, params.propagation.tolerance),
        "charts": charts,
        "transfer": experiments,
        "experiments": params.transfer.get(study.name, {}),
        "seconds": timings["seconds"].sum(),
        "device": timings["device"].iloc[0],
        "seeds": int(cells["networks"].max()),
    }


def _clipping_block(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of those settings that the study trained under every clipping mode."""
    others = [axis for axis in AXES if axis != "clipping"]
    modes = cells.groupby(others)["clipping"].transform("nunique")
    return cells[modes == cells["clipping"].nunique()]


def _accuracy(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.3f}"


def _interval(cell: dict[str, Any], score: str) -> str:
    """Return ``0.973 [0.969, 0.977]``; the mean alone where one seed gives no interval."""
    mean, low, high = (cell[f"{score}_{part}"] for part in ("mean", "low", "high"))
    return _accuracy(mean) if pd.isna(low) else f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def _gain(row: dict[str, Any]) -> str:
    """Return ``+0.012 [-0.003, +0.027]``."""
    mean, low, high = (row[f"gain_{part}"] for part in ("mean", "low", "high"))
    return f"{mean:+.3f}" if pd.isna(low) else f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
