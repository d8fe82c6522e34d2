"""Claims on activation functions."""

import pandas as pd

from pipeline.evaluation.cells import SETTING
from pipeline.evaluation.claims.comparison import Comparison, held, paired
from pipeline.evaluation.claims.evidence import Evidence, StudyTables, by_seed
from pipeline.evaluation.claims.ledger import Claim
from pipeline.evaluation.claims.questions import (
    GRIDS,
    HALF_A_POINT,
    MOMENTS,
    PROBES,
    Findings,
    accuracies_differ,
    activations_differ,
    found,
    in_probe,
    in_study,
    of_scores,
    takes_longer,
)  # fmt: skip
from pipeline.grid import AXES

KINKED, SMOOTH = ("relu", "leaky_relu"), ("gelu", "swish", "mish")
BY_NORM = ("normalization",)


def large_rates_kill(evidence: Evidence) -> Findings:
    """Dead share of ReLU's units at the end: the largest learning rate less the smallest."""
    for name, tables in evidence.shapes:
        hidden = held(tables.hidden("last", every_rate=True), {"activation": "relu"}, BY_NORM)
        for norm, group in hidden.groupby("normalization"):
            tried = group.groupby(SETTING)["learning_rate"].unique()
            rates = sorted(tried.iloc[int(tried.map(len).argmax())])
            if len(rates) > 1:
                effects = Comparison("learning_rate", rates[-1], rates[0], "dead").of(group)
                yield in_study(name, tables, effects, normalization=norm, learning_rate=f"{rates[-1]:g} − {rates[0]:g}")


def prelu_moves(evidence: Evidence) -> Findings:
    """How far PReLU's mean slope is, at the end, from where it started, in either direction."""
    for name, tables in evidence.shapes:
        first, last = (held(tables.hidden(at), {"activation": "prelu"}, BY_NORM) for at in (0, "last"))
        key = [*tables.key, "layer"]
        moved = last.merge(first, on=key, validate="one_to_one")
        moved["moved"] = (moved["prelu_slope_x"] - moved["prelu_slope_y"]).abs()
        yield in_study(name, tables, by_seed(moved, "moved"))


def elu_is_centred(evidence: Evidence) -> Findings:
    """Mean activation of the layers at the end, in absolute value: ReLU's less ELU's."""
    comparison = Comparison("activation", "relu", "elu", "offset", by=BY_NORM)
    for name, tables in evidence.shapes:
        hidden = tables.hidden("last")
        for where, effects in comparison.effects(hidden.assign(offset=hidden["activation_mean"].abs())):
            yield in_study(name, tables, effects, **where)


def elu_lives(evidence: Evidence) -> Findings:
    """0.001 less the dead share of ELU's units at the end."""
    for name, tables in evidence.shapes:
        own = held(tables.hidden("last"), {"activation": "elu"}, BY_NORM)
        for norm, group in own.groupby("normalization"):
            yield in_study(name, tables, 0.001 - by_seed(group, "dead"), normalization=norm)


def smooth_learns_faster(evidence: Evidence) -> Findings:
    """Mean validation accuracy over the epochs: smooth activations less kinked ones."""
    for name, tables in evidence.shapes:
        chosen = held(tables.chosen, {}, BY_NORM)
        for norm, group in chosen.groupby("normalization"):
            others = [axis for axis in AXES if axis not in ("activation", "learning_rate")]
            smooth, kinked = (
                group[group["activation"].isin(kind)].groupby([*others, "seed"])[["speed"]].mean().reset_index()
                for kind in (SMOOTH, KINKED)
            )
            yield of_scores(name, tables, 100 * paired(smooth, kinked, "speed", on=others), normalization=norm)


def selu_worst_layer(tables: StudyTables, epoch: int | str = 0, **setting: str) -> pd.Series:
    """Return, by seed, how far the worst layer's mean and sd are from 0 and 1."""
    hidden = held(tables.hidden(epoch), {"activation": "selu"} | setting)
    off = pd.concat([hidden["activation_mean"].abs(), (hidden["activation_sd"] - 1).abs()], axis=1).max(axis=1)
    return off.groupby(hidden["seed"]).max()


def selu_normalises(evidence: Evidence) -> Findings:
    """0.5 less the worst layer's distance from mean 0 and sd 1."""
    for name, tables in evidence.shapes:
        for epoch, when in MOMENTS:
            worst = selu_worst_layer(tables, epoch, initializer="lecun_normal")
            yield in_study(name, tables, 0.5 - worst, when=when)


def selu_needs_its_conditions(evidence: Evidence) -> Findings:
    """The worst layer's distance from mean 0 and sd 1 with one condition broken, less that with all of them met."""
    if evidence.probes is not None:
        table = evidence.probes.moments
        unit, standardized = (table[table["inputs"] == inputs] for inputs in ("unit", "standardized"))
        yield in_probe(paired(unit, standardized, "off", on=()), broken="inputs between 0 and 1")
    for name, tables in evidence.shapes:
        met = selu_worst_layer(tables, initializer="lecun_normal")
        for initializer in ("he_normal", "glorot_uniform", "standard_normal"):
            worst = selu_worst_layer(tables, initializer=initializer)
            yield in_study(name, tables, (worst - met).dropna(), broken=initializer)
        worst = selu_worst_layer(tables, initializer="lecun_normal", normalization="before")
        yield in_study(name, tables, (worst - met).dropna(), broken="batch norm before")


gelu_is_its_approximation = accuracies_differ(
    Comparison("activation", "gelu", "gelu_sigmoid", "test_accuracy", by=BY_NORM)
)
"""Accuracy with GELU, less that with z·σ(1.702 z)."""


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
        studies=GRIDS,
        test=found(large_rates_kill),
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
        id="elu-zero-mean",
        statement="ELU brings mean activations closer to 0 than ReLU.",
        source="ELU and SELU",
        measure="|mean activation| of the layers at the end, ReLU less ELU",
        unit="activation value",
        margin=0.0,
        expected="supported",
        known="true",
        reference="Clevert et al. 2016",
        studies=GRIDS,
        test=found(elu_is_centred),
    ),
    Claim(
        id="elu-slow-step",
        statement="ELU's step takes longer than ReLU's.",
        source="ELU and SELU",
        measure="time per training step, ELU's over ReLU's less 1",
        unit="%",
        margin=0.0,
        expected="supported",
        known="true: it takes an exponential",
        reference="Clevert et al. 2016",
        studies=PROBES,
        test=takes_longer(("elu", "none"), ("relu", "none"), "elu / relu"),
        kind="cost",
    ),
    Claim(
        id="elu-fast-convergence",
        statement="ELU needs fewer epochs than ReLU.",
        source="ELU and SELU",
        measure="mean validation accuracy over the epochs, ELU less ReLU",
        unit="points",
        margin=HALF_A_POINT,
        expected="depends",
        known="conditional",
        reference="Clevert et al. 2016",
        studies=GRIDS,
        test=activations_differ("elu", ("relu",), "speed"),
    ),
    Claim(
        id="elu-no-death",
        statement="ELU units do not die.",
        source="ELU and SELU",
        measure="0.001 less the dead share of ELU's units at the end",
        unit="share of units",
        margin=0.0,
        expected="supported",
        known="true",
        reference="Clevert et al. 2016",
        studies=GRIDS,
        test=found(elu_lives),
    ),
    Claim(
        id="smooth-beats-kinked",
        statement="Smooth activations converge faster than kinked ones.",
        source="ELU and SELU",
        measure="mean validation accuracy over the epochs, GELU, Swish, Mish less ReLU, LeakyReLU",
        unit="points",
        margin=HALF_A_POINT,
        expected="depends",
        known="conditional",
        reference="Ramachandran et al. 2017; Misra 2019",
        studies=GRIDS,
        test=found(smooth_learns_faster),
    ),
    Claim(
        id="selu-self-normalises",
        statement="SELU keeps mean 0 and standard deviation 1 in every layer.",
        source="ELU and SELU",
        measure="0.5 less the worst layer's distance from them",
        unit="activation value",
        margin=0.0,
        expected="supported",
        known="true near the fixed point",
        reference="Klambauer et al. 2017",
        studies=GRIDS,
        test=found(selu_normalises),
    ),
    Claim(
        id="selu-conditions",
        statement="SELU stops normalising where its conditions are not met.",
        source="ELU and SELU",
        measure=(
            "the worst layer's distance from mean 0 and sd 1 before the first step, one condition broken less none"
        ),
        unit="activation value",
        margin=0.0,
        expected="supported",
        known="true",
        reference="Klambauer et al. 2017",
        studies=GRIDS,
        test=found(selu_needs_its_conditions),
    ),
    Claim(
        id="selu-deep",
        statement="SELU is better than the others in very deep plain networks.",
        source="ELU and SELU",
        measure="accuracy, SELU less each other one",
        unit="points",
        margin=HALF_A_POINT,
        expected="supported",
        known="often",
        reference="Klambauer et al. 2017",
        studies=("digits_deep",),
        test=activations_differ(
            "selu", ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "swish"), deep=True, normalized=False
        ),
    ),
    Claim(
        id="gelu-sigmoid-approximation",
        statement="z·σ(1.702 z) does what GELU does.",
        source="GELU, Swish, and Mish",
        measure="accuracy, GELU less its approximation",
        unit="points",
        margin=HALF_A_POINT,
        expected="supported",
        known="the functions differ by at most 0.0203, near |z| = 2.27",
        reference="Hendrycks & Gimpel 2016",
        studies=("digits",),
        test=found(gelu_is_its_approximation),
        alike=True,
    ),
    Claim(
        id="gelu-cost",
        statement="GELU's step takes longer than ReLU's.",
        source="GELU, Swish, and Mish",
        measure="time per training step, GELU's over ReLU's less 1",
        unit="%",
        margin=0.0,
        expected="supported",
        known="true: it takes an error function",
        reference="Hendrycks & Gimpel 2016",
        studies=PROBES,
        test=takes_longer(("gelu", "none"), ("relu", "none"), "gelu / relu"),
        kind="cost",
    ),
)
