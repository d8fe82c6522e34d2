"""What containers are built from, as far as it can be seen without building one."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.conftest import ROOT


def test_the_dockerfile_passes_its_linter() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    if not linter.is_file():
        pytest.skip("hadolint is not made for this machine")
    done = subprocess.run([linter, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_devcontainer_names_what_there_is() -> None:
    found = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    target = found["postCreateCommand"].removeprefix("make ").replace(".venv", "$(VENV)")
    assert f"\n{target}:" in (ROOT / "Makefile").read_text()
    assert "iterative.dvc" in found["customizations"]["vscode"]["extensions"]


def test_what_the_image_copies_checks_its_parameters_without_git(tmp_path: Path) -> None:
    archive = tmp_path / "copied.tar"
    files = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True).split("\n")
    with tarfile.open(archive, "w") as tar:
        for name in filter(None, files):
            if (ROOT / name).is_file():
                tar.add(ROOT / name, name)
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "image", filter="data")
    (tmp_path / "image/.venv").symlink_to(ROOT / ".venv")
    words = ["make", "--assume-old=.venv/installed", "check", ".dvc/tmp/ready"]
    subprocess.run(words, cwd=tmp_path / "image", check=True, capture_output=True)
    assert "no_scm = true" in (tmp_path / "image/.dvc/config.local").read_text()
