"""The command `trainability`."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipeline.command import EXAMPLES, completion, main
from pipeline.grid import AXES, AXIS
from tests.conftest import ROOT

LEVELS = {axis: AXIS[axis].neutral for axis in AXES} | {"hidden": "2x64", "initializer": "he_normal", "batch_size": 32}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    rows = [
        LEVELS | {
            "activation": activation, "normalization": normalization, "learning_rate": rate, "seed": seed,
            "status": "diverged" if rate == 1 and activation == "relu" else "trained",
            "val_accuracy": accuracy + seed / 100,
            "test_accuracy": accuracy, "test_loss": 1.0, "train_fraction": 1.0, "label_noise": 0.0,
        }
        for activation, accuracy in (("relu", 0.8), ("gelu", 0.9), ("leaky_relu(slope=0.2)", 0.7))
        for normalization in ("none", "before")
        for rate in (0.1, 1.0)
        for seed in (0, 1)
    ]  # fmt: skip
    for study in ("digits", "wine"):
        (folder / study).mkdir()
        pd.DataFrame(rows).to_parquet(folder / study / "networks.parquet")
    return folder


def ask(results: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[dict]:
    assert main(["query", *words, "--results", str(results), "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_question_is_answered_by_setting_the_best_first(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = ask(results, capsys, "activation=gelu,relu batch_norm=none learning_rate>0.5 study=digits")
    assert [(row["activation"], row["networks"], row["diverged"]) for row in found] == [("gelu", 2, 0), ("relu", 2, 2)]
    assert found[0]["val_accuracy"] == pytest.approx(0.905)
    assert "normalization" not in found[0]  # they have it in common


@pytest.mark.parametrize(
    ("conditions", "networks"),
    [
        ("", 48),
        ("study!=wine", 24),
        ("activation=leaky_relu(0.2)", 16),
        ("hidden=64-64", 48),
        ("seed<1; study=wine", 12),
        ("learning_rate >= 0.1 learning_rate < 1", 24),
        ("activation != gelu", 32),
        ("status=diverged", 8),
        ("activation=leaky_relu(slope=0.2),gelu", 32),
    ],
)
def test_conditions_compare_columns(
    conditions: str, networks: int, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sum(row["networks"] for row in ask(results, capsys, conditions)) == networks


def test_every_format_has_the_same_rows(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["query", "activation=gelu", "--networks", "--results", str(results)]
    assert main([*words, "--format", "csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 16
    assert lines[0].startswith("study,architecture,hidden,initializer,activation")
    assert main([*words, "--limit", "2"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "… 14 more"


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ("activaton=gelu", "'activaton=gelu': there is no column 'activaton'; did you mean 'activation'?"),
        ("activation=glu", "'activation=glu': 'glu' is not an activation; did you mean 'gelu'?"),
        ("gelu", "'gelu': is no condition; allowed: such as activation=gelu"),
        ("learning_rate=big", "'learning_rate=big': found 'big'; allowed: a number"),
        ("activation<gelu", "'activation<gelu': activation is no number; allowed: = and !="),
    ],
)
def test_a_condition_that_makes_no_sense_is_named(
    conditions: str, words: str, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["query", conditions, "--results", str(results)]) == 1
    assert capsys.readouterr().err.startswith(f"error: {words}")


def test_where_there_is_nothing_the_next_step_is_said(
    tmp_path: Path, results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["query", "activation=gelu", "--results", str(tmp_path)]) == 1
    assert "has no results; run `dvc repro`" in capsys.readouterr().err
    assert main(["query", "activation=gelu learning_rate>5", "--results", str(results)]) == 1
    assert capsys.readouterr().out == "nothing meets these conditions\n"
    monkeypatch.chdir(tmp_path)
    assert main(["verify"]) == 1
    assert "run this in a checkout" in capsys.readouterr().err
    assert main(["check"]) == 1
    assert "params.yaml" in capsys.readouterr().err


def test_check_and_advise_answer_as_they_did(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["check"]) == 0
    assert "digits: " in capsys.readouterr().out
    assert main(["advise", "--activation", "gelu", "--depth", "50", "--width", "100"]) == 0
    assert "recommended: critical" in capsys.readouterr().out
    assert main(["advise", "--activation", "glu", "--depth", "50", "--width", "100"]) == 1
    assert "did you mean 'gelu'" in capsys.readouterr().err


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    said = capsys.readouterr().out
    assert left.value.code == 0
    assert all(example in said for example in EXAMPLES.values())
    assert "exit codes:" in said
    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == 2


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("trainability ", "advise query check verify completion"),
        ("trainability q", "query"),
        ("trainability query --f", "--format"),
        ("trainability query --format ", "table csv json"),
        ("trainability advise --activation ge", "gelu gelu_sigmoid"),
    ],
)
def test_a_real_bash_completes(line: str, expected: str) -> None:
    words = line.split(" ")
    script = (
        f"{completion('bash')}\nCOMP_WORDS=({' '.join(words[:-1])} '{words[-1]}'); COMP_CWORD={len(words) - 1}\n"
        '_trainability; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    script = f"{sys.executable} -m pipeline.command completion bash | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
