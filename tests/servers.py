"""A real ``mlflow server`` on loopback, in a process group of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import requests

from tests.s3 import free_port


class Server:
    """A server on a database of its own, which hands artifacts through.

    Args:
        folder: has the database and, unless they are given another place, the artifacts.
        artifacts: where they are kept.
        environment: what it runs with besides.
    """

    def __init__(self, folder: Path, artifacts: str | None = None, **environment: str) -> None:
        self.port, self.folder = free_port(), folder
        self.artifacts, self.environment = artifacts or f"{folder}/artifacts", environment
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port),
             "--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db",
             "--artifacts-destination", self.artifacts],
            env=os.environ | self.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        while True:
            try:
                if requests.get(f"{self.url}/health", timeout=5).ok:
                    return
            except requests.ConnectionError:
                assert self.process.poll() is None
                time.sleep(0.1)

    def signal(self, number: int) -> None:
        """Send all of its processes a signal."""
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        self.process.wait()
