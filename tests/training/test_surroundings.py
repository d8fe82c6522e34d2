"""What surrounds a run (a scheduler's variables, a container's quota) changes no network and stops none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

TRAIN = """
from pipeline.data.prepare import prepare
from pipeline.config import load_params
from pipeline.training.study import train_networks
params = load_params()
study = params.study("mini")
results = train_networks("mini", study, params, prepare(study.data), study.networks()[:9])
print(results.networks.to_csv())
"""
NODES = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1", "WORLD_SIZE": "4", "RANK": "2"}
SCHEDULERS = {
    "SLURM": {"SLURM_NTASKS": "4", "SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "2",
              "SLURM_LOCALID": "2", "SLURM_NODEID": "0", "SLURM_NODELIST": "a[1-4]"},
    "torchrun": {"TORCHELASTIC_RUN_ID": "7", "LOCAL_RANK": "2", "GROUP_RANK": "0", "LOCAL_WORLD_SIZE": "4"} | NODES,
    "LSF": {"LSB_JOBID": "7", "LSB_DJOB_RANKFILE": "/nowhere", "JSM_NAMESPACE_LOCAL_RANK": "2",
            "JSM_NAMESPACE_SIZE": "4", "JSM_NAMESPACE_RANK": "2"},
    "Kubeflow": {"KUBERNETES_PORT": "tcp://10.0.0.1:443"} | NODES,
    "MPI": {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2", "PMI_RANK": "2", "PMI_SIZE": "4"},
}  # fmt: skip


def train(variables: dict[str, str]) -> str:
    """Return the networks that a process of these variables trains."""
    environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"} | variables
    done = subprocess.run([sys.executable, "-c", TRAIN], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition(",initializer")[2]


@pytest.fixture(scope="module")
def alone() -> str:
    return train({})


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_schedulers_variables_change_nothing(scheduler: str, alone: str) -> None:
    assert train(SCHEDULERS[scheduler]) == alone


@pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0,
    reason="needs a mount namespace of its own",
)
@pytest.mark.parametrize(("quota", "expected"), [("100000 100000", 1), ("150000 100000", 2), ("max 100000", None)])
def test_a_containers_quota_bounds_the_workers(quota: str, expected: int | None, tmp_path: Path) -> None:
    """What a container sees of its control group, over this machine's own."""
    script = tmp_path / "see"
    script.write_text(
        f"mount -t tmpfs none /sys/fs/cgroup && echo '{quota}' > /sys/fs/cgroup/cpu.max && "
        f"exec {sys.executable} -c 'from pipeline.compute.workers import worker_count; print(worker_count(\"auto\"))'"
    )
    done = subprocess.run(["unshare", "-m", "sh", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) == min(expected or 10**6, len(os.sched_getaffinity(0)))
