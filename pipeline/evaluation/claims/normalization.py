"""Claims on batch norm."""

import pandas as pd

from .comparison import Comparison, held
from .evidence import Evidence
from .ledger import Claim
from .questions import (
    DEEP,
    FIVE_POINTS,
    GRIDS,
    HALF_A_POINT,
    MOMENTS,
    PROBES,
    Findings,
    found,
    in_study,
    log_ratio_of_ends,
    of_accuracy,
    pairs_differ,
    takes_longer,
)

BY_ACTIVATION = ("activation",)

SMALL_BATCH, USUAL_BATCH = 3, 32


def batch_norm_evens_gradients(evidence: Evidence) -> Findings:
    """How far the lowest layer's gradient is from the highest's (log of the ratio): without batch norm less with it."""
    for name, tables in evidence.shapes:
        if tables.depth < DEEP:
            continue
        for epoch, when in MOMENTS:
            hidden = held(tables.hidden(epoch), {}, ("normalization",))
            ratios = log_ratio_of_ends(hidden, "gradient", tables.depth)
            comparison = Comparison(
                "normalization", "none", "before", "uneven", by=BY_ACTIVATION, rate="same" if epoch else "own"
            )
            for where, effects in comparison.effects(ratios.assign(uneven=ratios["ratio"].abs())):
                yield in_study(name, tables, effects, **where, when=when)


def small_batches_spoil_batch_norm(evidence: Evidence) -> Findings:
    """Accuracy, batches of 32 less batches of 3: what batch norm loses less what networks without it lose."""
    comparison = Comparison("batch_size", USUAL_BATCH, SMALL_BATCH, "test_accuracy", by=("activation", "normalization"))
    for name, tables in evidence.shapes:
        lost = {tuple(where.values()): weights for where, weights in comparison.contrasts(tables.chosen)}
        for (activation, normalization), weights in lost.items():
            if normalization == "before" and (activation, "none") in lost:
                more = pd.concat([weights, -lost[activation, "none"]])
                yield of_accuracy(name, tables, more, activation=activation)


CLAIMS = (
    Claim(
        id="bn-improves",
        statement="Batch norm improves training a lot.",
        source="Batch normalization",
        measure="accuracy, batch norm before the activation less none",
        unit="points",
        margin=HALF_A_POINT,
        expected="depends",
        known="on depth and learning rate",
        reference="Ioffe & Szegedy 2015; Bjorck et al. 2018",
        studies=GRIDS,
        test=pairs_differ("normalization", [("before", "none")], by=BY_ACTIVATION),
    ),
    Claim(
        id="bn-before-or-after",
        statement="Whether batch norm stands before or after the activation makes little difference.",
        source="Batch normalization",
        measure="accuracy, batch norm before the activation less after",
        unit="points",
        margin=2 * HALF_A_POINT,
        expected="depends",
        known="contested",
        reference="Mishkin et al. 2017",
        studies=("digits",),
        test=pairs_differ("normalization", [("before", "after")], by=BY_ACTIVATION),
        alike=True,
    ),
    Claim(
        id="bn-cures-exploding",
        statement="Batch norm cures vanishing and exploding gradients.",
        source="Batch normalization",
        measure="|ln| of the lowest layer's gradient over the highest's, without batch norm less with it",
        unit="|ln ratio|",
        margin=0.0,
        expected="depends",
        known="before the first step it makes deep plain networks explode",
        reference="Yang et al. 2019",
        studies=("digits_deep",),
        test=found(batch_norm_evens_gradients),
    ),
    Claim(
        id="bn-cost",
        statement="With batch norm an epoch takes longer.",
        source="Batch normalization",
        measure="time per training step, with batch norm over without, less 1",
        unit="%",
        margin=0.0,
        expected="supported",
        known="usual",
        reference="Ioffe & Szegedy 2015",
        studies=PROBES,
        test=takes_longer(("relu", "before"), ("relu", "none"), "before / none"),
        kind="cost",
    ),
    Claim(
        id="bn-fewer-epochs",
        statement="With batch norm fewer epochs are needed.",
        source="Batch normalization",
        measure="speed, batch norm before the activation less none",
        unit="points of speed",
        margin=FIVE_POINTS,
        expected="supported",
        known="usual",
        reference="Ioffe & Szegedy 2015",
        studies=GRIDS,
        test=pairs_differ("normalization", [("before", "none")], "profile", BY_ACTIVATION),
    ),
    Claim(
        id="bn-scale-and-shift",
        statement="Batch norm needs its scale γ and its shift β.",
        source="Batch normalization",
        measure="accuracy, batch norm with γ and β less without",
        unit="points",
        margin=HALF_A_POINT,
        expected="depends",
        known="on the activation: to a sigmoid they give back more than its linear part",
        reference="Ioffe & Szegedy 2015, section 3",
        studies=("batch_norm",),
        test=pairs_differ("normalization", [("before", "before(affine=false)")], by=BY_ACTIVATION),
        only=True,
    ),
    Claim(
        id="bn-input-layer",
        statement="With batch norm as the first layer, inputs need not be standardised.",
        source="Batch normalization",
        measure="accuracy on inputs between 0 and 1, with batch norm on the input less without",
        unit="points",
        margin=HALF_A_POINT,
        expected="depends",
        known="on how far the inputs are from standardised ones",
        reference="Ioffe & Szegedy 2015",
        studies=("batch_norm_unit",),
        test=pairs_differ("normalization", [("before", "before(input=false)")], by=BY_ACTIVATION),
        only=True,
    ),
    Claim(
        id="bn-no-bias",
        statement="With batch norm before the activation, dense layers need no bias.",
        source="Batch normalization",
        measure="accuracy, batch norm with the bias less without",
        unit="points",
        margin=HALF_A_POINT,
        expected="supported",
        known="true: the mean is taken out, and β takes its place",
        reference="Ioffe & Szegedy 2015, section 3.2",
        studies=("batch_norm",),
        test=pairs_differ("normalization", [("before(bias=true)", "before")], by=BY_ACTIVATION),
        alike=True,
        only=True,
    ),
    Claim(
        id="bn-batch-size",
        statement="Batch norm suffers from small batches.",
        source="Batch normalization",
        measure="accuracy, batches of 32 less batches of 3, with batch norm less without",
        unit="points",
        margin=HALF_A_POINT,
        expected="supported",
        known="its statistics are too noisy then",
        reference="Wu & He 2018",
        studies=("batch_norm",),
        test=found(small_batches_spoil_batch_norm),
        only=True,
    ),
)
