"""Claims on batch norm."""

from pipeline.evaluation.claims.comparison import Comparison, held
from pipeline.evaluation.claims.evidence import Evidence
from pipeline.evaluation.claims.ledger import Claim
from pipeline.evaluation.claims.questions import (
    DEEP,
    GRIDS,
    HALF_A_POINT,
    MOMENTS,
    PROBES,
    Findings,
    accuracies_differ,
    found,
    in_study,
    log_ratio_of_ends,
    takes_longer,
)  # fmt: skip

BY_ACTIVATION = ("activation",)

batch_norm_improves = accuracies_differ(
    Comparison("normalization", "before", "none", "test_accuracy", by=BY_ACTIVATION)
)
"""Accuracy with batch norm before the activation, less that without."""
batch_norm_needs_fewer_epochs = accuracies_differ(
    Comparison("normalization", "before", "none", "speed", by=BY_ACTIVATION)
)
"""Mean validation accuracy over the epochs with batch norm before the activation, less that without."""
placements_are_alike = accuracies_differ(
    Comparison("normalization", "before", "after", "test_accuracy", by=BY_ACTIVATION)
)
"""Accuracy with batch norm before the activation, less that with it after."""


def batch_norm_evens_gradients(evidence: Evidence) -> Findings:
    """How far the lowest layer's gradient is from the highest's (log of the ratio): without batch norm less with it."""
    comparison = Comparison("normalization", "none", "before", "uneven", by=BY_ACTIVATION)
    for name, tables in evidence.shapes:
        if tables.depth < DEEP:
            continue
        for epoch, when in MOMENTS:
            hidden = held(tables.hidden(epoch), {}, ("normalization",))
            ratios = log_ratio_of_ends(hidden, "gradient", tables.depth)
            for where, effects in comparison.effects(ratios.assign(uneven=ratios["ratio"].abs())):
                yield in_study(name, tables, effects, **where, when=when)


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
        test=found(batch_norm_improves),
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
        test=found(placements_are_alike),
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
        measure="mean validation accuracy over the epochs, batch norm before the activation less none",
        unit="points",
        margin=HALF_A_POINT,
        expected="supported",
        known="usual",
        reference="Ioffe & Szegedy 2015",
        studies=GRIDS,
        test=found(batch_norm_needs_fewer_epochs),
    ),
)
