"""Environments of their own, for what the project is compared with; ``environments/<name>.txt`` has their packages."""

import subprocess
import sys
import venv
from pathlib import Path

from pipeline.closure import ROOT

ENVIRONMENTS = Path(__file__).parent / "environments"
INSTALLED = ROOT / ".bench"


def python_of(name: str) -> str:
    """Return the interpreter of an environment, which is made where it is not there; of no name, the project's."""
    if not name:
        return sys.executable
    folder, wanted = INSTALLED / name, (ENVIRONMENTS / f"{name}.txt").read_text(encoding="utf-8")
    stamp, python = folder / "installed.txt", str(folder / "bin" / "python")
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        print(f"installing {name} into {folder.relative_to(ROOT)}", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", str(ENVIRONMENTS / f"{name}.txt")], check=True)
        stamp.write_text(wanted, encoding="utf-8")
    return python
