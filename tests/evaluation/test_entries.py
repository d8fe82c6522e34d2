"""Every claim is asked of real networks: each study that an entry names can tell, cut down to seconds."""

from collections.abc import Iterator

import pandas as pd
import pytest

from pipeline.config import Params, Study
from pipeline.data.prepare import prepare
from pipeline.evaluation.claims.entries import CLAIMS
from pipeline.evaluation.claims.evidence import Evidence, StudyTables
from pipeline.evaluation.claims.ledger import Finding
from pipeline.experiments.transfer.run import run_transfer
from pipeline.training.study import train_networks

LARGE = {"fashion", "fashion_notebook", "fashion_deep", "fashion_third_edition", "digits_very_deep"}
"""Not cut down to seconds, or not at hand everywhere."""
NAMED = sorted({study for claim in CLAIMS for study in claim.studies} - LARGE - {"probe"})
SEEDS = (0, 1)
NARROWER = {"256": "40", "1024": "60", "64": "24"}


def cut(study: Study) -> Study:
    """Return a study of few seeds, at one or two learning rates, with fewer and narrower networks."""
    blocks = []
    for block in study.grid:
        rates = (0.1,) if "tuned" in block.learning_rate else (block.learning_rate[0], block.learning_rate[-1])
        if block.architecture == ("recurrent",):
            hidden = ("8x32",)
            block = block.model_copy(update={"initializer": block.initializer[:2]})
        else:
            hidden = block.hidden and tuple(
                "x".join(NARROWER.get(part, part) for part in level.split("x")) for level in block.hidden
            )
        noise = tuple(dict.fromkeys((block.label_noise[0], block.label_noise[-1])))
        blocks.append(
            block.model_copy(update={"seed": SEEDS, "learning_rate": rates, "hidden": hidden, "label_noise": noise})
        )
    epochs = 8 if study.training.epochs == 40 else 5 if study.health else 1
    looks = study.health and study.health.model_copy(update={"epochs": (0, 1, 2, "last")})
    training = study.training.model_copy(update={"epochs": epochs})
    return study.model_copy(update={"grid": tuple(blocks), "training": training, "health": looks})


@pytest.fixture(scope="module")
def evidence(params: Params) -> Evidence:
    machine = params.model_copy(update={"compute": params.compute.model_copy(update={"workers": 1})})
    studies = {}
    for name in NAMED:
        study = cut(params.study(name))
        dataset = prepare(study.data)
        results = train_networks(name, study, machine, dataset, study.networks())
        few = {
            title: one.model_copy(
                update={"seed": SEEDS, "training": one.training.model_copy(update={"epochs": 3}), "frozen_epochs": 1}
            )
            for title, one in params.transfer.get(name, {}).items()
        }
        transfer = run_transfer(name, machine, dataset, few)
        studies[name] = StudyTables.of(study, results, *transfer)
    return Evidence(studies)


def asked() -> Iterator[tuple[str, str]]:
    """Yield each claim with each study that it names."""
    for claim in CLAIMS:
        yield from ((claim.id, study) for study in claim.studies if study in NAMED)


def test_claims_and_studies_have_names_of_their_own(params: Params) -> None:
    names = [claim.id for claim in CLAIMS]
    assert len({*names}) == len(names)
    assert {study for claim in CLAIMS for study in claim.studies} - {"probe"} <= {*params.studies}


@pytest.fixture(scope="module")
def findings(evidence: Evidence) -> dict[str, list[Finding]]:
    return {claim.id: list(claim.test(evidence)) for claim in CLAIMS}


CHANCE = {
    ("clipping-prevents-explosion", "digits"), ("vanishing-lower-layers", "digits"), ("dead-stay-dead", "dying"),
    ("leaky-units-wake-up", "dying"), ("updates-before-divergence", "digits"), ("elu-faster-in-all", "digits_deep"),
    ("large-networks-time", "optimizers"),
}  # fmt: skip
"""What there is nothing to say of where, of few networks, none diverged, vanished, died or arrived."""


@pytest.mark.parametrize(("claim", "study"), [pair for pair in asked() if pair not in CHANCE])
def test_every_study_that_a_claim_names_tells_of_it(findings: dict[str, list[Finding]], claim: str, study: str) -> None:
    told = {one.study for one in findings[claim]}
    partners = {study} | {name for name in told if name.removesuffix("_hard") == study}
    assert told & partners
    for one in findings[claim]:
        assert one.effects.index.isin(SEEDS).all()
        assert pd.api.types.is_float_dtype(one.effects)
        assert one.effects.notna().all()
