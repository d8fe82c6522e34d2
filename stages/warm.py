"""Runs a command whose stages start at once: ``python -m stages.warm dvc repro``.

A stage spends seconds on importing torch, Lightning, MLflow and others before it does anything. Here one process
imports them while the command starts, and then gives each stage that the command runs a fork of itself, with the
stage's own arguments, environment, folder and output. Where that process is not ready, or not there, a stage imports
as ever, and nothing but the time differs. Linux only; elsewhere the command is just run.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from stages.handover import PREFIX, SOCKET

STAGES = ("prepare", "train", "propagation", "transfer", "champion", "evaluate", "map", "probes", "claims", "report")
LONGEST = 2**20
"""Bytes of what a stage says of itself."""


def serve(command: Sequence[str]) -> int:
    """Run a command, and its stages from here; returns its exit code."""
    folder = tempfile.mkdtemp(prefix="trainability-")  # TemporaryDirectory would end with the first stage's process
    try:
        address = str(Path(folder) / "stages")
        process = subprocess.Popen(command, env=os.environ | {SOCKET: address})  # noqa: S603
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command and its stages hear it
        for stage in STAGES:
            importlib.import_module(PREFIX + stage)
        gc.freeze()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
            listening.bind(address)
            listening.listen()
            listening.settimeout(0.1)
            running: list[int] = []
            while process.poll() is None:
                with contextlib.suppress(TimeoutError):
                    connection, _ = listening.accept()
                    with connection:
                        running.append(_fork())
                        if not running[-1]:
                            listening.close()
                            _run(connection)
                running = [stage for stage in running if os.waitpid(stage, os.WNOHANG) == (0, 0)]
        return process.returncode
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fork() -> int:
    with warnings.catch_warnings():
        # From Python 3.12 on: threads and fork may deadlock. No library's thread is at work between two stages.
        warnings.filterwarnings("ignore", message=".*multi-threaded.*fork", category=DeprecationWarning)
        return os.fork()


def _run(connection: socket.socket) -> None:
    """Run the stage that a connection asks for, in a process of its own, which dies with who asked."""
    connection.setblocking(True)
    said, descriptors, _, _ = socket.recv_fds(connection, LONGEST, 3)
    _die_with(connection)
    asked = json.loads(said)
    for standard, descriptor in enumerate(descriptors):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv = [asked["module"], *asked["words"]]
    sys.modules.pop(asked["module"], None)
    code = 1
    try:
        runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        with contextlib.suppress(OSError):
            connection.send(str(code).encode())
        os._exit(code)


def _die_with(connection: socket.socket) -> None:
    """Let the kernel kill this process as soon as the other end of a connection is closed."""
    import fcntl

    fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(connection, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(connection, fcntl.F_SETFL, fcntl.fcntl(connection, fcntl.F_GETFL) | os.O_ASYNC)


def main(*command: str) -> int:
    """Run a command; returns its exit code."""
    return serve(command) if sys.platform == "linux" else subprocess.call(command)  # noqa: S603


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
