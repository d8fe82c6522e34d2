"""Claims on gradient clipping."""

from pipeline.evaluation.claims.comparison import Comparison, held
from pipeline.evaluation.claims.evidence import Evidence, by_seed
from pipeline.evaluation.claims.ledger import Claim
from pipeline.evaluation.claims.questions import PROBES, Findings, found, in_probe, in_study

FREE = ("normalization", "clipping")


def clipping_prevents_divergence(evidence: Evidence) -> Findings:
    """Share of networks that diverged without clipping, less that with it, where any diverged."""
    for name, tables in evidence.shapes:
        table = held(tables.networks, {}, FREE)
        table = table.assign(lost=(table["status"] == "diverged").astype(float))
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
)
