"""Claims on gradient clipping."""

from .comparison import Comparison, held
from .evidence import Evidence, by_seed
from .ledger import Claim
from .questions import (
    HALF_A_POINT,
    PROBES,
    Findings,
    found,
    in_probe,
    in_study,
    log_ratio_of_ends,
    pairs_differ,
)

FREE = ("normalization", "clipping")


def clipping_prevents_divergence(evidence: Evidence) -> Findings:
    """Share of networks that diverged without clipping, less that with it, where any diverged."""
    for name, tables in evidence.shapes:
        table = held(tables.every, {}, FREE)
        key = [column for column in tables.key if column != "clipping"]
        for mode in ("value", "norm", "global_norm"):
            clipped = table[table["clipping"] == mode]
            free = table[table["clipping"] == "none"].merge(clipped[key], on=key, validate="one_to_one")
            if len(clipped) and (free["lost"].any() or clipped["lost"].any()):
                effects = Comparison("clipping", "none", mode, "lost", rate="same").of(table)
                yield in_study(name, tables, effects, clipping=mode)


def clipping_by_value_alone_turns(evidence: Evidence) -> Findings:
    """Angle between the gradients before and after, less 1°, for clipping by value; 1° less the angle for norms."""
    if evidence.probes is None:
        return
    for mode, group in evidence.probes.angles.groupby("clipping"):
        above = by_seed(group, "angle") - 1.0
        yield in_probe(above if mode == "value" else -above, clipping=mode)


def recurrent_networks_diverge(evidence: Evidence) -> Findings:
    """Share of networks that diverge, at the same learning rates: recurrent ones less plain ones as deep."""
    comparison = Comparison("architecture", "recurrent", "mlp", "lost", by=("activation",), rate="same")
    for name, tables in evidence.shapes:
        for where, effects in comparison.effects(tables.every):
            yield in_study(name, tables, effects, **where)


def recurrent_gradients_grow(evidence: Evidence) -> Findings:
    """Ln of the gradient at the first step over that at the last: recurrent networks less plain ones as deep."""
    comparison = Comparison("architecture", "mlp", "recurrent", "ratio", by=("activation", "initializer"))
    for name, tables in evidence.shapes:
        ratios = log_ratio_of_ends(held(tables.hidden(0), {}, ("architecture",)), "gradient", tables.depth)
        for where, effects in comparison.effects(ratios):
            yield in_study(name, tables, effects, **where)


CLAIMS = (
    Claim(
        id="clipping-prevents-explosion",
        statement="Clipping prevents divergence.",
        source="Gradient clipping",
        measure="share of networks that diverged, without clipping less with it",
        unit="share of networks",
        margin=0.0,
        expected="supported",
        known="bounds the step, does nothing for vanishing gradients",
        reference="Pascanu et al. 2013",
        studies=("digits",),
        test=found(clipping_prevents_divergence),
    ),
    Claim(
        id="clip-direction",
        statement="Clipping by value turns the gradient, clipping by norm does not.",
        source="Gradient clipping",
        measure="angle between the gradients before and after: by value less 1°, 1° less by norm",
        unit="degrees",
        margin=0.0,
        expected="depends",
        known="true for the global norm; Keras's clipnorm, each tensor by its own, turns it too",
        reference="Pascanu et al. 2013",
        studies=PROBES,
        test=found(clipping_by_value_alone_turns),
        kind="check",
    ),
    Claim(
        id="recurrent-gradients-grow",
        statement="Gradients grow above all in recurrent networks.",
        source="Vanishing/exploding gradients",
        measure="gradient at the first step over that at the last before training, recurrent less plain as deep",
        unit="ln ratio",
        margin=0.0,
        expected="depends",
        known="on the recurrent weights: one matrix is multiplied again and again",
        reference="Pascanu et al. 2013",
        studies=("recurrent",),
        test=found(recurrent_gradients_grow),
        only=True,
    ),
    Claim(
        id="recurrent-diverge",
        statement="Recurrent networks diverge where plain ones as deep do not.",
        source="Vanishing/exploding gradients",
        measure="share of networks that diverged, recurrent less plain as deep, at the same learning rates",
        unit="share of networks",
        margin=0.0,
        expected="depends",
        known="on the activation: a bounded one cannot diverge by itself",
        reference="Pascanu et al. 2013",
        studies=("recurrent",),
        test=found(recurrent_networks_diverge),
        only=True,
    ),
    Claim(
        id="value-or-norm",
        statement="Whether gradients are clipped by value or by norm makes little difference to what is learned.",
        source="Gradient clipping",
        measure="accuracy, clipping by value less by norm",
        unit="points",
        margin=2 * HALF_A_POINT,
        expected="inconclusive",
        known="try both, the textbook says",
        reference="Pascanu et al. 2013",
        studies=("recurrent",),
        test=pairs_differ("clipping", [("value", "norm")], by=("architecture",)),
        alike=True,
        only=True,
    ),
)
