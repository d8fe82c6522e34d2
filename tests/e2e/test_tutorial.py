"""The tutorial, line by line, by the real make, dvc and commands; its default run is `mini` here."""

import os
import subprocess

import pytest

from tests.conftest import ROOT
from tests.e2e.conftest import Clone
from tests.test_docs import BLOCK

pytestmark = pytest.mark.faults
INSTALLED = "make -o .venv/installed -o .venv/installed-dev "
"""The clone's environment is this one, which has all packages."""


def test_the_tutorial_runs_as_it_is_written(clone: Clone) -> None:
    said: dict[str, str] = {}
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "OMP_NUM_THREADS")}
    activate = ""
    for language, file, text in BLOCK.findall((ROOT / "docs/tutorial.md").read_text(encoding="utf-8")):
        if language == "python":
            (clone.folder / file).write_text(text, encoding="utf-8")
        for line in text.splitlines() if language == "console" else ():
            command = line.removeprefix("$ ")
            assert command != line, line
            activate += f"{command}; " if command.startswith("source ") else ""
            ran = subprocess.run(
                ["bash", "-ec", activate + command.replace("make ", INSTALLED)],
                cwd=clone.folder, env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
            said[command] = said.get(command, "") + ran.stdout + ran.stderr
    assert "The same, bit for bit" in said["make verify"]
    assert said["make repro"].count("Running stage 'train@mini'") == 1  # the second time only the claims
    assert said["make repro"].count("Running stage 'claims'") == 2
    assert "selu" in said['trainability query "activation=selu,rrelu batch_norm=none" --limit 5']
    assert "longer" in said["make experiments"]
    assert "selu-beats-rrelu" in (clone.folder / "report/index.html").read_text(encoding="utf-8")
    assert "selu-beats-rrelu" in said["make resolve CLAIM=selu-beats-rrelu"]
