"""Draw docs/variance-map.png: one layer's map of the variance for GELU. Usage: ``python docs/variance_map.py``."""

from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

from pipeline.axes.activations import ACTIVATIONS
from pipeline.theory.edge import edge_of_chaos
from pipeline.theory.functions import function_of
from pipeline.theory.gaussian import moments
from pipeline.theory.maps import LayerMap


def main() -> None:
    """Write the picture."""
    function = function_of(ACTIVATIONS.parse("gelu"))
    edge = edge_of_chaos(function)
    keeping = 1 / moments(function, 1.0).square
    maps = {
        "he: gain² 2": LayerMap(function, 2.0),
        f"keeps variance 1: gain² {keeping:.2f}": LayerMap(function, keeping),
        f"critical: gain² {edge.weight_variance:.2f}, bias variance {edge.bias_variance:.2f}": LayerMap(
            function, edge.weight_variance, edge.bias_variance
        ),
    }
    grid = np.geomspace(1e-3, 1e3, 200)
    lines = pd.DataFrame(
        [(name, q, m.variance(q) / q) for name, m in maps.items() for q in grid], columns=["map", "q", "growth"]
    )
    points = pd.DataFrame(
        [
            (name, point.value, 1.0, "stable" if point.stable else "unstable")
            for name, m in maps.items()
            for point in m.variance_fixed_points()
            if point.value > 0
        ],
        columns=["map", "q", "growth", "fixed point"],
    )
    x = alt.X("q:Q", scale=alt.Scale(type="log", domain=[1e-3, 1e3]), title="variance that comes in, q")
    y = alt.Y(
        "growth:Q",
        scale=alt.Scale(type="log", domain=[0.4, 2.5]),
        axis=alt.Axis(values=[0.5, 0.7, 1, 1.4, 2]),
        title="variance that goes out, as a multiple: V(q) / q",
    )
    colour = alt.Color("map:N", title=None, sort=list(maps), legend=alt.Legend(orient="top", columns=1, labelLimit=400))
    shape = alt.Shape("fixed point:N", scale=alt.Scale(domain=["stable", "unstable"], range=["circle", "cross"]))
    chart = alt.layer(
        alt.Chart(pd.DataFrame({"growth": [1.0]})).mark_rule(strokeDash=[4, 4]).encode(y=y),
        alt.Chart(lines).mark_line(clip=True).encode(x=x, y=y, color=colour),
        alt.Chart(points).mark_point(filled=True, size=110, opacity=1).encode(x=x, y=y, color=colour, shape=shape),
    ).properties(width=520, height=300)
    picture = Path(__file__).with_name("variance-map.png")
    picture.write_bytes(vl_convert.vegalite_to_png(chart.to_json(), scale=1.5))


if __name__ == "__main__":
    main()
