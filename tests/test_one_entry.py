"""A new level is one entry: registered while running, it goes all the way, from the parameters to the report."""

from collections.abc import Iterator
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML

from pipeline.advise import main as advise
from pipeline.axes.activations import ACTIVATIONS, Activation
from pipeline.axes.initializers import INITIALIZERS, Initializer, Variances
from pipeline.axes.level import NotNegative, Positive, Registry
from pipeline.axes.optimizers import OPTIMIZERS, Optimizer
from pipeline.axes.regularizers import REGULARIZERS, Regularizer
from pipeline.config import Params, parse_params
from pipeline.data.prepare import prepare
from pipeline.errors import ParamsError
from pipeline.evaluation.claims.entries import CLAIMS
from pipeline.evaluation.claims.evidence import Evidence, StudyTables
from pipeline.evaluation.claims.ledger import as_metrics, as_table, keep_ledger
from pipeline.evaluation.evaluate import evaluate
from pipeline.experiments.champion import crown, load_champion
from pipeline.experiments.propagation import propagation
from pipeline.report.page import Ledger, contents, render_markdown, render_page
from pipeline.report.tables import StudyResults
from pipeline.training.study import train_networks
from stages.axes import pages
from tests.conftest import ROOT


class Softsign(Activation):
    name, formula, source = "softsign", "sharpness·z / (1 + |sharpness·z|)", "Bergstra et al. 2009"
    sharpness: Positive = 1.0

    def branches(self):
        return (lambda z: self.sharpness * z / (1 + np.abs(self.sharpness * z)),)

    def build(self, context):
        return context.formula(lambda z: self.sharpness * z / (1 + (self.sharpness * z).abs()))


class Half(Initializer):
    name, formula, source, distribution = "half", "variance 1/(2 fan_in)", "a test", "uniform"

    def variances(self, layer):
        return Variances(0.5 / layer.fan_in, 0.0)


class Sparse(Regularizer):
    name, formula, source = "sparse", "weights below limit become 0 after each update", "a test"
    limit: NotNegative = 0.001

    def constrain(self, weight, sqrt):  # noqa: ARG002
        weight[weight.abs() < self.limit] = 0


class Sign(Optimizer):
    name, formula, source = "sign", "w -= rate·sign g", "Bernstein et al. 2018"

    def update(self, weight, gradient, state, step):  # noqa: ARG002
        weight.addcmul_(gradient.sign(), step.down)


ENTRIES: list[tuple[Registry, type, str, str]] = [
    (ACTIVATIONS, Softsign, "activation", "softsign(sharpness=2.0)"),
    (INITIALIZERS, Half, "initializer", "half"),
    (REGULARIZERS, Sparse, "regularization", "sparse(limit=0.01)"),
    (OPTIMIZERS, Sign, "optimizer", "sign"),
]


@pytest.fixture
def params(request: pytest.FixtureRequest) -> Iterator[tuple[Params, str, str]]:
    """The project's parameters, with a new level in `mini`."""
    registry, entry, axis, level = request.param
    raw = deepcopy(YAML(typ="safe").load((ROOT / "params.yaml").read_text()))
    raw["run"] = ["mini"]
    block = raw["studies"]["mini"]["grid"][0] | {"normalization": ["none"], "seed": [0, 1], "learning_rate": [0.01]}
    raw["studies"]["mini"]["grid"] = [block, block | {axis: [level]}]
    with pytest.raises(ParamsError, match=f"'{level.split('(')[0]}.*is not an? "):
        parse_params(raw)
    registry.register(entry)
    try:
        yield parse_params(raw), axis, level
    finally:
        registry.remove(entry.name)


@pytest.mark.parametrize("params", ENTRIES, indirect=True, ids=[axis for *_, axis, _ in ENTRIES])
def test_a_new_level_is_one_entry(params, tmp_path, capsys) -> None:
    params, axis, level = params
    study = params.study("mini")
    dataset = prepare(study.data)
    results = train_networks("mini", study, params, dataset, study.networks())
    own = results.networks[results.networks[axis] == level]
    assert len(own) == sum(getattr(network.cell, axis) == level for network in study.networks()) > 0
    assert (own["status"] == "trained").all()
    measured = propagation("mini", study, params, dataset)
    if axis in ("activation", "initializer"):
        rows = measured[measured[axis] == level]
        gap = np.log(rows["signal"] / rows["signal_predicted"]).abs()
        assert gap[rows["layer"] <= 2].max() < 0.5
    # Of the new level's networks the champion, so that it is built, exported and read again.
    folder = tmp_path / "champion"
    found = crown("mini", study, params, dataset, own, folder)
    assert found["champion"]["reproduced"] == "bit for bit"
    assert found["champion"][axis] == level
    plain = load_champion(folder)
    assert plain(torch.from_numpy(dataset.split(0).test.x)).shape == (360, 10)
    evaluation = evaluate(params, dataset, results, found, pd.DataFrame())
    assert level in set(evaluation.levels[evaluation.levels["axis"] == axis]["level"])
    transfer = pd.DataFrame()
    tables = StudyTables.of(study, results)
    lines = keep_ledger(CLAIMS, Evidence({"mini": tables}))
    shown = StudyResults("mini", study, dataset.card, results, evaluation, measured, transfer)
    report = contents([shown], params, Ledger(as_metrics(lines), as_table(lines)), {}, "")
    assert level in render_page(report)
    assert "mini" in render_markdown(report)
    page = pages()[f"{axis}.md"]
    assert f"`{level.split('(')[0]}`" in page
    if axis == "activation":
        assert advise(["--activation", level, "--depth", "10", "--width", "100"]) == 0
        assert "recommended:" in capsys.readouterr().out
