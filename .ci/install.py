"""Install the pinned packages into the environment that runs this, and say how far it is.

Usage: ``python .ci/install.py requirements.txt``, from the project's folder. The standard library alone: nothing is
installed yet.
"""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

STEPS = re.compile(r"(Collecting|Requirement already satisfied:|Obtaining) ")
SHOWN_ON_FAILURE = 25


def main(requirements: str) -> None:
    """Install what a file pins by hash, then torch, then the project itself."""
    pinned = len(re.findall(r"^[\w.-]+==", Path(requirements).read_text(encoding="utf-8"), re.MULTILINE))
    print(f"Installing {pinned} pinned packages and torch into {sys.prefix}: a few minutes, once", flush=True)
    pip(f"packages of {requirements}", pinned, "--require-hashes", "--no-deps", "--requirement", requirements)
    torch = re.search(r"^torch==\S+", Path("constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert torch is not None  # noqa: S101
    pip("torch and what it brings", 0, "--constraint", "constraints.txt", torch[0])
    pip("the project", 0, "--no-deps", "--no-build-isolation", "--editable", ".")
    # What is installed is called trainability; in this folder its modules are those of `pipeline`.
    (Path(sysconfig.get_path("purelib")) / "pipeline.pth").write_text(f"{Path.cwd()}\n", encoding="utf-8")


def pip(what: str, expected: int, *words: str) -> None:
    """Run ``pip install``; on a terminal the line counts, elsewhere it is written once."""
    command = [sys.executable, "-m", "pip", "install", "--no-input", "--progress-bar", "off", *words]
    log, seen, terminal = [], 0, sys.stdout.isatty()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101
        for line in process.stdout:
            log.append(line)
            seen += STEPS.match(line) is not None
            count = f"{seen} of {expected}" if expected else f"{seen}"
            if terminal:
                doing = "installing" if line.startswith("Installing collected") else count
                print(f"  {what}: {doing}          ", end="\r", flush=True)
            elif expected and STEPS.match(line) and seen % 50 == 0:
                print(f"  {what}: {count}", flush=True)
    print(f"  {what}: {'FAILED' if process.returncode else 'done'}          ")
    if process.returncode:
        sys.exit("".join(log[-SHOWN_ON_FAILURE:]) + "error: pip could not install; mend this and run the same again")


if __name__ == "__main__":
    main(*sys.argv[1:])
