import subprocess
import sys
from copy import deepcopy
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.errors import ParamsError
from pipeline.params import ACTIVATIONS, INITIALIZERS, Network, load_params, parse_params
from tests.conftest import ROOT

RAW = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
GRID = "studies.digits.grid.0"
TRANSFER = "transfer.digits.one_and_eight"
REMOVE = "(removed)"

WRONG = [
    (f"{GRID}.initializer", ["he_norml"],
     "studies.digits.grid[0].initializer[0]: 'he_norml' is not an initializer; did you mean 'he_normal'?"),
    (f"{GRID}.activation", ["relu", "reluu"],
     "studies.digits.grid[0].activation[1]: 'reluu' is not an activation; did you mean 'relu'?"),
    (f"{GRID}.clipping", [], "studies.digits.grid[0].clipping: is empty; allowed: at least one value"),
    (f"{GRID}.learning_rate", [-0.1],
     "studies.digits.grid[0].learning_rate[0]: found -0.1; it should be greater than 0"),
    (f"{GRID}.seed", [1, 1], "studies.digits.grid[0].seed: names 1 more than once"),
    (f"{GRID}.batch_norm", [False],
     "studies.digits.grid[0].batch_norm[0]: False is not a batch norm; allowed: none, before, after"),
    ("studies.digits.trainning", {}, "studies.digits.trainning: unknown key; did you mean 'training'?"),
    ("studies.digits.training.epochs", 0,
     "studies.digits.training.epochs: found 0; it should be greater than or equal to 1"),
    ("studies.digits.training.epochs", "three",
     "studies.digits.training.epochs: found 'three'; it should be a valid integer"),
    (f"{TRANSFER}.task_b", ["1", "2"], f"{TRANSFER}: class '2' is in task_a and in task_b"),
    (f"{TRANSFER}.task_b", ["1"], f"{TRANSFER}: a task of the one class 1 is no task"),
    (f"{TRANSFER}.reused", [1, 5], f"{TRANSFER}: reused: found 5; allowed: 0 to the 4 hidden layers, or all"),
    (f"{TRANSFER}.unfrozen", ["some"],
     f"{TRANSFER}.unfrozen[0]: 'some' is not a number of layers; allowed: 0, 1, 2, …, all"),
    (f"{TRANSFER}.frozen_epochs", 21,
     f"{TRANSFER}: frozen_epochs: found 21; allowed: at most the 20 epochs of training"),
    (f"{TRANSFER}.activation", "seluu", f"{TRANSFER}.activation: 'seluu' is not an activation; did you mean 'selu'?"),
    ("transfer.digitz", {}, "transfer.digitz: is not a study; did you mean 'digits'?"),
    ("studies.digits.training.momentum", REMOVE, "studies.digits.training.momentum: missing"),
    ("studies.digits.training.nesterov", True, "studies.digits.training: nesterov: true needs momentum above 0"),
    ("studies.digits.hidden", ["20y50"],
     "studies.digits.hidden: found '20y50'; allowed: a width such as 100, or layers × width such as 20x50"),
    ("studies.digits.data.source", "digitz",
     "studies.digits.data.source: 'digitz' is not a source; did you mean 'digits'?"),
    ("studies.digits.data.split.test", 0.8,
     "studies.digits.data.split: validation + test = 1.0 leaves nothing to train on; allowed: below 1"),
    ("studies.digits.data.scaling", "standardise",
     "studies.digits.data.scaling: 'standardise' is not a scaling; did you mean 'standardize'?"),
    ("activations.leaky_relu.slope", 1.5, "activations.leaky_relu.slope: found 1.5; it should be less than 1"),
    ("activations.rrelu.lower", 0.5, "activations.rrelu: lower = 0.5 is above upper = 0.3333333333333333"),
    ("compute.stack_size", 0, "compute.stack_size: 0 is not a number; allowed: 1 or more, or auto"),
    ("health.epochs", [0, "lst"],
     "health.epochs[1]: 'lst' is not an epoch; allowed: 0 (before the first step), 1, 2, …, last"),
    ("health.epochs", [0, 1.5], "health.epochs[1]: found 1.5; it should be a valid integer"),
    ("health.verdicts.ded", 0.5, "health.verdicts.ded: unknown key; did you mean 'dead'?"),
    ("propagation.depth", 1, "propagation.depth: found 1; it should be greater than or equal to 2"),
    ("run", ["digit"], "run[0]: 'digit' is not a study; did you mean 'digits'?"),
    ("run", [], "run: is empty; allowed: at least one value"),
]  # fmt: skip


def changed(path: str, value: object) -> dict[str, Any]:
    raw = deepcopy(RAW)
    *parents, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
    section: Any = raw
    for part in parents:
        section = section[part]
    if value is REMOVE:
        del section[last]
    else:
        section[last] = value
    return raw


@pytest.mark.parametrize(("path", "value", "message"), WRONG, ids=[f"{path}={value}" for path, value, _ in WRONG])
def test_a_wrong_value_is_refused_in_one_line_that_names_it(path: str, value: object, message: str) -> None:
    with pytest.raises(ParamsError) as refused:
        parse_params(changed(path, value))
    assert str(refused.value) == message


def test_a_table_outside_the_watched_folder_is_refused() -> None:
    data = {"source": "table", "path": "/tmp/x.csv", "target": "y", "scaling": "unit"}  # noqa: S108
    data["split"] = {"kind": "stratified", "validation": 0.2, "test": 0.2, "seed": 0}
    with pytest.raises(ParamsError, match="not under data/tables/"):
        parse_params(changed("studies.digits.data", data))


def test_all_faults_are_listed_at_once() -> None:
    raw = changed("studies.digits.training.epochs", 0)
    raw["compute"]["accelerator"] = "gpus"
    with pytest.raises(ParamsError) as refused:
        parse_params(raw)
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize("text", ["studies: [", "- 1", "a: 1\na: 2"])
def test_a_file_that_is_no_mapping_is_refused(text: str, tmp_path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(text)
    with pytest.raises(ParamsError, match=r"params\.yaml"):
        load_params(file)


def test_the_command_says_what_is_wrong_and_fails(tmp_path) -> None:
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump(changed("studies.digits.training.epochs", 0), file)
    done = subprocess.run([sys.executable, "-m", "pipeline.params"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "studies.digits.training.epochs: found 0; it should be greater than or equal to 1\n"


def test_the_default_run_covers_every_initializer_activation_placement_and_clipping_mode(params) -> None:
    networks = [network for name in params.run for network in params.study(name).networks()]
    assert len(networks) >= 2500
    covered = {(n.cell.initializer, n.cell.activation, n.cell.batch_norm) for n in params.study("digits").networks()}
    assert covered >= {(i, a, b) for i in INITIALIZERS for a in ACTIVATIONS for b in ("none", "before", "after")}
    assert {n.cell.clipping for n in networks} == {"none", "value", "norm", "global_norm"}


def test_blocks_that_overlap_name_a_network_once(params) -> None:
    networks = params.study("mini").networks()
    assert len(networks) == len(set(networks))
    assert networks == sorted(networks)
    assert all(isinstance(network, Network) for network in networks)


def test_hidden_layers_may_be_written_as_layers_times_width(params) -> None:
    assert params.study("fashion_deep").hidden_widths == (300, *[100] * 99)
