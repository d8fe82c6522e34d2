import subprocess
import sys
from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.axes.activations import ACTIVATIONS
from pipeline.axes.initializers import INITIALIZERS
from pipeline.axes.normalization import NORMALIZATIONS
from pipeline.config import load_params, parse_params
from pipeline.errors import ParamsError
from pipeline.grid import Network
from tests.conftest import ROOT

RAW = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
GRID = "studies.digits.grid.0"
TRANSFER = "transfer.digits.one_and_eight"
REMOVE = "(removed)"

LARGEST = "up to 10,000 layers, 1,000,000 units in each and 10,000,000,000 weights between them"

WRONG = [
    (f"{GRID}.initializer", ["he_norml"],
     "studies.digits.grid[0].initializer[0]: 'he_norml' is not an initializer; did you mean 'he_normal'?"),
    (f"{GRID}.activation", ["relu", "reluu"],
     "studies.digits.grid[0].activation[1]: 'reluu' is not an activation; did you mean 'relu'?"),
    (f"{GRID}.clipping", [], "studies.digits.grid[0].clipping: is empty; allowed: at least one value"),
    (f"{GRID}.learning_rate", [-0.1],
     "studies.digits.grid[0].learning_rate[0]: -0.1 is not a learning rate; allowed: numbers above 0, or tuned"),
    (f"{GRID}.learning_rate", ["tunde"],
     "studies.digits.grid[0].learning_rate[0]: 'tunde' is not a learning rate; allowed: numbers above 0, or tuned"),
    (f"{GRID}.learning_rate", "best",
     "studies.digits.grid[0].learning_rate: found 'best'; it should be a valid array"),
    ("tuning.rates", [0.1, 0.2],
     "tuning.rates[1]: 0.2 is not one of the rates that are tried; allowed: 1e-06, 3e-06, 1e-05, 3e-05, 0.0001, "
     "0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300"),
    ("studies.dying.health.epochs", [0, 17],
     "studies.dying: health.epochs[1]: found 17; allowed: up to 16, the study's epochs, and last"),
    ("studies.dying.health.epochs", ["end"],
     "studies.dying.health.epochs[0]: 'end' is not an epoch; allowed: 0 (before the first step), 1, 2, …, last"),
    (f"{TRANSFER}.reuse_from", "middle", f"{TRANSFER}.reuse_from: 'middle' is not a reuse from; allowed: bottom, top"),
    ("base_seed", 2**30, f"base_seed: found {2**30}; it should be less than {2**30}"),
    ("studies.digits.data.split.seeds_per_split", 0,
     "studies.digits.data.split.seeds_per_split: found 0; it should be greater than or equal to 1"),
    ("studies.parity.data.bits", 9, "studies.parity.data: bits: found 9; allowed: at most 8, the features"),
    ("studies.spirals.data.turn", 2.0, "studies.spirals.data.turn: unknown key; did you mean 'turns'?"),
    ("studies.teacher.data.depth", 0,
     "studies.teacher.data.depth: found 0; it should be greater than or equal to 1"),
    (f"{GRID}.seed", [1, 1], "studies.digits.grid[0].seed: names 1 more than once"),
    (f"{GRID}.normalization", [False],
     "studies.digits.grid[0].normalization[0]: False is not a normalization; allowed: "
     f"{', '.join(NORMALIZATIONS.names)}"),
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
    ("studies.digits.training.epochs", REMOVE, "studies.digits.training.epochs: missing"),
    ("studies.digits.training.momentum", 0.9,
     "studies.digits.training.momentum: unknown key; allowed: batch_size, epochs, precision"),
    (f"{GRID}.optimizer", ["momentun"],
     "studies.digits.grid[0].optimizer[0]: 'momentun' is not an optimizer; did you mean 'momentum'?"),
    (f"{GRID}.optimizer", ["sgd(momentum=0.9)"],
     "studies.digits.grid[0].optimizer[0]: 'sgd(momentum=0.9)' has no setting 'momentum'; sgd has none"),
    (f"{GRID}.optimizer", ["momentum(1)"],
     "studies.digits.grid[0].optimizer[0]: 'momentum(1)' has momentum = 1; it should be less than 1"),
    (f"{TRANSFER}.optimizer", "nestorov",
     f"{TRANSFER}.optimizer: 'nestorov' is not an optimizer; did you mean 'nesterov'?"),
    ("studies.digits.hidden", ["20y50"],
     "studies.digits.hidden: found '20y50'; allowed: a width such as 100, or layers × width such as 20x50"),
    (f"{GRID}.hidden", ["64-64", "20y50"],
     "studies.digits.grid[0].hidden[1]: found '20y50'; allowed: a width such as 100, or layers × width such as 20x50"),
    (f"{GRID}.hidden", ["64-64", "2x64"], "studies.digits.grid[0].hidden: names '2x64' more than once"),
    (f"{GRID}.batch_size", [1],
     "studies.digits.grid[0].batch_size[0]: found 1; it should be greater than or equal to 2"),
    ("studies.digits.data.source", "digitz",
     "studies.digits.data.source: 'digitz' is not a source; did you mean 'digits'?"),
    ("studies.digits.data.split.test", 0.8,
     "studies.digits.data.split: validation + test = 1.0 leaves nothing to train on; allowed: below 1"),
    ("studies.digits.data.scaling", "standardise",
     "studies.digits.data.scaling: 'standardise' is not a scaling; did you mean 'standardize'?"),
    (f"{GRID}.activation", ["leaky_relu(slop=0.2)"],
     "studies.digits.grid[0].activation[0]: 'leaky_relu(slop=0.2)' has no setting 'slop'; did you mean 'slope'?"),
    (f"{GRID}.activation", ["leaky_relu(slope=1.5)"],
     "studies.digits.grid[0].activation[0]: 'leaky_relu(slope=1.5)' has slope = 1.5; it should be less than 1"),
    (f"{GRID}.activation", ["leaky_relu(slope=steep)"],
     "studies.digits.grid[0].activation[0]: 'leaky_relu(slope=steep)' has slope = 'steep'; it should be a valid "
     "number"),
    (f"{GRID}.activation", ["rrelu(lower=0.5)"],
     "studies.digits.grid[0].activation[0]: 'rrelu(lower=0.5)' has lower = 0.5 above upper = 0.3333333333333333"),
    (f"{GRID}.activation", ["rrelu(lower=0.1"],
     "studies.digits.grid[0].activation[0]: 'rrelu(lower=0.1' has no closing bracket; in a YAML list, a level with a "
     "comma needs quotes"),
    (f"{GRID}.activation", ["relu(0.1)"],
     "studies.digits.grid[0].activation[0]: 'relu(0.1)' has more settings than relu has, which is none"),
    (f"{GRID}.activation", ["leaky_relu(0.1, 0.2)"],
     "studies.digits.grid[0].activation[0]: 'leaky_relu(0.1, 0.2)' has more settings than leaky_relu has: slope"),
    (f"{GRID}.activation", ["rrelu(0.1, lower=0.2)"],
     "studies.digits.grid[0].activation[0]: 'rrelu(0.1, lower=0.2)' sets 'lower' more than once"),
    (f"{GRID}.activation", ["leaky_relu", "leaky_relu(slope=0.3)"],
     "studies.digits.grid[0].activation: names 'leaky_relu' more than once"),
    (f"{GRID}.clipping", ["norm(0)"],
     "studies.digits.grid[0].clipping[0]: 'norm(0)' has threshold = 0; it should be greater than 0"),
    (f"{GRID}.normalization", ["before(eps=0)"],
     "studies.digits.grid[0].normalization[0]: 'before(eps=0)' has eps = 0; it should be greater than 0"),
    (f"{GRID}.regularization", ["dropout(rate=1)"],
     "studies.digits.grid[0].regularization[0]: 'dropout(rate=1)' has rate = 1; it should be less than 1"),
    (f"{GRID}.architecture", ["residual(preactivation=no)"],
     "studies.digits.grid[0].architecture[0]: 'residual(preactivation=no)' has preactivation = 'no'; it should be a "
     "valid boolean"),
    (f"{GRID}.train_fraction", [0], "studies.digits.grid[0].train_fraction[0]: found 0; it should be greater than 0"),
    (f"{GRID}.label_noise", [1.5],
     "studies.digits.grid[0].label_noise[0]: found 1.5; it should be less than or equal to 1"),
    (f"{TRANSFER}.activation", "elu(alpha=-1)",
     f"{TRANSFER}.activation: 'elu(alpha=-1)' has alpha = -1; it should be greater than 0"),
    ("activations", {"leaky_relu": {"slope": 0.2}},
     "activations: unknown key; allowed: base_seed, compute, draw, evaluation, health, maps, propagation, run, "
     "studies, transfer, tuning"),
    ("compute.stack_size", 0, "compute.stack_size: 0 is not a number of networks; allowed: 1 to 1,000,000, or auto"),
    ("health.epochs", [0, "lst"],
     "health.epochs[1]: 'lst' is not an epoch; allowed: 0 (before the first step), 1, 2, …, last"),
    ("health.epochs", [0, 1.5], "health.epochs[1]: found 1.5; it should be a valid integer"),
    ("health.verdicts.ded", 0.5, "health.verdicts.ded: unknown key; did you mean 'dead'?"),
    ("propagation.depth", 1, "propagation.depth: found 1; it should be greater than or equal to 2"),
    (f"{GRID}.activation", ["Relu"],
     "studies.digits.grid[0].activation[0]: 'Relu' is not an activation; did you mean 'relu'?"),
    (f"{GRID}.activation", ["LeakyReLU"],
     "studies.digits.grid[0].activation[0]: 'LeakyReLU' is not an activation; did you mean 'leaky_relu'?"),
    (f"{GRID}.initializer", ["He-Normal"],
     "studies.digits.grid[0].initializer[0]: 'He-Normal' is not an initializer; did you mean 'he_normal'?"),
    ("health.epochs", [0, 99],
     "health.epochs[1]: found 99; allowed: up to 16, the epochs of the longest study in run, and last"),
    ("studies.digits.hidden", [1000000000000],
     f"studies.digits.hidden: found 1000000000000; allowed: {LARGEST}"),
    ("studies.digits.hidden", ["1000000000000x5"],
     f"studies.digits.hidden: found '1000000000000x5'; allowed: {LARGEST}"),
    ("studies.digits.hidden", [400000, 400000],
     f"studies.digits.hidden: found 400000; allowed: {LARGEST}"),
    ("studies.digits.hidden", ["9" * 5000 + "x5"],
     f"studies.digits.hidden: found '{'9' * 5000}x5'; allowed: a width such as 100, or layers × width such as 20x50"),
    (f"{TRANSFER}.hidden", ["99999x9"], f"{TRANSFER}.hidden: found '99999x9'; allowed: {LARGEST}"),
    (f"{GRID}.seed", list(range(12000)),
     "studies.digits.grid[0]: asks for 1,152,000 networks; allowed: up to 1,000,000 in a block"),
    ("compute.workers", 10**9,
     "compute.workers: 1000000000 is not a number of processes; allowed: 1 to 1,024, or auto"),
    ("propagation.depth", 10**9, "propagation.depth: found 1000000000; it should be less than or equal to 10000"),
    ("propagation", {"depth": 10000, "width": 10000, "seeds": 3, "samples": 32},
     "propagation: depth 10000 and width 10000 make 1,000,000,000,000 weights a network; allowed: up to 1,000,000,000"),
    (f"{TRANSFER}.task_b", ["1", "eight"],
     f"{TRANSFER}.task_b[1]: 'eight' is not a class; allowed: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
    ("transfer.fashion_notebook.sandal_and_shirt.task_a", ["Coat", "sneaker"],
     "transfer.fashion_notebook.sandal_and_shirt.task_a[1]: 'sneaker' is not a class; did you mean 'Sneaker'?"),
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


def test_a_recurrent_network_on_a_table_is_refused() -> None:
    table = {"source": "table", "path": "data/tables/x.csv", "target": "y", "scaling": "unit"}
    table["split"] = {"kind": "stratified", "validation": 0.2, "test": 0.2, "seed": 0}
    with pytest.raises(ParamsError) as refused:
        parse_params(changed("studies.recurrent.data", table))
    assert str(refused.value).startswith("studies.recurrent: grid[0].architecture: 'recurrent'")
    assert "\n" not in str(refused.value)


def test_a_key_of_another_source_is_unknown() -> None:
    with pytest.raises(ParamsError, match=r"recurrent\.data\.task: unknown key; allowed: scaling, source, split\n"):
        parse_params(changed("studies.recurrent.data.source", "digits"))


@pytest.mark.parametrize(
    "name", ["wine.v2", "my study", "a;b", "", "-x", "a/b", "../x", "ünï", "a\nb", "x" * 65, "$(x)"]
)
def test_a_name_that_is_no_folder_key_and_word_is_refused(name: str) -> None:
    raw = deepcopy(RAW)
    raw["studies"][name] = raw["studies"]["mini"]
    with pytest.raises(ParamsError, match="is not a name; allowed: up to 64 letters, digits, _ and -"):
        parse_params(raw)
    raw = deepcopy(RAW)
    raw["transfer"]["mini"][name] = raw["transfer"]["mini"]["three_and_five"]
    with pytest.raises(ParamsError, match=r"transfer\.mini: .* is not a name"):
        parse_params(raw)


def test_names_that_differ_by_case_alone_are_refused() -> None:
    raw = deepcopy(RAW)
    raw["studies"]["Mini"] = raw["studies"]["mini"]
    with pytest.raises(ParamsError, match=r"studies\.Mini: differs by case alone from mini"):
        parse_params(raw)


@pytest.mark.parametrize("name", ["wine-v2", "2024", "A_b", "x" * 64])
def test_other_names_are_taken(name: str) -> None:
    raw = deepcopy(RAW)
    raw["studies"][name] = raw["studies"]["mini"]
    assert name in parse_params(raw).studies


def test_a_csv_whose_separator_is_its_decimal_mark_is_refused() -> None:
    data = {"source": "table", "path": "data/tables/x.csv", "target": "y", "scaling": "unit", "decimal": ","}
    data["split"] = {"kind": "stratified", "validation": 0.2, "test": 0.2, "seed": 0}
    with pytest.raises(ParamsError, match="separator and decimal are both ','"):
        parse_params(changed("studies.digits.data", data))
    parse_params(changed("studies.digits.data", data | {"separator": ";"}))


BOMB = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 8)}]\n" for old, new in pairwise("abcdefghij")
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("run: [caf\xe9]\n".encode("latin-1"), r"params\.yaml, line 1: not UTF-8; save the file as UTF-8"),
        (b"run: [digits]\nx: \xff\xfe", r"params\.yaml, line 2: not UTF-8"),
        ("run: [digits]".encode("utf-16"), "not UTF-8"),
        (b"\x00\x01", "not valid YAML"),
        (b"x: 2024-99-99", "not valid YAML"),
        (b"[" * 5000, "not valid YAML"),
        (b"&a [*a]", "expected keys and values"),
        (b"a: &a {b: *a}", "more than 100,000 values"),
        (BOMB.encode(), "more than 100,000 values"),
        (b"? [a, b]\n: c", "is not a key"),
        (b'run: ["\\ud800"]', "params.yaml"),
        (b"", "expected keys and values"),
    ],
)
def test_a_file_that_is_no_parameters_is_refused_in_lines(content: bytes, message: str, tmp_path) -> None:
    file = tmp_path / "params.yaml"
    file.write_bytes(content)
    with pytest.raises(ParamsError, match=message):
        load_params(file)


@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "cp1252"}, {"PYTHONIOENCODING": "ascii"},
                                       {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])  # fmt: skip
def test_a_terminal_without_our_signs_gets_others(variables: dict[str, str], tmp_path) -> None:
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump(changed("studies.digits.hidden", ["20y50"]), file)
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)} | variables
    done = subprocess.run([sys.executable, "-m", "pipeline.config"], cwd=tmp_path, env=environment, capture_output=True)
    assert done.returncode == 1
    sign = b"\xd7" if variables.get("PYTHONIOENCODING") == "cp1252" else b"x"
    assert b"layers " + sign + b" width such as 20x50" in done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.advise", "--activation", "relu", "--depth", "5", "--width", "9"],
        cwd=ROOT, env=environment, capture_output=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"<-" in done.stdout


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
    done = subprocess.run([sys.executable, "-m", "pipeline.config"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "studies.digits.training.epochs: found 0; it should be greater than or equal to 1\n"


ELSEWHERE = {"gaussian", "orthogonal", "identity", "softplus", "hard_sigmoid"}
"""Initializers and activations that are no part of the default run."""


def test_the_default_run_covers_every_initializer_activation_placement_and_clipping_mode(params) -> None:
    networks = [network for name in params.run for network in params.study(name).networks()]
    assert len(networks) >= 2000
    covered = {(n.cell.initializer, n.cell.activation, n.cell.normalization) for n in params.study("digits").networks()}
    initializers, activations = {*INITIALIZERS.names} - ELSEWHERE, {*ACTIVATIONS.names} - ELSEWHERE
    every = ("standard_normal", "glorot_uniform", "lecun_normal", "he_normal")
    assert covered >= {(i, a, b) for i in every for a in activations for b in ("none", "before")}
    assert covered >= {("he_normal", a, "after") for a in activations} | {("critical", a, "none") for a in activations}
    assert {n.cell.initializer for n in networks} >= initializers
    assert {n.cell.clipping for n in networks} == {"none", "value", "norm", "global_norm"}


def test_blocks_that_overlap_name_a_network_once(params) -> None:
    networks = params.study("mini").networks()
    assert len(networks) == len(set(networks))
    assert networks == sorted(networks)
    assert all(isinstance(network, Network) for network in networks)


def test_hidden_layers_may_be_written_as_layers_times_width(params) -> None:
    assert params.study("fashion_deep").hidden_widths == (300, *[100] * 99)


def test_a_variant_is_an_experiment_that_differs_in_one_thing() -> None:
    found = parse_params(RAW).seeded().transfer["digits_transfer"]
    base = found["one_and_eight"]
    assert {name for name in found if name.startswith("one_and_eight")} == {
        "one_and_eight", "one_and_eight_reuse_from", "one_and_eight_task_a_inputs",
        "one_and_eight_unfrozen_learning_rate",
    }  # fmt: skip
    other = found["one_and_eight_reuse_from"]
    assert other.reuse_from == "top" != base.reuse_from
    assert other.model_copy(update={"reuse_from": base.reuse_from}) == base


def test_no_experiment_may_be_called_as_a_variant_is() -> None:
    raw = deepcopy(RAW)
    experiments = raw["transfer"]["digits_transfer"]
    experiments["one_and_eight_reuse_from"] = experiments["three_and_five"]
    with pytest.raises(ParamsError, match="a variant of one_and_eight has this name"):
        parse_params(raw)


def test_more_seeds_are_those_there_are_and_the_next() -> None:
    params = parse_params(RAW)
    more = params.with_seeds(12, {"mini"})
    assert [block.seed for block in more.studies["mini"].grid] == [tuple(range(12))] * 3
    assert more.transfer["mini"]["three_and_five"].seed == tuple(range(12))
    assert more.studies["digits"] == params.studies["digits"]
    assert params.with_seeds(2, {"mini"}).studies["mini"] == params.studies["mini"].with_seeds(2)
    assert params.studies["mini"].with_seeds(2).grid[0].seed == (0, 1, 2)
