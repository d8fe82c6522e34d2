"""The page: one HTML file with its styles, charts and scripts inside, in every language, that needs no network."""

import gettext
import math
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pandas as pd
import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from ..config import Params
from ..evaluation import agreement
from ..evaluation.claims.entries import CLAIMS
from ..evaluation.claims.ledger import ALL, CONFIDENCE, ERROR_RATE, Claim, Verdict, surprises
from ..evaluation.maps import Drawn
from ..evaluation.published import beside
from ..evaluation.recommend import most_robust, simplest
from ..grid import AXES, AXIS, setting_name
from ..strict_json import dumps
from .charts import (
    cell_charts,
    curves_chart,
    failures_chart,
    forest_chart,
    heat,
    labels_chart,
    map_chart,
    propagation_chart,
    ranks_chart,
    reuse_chart,
    shade,
)
from .languages import AS_THEY_ARE, LANGUAGES, N_, tell, translations, words_of
from .tables import (
    StudyResults,
    axis_levels,
    cell_details,
    changes,
    depth_maps,
    health_table,
    heatmaps,
    learning_curves,
    propagation_curves,
    transfer_sections,
)

# The library's own default snippet, which its type does not let one leave out.
EMBED = "window.vegaEmbed = vegaEmbed;"
HERE = Path(__file__).parent
SHOWN = 5
"""Best and worst settings that a study's table lists."""
PICTURED = ("curves-", "failures-", "labels-", "ranks-")
"""How the names of the charts begin that ``report.md`` shows."""
SURPRISES = 3
"""Verdicts on the first screen."""
TITLE = N_("What makes a deep network trainable")
PROPAGATION_TITLES = {
    "signal": N_("Variance of the pre-activations"),
    "gradient": N_("Variance of the gradient, as a share of the highest layer's"),
}
VERDICTS = (
    N_("supported"), N_("refuted"), N_("negligible"), N_("depends"), N_("inconclusive"), N_("not tested"),
)  # fmt: skip
PARTS = (N_("training"), N_("validation"), N_("scratch"), N_("reuse"))
SIDES = (N_("for"), N_("against"), N_("none"), N_("open"))
AXIS_NAMES = (
    N_("architecture"), N_("hidden"), N_("initializer"), N_("activation"), N_("normalization"), N_("regularization"),
    N_("optimizer"), N_("clipping"), N_("batch_size"), N_("train_fraction"), N_("label_noise"), N_("learning_rate"),
)  # fmt: skip
STANDINGS = {"equivalent": N_("as good"), "different": N_("different"), "open": N_("not told apart")}
"""See `pipeline.evaluation.recommend.Standing`."""
KINDS = (N_("plain"), N_("normalized"))
THEORY_VERDICTS = (N_("holds"), N_("off"), N_("not predictable"))
HEALTH = (
    N_("healthy"), N_("vanishing"), N_("exploding"), N_("dying"), N_("saturated"), N_("diverged"), N_("unknown"),
)  # fmt: skip
LIBRARIES = ("torch", "pytorch-lightning", "scikit-learn", "numpy", "dvc", "mlflow")


class Ledger(NamedTuple):
    """The ledger, as the stage ``claims`` wrote it, and the full one."""

    metrics: Mapping[str, Any]
    """See `pipeline.evaluation.claims.ledger.as_metrics`."""
    findings: pd.DataFrame
    """See `pipeline.evaluation.claims.ledger.as_table`."""
    full: Mapping[str, Any] = {}
    """What ``golden/ledger.json`` has, see `pipeline.report.full.render_ledger`; empty where it is not there."""


def render_page(report: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        report: its `contents`.
    """
    languages = {name: translations(name) for name in LANGUAGES}
    places = {(found["part"], found["name"]) for card in report["cards"] for found in card["findings"]}
    words = {
        name: words_of([report["charts"], report["cell_charts"], *PARTS], language)
        | {tell(*place, languages["en"]): tell(*place, language) for place in places}
        for name, language in languages.items()
    }
    return environment(languages["en"]).get_template("shell.html").render(
        texts={
            name: environment(language).get_template("page.html").render(report)
            for name, language in languages.items()
        },
        titles={name: language.gettext(TITLE) for name, language in languages.items()},
        names=LANGUAGES,
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=(HERE / "page.js").read_text(encoding="utf-8"),
        vega=vl_convert.javascript_bundle(EMBED).replace("</script", "<\\/script"),
        data=_json(
            {
                "charts": report["charts"],
                "cellCharts": report["cell_charts"],
                "cells": report["cells"],
                "words": words,
                "asTheyAre": sorted(AS_THEY_ARE),
            }
        ),
    )  # fmt: skip


def render_markdown(report: Mapping[str, Any]) -> str:
    """Return the report for a pull request or a CI summary; its pictures are those of `figures`."""
    return environment(translations("en")).get_template("report.md").render(report)


def figures(report: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the charts of ``report.md`` by name, as Vega-Lite specifications that stand alone."""
    return {
        name: chart | {"width": 560, "background": "white"}
        for name, chart in report["charts"].items()
        if name.startswith(PICTURED)
    }


def contents(
    studies: Sequence[StudyResults], params: Params, ledger: Ledger, maps: Mapping[str, Drawn], commit: str
) -> dict[str, Any]:
    """Return what the templates show.

    Args:
        studies: those that ran.
        params: all parameters.
        ledger: the claims.
        maps: by name.
        commit: of the code, empty where nobody knows.
    """
    sections = [_section(study, params) for study in studies]
    cards = _cards(ledger, {study.name: study.evaluation.metrics["budget"] for study in studies})
    by_id = {card["claim"].id: card for card in cards}
    charts = {name: chart for section in sections for name, chart in section["charts"].items()}
    charts |= {f"claim-{name}": card["chart"] for name, card in by_id.items() if card["chart"]}
    charts |= {f"map-{name}": map_chart(drawn) for name, drawn in maps.items()}
    surprising = surprises(CLAIMS, {card["claim"].id: card["entry"]["verdict"] for card in cards})
    return {
        "sections": sections,
        "cards": cards,
        "costs": _costs(ledger),
        "maps": maps,
        "full": _beside_the_full_one(cards, ledger),
        "surprises": [by_id[name] for name in surprising[:SURPRISES]],
        "verdicts": [(name, sum(card["entry"]["verdict"] == name for card in cards)) for name in get_args(Verdict)],
        "chance": {study.name: own for study in studies if (own := study.evaluation.details["chance"])},
        "standings": STANDINGS,
        "networks": sum(len(study.results.networks) for study in studies),
        "seconds": sum(study.results.timings["seconds"].sum() for study in studies),
        "diverged": sum(study.evaluation.metrics["diverged"] for study in studies),
        "at_chance": sum(study.evaluation.metrics["at_chance"] for study in studies),
        "confidence": params.evaluation.confidence,
        "ledger_confidence": CONFIDENCE,
        "error_rate": ERROR_RATE,
        "equivalence": params.evaluation.equivalence,
        "propagation": params.propagation,
        "theory_error_rate": agreement.ERROR_RATE,
        "theory_verdicts": agreement.VERDICTS,
        "thresholds": params.health.verdicts,
        "versions": {name: version(name) for name in LIBRARIES},
        "commit": commit,
        "shared": params.model_dump_json(indent=2, exclude={"studies", "transfer"}),
        "charts": charts,
        "cell_charts": cell_charts(),
        "cells": {study.name: cell_details(study) for study in studies},
    }


def _cards(ledger: Ledger, budgets: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the claims with the parts of their evidence, but for the costs; those that were tested first."""
    full = ledger.full.get("claims", {})
    cards = []
    for claim in CLAIMS:
        if claim.kind == "cost":
            continue
        own, entry = ledger.findings[ledger.findings["claim"] == claim.id], ledger.metrics[claim.id]
        edges = {name: budgets[name] for name in entry.get("studies", ()) if budgets.get(name, {}).get("edge")}
        cards.append(
            {
                "claim": claim,
                "entry": entry,
                "findings": own.to_dict("records"),
                "chart": _forest(claim, own) if len(own) else None,
                "edges": edges,
                "full": full.get(claim.id, {}).get("verdict"),
            }
        )
    return sorted(cards, key=lambda card: not card["findings"])  # what was not tested comes last


def _beside_the_full_one(cards: Sequence[Mapping[str, Any]], ledger: Ledger) -> dict[str, Any]:
    """Return how many of the verdicts are the full ledger's."""
    decided = [
        card for card in cards if card["full"] and card["entry"]["verdict"] not in ("inconclusive", "not tested")
    ]
    return {
        "decided": len(decided),
        "same": sum(card["full"] == card["entry"]["verdict"] for card in decided) if ledger.full else None,
        "networks": ledger.full["run"]["networks"] if ledger.full else 0,
    }


def _costs(ledger: Ledger) -> list[dict[str, Any]]:
    """Return the claims on times, with what was measured on this machine."""
    whole = {found["claim"]: found for found in ledger.findings.to_dict("records") if found["part"] == ALL}
    return [
        {"claim": claim, "effect": found["effect"], "low": found["low"], "high": found["high"]}
        for claim in CLAIMS
        if claim.kind == "cost" and (found := whole.get(claim.id))
    ]


def _forest(claim: Claim, findings: pd.DataFrame) -> dict[str, Any]:
    english = translations("en")
    places = [tell(found["part"], found["name"], english) for found in findings.to_dict("records")]
    return forest_chart(findings[["effect", "low", "high", "speaks"]].assign(where=places), claim.margin, claim.unit)


def _section(study: StudyResults, params: Params) -> dict[str, Any]:
    tuned, cells, details = study.tuned, study.evaluation.cells, study.evaluation.details
    charts: dict[str, Any] = {}
    if len(study.results.history):
        charts[f"curves-{study.name}"] = curves_chart(learning_curves(study))
    if cells["clipping"].nunique() > 1:
        charts[f"failures-{study.name}"] = failures_chart(clipping_block(cells))
    levels = axis_levels(study)
    for own in levels:
        ranked = pd.DataFrame(own.rows).dropna(subset="mean_rank")
        if own.view == "best" and len(ranked):
            charts[f"ranks-{study.name}-{own.axis}"] = ranks_chart(ranked)
    curves = propagation_curves(study)
    site = N_("step") if set(study.propagation["architecture"]) == {"recurrent"} else N_("layer")
    for quantity, title in PROPAGATION_TITLES.items() if len(curves) else ():
        charts[f"{quantity}-{study.name}"] = propagation_chart(curves, quantity, title, site)
    experiments = transfer_sections(study)
    for experiment in experiments:
        charts[f"labels-{study.name}-{experiment.name}"] = labels_chart(experiment.summary)
        charts[f"reuse-{study.name}-{experiment.name}"] = reuse_chart(experiment.summary)
    rows = tuned.to_dict("records")
    timings = study.results.timings
    varied = study.study.varied
    recommended = [row | {"setting": setting_name(row, varied)} for row in details["recommended"]]
    best = study.evaluation.metrics["best_cell"]
    published = beside(study.name, study.results.networks, study.transfer, params.evaluation.confidence)
    return {
        "name": study.name,
        "study": study.study,
        "card": study.card,
        "metrics": study.evaluation.metrics,
        "details": details,
        "best": rows[:SHOWN],
        "worst": rows[SHOWN:][-SHOWN:],
        "settings": len(rows),
        "recommended": recommended,
        "simplest": simplest(recommended) if recommended else None,
        "robust": most_robust(recommended) if recommended else None,
        "heatmaps": heatmaps(study),
        "changes": changes(study),
        "shapes": [
            f"{study.card.features}-{hidden}-{len(study.card.classes)}"
            for hidden in AXIS["hidden"].sorted(study.results.networks["hidden"])
        ],
        "fixed_rate": study.fixed_rate,
        "range": (cells["val_accuracy_mean"].min(), cells["val_accuracy_mean"].max()),
        "levels": levels,
        "health": health_table(study),
        "depths": depth_maps(study),
        "depth": len(study.study.hidden_widths),
        "agreement": agreement.summarize(study.propagation),
        "charts": charts,
        "transfer": experiments,
        "experiments": params.transfer.get(study.name, {}),
        "published": published.to_dict("records"),
        "best_setting": setting_name(best, varied) if best else None,
        "seconds": timings["seconds"].sum(),
        "device": timings["device"].iloc[0],
        "seeds": int(cells["networks"].max()),
    }


def clipping_block(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of those settings that the study trained under every clipping mode.

    Modes that it tried on less than half as many settings as another, as further thresholds, are none of them.
    """
    tried = cells["clipping"].value_counts()
    common = tried.index[2 * tried >= tried.drop(AXIS["clipping"].neutral, errors="ignore").max()]
    cells = cells[cells["clipping"].isin(common)]
    others = [axis for axis in AXES if axis != "clipping"]
    modes = cells.groupby(others)["clipping"].transform("nunique")
    return cells[modes == len(common)]


# --- how things are told --------------------------------------------------------------------------


def environment(language: gettext.NullTranslations) -> Environment:
    """Return what renders a template in a language."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined, extensions=["jinja2.ext.i18n"],
    )  # fmt: skip
    environment.install_gettext_translations(language, newstyle=True)  # type: ignore[attr-defined]
    environment.policies["ext.i18n.trimmed"] = True
    environment.filters |= {
        "t": language.gettext,
        "accuracy": _accuracy,
        "bounded": bounded,
        "interval": _interval,
        "percent": _percent,
        "points": lambda share: f"{100 * share:.1f}",
        "gain": _gain,
        "duration": _duration(language.gettext),
        "exp": math.exp,
        "share": lambda row, name: (
            f"{_percent(round(row[name], 3))} [{_percent(round(row[f'{name}_low'], 3))}, "
            f"{_percent(round(row[f'{name}_high'], 3))}]"
        ),
    }
    environment.globals |= {
        "heat": heat,
        "shade": shade,
        "is_number": lambda value: not pd.isna(value),
        "where": lambda found: tell(found["part"], found["name"], language),
    }
    return environment


def _json(content: object) -> str:
    """Return JSON for a script element: ``</`` would end it."""
    return dumps(content, default=str, ensure_ascii=False).replace("</", "<\\/")


def _accuracy(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.3f}"


def bounded(form: str, value: float, low: float, high: float) -> str:
    """Return ``0.973 [0.969, 0.977]``; the value alone where one seed gives no interval."""
    if pd.isna(value):
        return "–"
    return form % value if pd.isna(low) else f"{form % value} [{form % low}, {form % high}]"


def _interval(cell: dict[str, Any], score: str) -> str:
    return bounded("%.3f", *(cell[f"{score}_{part}"] for part in ("mean", "low", "high")))


def _gain(row: dict[str, Any]) -> str:
    return bounded("%+.3f", *(row[f"gain_{part}"] for part in ("mean", "low", "high")))


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _duration(translate: Callable[[str], str]) -> Callable[[float], str]:
    def duration(seconds: float) -> str:
        if seconds < 1:
            return f"{1000 * seconds:.0f} ms"
        seconds_, minutes = translate(N_("%.0f s")), translate(N_("%.1f min"))
        return seconds_ % seconds if seconds < 120 else minutes % (seconds / 60)

    return duration
