"""Charts as Vega-Lite specifications, and the colours of tables that are read as heatmaps."""

from typing import Any

import altair as alt
import pandas as pd

from pipeline.params import ACTIVATIONS

# Viridis at 0, 1/8, …, 1: perceptually even, and readable with any colour vision (Smith & van der Walt 2015).
VIRIDIS = (
    (68, 1, 84), (71, 44, 122), (59, 81, 139), (44, 113, 142), (33, 144, 141),
    (39, 173, 129), (92, 200, 99), (170, 220, 50), (253, 231, 37),
)  # fmt: skip
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


def curves_chart(curves: pd.DataFrame) -> dict[str, Any]:
    """Return the learning curves: a line for each setting's mean, a band from its lowest to its highest seed."""
    base = alt.Chart(curves).encode(
        x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, format="d")),
        color=alt.Color(
            "setting:N",
            title=None,
            legend=alt.Legend(orient="bottom", columns=1, labelLimit=320, symbolType="stroke", symbolOpacity=1),
        ),
    )
    band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", scale=alt.Scale(zero=False)), y2="high:Q")
    line = base.mark_line(point=alt.OverlayMarkDef(size=14)).encode(
        y=alt.Y("val_accuracy:Q", title="validation accuracy", scale=alt.Scale(zero=False)),
        tooltip=["setting", "epoch", alt.Tooltip("val_accuracy", format=".4f"), "low", "high"],
    )
    return _specification(band + line, height=300)


def propagation_chart(curves: pd.DataFrame, quantity: str, title: str) -> dict[str, Any]:
    """Return small multiples by activation: a line for what the theory predicts, points for what was measured."""
    table = curves[curves["quantity"] == quantity]
    base = alt.Chart().encode(
        x=alt.X("layer:Q", title="layer"),
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
        "activation",
        "initializer",
        "layer",
        *(alt.Tooltip(name, format=".3g") for name in ("predicted", "measured")),
    ]
    line = base.mark_line(clip=True).encode(y=alt.Y("predicted:Q", title=None, scale=scale, axis=axis), tooltip=words)
    point = base.mark_point(clip=True, filled=True, size=16, opacity=1).encode(y="measured:Q", tooltip=words)
    spread = base.mark_rule(clip=True, opacity=0.5).encode(y="low:Q", y2="high:Q")
    facets = alt.layer(line, spread, point, data=table).properties(width=210, height=120)
    chart = facets.facet(
        facet=alt.Facet("activation:N", title=None, sort=list(ACTIVATIONS), header=alt.Header(labelFontWeight="bold")),
        columns=4,
        title=alt.Title(title, anchor="start", fontSize=12),
    )
    specification: dict[str, Any] = chart.properties(background="transparent").to_dict()
    return specification


def labels_chart(summary: pd.DataFrame) -> dict[str, Any]:
    """Return task B's test accuracy by number of labels: from scratch, and by the reuse that is best on validation."""
    table = summary[summary["chosen"]]
    base = alt.Chart(table).encode(
        x=alt.X("labels:O", title="labels of task B", axis=alt.Axis(labelAngle=0)),
        color=alt.Color("method:N", title=None, sort=["scratch", "reuse"], legend=alt.Legend(orient="top")),
        xOffset=alt.XOffset("method:N"),
    )
    words = ["method", "labels", "reused", "unfrozen", alt.Tooltip("test_accuracy_mean", format=".4f")]
    y = alt.Y("test_accuracy_mean:Q", title="test accuracy", scale=alt.Scale(zero=False))
    line = base.mark_line(point=True).encode(y=y, tooltip=words)
    bars = base.mark_rule().encode(y="test_accuracy_low:Q", y2="test_accuracy_high:Q")
    return _specification(bars + line, height=260)


def reuse_chart(summary: pd.DataFrame) -> dict[str, Any]:
    """Return the gain over scratch by number of reused layers: left all of them frozen, right all unfrozen later."""
    reuse = summary[summary["reused"] > 0]
    table = pd.concat(
        [
            reuse[reuse["unfrozen"] == 0].assign(later="frozen all the time"),
            reuse[reuse["unfrozen"] == reuse["reused"]].assign(later="all unfrozen after a while"),
        ]
    )
    base = alt.Chart(table).encode(
        x=alt.X("reused:O", title="hidden layers reused, from the lowest", axis=alt.Axis(labelAngle=0)),
        color=alt.Color("labels:O", title="labels", scale=alt.Scale(scheme="viridis"), legend=alt.Legend(orient="top")),
        xOffset=alt.XOffset("labels:O"),
    )
    points = base.mark_point(filled=True, size=40, opacity=1).encode(
        y=alt.Y("gain_mean:Q", title="gain in test accuracy over scratch"),
        tooltip=["labels", "reused", "unfrozen", alt.Tooltip("gain_mean", format="+.4f"), "gain_low", "gain_high"],
    )
    bars = base.mark_rule().encode(y="gain_low:Q", y2="gain_high:Q")
    zero = alt.Chart().mark_rule(strokeDash=[4, 4], opacity=0.6).encode(y=alt.datum(0))
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
            x=alt.X("share:Q", title="share of networks that diverged", axis=alt.Axis(format="%")),
            y=alt.Y("clipping:N", title="clipping", sort=["none", "value", "norm", "global_norm"]),
            yOffset=alt.YOffset("learning_rate:O"),
            color=alt.Color("learning_rate:O", title="learning rate", scale=alt.Scale(scheme="viridis")),
            tooltip=["clipping", "learning_rate", "diverged", "networks"],
        )
    )
    return _specification(chart, height=40 * table["clipping"].nunique() + 40)


def _specification(chart: Any, height: int) -> dict[str, Any]:
    properties = chart.properties(width="container", height=height, background="transparent")
    specification: dict[str, Any] = properties.to_dict()
    return specification
