"""The champion as MLflow loads and serves it, on tables as users have them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution, entry_points, packages_distributions
from itertools import cycle
from pathlib import Path

import mlflow
import numpy as np
import onnxruntime
import pandas as pd
import pytest
import requests
import torch
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from packaging.requirements import Requirement

from pipeline.axes.activations import ACTIVATIONS
from pipeline.config.data import TableData
from pipeline.data import Dataset
from pipeline.data.prepare import prepare
from pipeline.experiments.onnx_model import to_onnx
from pipeline.tracking import Execution, track_execution
from tests.building import build, evaluated
from tests.s3 import free_port

FRUIT = ("apple", "NA", "ünïcode, quoted", "2")
NUMBERED = (1, 2, 10, 11)


def table(classes) -> pd.DataFrame:
    """400 samples of four classes: a time in seconds, a number of items, a share, and whether."""
    rng = np.random.default_rng(0)
    kind = np.arange(400) % 4
    return pd.DataFrame(
        {
            "seen at": 1_700_000_000 + 1000 * kind + rng.integers(0, 300, 400),
            "items": rng.poisson(3 + 4 * kind),
            "share": rng.beta(1 + kind, 4),
            "open": rng.random(400) < 0.2 + 0.2 * kind,
            "kind": np.array(classes)[kind],
        }
    )


@pytest.fixture(scope="module", params=[FRUIT, NUMBERED], ids=["words", "numbers"])
def served(request, params, mini, tmp_path_factory) -> tuple[pd.DataFrame, Dataset, str, Path]:
    """A table, its dataset, the run of its champion and the folder of MLflow's database."""
    folder = tmp_path_factory.mktemp("project")
    frame = table(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        Path("data/tables").mkdir(parents=True)
        frame.sample(frac=1, random_state=0).to_csv("data/tables/t.csv", index=False)
        data = TableData.model_validate(
            mini.data.model_dump()
            | {"source": "table", "path": "data/tables/t.csv", "target": "kind", "split": mini.data.split}
        )
        grid = (mini.grid[1].model_copy(update={"clipping": ("none",)}),)
        study = mini.model_copy(
            update={"data": data, "grid": grid, "training": mini.training.model_copy(update={"epochs": 10})}
        )
        changed = params.model_copy(update={"studies": {"own": study}})
        dataset, own = prepare(data), folder / "results" / "own"
        made = evaluated("own", study, changed, dataset, own)
        run = track_execution(Execution("own", study, dataset.card, *made, own))
    return frame, dataset, run, folder


@pytest.fixture
def model(served, monkeypatch: pytest.MonkeyPatch):
    folder = served[-1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    return mlflow.pyfunc.load_model("models:/trainability-own@champion")


def features(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="kind")


def test_raw_data_get_the_score_that_was_recorded(served, model) -> None:
    frame, _, run, _ = served
    recorded = MlflowClient().get_run(run).data.metrics
    assert recorded["champion.test_accuracy"] > 0.8
    correct = (model.predict(features(frame)) == frame["kind"]).mean()
    assert correct == pytest.approx(recorded["champion.test_accuracy"], abs=0.08)


@pytest.mark.parametrize(
    "given",
    [
        lambda x: x[list(x.columns[::-1])],
        lambda x: x.assign(note="p"),
        lambda x: x.astype(float),
        lambda x: x.astype({"items": "int8", "open": "float32"}),
        lambda x: x.convert_dtypes(),
        lambda x: x.set_index(pd.Index([f"row {i}" for i in range(len(x))])),
        lambda x: x.to_numpy(dtype=float),
        lambda x: x.to_numpy(dtype=object),
        lambda x: x.to_numpy(dtype=float).tolist(),
    ],
    ids=["order", "another column", "floats", "types", "nullable", "index", "array", "objects", "lists"],
)
def test_a_frame_or_array_of_any_numeric_type_is_taken(given, served, model) -> None:
    x = features(served[0])
    np.testing.assert_array_equal(model.predict(given(x)), model.predict(x))
    np.testing.assert_array_equal(model.predict(given(x[:1])), model.predict(x)[:1])


def test_classes_come_by_their_own_name_and_type(served, model) -> None:
    kinds = served[0]["kind"]
    predicted = model.predict(features(served[0]))
    assert {*predicted} == {*kinds}
    assert predicted.dtype.kind == ("i" if kinds.dtype.kind == "i" else "U")


def test_probabilities_are_given_on_request(served, model) -> None:
    x = features(served[0])
    shares = model.predict(x, params={"probabilities": True})
    assert [*shares.columns] == [*map(str, sorted({*served[0]["kind"]}))]
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(shares.idxmax(axis=1), model.predict(x).astype(str))


def test_no_sample_gives_no_class(served, model) -> None:
    assert len(model.predict(features(served[0])[:0])) == 0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x.rename(columns={"items": "itms"}).assign(more=1), "first is 'items' (did you mean 'itms'?)"),
        (lambda x: x.drop(columns="items"), "declares 4 inputs"),
        (lambda x: x.assign(share="much"), "column 'share' is not numeric (it holds 'much')"),
        (lambda x: x.assign(share=np.nan), "column 'share', row 1 is missing or infinite"),
        (lambda x: x.assign(items=pd.array([None] * len(x), "Int64")), "column 'items', row 1 is missing"),
        (lambda x: x.assign(share=1j), "column 'share' is not numeric"),
        (lambda x: x.to_numpy(dtype=float)[:, :2], "declares 4 inputs"),
    ],
)
def test_samples_that_are_none_are_refused(spoil, message: str, served, model) -> None:
    with pytest.raises(MlflowException) as refused:
        model.predict(spoil(features(served[0])))
    assert message in str(refused.value)


@pytest.mark.usefixtures("model")
def test_a_damaged_model_is_not_loaded(tmp_path: Path) -> None:
    copy = Path(mlflow.artifacts.download_artifacts("models:/trainability-own@champion", dst_path=str(tmp_path)))
    (network,) = copy.rglob("model.onnx")
    network.write_bytes(network.read_bytes()[:-1] + b"!")
    with pytest.raises(MlflowException, match="damaged"):
        mlflow.pyfunc.load_model(str(copy))


def test_it_is_described_and_stored_without_pickles(served, model) -> None:
    client, folder = MlflowClient(), served[-1]
    version = client.get_model_version_by_alias("trainability-own", "champion")
    assert version.run_id == served[2]
    card = (folder / "results/own/champion/README.md").read_text()
    assert version.description == card
    for words in ("`seen at`", "test part", "models:/trainability-own@champion", "Limits"):
        assert words in card
    assert model.metadata.metadata["features"] == ["seen at", "items", "share", "open"]
    assert [*model.input_example.columns] == ["seen at", "items", "share", "open"]
    files = {file.suffix for file in folder.rglob("*") if file.is_file()}
    assert ".onnx" in files
    assert not files & {".pkl", ".pickle", ".pt", ".pth", ".bin"}


def test_the_alias_follows_the_results(params, mini, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    dataset, versions = prepare(mini.data), []
    for epochs in (1, 2, 1):
        study = mini.model_copy(
            update={"grid": mini.grid[1:2], "training": mini.training.model_copy(update={"epochs": epochs})}
        )
        changed = params.model_copy(update={"studies": {"mini": study}})
        made = evaluated("mini", study, changed, dataset, tmp_path / "mini")
        track_execution(Execution("mini", study, dataset.card, *made, tmp_path / "mini"))
        versions.append(MlflowClient().get_model_version_by_alias("trainability-mini", "champion").version)
    assert [int(version) for version in versions] == [1, 2, 1]


# --- served, in an environment of its own ---


def environment_of(requirements: list[str], folder: Path) -> None:
    """Make a virtual environment of what some requirements name and what that needs, from the packages at hand.

    As near to ``mlflow models serve --env-manager virtualenv`` as can be had without a network: a requirement that is
    missing is missing here too.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    shared = {top for top, owners in packages_distributions().items() if len(set(owners)) > 1}
    todo, seen = [Requirement(line) for line in requirements], set()
    while todo:
        wanted = todo.pop()
        if (wanted.name, *wanted.extras) in seen:
            continue
        seen.add((wanted.name, *wanted.extras))
        found = distribution(wanted.name)
        assert wanted.specifier.contains(found.version, prereleases=True), wanted
        for file in found.files or ():
            if file.parts[0] in ("..", "__pycache__"):
                continue
            part = Path(file) if file.parts[0] in shared else Path(file.parts[0])
            link = site / part
            if not link.exists() and Path(found.locate_file(part)).exists():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(found.locate_file(part))
        for need in map(Requirement, found.requires or ()):
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *wanted.extras)):
                todo.append(need)
    for script in entry_points(group="console_scripts"):
        if script.name in ("mlflow", "uvicorn"):
            file = folder / "bin" / script.name
            file.write_text(f"#!{folder}/bin/python\nfrom {script.module} import {script.attr}\n{script.attr}()\n")
            file.chmod(0o755)


@contextmanager
def serving(uri: str, environment: Path, cwd: Path) -> Iterator[str]:
    port = free_port()
    variables = {"PATH": f"{environment}/bin:/usr/bin:/bin", "HOME": str(environment), "MLFLOW_TRACKING_URI": uri}
    command = [f"{environment}/bin/mlflow", "models", "serve", "--model-uri", "models:/trainability-own@champion",
               "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
    log = environment / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env=variables, stdout=output, stderr=output, start_new_session=True
        )
        try:
            while True:
                assert process.poll() is None, log.read_text()
                try:
                    if requests.get(f"http://127.0.0.1:{port}/ping", timeout=5).ok:
                        break
                except requests.ConnectionError:
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/invocations"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_it_is_served_by_its_own_requirements_beside_another_pipeline(served, model, tmp_path: Path) -> None:
    frame, _, _, folder = served
    listed = Path(mlflow.artifacts.download_artifacts("models:/trainability-own@champion/requirements.txt"))
    environment_of(listed.read_text().split(), tmp_path / "environment")
    somewhere = tmp_path / "somewhere"
    (somewhere / "pipeline").mkdir(parents=True)
    (somewhere / "pipeline" / "__init__.py").write_text("raise ImportError('another pipeline')\n")
    x = features(frame)[:5]
    expected = model.predict(x).tolist()
    plain = json.loads(x.to_json(orient="records"))
    with serving(f"sqlite:///{folder}/mlflow.db", tmp_path / "environment", somewhere) as url:
        for body in (
            {"dataframe_split": json.loads(x.to_json(orient="split"))},
            {"dataframe_records": plain},
            {"instances": x.to_numpy(dtype=float).tolist()},
            {"inputs": x.to_numpy(dtype=float).tolist()},
        ):
            assert requests.post(url, json=body, timeout=60).json() == {"predictions": expected}, body
        parquet = {"Content-Type": "application/vnd.apache.parquet"}
        answer = requests.post(url, data=x.to_parquet(), headers=parquet, timeout=60)
        assert answer.json() == {"predictions": expected}
        body = {"dataframe_records": plain, "params": {"probabilities": True}}
        (first, *_) = requests.post(url, json=body, timeout=60).json()["predictions"]
        assert sum(first.values()) == pytest.approx(1, abs=1e-6)
        assert max(first, key=first.get) == str(expected[0])
        refused = requests.post(url, json={"dataframe_records": [plain[0] | {"share": "much"}]}, timeout=60)
        assert refused.status_code == 400
        assert "column 'share' is not numeric" in refused.text


# --- as ONNX ---


@pytest.mark.parametrize(
    ("activation", "placement"), [*zip(ACTIVATIONS.names, cycle(["none", "before", "after"]), strict=False)]
)
def test_onnx_gives_what_torch_gives(activation: str, placement: str, digits: Dataset) -> None:
    stack = build((64, 12, 9, 10), activation, placement, ["he_normal"] * 2, [3, 4])
    stack(torch.from_numpy(digits.split(0).train.x).expand(2, -1, -1))  # moves batch norm's averages
    network = stack.unstack(1)
    scaler = digits.split(0).scaler
    written = to_onnx(network, scaler)
    raw = np.random.default_rng(0).integers(0, 17, size=(7, 64)).astype(float)
    (given,) = onnxruntime.InferenceSession(written).run(None, {"features": raw})
    expected = torch.softmax(network(torch.from_numpy(scaler(raw))), 1).detach().numpy()
    np.testing.assert_allclose(given, expected, atol=5e-5)
    if activation == "relu":
        assert to_onnx(network, scaler) == written
        assert str(Path.cwd()).encode() not in written
