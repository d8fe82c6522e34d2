"""Claims on initialization, and on vanishing and exploding gradients."""

import math

import numpy as np
import pandas as pd

from .comparison import Comparison, contrast, held
from .evidence import Evidence, by_seed
from .ledger import Claim
from .questions import (
    DEEP,
    GRIDS,
    HALF_A_POINT,
    MOMENTS,
    PROBES,
    SMALLEST,
    Findings,
    compared,
    ends,
    found,
    in_probe,
    in_study,
    log_ratio_of_ends,
    of_accuracy,
    of_scores,
    pairs_differ,
    rank_correlation,
)

PAIRING = {
    "tanh": "glorot", "sigmoid": "glorot", "relu": "he", "leaky_relu": "he", "rrelu": "he", "prelu": "he", "elu": "he",
    "selu": "lecun",
}  # fmt: skip
"""The textbook's table: which initializer belongs to which activation."""
LAWS = ("glorot", "lecun", "he")
VANISHED = 20.0
"""How many times smaller the gradient is in the lowest hidden layer than in the highest: the health verdict's."""
PRINTED = "glorot_uniform(scale=0.6667)"
"""U(-r, r) with r = √(2/fan_avg), as some print it: two thirds of Glorot's variance."""


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
                weights = contrast(best[True], best[False], on=("hidden", "batch_size"))
                yield of_accuracy(name, tables, weights, plus=HALF_A_POINT, activation=activation)


def lower_layers_stand_still(evidence: Evidence) -> Findings:
    """Where gradients vanish: log of the highest hidden layer's update-to-weight ratio over the lowest's."""
    for name, tables in evidence.shapes:
        hidden = held(tables.hidden(1), {}, ("normalization",))
        gradient = ends(hidden, "gradient", tables.depth)
        vanishing = gradient[VANISHED * gradient["low"] < gradient["high"]]
        hidden = hidden.merge(vanishing[tables.key], on=tables.key, validate="many_to_one")
        for activation, group in log_ratio_of_ends(hidden, "update_ratio", tables.depth).groupby("activation"):
            yield in_study(name, tables, by_seed(group, "ratio"), activation=activation)


def top_layers_saturate_more(evidence: Evidence) -> Findings:
    """Saturated share of a sigmoid's activations with weights from N(0, 1): highest hidden layer less lowest."""
    for name, tables in evidence.shapes:
        for epoch, when in MOMENTS:
            hidden = held(tables.hidden(epoch), {"activation": "sigmoid", "initializer": "standard_normal"})
            table = ends(hidden, "saturated", tables.depth)
            yield in_study(name, tables, by_seed(table.assign(more=table["high"] - table["low"]), "more"), when=when)


def large_updates_precede_divergence(evidence: Evidence) -> Findings:
    """Ln of the largest update-to-weight ratio of a layer: networks that diverge less those that do not."""
    for name, tables in evidence.shapes:
        columns = [*tables.key, "epoch", "update_ratio"]
        looks = held(tables.read(tables.looks, columns), {}).dropna(subset="update_ratio")
        for when, ends_at in (("at the first step", "min"), ("when last looked at", "max")):
            largest = (
                np.log(looks.groupby(columns[:-1])["update_ratio"].max().clip(lower=SMALLEST))
                .rename("update")
                .reset_index()
            )
            at = largest.groupby(tables.key)["epoch"].transform(ends_at)
            own = largest[largest["epoch"] == at].merge(tables.every[[*tables.key, "lost"]], on=tables.key)
            lost, kept = (by_seed(own[own["lost"] == end], "update") for end in (1, 0))
            yield in_study(name, tables, (lost - kept).dropna(), when=when)


def still_lower_layers_learn_badly(evidence: Evidence) -> Findings:
    """Rank correlation over the settings: how much the lowest layer moves beside the highest, and accuracy."""
    for name, tables in evidence.shapes:
        if tables.depth >= DEEP:
            moved = log_ratio_of_ends(held(tables.at_own_rates(1), {}), "update_ratio", tables.depth)
            own = tables.chosen.merge(moved.assign(moves=-moved["ratio"]), on=tables.key)
            yield of_scores(name, tables, rank_correlation(own, "moves", "test_accuracy"))


def unequal_variances_hurt(evidence: Evidence) -> Findings:
    """Rank correlation over initializers: how far variances move before the first step, and accuracy; negated."""
    for name, tables in evidence.shapes:
        hidden = held(tables.hidden(0), {})
        ratios = [log_ratio_of_ends(hidden, column, tables.depth) for column in ("signal", "gradient")]
        moved = ratios[0].merge(ratios[1], on=tables.key)
        own = tables.chosen.merge(moved.assign(off=-moved[["ratio_x", "ratio_y"]].abs().max(axis=1)), on=tables.key)
        for activation, group in own.groupby("activation"):
            effects = rank_correlation(group, "off", "test_accuracy")
            if len(effects):
                yield of_scores(name, tables, effects, activation=activation)


def glorot_keeps_sigmoids_unsaturated(evidence: Evidence) -> Findings:
    """Saturated share of the sigmoid's activations after training: with N(0, 1) less with Glorot's weights."""
    comparison = Comparison(
        "initializer", "standard_normal", "glorot_uniform", "saturated", at={"activation": "sigmoid"}, rate="same"
    )
    for name, tables in evidence.shapes:
        for _, effects in comparison.effects(tables.hidden("last")):
            yield in_study(name, tables, effects)


def printed_radius_loses_variance(evidence: Evidence) -> Findings:
    """Ln of the signal's variance, highest hidden layer over lowest: Glorot's less the printed radius's."""
    comparison = Comparison("initializer", "glorot_uniform", PRINTED, "ratio", by=("activation",))
    for name, tables in evidence.shapes:
        ratios: pd.DataFrame = log_ratio_of_ends(held(tables.hidden(0), {}), "signal", tables.depth)
        for where, effects in comparison.effects(ratios):
            yield in_study(name, tables, effects, **where)


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
        studies=("digits", "initializers"),
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
        studies=("digits", "initializers"),
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
    Claim(
        id="updates-before-divergence",
        statement="Where gradients explode, weights are changed by insanely much, and then the loss diverges.",
        source="Vanishing/exploding gradients",
        measure="largest update-to-weight ratio of a layer, networks that diverge less those that do not",
        unit="ln ratio",
        margin=0.0,
        expected="supported",
        known="true",
        reference="Bengio, Simard & Frasconi 1994",
        studies=("exploding",),
        test=found(large_updates_precede_divergence),
        only=True,
    ),
    Claim(
        id="still-layers-learn-badly",
        statement="Where the lower layers hardly change, training does not come to a good solution.",
        source="Vanishing/exploding gradients",
        measure="rank correlation of the lowest layer's update beside the highest's with accuracy, over settings",
        unit="rank correlation",
        margin=0.1,
        expected="supported",
        known="true of deep networks",
        reference="Glorot & Bengio 2010",
        studies=("deep_plain",),
        test=found(still_lower_layers_learn_badly),
        only=True,
    ),
    Claim(
        id="top-saturates-first",
        statement="With weights from N(0, 1) variance grows layer by layer, until a sigmoid's top layers saturate.",
        source="Vanishing/exploding gradients",
        measure="saturated share of a sigmoid's activations, highest hidden layer less lowest",
        unit="share of units",
        margin=0.05,
        expected="depends",
        known="on the inputs: a hidden sigmoid gives no more than 1, so that the lowest layer may get the most",
        reference="Glorot & Bengio 2010",
        studies=("initializers",),
        test=found(top_layers_saturate_more),
        only=True,
    ),
    Claim(
        id="unequal-variances-hurt",
        statement="Signals and gradients need the same variance in all layers.",
        source="Glorot and He initialization",
        measure="rank correlation of how little variances move before the first step with accuracy, over initializers",
        unit="rank correlation",
        margin=0.1,
        expected="supported",
        known="in deep networks",
        reference="Glorot & Bengio 2010; Schoenholz et al. 2017",
        studies=("initializers",),
        test=found(unequal_variances_hurt),
        only=True,
    ),
    Claim(
        id="glorot-helps-sigmoid",
        statement="With Glorot's weights a sigmoid network learns better than with weights from N(0, 1).",
        source="Glorot and He initialization",
        measure="accuracy of the sigmoid, Glorot's weights less N(0, 1)",
        unit="points",
        margin=HALF_A_POINT,
        expected="supported",
        known="in deep networks",
        reference="Glorot & Bengio 2010",
        studies=("initializers",),
        test=pairs_differ("initializer", [("glorot_uniform", "standard_normal")], at={"activation": "sigmoid"}),
        only=True,
    ),
    Claim(
        id="glorot-prevents-saturation",
        statement="With Glorot's weights a sigmoid is not saturated after training either.",
        source="Glorot and He initialization",
        measure="saturated share of a sigmoid's activations after training, N(0, 1) less Glorot's weights",
        unit="share of units",
        margin=0.05,
        expected="supported",
        known="true",
        reference="Glorot & Bengio 2010",
        studies=("initializers",),
        test=found(glorot_keeps_sigmoids_unsaturated),
        only=True,
    ),
    Claim(
        id="normal-or-uniform",
        statement="Whether weights are drawn from a normal or a uniform law makes no difference.",
        source="Glorot and He initialization",
        measure="accuracy, normal less uniform law of the same variance",
        unit="points",
        margin=2 * HALF_A_POINT,
        expected="supported",
        known="usual",
        reference="Glorot & Bengio 2010; He et al. 2015",
        studies=("initializers",),
        test=pairs_differ("initializer", [(f"{law}_normal", f"{law}_uniform") for law in LAWS]),
        alike=True,
        only=True,
    ),
    Claim(
        id="printed-radius-variance",
        statement="A radius of √(2/fan_avg) loses a third of the variance in each layer.",
        source="Glorot and He initialization",
        measure="ln variance of the signal, highest hidden layer over lowest, √(3/fan_avg) less √(2/fan_avg)",
        unit="ln ratio",
        margin=0.0,
        expected="supported",
        known="ln(3/2) a layer, where the activation is linear",
        reference="Glorot & Bengio 2010, eq. 16",
        studies=("initializers",),
        test=found(printed_radius_loses_variance),
        kind="check",
        only=True,
    ),
    Claim(
        id="printed-radius",
        statement="Glorot's uniform law has a radius of √(2/fan_avg), as some print it.",
        source="Glorot and He initialization",
        measure="accuracy, √(2/fan_avg) less √(3/fan_avg)",
        unit="points",
        margin=HALF_A_POINT,
        expected="refuted",
        known="it has √(3/fan_avg)",
        reference="Glorot & Bengio 2010, eq. 16",
        studies=("initializers",),
        test=found(compared(Comparison("initializer", PRINTED, "glorot_uniform", "test_accuracy", by=("activation",)))),
        only=True,
    ),
    Claim(
        id="he-for-relu",
        statement="For ReLU, He's uniform weights are better than Keras's default, Glorot's.",
        source="Glorot and He initialization",
        measure="accuracy of ReLU, he_uniform less glorot_uniform",
        unit="points",
        margin=HALF_A_POINT,
        expected="supported",
        known="in deep networks",
        reference="He et al. 2015",
        studies=("initializers",),
        test=pairs_differ("initializer", [("he_uniform", "glorot_uniform")], at={"activation": "relu"}),
        only=True,
    ),
)
