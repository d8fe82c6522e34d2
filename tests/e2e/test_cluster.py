"""A real Ray cluster of two nodes on this machine, one of which is killed while it trains."""

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Clone
from tests.s3 import free_port
from tests.training.test_shared import STACK, WORKERS, train_side_by_side

pytest.importorskip("ray", reason="`pip install .[ray]`")
from pipeline.compute.cluster import AHEAD

pytestmark = [pytest.mark.e2e, pytest.mark.faults]
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
"""What all of a cluster know."""
TABLES = ("networks.parquet", "history.parquet", "layers.parquet", "hits.parquet")


class Node:
    """A Ray node in a session of its own, so that all of its processes can be killed."""

    def __init__(self, clone: Clone, folder: Path, *words: str) -> None:
        ray = clone.folder / ".venv/bin/ray"
        self.log = (folder / f"{len(list(folder.iterdir()))}.log").open("w")
        self.process = subprocess.Popen(
            [ray, "start", "--block", "--num-cpus=1", "--object-store-memory=200000000", "--node-ip-address=127.0.0.1",
             "--disable-usage-stats", *words],
            cwd=clone.folder, env=os.environ | TOKEN, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def kill(self) -> None:
        """Kill the node as a power cut would: `ray start --block` and all that it started."""
        subprocess.run(["pkill", "-KILL", "--session", str(self.process.pid)], check=False)
        self.process.wait()
        self.log.close()


@pytest.fixture
def nodes(clone: Clone, tmp_path: Path) -> Iterator[tuple[str, list[Node]]]:
    """Two nodes, and the cluster's address."""
    address = f"127.0.0.1:{free_port()}"
    folder = tmp_path / "nodes"
    folder.mkdir()
    started = [Node(clone, folder, "--head", f"--port={address.split(':')[1]}", "--include-dashboard=false")]
    try:
        wait_for(clone, address, 1)
        started.append(Node(clone, folder, f"--address={address}"))
        wait_for(clone, address, 2)
        yield address, started
    finally:
        for node in reversed(started):
            node.kill()


def wait_for(clone: Clone, address: str, nodes: int) -> None:
    """Wait until the cluster has so many nodes."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        command = [clone.folder / ".venv/bin/ray", "status", f"--address={address}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | TOKEN)
        told = done.stdout + done.stderr
        if told.count(" node_") >= nodes:
            return
        time.sleep(1)
    raise TimeoutError(told)


def contents(clone: Clone) -> dict[str, bytes]:
    return {name: (clone.folder / "results/mini" / name).read_bytes() for name in TABLES}


def test_a_node_that_is_killed_changes_no_byte(clone: Clone, nodes: tuple[str, list[Node]], tmp_path: Path) -> None:
    address, (_, second) = nodes
    train = ("repro", "--force", "--single-item", "train@mini")
    clone.change(lambda params: params["compute"].update(stack_size=4))
    clone.change(lambda params: params["studies"]["mini"]["training"].update(epochs=40))
    clone.dvc("repro", "prepare@mini")
    clone.dvc(*train, NETWORK_STORE=str(tmp_path / "local"))
    alone = contents(clone)
    clone.change(lambda params: params["compute"].update(engine="ray"))
    store, log = tmp_path / "by-ray", tmp_path / "log"
    with log.open("w") as out:
        run = clone.start_dvc(*train, to=out, NETWORK_STORE=str(store), RAY_ADDRESS=address, **TOKEN)
        while run.poll() is None and len(list(store.glob("??/*.network"))) < 16:
            time.sleep(0.2)
        second.kill()
        assert run.poll() is None, log.read_text()  # it was killed in the middle
        run.wait(timeout=600)
    assert run.returncode == 0, log.read_text()
    assert contents(clone) == alone
    networks = len(list(store.glob("??/*.network")))
    assert networks == len(list((tmp_path / "local").glob("??/*.network")))


def test_a_cluster_and_this_machine_share_a_store(nodes: tuple[str, list[Node]], tmp_path: Path) -> None:
    address, started = nodes
    again = train_side_by_side(
        str(tmp_path / "store"), tmp_path, ("ray", {"RAY_ADDRESS": address} | TOKEN), ("local", {})
    )
    assert again <= STACK * (AHEAD * len(started) + WORKERS + 1)


def test_a_cluster_that_is_not_there_is_named(clone: Clone) -> None:
    clone.dvc("repro", "prepare@mini")
    clone.change(lambda params: params["compute"].update(engine="ray"))
    train = ("repro", "--force", "--single-item", "train@mini")
    done = clone.dvc(*train, check=False, RAY_ADDRESS=f"127.0.0.1:{free_port()}")
    assert done.returncode != 0
    assert "error: RAY_ADDRESS: no Ray cluster at 127.0.0.1" in done.stdout + done.stderr
