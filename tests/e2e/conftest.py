"""A scratch clone of the working tree, with the project's own environment, where the real dvc runs."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest
from ruamel.yaml import YAML

from benchmarks.pictures import find_chromium
from tests.conftest import ROOT


class Clone:
    """A clone in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / ".venv").is_symlink():  # which a clone of a clone has
            (folder / ".venv").symlink_to(ROOT / ".venv")

    def copy_the_working_tree(self) -> None:
        """Begin with what is here now, at a small size."""
        folder = self.folder
        files = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True)
        for name in files.splitlines():
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        (folder / "dvc.lock").unlink(missing_ok=True)
        self.change(lambda params: params.update(run=["mini"]))
        self.change(lambda params: params["propagation"].update(depth=10, width=16, seeds=2))

    def change(self, edit: Callable[[dict], object]) -> None:
        """Edit params.yaml."""
        yaml = YAML()
        params = yaml.load((self.folder / "params.yaml").read_text())
        edit(params)
        with (self.folder / "params.yaml").open("w") as file:
            yaml.dump(params, file)

    def dvc(self, *words: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the project's dvc, as a user does who has activated nothing."""
        return self._run([str(self.folder / ".venv/bin/dvc"), *words], check, environment)

    def python(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the project's interpreter."""
        return self._run([str(self.folder / ".venv/bin/python"), *words], True, environment)

    def start_dvc(
        self, *words: str, to: IO[str] | int = subprocess.DEVNULL, **environment: str
    ) -> subprocess.Popen[bytes]:
        """Start the project's dvc in a process group of its own."""
        return subprocess.Popen(
            [self.folder / ".venv/bin/dvc", *words], cwd=self.folder, env=self._environment() | environment,
            stdout=to, stderr=subprocess.STDOUT, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background shell has it ignored
        )  # fmt: skip

    def make(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a target of the Makefile; what it would install is there."""
        return self._run(["make", "--assume-old=.venv/installed", *words], True, {})

    def _run(self, command: list[str], check: bool, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment() | environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    def _environment(self) -> dict[str, str]:
        ours = ("MLFLOW_", "DVC_", "NETWORK_STORE")
        return {key: value for key, value in os.environ.items() if not key.startswith(ours)}

    def git(self, *words: str) -> None:
        identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", *identity, *words], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    made = Clone(tmp_path_factory.mktemp("clone"))
    made.copy_the_working_tree()
    made.git("init", "--initial-branch=main")
    made.git("add", "-A")
    made.git("commit", "-m", "a clone")
    return made


@pytest.fixture(scope="session")
def browser() -> Iterator:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = find_chromium()
    assert chromium, "no Chromium on this machine: `apt-get install chromium`, or your system's package"
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()
