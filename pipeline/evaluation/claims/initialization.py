"""Claims on initialization, and on vanishing and exploding gradients."""

import math

from pipeline.evaluation.claims.comparison import Comparison, held, paired
from pipeline.evaluation.claims.evidence import Evidence, by_seed
from pipeline.evaluation.claims.ledger import Claim
from pipeline.evaluation.claims.questions import (
    GRIDS,
    HALF_A_POINT,
    PROBES,
    Findings,
    found,
    in_probe,
    in_study,
    log_ratio_of_ends,
    of_scores,
)

PAIRING = {
    "tanh": "glorot", "sigmoid": "glorot", "relu": "he", "leaky_relu": "he", "rrelu": "he", "prelu": "he", "elu": "he",
    "selu": "lecun",
}  # fmt: skip
"""The textbook's table: which initializer belongs to which activation."""


def init_saturates(evidence: Evidence) -> Findings:
    """Sigmoid units saturated before the first step: standard normal weights less Glorot's."""
    comparison = Comparison(
        "initializer", "standard_normal", "glorot_uniform", "saturated", at={"activation": "sigmoid"}
    )
    for name, tables in evidence.shapes:
        for where, effects in comparison.effects(tables.hidden(0)):
            yield in_study(name, tables, effects, **where)


def gradients_shrink(evidence: Evidence) -> Findings:
    """Sigmoid units: ln of the highest layer's gradient over the lowest's, with N(0, 1); and that less Glorot's."""
    comparison = Comparison("initializer", "standard_normal", "glorot_uniform", "ratio")
    for name, tables in evidence.shapes:
        shrinks = log_ratio_of_ends(held(tables.hidden(0), {"activation": "sigmoid"}), "gradient", tables.depth)
        own = shrinks[shrinks["initializer"] == "standard_normal"]
        yield in_study(name, tables, by_seed(own, "ratio"), initializer="standard_normal")
        yield in_study(name, tables, comparison.of(shrinks), compared="standard_normal − glorot_uniform")


def glorot_needs_square_layers(evidence: Evidence) -> Findings:
    """Distance of a linear layer's ln variance ratio from 0, the worse way: 0.1 less a square one's; others less it."""
    if evidence.probes is None:
        return
    table = evidence.probes.variances
    off = table[["forward", "backward"]].abs().max(axis=1).groupby([table["shape"], table["seed"]]).mean()
    yield in_probe(0.1 - off["square"], shape="square")
    for shape in ("narrowing", "widening"):
        yield in_probe(off[shape] - off["square"], shape=shape)


def he_keeps_signals(evidence: Evidence) -> Findings:
    """The logarithm of 10 less how far the pre-activations' variance moves through a deep network with He's weights."""
    if evidence.probes is None:
        return
    table = evidence.probes.drifts
    for activation, group in table.assign(moved=table["drift"].abs()).groupby("activation", sort=False):
        yield in_probe(math.log(10) - by_seed(group, "moved"), activation=activation)


def pairing_is_best(evidence: Evidence) -> Findings:
    """The table's initializer less the best other one (chosen on validation), plus the margin: not worse."""
    for name, tables in evidence.shapes:
        chosen = held(tables.chosen, {})
        for activation, family in PAIRING.items():
            own = chosen[chosen["activation"] == activation]
            is_paired = own["initializer"].str.startswith(family)
            # One of the normal and the uniform kind, and of the others, by validation: the test part judges them.
            best = {}
            for ours, group in own.groupby(is_paired):
                scores = group.groupby("initializer")["val_accuracy"].mean()
                if scores.notna().any():
                    best[bool(ours)] = group[group["initializer"] == scores.idxmax()]
            if len(best) == 2:
                effects = 100 * paired(best[True], best[False], "test_accuracy", on=("hidden", "batch_size"))
                yield of_scores(name, tables, effects + HALF_A_POINT, activation=activation)


def lower_layers_stand_still(evidence: Evidence) -> Findings:
    """Where gradients vanish: log of the highest hidden layer's update-to-weight ratio over the lowest's."""
    for name, tables in evidence.shapes:
        free = ("normalization",)
        vanishing = held(tables.networks[tables.networks["health"] == "vanishing"], {}, free)
        hidden = held(tables.hidden(1), {}, free)
        hidden = hidden.merge(vanishing[tables.key], on=tables.key, validate="many_to_one")
        for activation, group in log_ratio_of_ends(hidden, "update_ratio", tables.depth).groupby("activation"):
            yield in_study(name, tables, by_seed(group, "ratio"), activation=activation)


CLAIMS = (
    Claim(
        id="init-saturation",
        statement="A sigmoid on weights from N(0, 1) saturates.",
        source="Vanishing/exploding gradients",
        measure="saturated share of the units before the first step, standard normal less Glorot's weights",
        unit="share of units",
        margin=0.0,
        expected="supported",
        known="true, in all layers",
        reference="Glorot & Bengio 2010",
        studies=GRIDS,
        test=found(init_saturates),
        kind="check",
    ),
    Claim(
        id="init-gradients",
        statement=(
            "A sigmoid's gradients shrink towards the input, with weights from N(0, 1) more than with Glorot's."
        ),
        source="Vanishing/exploding gradients",
        measure=(
            "gradient of the highest over the lowest hidden layer before the first step: with N(0, 1), and that "
            "less Glorot's"
        ),
        unit="ln ratio",
        margin=0.0,
        expected="supported",
        known="Glorot's weights were made to prevent it",
        reference="Glorot & Bengio 2010",
        studies=GRIDS,
        test=found(gradients_shrink),
    ),
    Claim(
        id="glorot-both-ways",
        statement="Glorot's weights keep the variance both ways only where fan_in = fan_out.",
        source="Glorot and He initialization",
        measure=(
            "|ln variance ratio| of a linear layer in the worse direction: 0.1 less a square layer's, others less"
            " a square layer's"
        ),
        unit="|ln ratio|",
        margin=0.0,
        expected="supported",
        known="true near 0, where activations are linear",
        reference="Glorot & Bengio 2010",
        studies=PROBES,
        test=found(glorot_needs_square_layers),
        kind="check",
    ),
    Claim(
        id="he-suits-relu-family",
        statement="He's weights suit ReLU and its variants.",
        source="Glorot and He initialization",
        measure="ln 10 less the drift of the pre-activations' variance through a deep network with He's weights",
        unit="|ln ratio|",
        margin=0.0,
        expected="depends",
        known="made for ReLU; false for GELU, Swish and Mish at depth, and LeakyReLU(0.3) drifts",
        reference="He et al. 2015; Hayou et al. 2019",
        studies=PROBES,
        test=found(he_keeps_signals),
    ),
    Claim(
        id="pairing-table",
        statement=(
            "Each activation has its initializer: Glorot for tanh and the sigmoid, He for ReLU and its variants, "
            "LeCun for SELU."
        ),
        source="Glorot and He initialization",
        measure="accuracy of the paired initializer less that of the best other one, plus 0.5",
        unit="points",
        margin=0.0,
        expected="supported",
        known="the initializers' own papers pair them so",
        reference="Glorot & Bengio 2010; He et al. 2015; Klambauer et al. 2017",
        studies=GRIDS,
        test=found(pairing_is_best),
    ),
    Claim(
        id="vanishing-lower-layers",
        statement="Where gradients vanish, the lower layers hardly change.",
        source="Vanishing/exploding gradients",
        measure="update-to-weight ratio, highest over lowest hidden layer",
        unit="ln ratio",
        margin=0.0,
        expected="supported",
        known="true",
        reference="Bengio, Simard & Frasconi 1994",
        studies=GRIDS,
        test=found(lower_layers_stand_still),
    ),
)
