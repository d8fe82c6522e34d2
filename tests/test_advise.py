import json
import math
import os
import subprocess
import sys

import pytest

from pipeline.advise import advise, main
from pipeline.axes.activations import ACTIVATIONS
from pipeline.axes.initializers import INITIALIZERS
from pipeline.axes.normalization import NORMALIZATIONS
from pipeline.theory.functions import as_function
from tests.building import function
from tests.conftest import ROOT

EDGELESS = {"softplus"}
COMPARED = [entry for entry in INITIALIZERS if entry.theory and not entry.free]


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("name", ACTIVATIONS.names)
@pytest.mark.parametrize("normalization", NORMALIZATIONS.names)
def test_every_activation_gets_an_answer(name: str, normalization: str) -> None:
    advice = advise(function(name), 50, 100, NORMALIZATIONS.parse(normalization))
    compared = [entry.name for entry in COMPARED if name not in EDGELESS or not entry.fitted]
    assert [outlook.initializer for outlook in advice.initializers] == compared
    assert advice.recommended.harm <= min(outlook.harm for outlook in advice.initializers) + 1
    assert advice.why


@pytest.mark.parametrize(
    ("name", "depth", "expected"),
    [
        ("relu", 50, "he_normal"),
        ("selu", 10, "lecun_normal"),
        ("gelu", 50, "critical"),
        ("swish", 50, "critical"),
        ("selu", 100, "critical"),
        ("relu", 100, "he_normal"),
    ],
)
def test_the_textbooks_initializer_is_recommended_where_it_serves(name: str, depth: int, expected: str) -> None:
    assert advise(function(name), depth, 100).recommended.initializer == expected


def test_batch_norm_makes_initializers_alike() -> None:
    advice = advise(function("relu"), 50, 100, NORMALIZATIONS.parse("before(eps=1e-300)"))
    assert advice.recommended.initializer == "he_normal"
    # The lowest layer takes centred inputs: half of what φ lets through comes back, over their whole variance.
    expected = 0.5 * (math.pi / (math.pi - 1)) ** 48
    for outlook in advice.initializers:
        if outlook.initializer != "critical":
            assert outlook.gradient_factor == pytest.approx(expected, rel=1e-3)


def test_a_program_can_read_it(capsys) -> None:
    assert main(["--activation", "gelu", "--depth", "50", "--width", "100", "--json"]) == 0
    advice = json.loads(capsys.readouterr().out)
    assert advice["recommended"]["initializer"] == "critical"
    assert advice["edge"]["bias_variance"] == pytest.approx(advice["recommended"]["bias_sd"] ** 2)
    assert len(advice["initializers"]) == len(COMPARED)


def test_a_person_can_read_it(capsys) -> None:
    assert main(["--activation", "relu", "--depth", "20", "--width", "100"]) == 0
    out = capsys.readouterr().out
    assert "recommended: he_normal, gain 1.414" in out
    assert all(f"\n{entry.name} " in out for entry in COMPARED)


def test_a_function_of_the_users_gets_an_answer(capsys, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_activations.py").write_text("def hard(x):\n    return x.clip(-1, 1)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["--activation", "my_activations:hard", "--depth", "30", "--width", "100", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["recommended"]["initializer"] == "critical"


def test_a_function_without_an_edge_gets_the_others(capsys) -> None:
    assert main(["--activation", "torch.nn.functional:softplus", "--depth", "20", "--width", "100"]) == 0
    out = capsys.readouterr().out
    assert "There is no critical" in out
    assert "\ncritical" not in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--activation", "gelo"], "did you mean 'gelu'"),
        (["--activation", "numpy:sign"], "jumps near"),
        (["--activation", "numpy:zeros_like"], "is constant"),
        (["--activation", "elu(alpha=0)"], "greater than 0"),
        (["--activation", "relu", "--normalization", "befor"], "did you mean 'before'"),
        (["--activation", "relu", "--batch-norm", "befor"], "did you mean 'before'"),
    ],
)
def test_a_wrong_level_is_a_line(words: list[str], message: str, capsys) -> None:
    assert main([*words, "--depth", "20", "--width", "100"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("words", [["--depth", "1"], ["--depth", "x"], ["--width", "0"]])
def test_wrong_words_are_refused(words: list[str], capsys) -> None:
    usual = {"--activation": "relu", "--depth": "20", "--width": "100"} | {words[0]: words[1]}
    with pytest.raises(SystemExit) as ended:
        main([word for pair in usual.items() for word in pair])
    assert ended.value.code == 2
    assert "allowed" in capsys.readouterr().err


def test_it_answers_without_torch() -> None:
    """Importing torch takes longer than the answer may."""
    code = "import sys; from pipeline.advise import main; main(sys.argv[1:]); assert 'torch' not in sys.modules"
    words = ["--activation", "gelu", "--depth", "50", "--width", "100"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize(("option", "depth"), [("--normalization", 2000), ("--batch-norm", 10000)])
def test_batch_norm_over_thousands_of_layers_has_a_factor_for_each(option: str, depth: int, capsys) -> None:
    words = ["--activation", "relu", "--depth", str(depth), "--width", "100", option, "before"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "by a factor of 1.47 a layer" in out  # π / (π - 1), but for eps
    assert "inf" not in out
    assert main([*words, "--json"]) == 0
    advice = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert advice["normalization"] == "before"
    expected = math.log(math.pi / (math.pi - 1)) * (depth - 1)
    assert advice["recommended"]["log_gradient_factor"] == pytest.approx(expected, rel=0.01)


def test_numbers_that_no_float_reaches_are_written_out(capsys) -> None:
    words = ["--activation", "relu", "--depth", "1000", "--width", "100"]
    assert main([*words, "--json"]) == 0
    by_name = {o["initializer"]: o for o in json.loads(capsys.readouterr().out)["initializers"]}
    assert by_name["lecun_normal"]["log_signal_factor"] == pytest.approx(999 * math.log(0.5), rel=1e-6)
    assert by_name["standard_normal"]["log_signal_factor"] == pytest.approx(999 * math.log(50), rel=1e-6)
    assert by_name["standard_normal"]["signal_factor"] is None
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "e+1697" in out  # 50^999
    assert "e-301" in out  # 0.5^999


def test_a_function_of_32_bits_is_advised_on_in_seconds(tmp_path) -> None:
    (tmp_path / "mine.py").write_text("import torch\ndef f(x):\n    x = x.float()\n    return x * torch.sigmoid(x)\n")
    words = ["--activation", "mine:f", "--depth", "50", "--width", "100"]
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_DATA, (2**31, 2**31))\n"
        "from pipeline.advise import main; sys.exit(main(sys.argv[1:]))"
    )
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "recommended: critical" in done.stdout


def test_a_signal_that_dies_in_a_dead_zone_is_nothing_rather_than_a_small_number(capsys) -> None:
    words = ["--activation", "torch.nn.functional:softshrink", "--depth", "50", "--width", "100"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "inf" not in out
    assert "nan" not in out
    (lecun,) = [line for line in out.splitlines() if line.startswith("lecun_normal")]
    assert lecun.split()[3] == "0"
    assert main([*words, "--json"]) == 0
    json.loads(capsys.readouterr().out, parse_constant=pytest.fail)


@pytest.mark.parametrize("power", [2, 3, 24])
def test_a_power_explodes_doubly_and_is_no_number(power: int) -> None:
    powers = as_function("power", lambda x: x**power)
    (he,) = [o for o in advise(powers, 50, 100).initializers if o.initializer == "he_normal"]
    assert he.log_signal_factor == math.inf
    (shallow,) = [o for o in advise(powers, 2, 100).initializers if o.initializer == "lecun_normal"]
    # E[z^2p] = (2p - 1)!! for q = 1
    assert shallow.log_signal_factor == pytest.approx(math.log(math.prod(range(1, 2 * power, 2))), rel=1e-6)
