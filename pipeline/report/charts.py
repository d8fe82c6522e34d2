"""Charts as Vega-Lite specifications, and the colours of tables that are read as heatmaps.

Texts marked with `N_` are translated where the page draws them.
"""

import math
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from ..evaluation.maps import Drawn
from ..grid import AXIS
from .languages import N_

# Viridis at 0, 1/8, …, 1: perceptually even, and readable with any colour vision (Smith & van der Walt 2015).
VIRIDIS = (
    (68, 1, 84), (71, 44, 122), (59, 81, 139), (44, 113, 142), (33, 144, 141),
    (39, 173, 129), (92, 200, 99), (170, 220, 50), (253, 231, 37),
)  # fmt: skip
SIDES = {"for": "#0072b2", "against": "#d55e00", "none": "#009e73", "open": "#8a8f98"}
"""Blue, vermilion and green of Okabe & Ito 2008, which all kinds of colour vision tell apart, and a grey."""
SETTINGS = {
    "weight_variance": N_("σ_w² (fan-in × variance of a weight)"),
    "bias_variance": N_("σ_b² (variance of a bias)"),
    "gain": N_("gain σ_w"),
    "learning_rate": N_("learning rate"),
    "depth": N_("hidden layers"),
}
"""A map's axes."""
MAP_LINES = {
    "edge": N_("theory: edge of chaos"),
    "ordered": N_("theory: the network is six depth scales deep"),
    "chaotic": N_("theory: the network is six depth scales deep"),
    "lowest": N_("measured: from here to there networks learned"),
    "highest": N_("measured: from here to there networks learned"),
}
"""What a map's lines are."""
SHOWN_DECADES = 12
"""Of variances, to both sides of 1: further away a curve leaves the picture."""


def heat(share: float) -> str:
    """Return the CSS of a heatmap's cell: a colour for a share from 0 to 1, and a text colour that shows on it."""
    position = min(max(share, 0.0), 1.0) * (len(VIRIDIS) - 1)
    low = min(int(position), len(VIRIDIS) - 2)
    mix = position - low
    red, green, blue = (round(a + (b - a) * mix) for a, b in zip(VIRIDIS[low], VIRIDIS[low + 1], strict=True))
    # Of black and white, the one with the higher contrast (WCAG 2's relative luminance)
    linear = [(value / 255 + 0.055) / 1.055 if value > 10 else value / 255 / 12.92 for value in (red, green, blue)]
    luminance = sum(w * v**2.4 for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    text = "#000" if luminance > 0.179 else "#fff"
    return f"background:rgb({red},{green},{blue});color:{text}"


def shade(accuracy: float, worst: float, best: float) -> float:
    """Return where an accuracy is between a study's worst and best one, from 0 to 1, on the logarithm of the error.

    Most settings of a study are close to its best, and would have one colour otherwise.
    """
    highest, lowest, error = (math.log(max(1 - value, 1e-3)) for value in (worst, best, accuracy))
    return (highest - error) / (highest - lowest) if highest > lowest else 1.0


def curves_chart(curves: pd.DataFrame) -> dict[str, Any]:
    """Return the learning curves: a line for each setting's mean, a band from its lowest to its highest seed."""
    base = alt.Chart(curves).encode(
        x=alt.X("epoch:Q", title=N_("epoch"), axis=alt.Axis(tickMinStep=1, format="d")),
        color=alt.Color(
            "setting:N",
            title=None,
            legend=alt.Legend(orient="bottom", columns=1, symbolType="stroke", symbolOpacity=1),
        ),
    )
    band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", scale=alt.Scale(zero=False)), y2="high:Q")
    line = base.mark_line(point=alt.OverlayMarkDef(size=14)).encode(
        y=alt.Y("val_accuracy:Q", title=N_("validation accuracy"), scale=alt.Scale(zero=False)),
        tooltip=[
            alt.Tooltip("setting", title=N_("setting")),
            alt.Tooltip("epoch", title=N_("epoch")),
            alt.Tooltip("val_accuracy", title=N_("validation accuracy"), format=".4f"),
            alt.Tooltip("low", title=N_("lowest seed"), format=".4f"),
            alt.Tooltip("high", title=N_("highest seed"), format=".4f"),
        ],
    )
    return _specification(band + line, height=300)


def propagation_chart(curves: pd.DataFrame, quantity: str, title: str, site: str = N_("layer")) -> dict[str, Any]:
    """Return small multiples by activation: lines and bands for what the theory predicts, points for what was measured.

    Args:
        curves: see `pipeline.report.tables.propagation_curves`.
        quantity: signal or gradient.
        title: of the picture.
        site: what a site is called.
    """
    table = curves[curves["quantity"] == quantity]
    base = alt.Chart().encode(
        x=alt.X("layer:Q", title=site),
        color=alt.Color(
            "initializer:N",
            title=None,
            sort=list(table["initializer"].unique()),
            legend=alt.Legend(orient="top", symbolType="circle", symbolOpacity=1),
        ),
    )
    scale = alt.Scale(type="log", domain=[10.0**-SHOWN_DECADES, 10.0**SHOWN_DECADES])
    axis = alt.Axis(values=[10.0**k for k in (-12, -6, 0, 6, 12)], format=".0e")
    words = [
        alt.Tooltip("activation", title=N_("activation")),
        alt.Tooltip("initializer", title=N_("initializer")),
        alt.Tooltip("layer", title=site),
        alt.Tooltip("predicted", title=N_("predicted"), format=".3g"),
        alt.Tooltip("measured", title=N_("measured"), format=".3g"),
    ]
    line = base.mark_line(clip=True).encode(y=alt.Y("predicted:Q", title=None, scale=scale, axis=axis), tooltip=words)
    point = base.mark_point(clip=True, filled=True, size=16, opacity=1).encode(y="measured:Q", tooltip=words)
    spread = base.mark_rule(clip=True, opacity=0.5).encode(y="low:Q", y2="high:Q")
    band = base.mark_area(clip=True, opacity=0.15).encode(y="least:Q", y2="most:Q")
    facets = alt.layer(band, line, spread, point, data=table).properties(width=210, height=120)
    chart = facets.facet(
        facet=alt.Facet(
            "activation:N",
            title=None,
            sort=AXIS["activation"].sorted(table["activation"]),
            header=alt.Header(labelFontWeight="bold"),
        ),
        columns=4,
        title=alt.Title(title, anchor="start", fontSize=12),
    )
    specification: dict[str, Any] = chart.properties(background="transparent").to_dict()
    return specification


def labels_chart(summary: pd.DataFrame) -> dict[str, Any]:
    """Return task B's test accuracy by number of labels: from scratch, and by the reuse that is best on validation."""
    table = summary[summary["chosen"]]
    base = alt.Chart(table).encode(
        x=alt.X("labels:O", title=N_("labels of task B"), axis=alt.Axis(labelAngle=0)),
        color=alt.Color("method:N", title=None, sort=["scratch", "reuse"], legend=alt.Legend(orient="top")),
        xOffset=alt.XOffset("method:N"),
    )
    words = [
        alt.Tooltip("method", title=N_("method")),
        alt.Tooltip("labels", title=N_("labels")),
        alt.Tooltip("reused", title=N_("layers reused")),
        alt.Tooltip("unfrozen", title=N_("unfrozen")),
        alt.Tooltip("test_accuracy_mean", title=N_("test accuracy"), format=".4f"),
    ]
    y = alt.Y("test_accuracy_mean:Q", title=N_("test accuracy"), scale=alt.Scale(zero=False))
    line = base.mark_line(point=True).encode(y=y, tooltip=words)
    bars = base.mark_rule().encode(y="test_accuracy_low:Q", y2="test_accuracy_high:Q")
    return _specification(bars + line, height=260)


def reuse_chart(summary: pd.DataFrame) -> dict[str, Any]:
    """Return the gain over scratch by number of reused layers: left all of them frozen, right all unfrozen later."""
    reuse = summary[summary["reused"] > 0]
    table = pd.concat(
        [
            reuse[reuse["unfrozen"] == 0].assign(later=N_("frozen all the time")),
            reuse[reuse["unfrozen"] == reuse["reused"]].assign(later=N_("all unfrozen after a while")),
        ]
    )
    base = alt.Chart(table).encode(
        x=alt.X("reused:O", title=N_("hidden layers reused, from the lowest"), axis=alt.Axis(labelAngle=0)),
        color=alt.Color(
            "labels:O", title=N_("labels"), scale=alt.Scale(scheme="viridis"), legend=alt.Legend(orient="top")
        ),
        xOffset=alt.XOffset("labels:O"),
    )
    points = base.mark_point(filled=True, size=40, opacity=1).encode(
        y=alt.Y("gain_mean:Q", title=N_("gain in test accuracy over scratch")),
        tooltip=[
            alt.Tooltip("labels", title=N_("labels")),
            alt.Tooltip("reused", title=N_("layers reused")),
            alt.Tooltip("unfrozen", title=N_("unfrozen")),
            alt.Tooltip("gain_mean", title=N_("gain"), format="+.4f"),
            alt.Tooltip("gain_low", title=N_("from"), format="+.4f"),
            alt.Tooltip("gain_high", title=N_("to"), format="+.4f"),
        ],
    )
    bars = base.mark_rule().encode(y="gain_low:Q", y2="gain_high:Q")
    zero = alt.Chart().mark_rule(strokeDash=[4, 4], color=SIDES["open"]).encode(y=alt.datum(0))
    chart = alt.layer(zero, bars, points, data=table).properties(width=270, height=220)
    facets = chart.facet(facet=alt.Facet("later:N", title=None, sort=["frozen all the time"]), columns=2)
    specification: dict[str, Any] = facets.properties(background="transparent").to_dict()
    return specification


def failures_chart(cells: pd.DataFrame) -> dict[str, Any]:
    """Return the share of networks that diverged, by learning rate and clipping mode."""
    table = cells.groupby(["clipping", "learning_rate"])[["diverged", "networks"]].sum().reset_index()
    table["share"] = table["diverged"] / table["networks"]
    chart = (
        alt.Chart(table)
        .mark_bar()
        .encode(
            x=alt.X("share:Q", title=N_("share of networks that diverged"), axis=alt.Axis(format="%")),
            y=alt.Y("clipping:N", title=N_("clipping"), sort=AXIS["clipping"].sorted(table["clipping"])),
            yOffset=alt.YOffset("learning_rate:O"),
            color=alt.Color("learning_rate:O", title=N_("learning rate"), scale=alt.Scale(scheme="viridis")),
            tooltip=[
                alt.Tooltip("clipping", title=N_("clipping")),
                alt.Tooltip("learning_rate", title=N_("learning rate")),
                alt.Tooltip("diverged", title=N_("diverged")),
                alt.Tooltip("networks", title=N_("networks")),
            ],
        )
    )
    return _specification(chart, height=40 * table["clipping"].nunique() + 40)


def forest_chart(findings: pd.DataFrame, margin: float, unit: str) -> dict[str, Any]:
    """Return a claim's findings: each effect with its interval, what is practically none shaded.

    Args:
        findings: ``where``, ``effect``, ``low``, ``high``, ``speaks``.
        margin: of what is practically none.
        unit: of the effects.
    """
    where = alt.Y("where:N", title=None, sort=None)
    side = alt.Color(
        "speaks:N",
        title=N_("speaks"),
        scale=alt.Scale(domain=list(SIDES), range=list(SIDES.values())),
        legend=alt.Legend(orient="top", symbolType="circle"),
    )
    words = [
        alt.Tooltip("where:N", title=N_("where")),
        alt.Tooltip("effect:Q", title=N_("effect"), format="+.3g"),
        alt.Tooltip("low:Q", title=N_("from"), format="+.3g"),
        alt.Tooltip("high:Q", title=N_("to"), format="+.3g"),
    ]
    effect = alt.X("effect:Q", title=unit)
    shape = alt.Shape(
        "speaks:N",
        scale=alt.Scale(domain=list(SIDES), range=["circle", "triangle-up", "square", "diamond"]),
        legend=None,
    )
    points = alt.Chart().mark_point(filled=True, size=55, opacity=1).encode(
        x=effect, y=where, color=side, shape=shape, tooltip=words
    )  # fmt: skip
    bars = alt.Chart().mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", y=where, color=side, tooltip=words)
    zero = alt.Chart().mark_rule(strokeDash=[4, 4], color=SIDES["open"]).encode(x=alt.datum(0))
    layers = [zero, bars, points]
    if margin:
        # Of one row, or the bands of all rows would lie on top of each other
        band = alt.Chart(alt.InlineData([{}])).mark_rect(opacity=0.15, color=SIDES["open"])
        layers.insert(0, band.encode(x=alt.datum(-margin), x2=alt.datum(margin)))
    rows: list[Any] = findings.to_dict("records")
    return _specification(alt.layer(*layers, data=alt.InlineData(rows)), height=18 * len(rows))


def ranks_chart(levels: pd.DataFrame) -> dict[str, Any]:
    """Return a critical-difference diagram of an axis: levels whose bars overlap are not told apart.

    Args:
        levels: ``level``, ``mean_rank``, ``critical_difference``; a bar is one critical difference long.
    """
    half = levels["critical_difference"] / 2
    table = levels[["level", "mean_rank"]].assign(low=levels["mean_rank"] - half, high=levels["mean_rank"] + half)
    order = table.sort_values("mean_rank")["level"].tolist()
    y = alt.Y("level:N", title=None, sort=order)
    title = N_("mean rank over the seeds (1 is best)")
    words = [alt.Tooltip("level", title=N_("level")), alt.Tooltip("mean_rank", title=title, format=".1f")]
    base = alt.Chart(table)
    bars = base.mark_rule(strokeWidth=2, color=SIDES["open"]).encode(
        x=alt.X("low:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(tickMinStep=0.5, format="~g")),
        x2="high:Q",
        y=y,
        tooltip=words,
    )
    points = base.mark_point(filled=True, size=55, opacity=1, color=SIDES["for"]).encode(
        x="mean_rank:Q", y=y, tooltip=words
    )
    return _specification(bars + points, height=18 * len(table))


def map_chart(drawn: Drawn) -> dict[str, Any]:
    """Return a map, which wheel and drag zoom: a cell for each network, theory's lines and the measured ones on it."""
    scales = {}
    table = drawn.points[["x", "y", "val_accuracy", "status"]]
    for name, axis in (("x", drawn.made.x), ("y", drawn.made.y)):
        values = np.array(axis.values)
        forth, back = (np.log, np.exp) if axis.scale == "log" else (np.positive, np.positive)
        middles = forth(values)
        middles = np.concatenate([[2 * middles[0] - middles[1]], middles, [2 * middles[-1] - middles[-2]]])
        edges = back((middles[1:] + middles[:-1]) / 2)
        at = np.searchsorted(values, drawn.points[name])
        table = table.assign(**{f"{name}_from": _short(edges[at]), f"{name}_to": _short(edges[at + 1])})
        scales[name] = alt.Scale(type=axis.scale, domain=[edges[0], edges[-1]], nice=False, zero=False)
    table = table.assign(val_accuracy=_short(table["val_accuracy"])).drop(columns=["x", "y"])
    x = alt.X("x_from:Q", title=SETTINGS[drawn.made.x.setting], scale=scales["x"])
    y = alt.Y("y_from:Q", title=SETTINGS[drawn.made.y.setting], scale=scales["y"])
    scale = alt.Scale(scheme="viridis", domain=[0, 1])
    legend = alt.Legend(title=N_("validation accuracy"), orient="right", gradientLength=200)
    grey = alt.when(alt.datum.status == "diverged").then(alt.value(SIDES["open"]))
    words = [
        alt.Tooltip("x_from", title=SETTINGS[drawn.made.x.setting], format=".3g"),
        alt.Tooltip("y_from", title=SETTINGS[drawn.made.y.setting], format=".3g"),
        alt.Tooltip("val_accuracy", title=N_("validation accuracy"), format=".3f"),
        alt.Tooltip("status", title=N_("ended")),
    ]
    cells = alt.Chart(table).mark_rect(clip=True, strokeWidth=0.7).encode(
        x=x, x2="x_to:Q", y=y, y2="y_to:Q", tooltip=words,
        color=grey.otherwise(alt.Color("val_accuracy:Q", scale=scale, legend=legend)),
        stroke=grey.otherwise(alt.Stroke("val_accuracy:Q", scale=scale, legend=None)),  # else the page shines through
    )  # fmt: skip
    layers = [cells.add_params(alt.selection_interval(bind="scales"))]
    if len(drawn.lines):
        across, along = ("y", "x") if drawn.lines[drawn.lines["line"] == "edge"]["y"].is_unique else ("x", "y")
        wide = drawn.lines.pivot(index=across, columns="line", values=along)  # where a line is not, it has a gap
        lines = wide.reset_index().melt(across, value_name=along)
        lines = lines.assign(told=lines["line"].map(MAP_LINES))
        base = alt.Chart(lines).encode(x="x:Q", y="y:Q", order=f"{across}:Q", detail="line:N")
        told = list(dict.fromkeys(MAP_LINES.values()))
        below = alt.Legend(orient="bottom", columns=1, labelLimit=0, symbolType="stroke", symbolSize=400)
        dashes = alt.Scale(domain=told, range=[[1, 0], [7, 5], [1, 0]])
        colours = alt.Scale(domain=told, range=["#dc267f", "#dc267f", "#ffb000"])
        layers += [
            base.mark_line(clip=True, strokeWidth=4, color="#fff", opacity=0.5),
            base.mark_line(clip=True, strokeWidth=2.5).encode(
                color=alt.Color("told:N", title=None, scale=colours, legend=below),
                strokeDash=alt.StrokeDash("told:N", title=None, scale=dashes, legend=below),
            ),
        ]
    chart = alt.layer(*layers).resolve_scale(color="independent", strokeDash="independent")
    canvas = {"embedOptions": {"renderer": "canvas"}}  # thousands of cells are slow as SVG
    return _specification(chart, height=420) | {"usermeta": canvas}


def _short(values: Any) -> Any:
    """Return numbers with four digits: a page has thousands."""
    return [float(f"{value:.4g}") for value in values]


def cell_charts() -> dict[str, dict[str, Any]]:
    """Return the charts of one cell, which the page fills: ``curve``, ``gradient``, ``activation`` and ``dead``."""
    curve = alt.Chart(alt.NamedData("curve"))
    x = alt.X("epoch:Q", title=N_("epoch"), axis=alt.Axis(tickMinStep=1, format="d"))
    line = curve.mark_line(point=True).encode(
        x=x,
        y=alt.Y("accuracy:Q", title=N_("accuracy"), scale=alt.Scale(zero=False)),
        color=alt.Color(
            "part:N", title=None, sort=["validation", "training"], legend=alt.Legend(orient="top", symbolOpacity=1)
        ),
        tooltip=[
            alt.Tooltip("part:N", title=N_("part")),
            alt.Tooltip("epoch:Q", title=N_("epoch")),
            alt.Tooltip("accuracy:Q", title=N_("accuracy"), format=".4f"),
        ],
    )
    band = curve.mark_area(opacity=0.2).encode(x=x, y="low:Q", y2="high:Q", color="part:N")
    charts = {"curve": _specification(band + line, height=180)}
    titles = {
        "gradient": N_("gradient (mean square)"),
        "activation_sd": N_("sd of the activations"),
        "dead": N_("dead share of the units"),
    }
    scales = {
        "gradient": alt.Scale(type="log"),
        "activation_sd": alt.Scale(zero=True),
        "dead": alt.Scale(domain=[0, 1]),
    }
    for measure, title in titles.items():
        chart = (
            alt.Chart(alt.NamedData("layers"))
            .mark_line(point=True)
            .encode(
                x=alt.X("layer:Q", title=N_("hidden layer"), axis=alt.Axis(tickMinStep=1, format="d")),
                y=alt.Y(f"{measure}:Q", title=title, scale=scales[measure], axis=alt.Axis(format="~g", tickCount=5)),
                color=alt.Color(
                    "epoch:O", title=N_("epoch"), scale=alt.Scale(scheme="viridis"), legend=alt.Legend(orient="top")
                ),
                tooltip=[
                    alt.Tooltip("layer:Q", title=N_("hidden layer")),
                    alt.Tooltip("epoch:O", title=N_("epoch")),
                    alt.Tooltip(f"{measure}:Q", title=title, format=".3g"),
                ],
            )
        )
        charts[measure] = _specification(chart, height=180)
    return charts


def _specification(chart: Any, height: int) -> dict[str, Any]:
    properties = chart.properties(width="container", height=height, background="transparent")
    specification: dict[str, Any] = properties.to_dict(validate=False)  # it takes seconds
    return specification
