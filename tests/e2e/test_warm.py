"""Stages that start at once: they say and do what they do anyway, and end with who asked for them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.handover import SOCKET

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(sys.platform != "linux", reason="Linux only")]

WAIT = f"while [ ! -S ${SOCKET} ]; do sleep 0.1; done; "


def warm(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script once stages start at once, in a folder; ``$1`` is Python."""
    return subprocess.run(
        [sys.executable, "-m", "stages.warm", "bash", "-c", WAIT + script, "bash", sys.executable],
        cwd=folder, capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_stage_does_what_it_does_anyway(folder: Path) -> None:
    once = '"$1" -m stages.prepare mini; echo "exit $?"; '
    said = warm(once + once, folder)
    assert said.stderr == ""
    assert said.stdout.count("mini: 1,077 train") == said.stdout.count("exit 0") == 2
    assert {file.name for file in (folder / "data/prepared/mini").iterdir()} == {"arrays.safetensors", "card.json"}
    assert said.returncode == 0


def test_messages_and_exit_codes_arrive(folder: Path) -> None:
    said = warm('"$1" -m stages.prepare nix; echo "exit $?"; "$1" -m stages.prepare; echo "exit $?"; exit 7', folder)
    assert said.stdout == "exit 1\nexit 1\n"
    assert "error: 'nix' is not a study" in said.stderr
    assert "missing 1 required positional argument" in said.stderr
    assert said.returncode == 7


def test_a_stage_dies_with_who_asked_for_it(folder: Path) -> None:
    """A long one: killed from outside, it must not go on and write behind the back of the next run."""
    script = """
        sed -i 's/epochs: 3,/epochs: 100000,/' params.yaml
        "$1" -m stages.prepare mini
        "$1" -m stages.train mini & asked=$!
        sleep 3; kill -0 $asked && echo "at work: $(pgrep -c -P $PPID)"
        kill -KILL $asked; sleep 1; echo "left: $(pgrep -c -P $PPID)"
    """
    said = warm(script, folder)
    assert "at work: 2" in said.stdout  # this script and the stage
    assert "left: 1" in said.stdout


def test_where_nobody_listens_a_stage_imports_as_ever(folder: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "stages.prepare", "mini"],
        cwd=folder, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), SOCKET: str(folder / "nobody")},
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
