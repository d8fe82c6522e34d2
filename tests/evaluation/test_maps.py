"""A map's measured borders, on maps in which they are known."""

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation.maps import load_map, save_map
from tests.maps import drawn, small_map


def test_borders_are_found_where_they_were_put() -> None:
    found = drawn(small_map(), lambda place: 1.62 < place["weight_variance"] < 2.48, noise=0.02)
    lines = found.lines.groupby("line")["x"].median()
    assert lines["edge"] == pytest.approx(2, rel=1e-4)
    assert lines["lowest"] == pytest.approx(1.625, abs=0.001)
    assert lines["highest"] == pytest.approx(2.475, abs=0.001)
    # theory's: ln χ = ±6/20, that is 2·exp(±0.3)
    assert lines["ordered"] == pytest.approx(2 * np.exp(-0.3), rel=1e-4)
    assert lines["chaotic"] == pytest.approx(2 * np.exp(0.3), rel=1e-4)
    metrics = found.metrics
    assert metrics["edge_inside"] == 1
    assert metrics["ordered_distance"] == pytest.approx(1.625 / (2 * np.exp(-0.3)) - 1, abs=0.002)
    assert metrics["chaotic_distance"] == pytest.approx(2 * np.exp(0.3) / 2.475 - 1, abs=0.002)
    assert (metrics["networks"], metrics["diverged"], metrics["learned"]) == (205, 0, 85)


def test_an_edge_in_the_wrong_place_is_a_large_number() -> None:
    off = drawn(small_map(), lambda place: 1.12 < place["weight_variance"] < 1.58).metrics
    assert off["edge_inside"] == 0
    assert off["edge_distance"] == pytest.approx(2 / np.sqrt(1.125 * 1.575) - 1, abs=0.002)


def test_a_few_stray_networks_move_no_border() -> None:
    found = drawn(small_map(), lambda place: 1.62 < place["weight_variance"] < 2.48 or place["weight_variance"] == 2.9)
    assert found.lines.groupby("line")["x"].median()["highest"] == pytest.approx(2.475, abs=0.001)


def test_the_end_of_an_axis_is_no_border() -> None:
    lines = drawn(small_map(), lambda place: place["weight_variance"] > 1.62).lines
    assert "highest" not in set(lines["line"])
    assert "chaotic_distance" not in drawn(small_map(), lambda place: place["weight_variance"] > 1.62).metrics


def test_where_nothing_learns_nothing_is_measured() -> None:
    found = drawn(small_map(), lambda _: False)
    assert set(found.lines["line"]) == {"edge", "ordered", "chaotic"}
    assert not {name for name in found.metrics if name.endswith(("distance", "inside"))}


def test_a_gain_counts_as_the_variance_that_it_makes_on_either_axis() -> None:
    gain = {"setting": "gain", "from": 1.0, "to": 1.8, "points": 41, "scale": "log"}
    rate = {"setting": "learning_rate", "from": 0.01, "to": 1.0, "points": 3, "scale": "log"}
    axes = {"bias_variance": 0.0, "learning_rate": None}
    found = [
        drawn(small_map(**axes, x=x, y=y), lambda place: 1.5 < place["weight_variance"] < 2.5)
        for x, y in ((gain, rate), (rate, gain))
    ]
    assert found[0].lines.query("line == 'edge'")["x"].iloc[0] == pytest.approx(np.sqrt(2), rel=1e-4)
    assert found[1].lines.query("line == 'edge'")["y"].iloc[0] == pytest.approx(np.sqrt(2), rel=1e-4)
    assert found[0].metrics == found[1].metrics
    assert found[0].metrics["edge_distance"] == pytest.approx(2 / np.sqrt(1.5 * 2.5) - 1, abs=0.02)


def test_the_band_narrows_with_the_depth_on_an_axis() -> None:
    depth = {"setting": "depth", "from": 10, "to": 40, "points": 3, "scale": "linear"}
    lines = drawn(small_map(hidden=("1x8",), bias_variance=0.0, y=depth), lambda _: True).lines
    chaotic = lines.query("line == 'chaotic'").set_index("y")["x"]
    assert chaotic.to_dict() == pytest.approx({d: 2 * np.exp(6 / d) for d in (10, 25, 40)}, rel=1e-4)


def test_a_normalized_network_has_no_such_edge() -> None:
    assert drawn(small_map(normalization="before"), lambda _: True).lines.empty


def test_a_map_is_read_as_it_was_written(tmp_path) -> None:
    one = drawn(small_map(), lambda place: place["weight_variance"] > 1.6)
    save_map(one, tmp_path)
    read = load_map(tmp_path)
    assert (read.made, read.metrics) == (one.made, one.metrics)
    pd.testing.assert_frame_equal(read.points, one.points)
    pd.testing.assert_frame_equal(read.lines, one.lines)
