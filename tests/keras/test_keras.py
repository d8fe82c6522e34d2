"""Two hundred steps of the pipeline's training against Keras itself: same weights at the start, same batches."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.environment import python_of
from pipeline.axes.activations import ACTIVATIONS
from pipeline.axes.clipping import CLIPPINGS
from tests.steps import CASES, EPOCHS, SEED, TOLERANCE, Case, Course, distances, run, tensors

pytestmark = pytest.mark.keras

CLIPPING_ARGUMENTS = {"value": "clipvalue", "norm": "clipnorm", "global_norm": "global_clipnorm"}


@pytest.fixture(scope="module")
def courses(params, digits) -> dict[str, Course]:
    return {case.name: run(case, params, digits) for case in CASES}


@pytest.fixture(scope="module")
def by_keras(courses: dict[str, Course], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("keras")
    (folder / "cases.json").write_text(json.dumps([asked(course) for course in courses.values()]))
    for place, course in enumerate(courses.values()):
        np.savez(folder / f"{place}.npz", **given(course))
    subprocess.run([python_of("keras"), str(Path(__file__).parent / "peer.py"), str(folder)], check=True)
    found = {}
    for place, name in enumerate(courses):
        with np.load(folder / f"{place}.out.npz") as out:
            found[name] = dict(out)
    return found


def asked(course: Course) -> dict[str, Any]:
    """Return what Keras is to train."""
    cell = course.case.cell
    clipping = CLIPPINGS.parse(cell.clipping)
    return {
        "layers": [layer(module, cell.activation) for module in course.start],
        "optimizer": {
            "name": cell.optimizer,
            "rate": cell.learning_rate,
            "clip": {CLIPPING_ARGUMENTS[clipping.name]: clipping.threshold} if clipping.clips else {},
        },
        "binary": course.case.binary,
        "batch_size": cell.batch_size,
        "epochs": EPOCHS,
    }


def layer(module: nn.Module, activation: str) -> dict[str, Any]:
    if isinstance(module, nn.Linear):
        return {"kind": "dense", "units": module.out_features, "bias": module.bias is not None}
    if isinstance(module, nn.BatchNorm1d):
        assert module.momentum is not None
        return {"kind": "batch_norm", "momentum": 1 - module.momentum, "eps": module.eps}
    if isinstance(module, nn.LayerNorm):
        return {"kind": "layer_norm", "eps": module.eps}
    level = ACTIVATIONS.parse(activation)
    return {"kind": level.name, **level.values()}


def given(course: Course) -> dict[str, np.ndarray]:
    """Return the arrays that Keras starts from."""
    split = course.data.split(course.data.card.split_of(SEED))
    arrays = {
        "x": split.train.x,
        "y": split.train.y,
        "validation_x": split.validation.x,
        "validation_y": split.validation.y,
    }
    start = tensors(course.start)
    arrays |= {f"start{place}": as_keras(values) for place, values in enumerate(start.values())}
    return arrays | {f"order{epoch}": order for epoch, order in enumerate(course.orders)}


def as_keras(values: torch.Tensor) -> np.ndarray:
    """Return a tensor as Keras has it: its dense kernels are [input, unit]."""
    return (values.T if values.ndim == 2 else values).numpy()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_two_hundred_steps_are_keras_own(case: Case, courses, by_keras) -> None:
    ours, theirs = tensors(courses[case.name].end), by_keras[case.name]
    keras = {
        name: torch.from_numpy(values.T if values.ndim == 2 else values)
        for name, values in zip(ours, [theirs[f"end{place}"] for place in range(len(ours))], strict=True)
    }
    far = distances(ours, keras)
    assert max(far.values()) < TOLERANCE, far
    np.testing.assert_allclose(courses[case.name].scores, theirs["scores"], rtol=TOLERANCE)
