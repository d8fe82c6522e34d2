import json
import math
import os
import subprocess
import sys

import pytest

from pipeline.advise import advise, main
from pipeline.params import ACTIVATIONS, INITIALIZERS
from pipeline.theory.functions import activation_function, as_function
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("batch_norm", ["none", "before", "after"])
def test_every_activation_gets_an_answer(name: str, batch_norm, params) -> None:
    advice = advise(activation_function(name, params.activations), 50, 100, batch_norm, params.batch_norm.eps)
    assert [outlook.initializer for outlook in advice.initializers] == list(INITIALIZERS)
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
def test_the_textbooks_initializer_is_recommended_where_it_serves(name: str, depth: int, expected: str, params) -> None:
    assert advise(activation_function(name, params.activations), depth, 100).recommended.initializer == expected


def test_batch_norm_makes_initializers_alike(params) -> None:
    advice = advise(activation_function("relu", params.activations), 50, 100, "before")
    assert advice.recommended.initializer == "he_normal"
    # The lowest layer takes centred inputs: half of what φ lets through comes back, over their whole variance.
    expected = 0.5 * (math.pi / (math.pi - 1)) ** 48
    for outlook in advice.initializers[:-1]:
        assert outlook.gradient_factor == pytest.approx(expected, rel=1e-3)


def test_a_program_can_read_it(capsys) -> None:
    assert main(["--activation", "gelu", "--depth", "50", "--width", "100", "--json"]) == 0
    advice = json.loads(capsys.readouterr().out)
    assert advice["recommended"]["initializer"] == "critical"
    assert advice["edge"]["bias_variance"] == pytest.approx(advice["recommended"]["bias_sd"] ** 2)
    assert len(advice["initializers"]) == 8


def test_a_person_can_read_it(capsys) -> None:
    assert main(["--activation", "relu", "--depth", "20", "--width", "100"]) == 0
    out = capsys.readouterr().out
    assert "recommended: he_normal, gain 1.414" in out
    assert all(name in out for name in INITIALIZERS)


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
    ],
)
def test_a_wrong_activation_is_a_line(words: list[str], message: str, capsys) -> None:
    assert main([*words, "--depth", "20", "--width", "100"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("words", [["--depth", "1"], ["--depth", "x"], ["--width", "0"], ["--batch-norm", "befor"]])
def test_wrong_words_are_refused(words: list[str], capsys) -> None:
    usual = {"--activation": "relu", "--depth": "20", "--width": "100"} | {words[0]: words[1]}
    with pytest.raises(SystemExit) as ended:
        main([word for pair in usual.items() for word in pair])
    assert ended.value.code == 2
    assert "allowed" in capsys.readouterr().err or words[0] == "--batch-norm"


def test_it_answers_without_torch() -> None:
    """Importing torch takes longer than the answer may."""
    code = "import sys; from pipeline.advise import main; main(sys.argv[1:]); assert 'torch' not in sys.modules"
    words = ["--activation", "gelu", "--depth", "50", "--width", "100"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("depth", [2000, 10000])
def test_batch_norm_over_thousands_of_layers_has_a_factor_for_each(depth: int, capsys) -> None:
    words = ["--activation", "relu", "--depth", str(depth), "--width", "100", "--batch-norm", "before"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "by a factor of 1.47 a layer" in out  # π / (π - 1), but for eps
    assert "inf" not in out
    assert main([*words, "--json"]) == 0
    advice = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
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
    function = as_function("power", lambda x: x**power)
    (he,) = [o for o in advise(function, 50, 100).initializers if o.initializer == "he_normal"]
    assert he.log_signal_factor == math.inf
    (shallow,) = [o for o in advise(function, 2, 100).initializers if o.initializer == "lecun_normal"]
    # E[z^2p] = (2p - 1)!! for q = 1
    assert shallow.log_signal_factor == pytest.approx(math.log(math.prod(range(1, 2 * power, 2))), rel=1e-6)
