"""Maps in params.yaml: what is refused, and what a map trains."""

from copy import deepcopy

import pytest
from ruamel.yaml import YAML

from pipeline.config.load import parse_params
from pipeline.errors import ParamsError
from tests.conftest import ROOT

RAW = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
DEPTHS = {"setting": "depth", "from": 2, "to": 6, "points": 5, "scale": "linear"}


def with_map(**changed: object) -> dict:
    raw = deepcopy(RAW)
    raw["maps"]["tanh"] |= changed
    raw["maps"]["tanh"] = {name: value for name, value in raw["maps"]["tanh"].items() if value is not None}
    return raw


@pytest.mark.parametrize(("changed", "message"), [
    ({"x": {"setting": "weight", "from": 1, "to": 2, "points": 4, "scale": "linear"}},
     "maps.tanh.x.setting: 'weight' is not a setting; did you mean 'weight_variance'?"),
    ({"x": {"setting": "gain", "from": 2, "to": 1, "points": 4, "scale": "linear"}},
     "maps.tanh.x: from: found 2; allowed: less than to, 1"),
    ({"x": {"setting": "gain", "from": 0, "to": 1, "points": 4, "scale": "log"}},
     "maps.tanh.x: from: found 0; allowed: above 0, but for bias_variance on a linear scale"),
    ({"x": {"setting": "weight_variance", "from": 1, "to": 2, "points": 513, "scale": "linear"}},
     "maps.tanh.x.points: found 513; it should be less than or equal to 512"),
    ({"x": DEPTHS | {"points": 6}, "weight_variance": 1.0},
     "maps.tanh.x: points: found 6; allowed: as many as there are depths, or fewer"),
    ({"y": RAW["maps"]["tanh"]["x"]},
     "maps.tanh: x and y are weight_variance and weight_variance; allowed: two settings, of which none says the other"),
    ({"y": {"setting": "gain", "from": 1, "to": 2, "points": 4, "scale": "log"}},
     "maps.tanh: x and y are weight_variance and gain; allowed: two settings, of which none says the other"),
    ({"bias_variance": 0.1}, "maps.tanh: bias_variance: found 0.1; allowed: nothing, where an axis says it"),
    ({"learning_rate": None}, "maps.tanh: learning_rate: missing; allowed: a number, or an axis of that setting"),
    ({"hidden": ["10x64", "10x32"]},
     "maps.tanh: hidden: found 10x64-10x32; allowed: layers of one width, such as 50x64"),
])  # fmt: skip
def test_a_wrong_map_is_refused_in_one_line_that_names_it(changed: dict, message: str) -> None:
    with pytest.raises(ParamsError) as refused:
        parse_params(with_map(**changed))
    assert str(refused.value) == message


def test_only_maps_that_are_there_are_drawn() -> None:
    with pytest.raises(ParamsError, match=r"^draw\[0\]: 'tahn' is not a map; did you mean 'tanh'\?"):
        parse_params(RAW | {"draw": ["tahn"]})


def test_the_maps_that_are_kept_have_at_least_64_points_a_side() -> None:
    for name, one in parse_params(RAW).maps.items():
        assert len(one.study().networks()) == one.x.points * one.y.points >= 64**2, name


def test_a_network_for_every_point() -> None:
    made = parse_params(with_map(x=DEPTHS, weight_variance=1.5)).map("tanh")
    study = made.study()
    networks = study.networks()
    assert len(networks) == 5 * 64
    assert {network.cell.hidden for network in networks} == {f"{depth}x64" for depth in range(2, 7)}
    spelled = {(network.cell.hidden, network.cell.initializer) for network in networks}
    assert spelled == {(own["hidden"], own["initializer"]) for own in map(made.spelled, made.places)}


def test_base_seed_moves_a_maps_seed() -> None:
    assert parse_params(RAW | {"base_seed": 7}).map("tanh").seed == RAW["maps"]["tanh"]["seed"] + 7
