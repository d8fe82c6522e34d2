"""The package, built and installed into empty environments, does what the README says."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.faults]
SECTION = (ROOT / "README.md").read_text(encoding="utf-8").split("## Use it in your code")[1].split("\n## ")[0]
UV = str(Path(sys.executable).with_name("uv"))


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", SECTION, re.DOTALL)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [UV, "build", "--quiet", "--build-constraint", "constraints.txt", "--out-dir", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True)
    subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *map(str, folder.glob("trainability*"))], check=True
    )
    (found,) = folder.glob("*.whl")
    return found


class Environment:
    """An environment of its own, outside the checkout."""

    def __init__(self, folder: Path, *packages: str) -> None:
        self.folder = folder
        self.bin = folder / "venv/bin"
        subprocess.run([UV, "venv", "--quiet", str(folder / "venv"), "--python", sys.executable], check=True)
        constraints = str(ROOT / "constraints.txt")
        install = [UV, "pip", "install", "--quiet", "--constraint", constraints, "--python", str(self.bin / "python")]
        subprocess.run([*install, *packages], check=True)

    def run(self, *words: str) -> str:
        path = f"{self.bin}:/usr/bin:/bin"
        done = subprocess.run(
            words,
            cwd=self.folder,
            env={"PATH": path, "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def python(self, code: str) -> str:
        return self.run(str(self.bin / "python"), "-c", code)


def test_a_wheel_has_all_of_the_package_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "pipeline"], cwd=ROOT, text=True)
    assert names == {name.replace("pipeline/", "trainability/", 1) for name in files.split()}
    assert "trainability/py.typed" in names


def test_with_numpy_and_torch_alone_it_advises_and_initializes(wheel: Path, tmp_path: Path) -> None:
    empty = Environment(tmp_path, str(wheel))
    installed = {line.split("==")[0] for line in empty.run(UV, "pip", "freeze").splitlines()}
    assert {"numpy", "torch", "trainability"} <= {line.split(" ")[0] for line in installed}
    assert not installed & {"pydantic", "scipy", "pandas", "scikit-learn", "pytorch-lightning", "mlflow", "dvc"}
    (commands,) = blocks("console")
    advice = commands.splitlines()[0].removeprefix("$ ")
    assert "recommended: critical" in empty.run("bash", "-c", advice)
    refused = subprocess.run(
        [str(empty.bin / "trainability"), "query", "activation=gelu"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "pip install 'trainability[pipeline]'" in refused.stderr
    said = empty.python(blocks("python")[0])
    assert len(re.findall(r"^\d+ +GELU +256", said, re.MULTILINE)) == 50
    before = (
        "import os; env = dict(os.environ); import trainability, trainability.advise; print(env == dict(os.environ))"
    )
    assert empty.python(before) == "True\n"  # a library changes nothing of its user's process


def test_with_the_extra_the_monitor_watches_and_a_stack_trains(wheel: Path, tmp_path: Path) -> None:
    whole = Environment(tmp_path, f"{wheel}[pipeline]")
    _, monitored, stacked = blocks("python")
    assert whole.python(monitored).splitlines()[-1] == "healthy"
    assert re.match(r"\{'activation': '\w+', 'learning_rate': [\d.]+\} 0\.9\d+", whole.python(stacked).splitlines()[-1])
