"""The textbook's experiments as Markdown: a page for each with every run, and one over all."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from .languages import translations
from .page import environment

HERE, KERAS, OTHER, PUBLISHED = "a run here", "a run of Keras here", "another run of the same code", "the published run"
LOOKS = {
    HERE: ("#8a8f98", "circle"),
    KERAS: ("#009e73", "cross"),
    OTHER: ("#0072b2", "triangle-up"),
    PUBLISHED: ("#d55e00", "diamond"),
}
"""Colour (Okabe & Ito 2008) and shape of the points."""
BAND = "#dfe3e8"
"""Where a further run is expected."""


def write_pages(kept: Mapping[str, Any], folder: Path) -> None:
    """Write ``README.md``, and for each experiment a page and its picture.

    Args:
        kept: what ``golden/published.json`` has: ``run``, and what `pipeline.evaluation.published.compare` returns.
        folder: it is made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in render_pages(kept).items():
        (folder / name).write_text(text, encoding="utf-8")


def render_pages(kept: Mapping[str, Any]) -> dict[str, str]:
    """Return the files of `write_pages` by name."""
    english = environment(translations("en"))
    experiments = kept["experiments"]
    files = {
        "README.md": english.get_template("notebook.md").render({**kept, **_counts(experiments)}),
        "overview.svg": vl_convert.vegalite_to_svg(overview_chart(experiments)),
    }
    for name, one in experiments.items():
        study = kept["studies"][one["study"]]
        page = english.get_template("experiment.md").render(
            name=name,
            one=one,
            study=study,
            run=kept["run"],
            confidence=kept["confidence"],
            headline=_headline(one),
            verdicts=_by_health(one),
        )
        files |= {f"{name}.md": page, f"{name}.svg": vl_convert.vegalite_to_svg(runs_chart(one))}
    return {name: text.rstrip("\n") + "\n" for name, text in files.items()}


def _counts(experiments: Mapping[str, Any]) -> dict[str, Any]:
    scores = [(score, found) for one in experiments.values() for score, found in one["scores"].items()]
    counts: dict[str, Any] = {}
    for kind in ("accuracy", "loss"):
        own = [found["inside"] for score, found in scores if score.endswith(kind)]
        counts[kind] = {"inside": sum(own), "all": len(own)}
    held_out = [one["scores"][_headline(one)]["inside"] for one in experiments.values()]
    return {"counts": counts, "held_out": {"inside": sum(held_out), "all": len(held_out)}}


def _headline(one: Mapping[str, Any]) -> str:
    """Return the accuracy that an experiment is about: on test samples, where that was published."""
    return "test_accuracy" if "test_accuracy" in one["scores"] else "val_accuracy"


def _by_health(one: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return the headline accuracies by the runs' health, the commonest first."""
    runs: dict[str, list[float]] = {}
    for verdict, accuracy in zip(one["health"], one["scores"][_headline(one)]["runs"], strict=False):
        runs.setdefault(verdict, []).append(accuracy)
    return dict(sorted(runs.items(), key=lambda item: -len(item[1])))


def overview_chart(experiments: Mapping[str, Any]) -> dict[str, Any]:
    """Return where the published accuracies lie among ours: an experiment in each row, in units of its interval."""
    rows, bands = [], []
    for name, one in experiments.items():
        found = one["scores"][_headline(one)]
        middle, half = (found["high"] + found["low"]) / 2, (found["high"] - found["low"]) / 2
        title = name.replace("_third_edition", ", 3rd edition").replace("_", " ")
        label = f"{title}: {found['published']:.4f}, here {found['mean']:.4f}"
        rows += [{"experiment": label, "run": run, "value": (value - middle) / half} for run, value in _points(found)]
        bands.append({"experiment": label, "low": -1, "high": 1})
    title = "place in the 95 % prediction interval for one further run, from -1 to 1"
    chart = _runs(rows, bands, title).encode(
        y=alt.Y(
            "experiment:N", sort=[str(band["experiment"]) for band in bands], title=None, axis=alt.Axis(labelLimit=0)
        )
    )
    # Viewers' fonts are wider than the one that the labels are measured with.
    room = {"left": 50, "right": 50, "top": 5, "bottom": 5}
    return _specification(chart.properties(width=420, height=22 * len(bands), padding=room))


def runs_chart(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return every run of an experiment, score by score, with the interval for a further one."""
    charts = [
        _runs([{"run": run, "value": value} for run, value in _points(found)], [found], score.replace("_", " "))
        for score, found in one["scores"].items()
    ]
    return _specification(
        alt.vconcat(*(chart.properties(width=520, height=26) for chart in charts)).resolve_scale(x="independent")
    )


def _points(found: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return every run of a score, the published one last, on top of the others."""
    values = [(HERE, value) for value in found["runs"] if value is not None]
    values += [(KERAS, value) for value in found.get("keras", ())]
    return [*values, *((OTHER, value) for value in found["others"]), (PUBLISHED, found["published"])]


def _runs(points: list[dict[str, Any]], bands: Sequence[Mapping[str, Any]], title: str) -> Any:
    """Return points on the bands in which a further run is expected."""
    low, x = (
        alt.X(f"{field}:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(labelOverlap=True, tickCount=8))
        for field in ("low", "value")
    )
    shown = [look for look in LOOKS if look in {point["run"] for point in points}]
    colors, shapes = ([LOOKS[look][place] for look in shown] for place in (0, 1))
    legend = alt.Legend(orient="top", symbolOpacity=1, columnPadding=18)
    band = alt.Chart(pd.DataFrame(bands)).mark_bar(color=BAND, size=14).encode(x=low, x2="high:Q")
    return band + alt.Chart(pd.DataFrame(points)).mark_point(filled=True, opacity=0.85).encode(
        x=x,
        color=alt.Color("run:N", scale=alt.Scale(domain=shown, range=colors), title=None, legend=legend),
        shape=alt.Shape("run:N", scale=alt.Scale(domain=shown, range=shapes), title=None),
        size=alt.condition(alt.datum.run == PUBLISHED, alt.value(130), alt.value(55)),
    )


def _specification(chart: Any) -> dict[str, Any]:
    specification: dict[str, Any] = chart.properties(background="white").to_dict(validate=False)
    return specification
