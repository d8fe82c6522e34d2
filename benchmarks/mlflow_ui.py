"""MLflow's UI over a study of 10,000 cells: how long until the first row, of all, of some, and sorted.

Usage: ``python -m benchmarks.mlflow_ui`` (some minutes; needs Chromium). Writes
``benchmarks/results/mlflow-<hardware>-<date>.json`` and the line in ``docs/scaling.md``.
"""

import os
import statistics
import subprocess
import sys
import time
from itertools import islice, product
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric
from playwright.sync_api import Browser, sync_playwright

from benchmarks.pictures import find_chromium
from benchmarks.report import machine, render_mlflow, save
from pipeline.axes.activations import ACTIVATIONS
from pipeline.axes.initializers import INITIALIZERS
from pipeline.tracking.runs import NewRun, make_experiments, metrics_of, now, open_run, write_runs

CELLS, EPOCHS, REPEATS = 10_000, 10, 5
CURVES = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
FILTER = "tags.activation = 'gelu' AND tags.normalization = 'none'"
VIEWS = {
    "all": "",
    "filtered": f"searchFilter={quote(FILTER)}",
    "sorted": "orderByKey=metrics.%60test_accuracy%60&orderByAsc=false",
    "filtered and sorted": f"searchFilter={quote(FILTER)}&orderByKey=metrics.%60test_accuracy%60&orderByAsc=false",
}
ROW = "[role=row] a[href*='/runs/'], .ag-row a[href*='/runs/']"


def cells() -> list[NewRun]:
    """Return runs as a study's cells have them, by axes that make 10,000."""
    generator = np.random.default_rng(0)
    rates = [round(0.001 * 1.08**step, 5) for step in range(60)]
    grid = islice(product(rates, INITIALIZERS.names, ACTIVATIONS.names, ("none", "before")), CELLS)
    runs = []
    for number, (rate, initializer, activation, normalization) in enumerate(grid):
        levels = {
            "initializer": initializer, "activation": activation, "normalization": normalization, "learning_rate": rate
        }  # fmt: skip
        scores = {
            f"{name}{end}": float(generator.random()) for name in ("test_accuracy", "test_loss") for end in ("", "_sd")
        }
        curves = [
            Metric(f"{name}{end}", float(value), now(), epoch)
            for name in CURVES
            for end in ("", "_sd")
            for epoch, value in enumerate(generator.random(EPOCHS))
        ]
        tags = {axis: str(level) for axis, level in levels.items()} | {"kind": "cell"}
        name = " · ".join(map(str, levels.values()))
        runs.append(NewRun(f"{number:064x}", name, tags, levels, metrics_of(scores) + curves))
    return runs


def seconds_to_first_row(browser: Browser, address: str) -> float:
    """Return the seconds until a page that was never open shows a run."""
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    start = time.perf_counter()
    page.goto(address)
    page.locator(ROW).first.wait_for(timeout=120_000)
    took = time.perf_counter() - start
    page.close()
    return took


def main() -> None:
    """Measure, write, render."""
    chromium = find_chromium()
    if chromium is None:
        sys.exit("error: no Chromium on this machine: `apt-get install chromium`, or your system's package")
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        experiment = make_experiments(["large"])["large"]
        client = MlflowClient()
        start = time.perf_counter()
        with open_run(client, experiment, {}, "0" * 64, "large", {"kind": "execution"}) as parent:
            pass
        runs = [run._replace(tags=run.tags | {"mlflow.parentRunId": parent.id}) for run in cells()]
        write_runs(client, experiment, {}, runs)
        written = time.perf_counter() - start
        print(f"{CELLS:,} runs written in {written:.0f} s", flush=True)
        port = "5099"
        command = [
            str(Path(sys.executable).parent / "mlflow"), "server", "--host", "127.0.0.1", "--port", port,
            "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
        ]  # fmt: skip
        views: dict[str, list[float]] = {}
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                with sync_playwright() as started:
                    browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                    time.sleep(20)
                    for name, query in VIEWS.items():
                        address = f"http://127.0.0.1:{port}/#/experiments/{experiment}/runs?{query}"
                        views[name] = [seconds_to_first_row(browser, address) for _ in range(REPEATS + 1)][1:]
                        print(f"{name}: {statistics.median(views[name]):.1f} s", flush=True)
                    browser.close()
            finally:
                server.terminate()
    save("mlflow", {**machine(), "runs": CELLS, "written": written, "views": views})
    render_mlflow()


if __name__ == "__main__":
    main()
