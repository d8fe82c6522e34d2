"""Claims on ReLU, and on its variants with a slope."""

import pandas as pd

from ..cells import SETTING
from .comparison import Comparison, held
from .evidence import Evidence, StudyTables, by_seed
from .ledger import Claim
from .questions import (
    BY_NORM,
    GRIDS,
    HALF_A_POINT,
    Findings,
    activations_differ,
    found,
    in_study,
    pairs_differ,
)

MEAN_SLOPE = "leaky_relu(slope=0.2292)"
"""LeakyReLU at the mean of RReLU's slopes, (1/8 + 1/3) / 2."""
SMALL_LEAK = "leaky_relu(slope=0.01)"
BY_FRACTION = ("train_fraction",)


def large_rates_kill(evidence: Evidence) -> Findings:
    """Dead share of ReLU's units at the end: the largest learning rate less the smallest."""
    for name, tables in evidence.shapes:
        hidden = held(tables.at_listed_rates(), {"activation": "relu"}, BY_NORM)
        for norm, group in hidden.groupby("normalization"):
            tried = group.groupby(SETTING)["learning_rate"].unique()
            rates = sorted(tried.iloc[int(tried.map(len).argmax())])
            if len(rates) > 1:
                effects = Comparison("learning_rate", rates[-1], rates[0], "dead").of(group)
                yield in_study(name, tables, effects, normalization=norm, learning_rate=f"{rates[-1]:g} − {rates[0]:g}")


def half_of_them_die(evidence: Evidence) -> Findings:
    """Dead share of ReLU's units at the end, at each learning rate of several, less one half."""
    for name, tables in evidence.shapes:
        hidden = held(tables.at_listed_rates(), {"activation": "relu"})
        for rate, group in hidden.groupby("learning_rate"):
            yield in_study(name, tables, by_seed(group, "dead") - 0.5, learning_rate=f"{rate:g}")


def the_dead_stay_dead(evidence: Evidence) -> Findings:
    """One half less the share of ReLU's dead units that are alive when next looked at, once training has begun."""
    for name, tables in evidence.shapes:
        woken = _woken(tables, "relu")
        yield in_study(name, tables, 0.5 - by_seed(woken, "woken"))


def leaky_units_wake_up(evidence: Evidence) -> Findings:
    """Share of the silent units that are not when next looked at: of each slope less ReLU's."""
    for name, tables in evidence.shapes:
        of_relu = by_seed(_woken(tables, "relu"), "woken")
        for activation in sorted({*tables.networks["activation"]}):
            if activation.startswith("leaky_relu"):
                own = by_seed(_woken(tables, activation), "woken")
                yield in_study(name, tables, (own - of_relu).dropna(), compared=f"{activation} − relu")


def _woken(tables: StudyTables, activation: str) -> pd.DataFrame:
    """Return the looks at hidden layers that had silent units at the look before; both after the first step."""
    looks = tables.looks.where(("layer", "<=", tables.depth), ("epoch", ">", 1), ("activation", "==", activation))
    return held(tables.read(looks, [*tables.key, "woken"]), {}).dropna(subset="woken")


def prelu_moves(evidence: Evidence) -> Findings:
    """How far PReLU's mean slope is, at the end, from where it started, in either direction."""
    for name, tables in evidence.shapes:
        first, last = (held(tables.at_equal_rates(at), {"activation": "prelu"}, BY_NORM) for at in (0, "last"))
        key = [*tables.key, "layer"]
        moved = last.merge(first, on=key, validate="one_to_one")
        moved["moved"] = (moved["prelu_slope_x"] - moved["prelu_slope_y"]).abs()
        yield in_study(name, tables, by_seed(moved, "moved"))


CLAIMS = (
    Claim(
        id="sigmoid-worse-than-relu",
        statement="In deep networks ReLU is better than the sigmoid.",
        source="Better activation functions",
        measure="accuracy, ReLU less sigmoid",
        unit="points",
        margin=HALF_A_POINT,
        expected="supported",
        known="true",
        reference="Glorot, Bordes & Bengio 2011",
        studies=("digits_deep",),
        test=activations_differ("relu", ("sigmoid",), deep=True),
    ),
    Claim(
        id="dying-relu-lr",
        statement="A large learning rate kills ReLU units.",
        source="Better activation functions",
        measure="dead share of the units, largest learning rate less smallest",
        unit="share of units",
        margin=0.0,
        expected="supported",
        known="folklore; depth matters too",
        reference="Lu et al. 2020",
        studies=("digits", "dying"),
        test=found(large_rates_kill),
    ),
    Claim(
        id="half-of-relu-dies",
        statement="A large learning rate may kill half of the ReLU units.",
        source="Better activation functions",
        measure="dead share of the units at each learning rate, less one half",
        unit="share of units",
        margin=0.1,
        expected="depends",
        known="on the learning rate and the initial weights",
        reference="Lu et al. 2020",
        studies=("dying",),
        test=found(half_of_them_die),
        only=True,
    ),
    Claim(
        id="dead-stay-dead",
        statement="ReLU units that have died stay dead.",
        source="Better activation functions",
        measure="one half less the share of dead units that are alive when next looked at",
        unit="share of units",
        margin=0.1,
        expected="supported",
        known="their own weights get no gradient, but the layers below them go on learning",
        reference="Lu et al. 2020",
        studies=("dying",),
        test=found(the_dead_stay_dead),
        only=True,
    ),
    Claim(
        id="leaky-units-wake-up",
        statement="Units of LeakyReLU that were silent for all samples may wake up again.",
        source="Leaky ReLU",
        measure="share of the silent units that are not when next looked at, LeakyReLU less ReLU",
        unit="share of units",
        margin=0.1,
        expected="supported",
        known="their gradient is never 0",
        reference="Maas et al. 2013",
        studies=("dying",),
        test=found(leaky_units_wake_up),
        only=True,
    ),
    Claim(
        id="leaky-beats-relu",
        statement="LeakyReLU is always better than ReLU.",
        source="Leaky ReLU",
        measure="accuracy, LeakyReLU less ReLU",
        unit="points",
        margin=HALF_A_POINT,
        expected="depends",
        known="on the slope; batch norm erases it",
        reference="Xu et al. 2015",
        studies=GRIDS,
        test=activations_differ("leaky_relu", ("relu",)),
    ),
    Claim(
        id="large-leak",
        statement="A large leak, of 0.2 or 0.3, is better than one of 0.01.",
        source="Leaky ReLU",
        measure="accuracy, a slope of 0.2 and of 0.3 less one of 0.01",
        unit="points",
        margin=HALF_A_POINT,
        expected="supported",
        known="on small images",
        reference="Xu et al. 2015",
        studies=("activation_variants",),
        test=pairs_differ("activation", [(slope, SMALL_LEAK) for slope in ("leaky_relu(slope=0.2)", "leaky_relu")]),
        only=True,
    ),
    Claim(
        id="rrelu-regularises",
        statement="RReLU's random slopes keep a network from over-fitting.",
        source="Leaky ReLU",
        measure="training less test accuracy, LeakyReLU's at the mean slope less RReLU's",
        unit="points",
        margin=HALF_A_POINT,
        expected="supported",
        known="most with few samples",
        reference="Xu et al. 2015",
        studies=("few_samples",),
        test=pairs_differ("activation", [(MEAN_SLOPE, "rrelu")], "gap", BY_FRACTION),
        only=True,
    ),
    Claim(
        id="prelu-learns",
        statement="PReLU's slope moves away from its start.",
        source="Leaky ReLU",
        measure="|slope at the end less at the start|",
        unit="slope",
        margin=0.0,
        expected="supported",
        known="true",
        reference="He et al. 2015",
        studies=("digits",),
        test=found(prelu_moves),
    ),
    Claim(
        id="prelu-beats-relu",
        statement="PReLU is better than ReLU.",
        source="Leaky ReLU",
        measure="accuracy, PReLU less ReLU",
        unit="points",
        margin=HALF_A_POINT,
        expected="depends",
        known="on large image datasets; with few samples it may over-fit",
        reference="He et al. 2015; Xu et al. 2015",
        studies=("few_samples",),
        test=pairs_differ("activation", [("prelu", "relu")], by=BY_FRACTION),
        only=True,
    ),
    Claim(
        id="prelu-overfits",
        statement="With few samples PReLU over-fits more than ReLU.",
        source="Leaky ReLU",
        measure="training less test accuracy, PReLU's less ReLU's",
        unit="points",
        margin=HALF_A_POINT,
        expected="supported",
        known="on small datasets",
        reference="Xu et al. 2015",
        studies=("few_samples",),
        test=pairs_differ("activation", [("prelu", "relu")], "gap", BY_FRACTION),
        only=True,
    ),
)
