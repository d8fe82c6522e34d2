"""What a study of millions of networks takes: engines, the network store, MLflow, tables, and who reads them.

Usage: ``python -m benchmarks.scaling [PART …]``, a quarter of an hour for all parts. Each part is measured in fresh
processes. Writes ``benchmarks/results/scaling-<hardware>-<date>.json`` and the tables in ``docs/scaling.md``; parts
that are not asked for stay as they were last measured.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.cost import memory_of
from benchmarks.report import RESULTS, machine, newest, render_scaling, save
from pipeline.compute.engines import engine_of
from pipeline.config import Params, Study, load_params
from pipeline.data.prepare import prepare
from pipeline.grid import AXES
from pipeline.training.names import MEASURES
from pipeline.training.results import Results
from pipeline.training.storage import Storage, storage
from pipeline.training.store import NetworkStore
from pipeline.training.study import train_networks

LOADS: dict[str, dict[str, Any]] = {
    "digits 64-64-64-10": {"hidden": ("2x64",), "networks": 2048, "epochs": 6},
    "digits 64-20x100-10": {"hidden": ("20x100",), "networks": 128, "epochs": 6},
}
ENGINES = (("local", 1), ("local", 2), ("ray", 1), ("ray", 2))
REPEATS = 2
SECONDS_TO_START = 12
EMPTY = 2000
"""Tasks that do nothing: what is left is the driver's."""
HEAVY, HEAVY_BYTES = 400, 2**20
"""Tasks that do nothing and return as much as a stack does."""
LISTED, WRITTEN, ON_S3 = 1_000_000, 10_000, 2_000
ENTRY = 4096
"""Bytes of a network in the store, where listing alone is measured."""
ROWS = 20_000_000
"""Of a table of layers: a million networks of 20 layers, looked at once."""
RUNS = 2000


def main(*parts: str) -> None:
    """Measure, write, render."""
    before = newest("scaling") if list(RESULTS.glob("scaling-*.json")) else {}
    content = {name: before[name] for name in PARTS if name in before and parts and name not in parts}
    for name in parts or PARTS:
        content[name] = PARTS[name]()
        print(f"{name}: {json.dumps(content[name])}", flush=True)
    save("scaling", {**machine(), **content})
    render_scaling()


def _fresh(function: str, *words: object) -> Any:
    """Return what a function of this module gives, called in a process of its own."""
    code = (
        "import pipeline, json, sys; from benchmarks import scaling; "
        f"print(json.dumps(scaling.{function}(*sys.argv[1:])))"
    )
    environment = os.environ | {"NETWORK_STORE": ""}
    told = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], env=environment, text=True, check=True, stdout=subprocess.PIPE
    ).stdout
    return json.loads(told.splitlines()[-1])


# --- engines ---


def engines() -> list[dict[str, Any]]:
    """Return seconds of training each load by each engine, in turns."""
    rows: dict[tuple[str, str, int], list[float]] = {}
    for _ in range(REPEATS):
        for load in LOADS:
            for engine, workers in ENGINES:
                rows.setdefault((load, engine, workers), []).append(_fresh("train_by", load, engine, workers))
    return [
        {"load": load, "engine": engine, "workers": workers, "seconds": seconds, **LOADS[load]}
        for (load, engine, workers), seconds in rows.items()
    ]


def train_by(load: str, engine: str, workers: str) -> float:
    """Return the seconds of training a load; an engine's start is not timed."""
    params, study = _load(load)
    params = _by(params, engine, int(workers))
    own = engine_of(params.compute, int(workers))  # a cluster is started now
    list(own.run(_rest, range(own.slots), own.slots, print))
    dataset = prepare(study.data)
    with TemporaryDirectory() as folder:
        train_networks("warm", _some(study, 16), params, dataset, _some(study, 16).networks())
        started = time.perf_counter()
        train_networks("scaling", study, params, dataset, study.networks(), NetworkStore(Path(folder)))
        return time.perf_counter() - started


def _rest(_task: int, _notify: Callable[..., None]) -> None:
    """Take so long that every worker has started before the first is free again."""
    time.sleep(SECONDS_TO_START)


def _by(params: Params, engine: str, workers: int) -> Params:
    compute = params.compute.model_copy(update={"engine": engine, "workers": workers})
    return params.model_copy(update={"compute": compute})


def _load(load: str) -> tuple[Params, Study]:
    params, own = load_params(), LOADS[load]
    study = params.study("digits")
    training = study.training.model_copy(update={"epochs": own["epochs"]})
    block = study.grid[0].model_copy(
        update={"initializer": ("he_normal",), "activation": ("relu",), "normalization": ("none",),
                "clipping": ("none",), "learning_rate": (0.03,), "seed": tuple(range(own["networks"]))}
    )  # fmt: skip
    return params, study.model_copy(update={"hidden": own["hidden"], "training": training, "grid": (block,)})


def _some(study: Study, seeds: int) -> Study:
    block = study.grid[0].model_copy(update={"seed": tuple(range(seeds))})
    return study.model_copy(update={"grid": (block,)})


# --- the driver ---


def driver() -> list[dict[str, Any]]:
    """Return the tasks that each engine's driver hands out and takes back in a second."""
    return [
        {"engine": engine, "bytes": size, "tasks": tasks, "per_second": _fresh("tasks_by", engine, tasks, size)}
        for engine in ("local", "ray")
        for tasks, size in ((EMPTY, 0), (HEAVY, HEAVY_BYTES))
    ]


def tasks_by(engine: str, tasks: str, size: str) -> float:
    """Return how many tasks a second an engine's two workers are given, each of which returns so many bytes."""
    compute = _by(load_params(), engine, 2).compute
    own = engine_of(compute, 2)
    content = int(size)
    list(own.run(_Nothing(content), range(8), 8, print))
    started = time.perf_counter()
    count = sum(1 for _ in own.run(_Nothing(content), range(int(tasks)), int(tasks), print))
    return count / (time.perf_counter() - started)


class _Nothing:
    """Work that returns so many bytes."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, task: int, _notify: Callable[..., None]) -> np.ndarray:
        return np.full(self.size, task % 256, np.uint8)


# --- the store ---


def store() -> dict[str, Any]:
    """Return what writing, reading and listing take, of a folder and of S3 on loopback."""
    from tests.s3 import serving

    found: dict[str, Any] = {"networks": [_fresh("network_bytes", load) for load in LOADS]}
    with TemporaryDirectory() as folder:
        found["folder"] = _written(storage(Path(folder)), WRITTEN) | {"listed": _listed(Path(folder))}
    with serving() as bucket:
        os.environ |= bucket.environment
        found["s3"] = _written(storage(bucket.url("store")), ON_S3)
    return found


def network_bytes(load: str) -> dict[str, Any]:
    """Return what a network of a load takes in the store and in each table, on disk and in memory."""
    params, study = _load(load)
    some = _some(study, 256)
    with TemporaryDirectory() as folder:
        kept = NetworkStore(Path(folder) / "store")
        results = train_networks("bytes", some, params, prepare(some.data), some.networks(), kept)
        results.save(Path(folder) / "tables")
        count = len(results.networks)
        files = {name: (Path(folder) / "tables" / f"{name}.parquet").stat().st_size for name in Results._fields}
        return {
            "load": load,
            "store": sum(kept.entries().values()) / count,
            "tables": {name: size / count for name, size in files.items()},
            "memory": {
                name: float(getattr(results, name).memory_usage(deep=True).sum()) / count for name in Results._fields
            },
        }


def _written(where: Storage, count: int) -> dict[str, Any]:
    """Return how many networks a second are written, read and listed, in stacks of 128."""
    contents = {f"{number % 256:02x}/{number:064x}.network": os.urandom(ENTRY) for number in range(count)}
    names = [*contents]
    stacks = [names[start : start + 128] for start in range(0, count, 128)]

    def write() -> None:
        for stack in stacks:
            where.write({name: contents[name] for name in stack})

    return {
        "networks": count,
        "write": count / _seconds(write),
        "read": count / _seconds(lambda: where.read(names)),
        "list": count / _seconds(lambda: where.sizes()),
    }


def _listed(folder: Path) -> dict[str, float]:
    """Return the seconds of listing a million networks: small files, since it is names and sizes that are asked for."""
    shutil.rmtree(folder)
    for number in range(256):
        (folder / f"{number:02x}").mkdir(parents=True)
    for number in range(LISTED):
        os.close(os.open(folder / f"{number % 256:02x}" / f"{number:064x}.network", os.O_CREAT | os.O_WRONLY))
    kept = NetworkStore(folder)
    return {"networks": LISTED, "seconds": _seconds(kept.entries)}


# --- MLflow ---


def mlflow() -> dict[str, Any]:
    """Return what a cell's run takes: in a database of this machine, and sent to a server."""
    from mlflow import MlflowClient

    from pipeline.tracking.runs import make_experiments, write_runs
    from tests.servers import Server

    found: dict[str, Any] = {"runs": RUNS, "metrics": len(_run(0).metrics)}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "mlflow.db"
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{file}"
        ids = make_experiments(["scaling"])
        empty = file.stat().st_size
        client = MlflowClient()
        found["database"] = RUNS / _seconds(
            lambda: write_runs(client, ids["scaling"], {}, (_run(number) for number in range(RUNS)))
        )
        client.search_runs([ids["scaling"]], max_results=1)
        size = sum(one.stat().st_size for one in Path(folder).glob("mlflow.db*"))
        found["bytes"] = (size - empty) / RUNS
    with TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            os.environ["MLFLOW_TRACKING_URI"] = server.url
            ids = make_experiments(["scaling"])
            client, few = MlflowClient(server.url), RUNS // 20
            found["server"] = few / _seconds(
                lambda: write_runs(client, ids["scaling"], {}, (_run(number) for number in range(few)))
            )
        finally:
            server.kill()
    return found


def _run(number: int) -> Any:
    """Return a run such as a cell of five seeds and six epochs has."""
    from mlflow.entities import Metric

    from pipeline.tracking.runs import NewRun

    names = [
        f"{metric}{end}"
        for metric in ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
        for end in ("", "_sd")
    ]
    metrics = [Metric(name, 0.1 * epoch, 0, epoch) for name in names for epoch in range(6)]
    metrics += [Metric(name, 0.5, 0, 0) for name in ("test_loss", "test_loss_sd", "test_accuracy", "test_accuracy_sd")]
    return NewRun(
        f"{number:064x}", f"run {number}", {"kind": "cell", "health": "healthy"}, dict.fromkeys(AXES, "level"), metrics
    )


# --- who reads tables ---

READERS = ("pandas", "pandas, dictionaries", "pyarrow", "duckdb", "polars")


def readers() -> list[dict[str, Any]]:
    """Return what each reader takes for a claim's question to a table of layers, in a fresh process."""
    with TemporaryDirectory() as folder:
        _layers(Path(folder))
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
        return [{"reader": reader, "rows": ROWS, "bytes": size} | _fresh("ask", reader, folder) for reader in READERS]


def _layers(folder: Path, parts: int = 20) -> None:
    """Write a table such as a million networks of 20 layers have, looked at once, in parts."""
    generator = np.random.default_rng(0)
    per_part, layers = ROWS // parts, 20
    for part in range(parts):
        networks = np.arange(per_part // layers) + part * per_part // layers
        keys = {
            axis: np.full(per_part, f"{axis}, its neutral level")
            for axis in AXES
            if axis not in ("learning_rate", "batch_size", "train_fraction", "label_noise")
        }
        keys["activation"] = np.repeat(
            np.array([f"activation {one}" for one in range(20)])[networks * 20 // (ROWS // layers)], layers
        )
        table = pd.DataFrame(keys).assign(
            batch_size=32, train_fraction=1.0, label_noise=0.0,
            learning_rate=np.repeat(np.array([0.03, 0.1, 0.3])[networks % 3], layers),
            seed=np.repeat(networks % 1000, layers), epoch=6,
            layer=np.tile(np.arange(1, layers + 1), per_part // layers),
            **{name: generator.random(per_part) for name in MEASURES},
        )  # fmt: skip
        table.to_parquet(folder / f"part-{part:05}.parquet", index=False)


def ask(reader: str, folder: str) -> dict[str, float]:
    """Return seconds and peak memory of: the mean share of dead units of one activation's hidden layers, by seed."""
    before = memory_of(os.getpid()) * 1024
    with _peak() as peak:
        started = time.perf_counter()
        answer = ASK[reader](folder)
        seconds = time.perf_counter() - started
    assert len(answer) == 1000  # noqa: S101
    return {"seconds": seconds, "mebibytes": (peak[0] - before) / 2**20}


def _by_pandas(folder: str) -> pd.Series:
    table = pd.read_parquet(folder)
    own = table[(table["activation"] == "activation 7") & (table["layer"] < 20)]
    return own.groupby("seed")["dead"].mean()


def _by_dictionaries(folder: str) -> pd.Series:
    import pyarrow.parquet as pq

    table = pq.read_table(folder, read_dictionary=[*AXES]).to_pandas()
    own = table[(table["activation"] == "activation 7") & (table["layer"] < 20)]
    return own.groupby("seed")["dead"].mean()


def _by_pyarrow(folder: str) -> pd.Series:
    own = pd.read_parquet(
        folder, columns=["seed", "dead"], filters=[("activation", "==", "activation 7"), ("layer", "<", 20)]
    )
    return own.groupby("seed")["dead"].mean()


def _by_duckdb(folder: str) -> pd.Series:
    import duckdb

    with closing(duckdb.connect()) as connection:
        query = """SELECT seed, avg(dead) AS dead FROM read_parquet(?)
                   WHERE activation = 'activation 7' AND layer < 20 GROUP BY seed"""
        return connection.execute(query, [f"{folder}/*.parquet"]).df().set_index("seed")["dead"]


def _by_polars(folder: str) -> pd.Series:
    import polars as pl

    own = pl.scan_parquet(f"{folder}/*.parquet").filter(
        (pl.col("activation") == "activation 7") & (pl.col("layer") < 20)
    )
    return (
        own.group_by("seed")
        .agg(pl.col("dead").mean())
        .collect(engine="streaming")
        .to_pandas()
        .set_index("seed")["dead"]
    )


ASK = dict(zip(READERS, (_by_pandas, _by_dictionaries, _by_pyarrow, _by_duckdb, _by_polars), strict=True))


# --- clocks ---


def _seconds(do: Callable[[], object]) -> float:
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


@contextmanager
def _peak() -> Iterator[list[float]]:
    """Give what the highest memory of this process in the block will be, in bytes."""
    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            peak[0] = max(peak[0], memory_of(os.getpid()) * 1024)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()


PARTS: dict[str, Callable[[], Any]] = {
    "engines": engines, "driver": driver, "store": store, "mlflow": mlflow, "readers": readers,
}  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
