"""Claims on ELU and SELU."""

import numpy as np
import pandas as pd

from ...axes.architectures import ARCHITECTURES
from ...grid import AXES
from .comparison import Comparison, held, paired
from .evidence import Epoch, Evidence, StudyTables, by_seed
from .ledger import Claim
from .questions import (
    BY_NORM,
    FIVE_POINTS,
    GRIDS,
    HALF_A_POINT,
    MOMENTS,
    PROBES,
    Findings,
    activations_differ,
    found,
    in_probe,
    in_study,
    of_accuracy,
    of_scores,
    takes_longer,
)

LECUN = "lecun_normal"
"""Whose weights SELU asks for."""
LOST = 1.0
"""How far an sd of 0 is from 1: what is farther off, if only by orders of magnitude, is no more lost than that."""
KINKED, SMOOTH = ("relu", "leaky_relu"), ("gelu", "swish", "mish")
SMOOTH_AT_ZERO = ("elu", *SMOOTH)
BREAKING = ("l1", "l2", "max_norm", "dropout")
"""Regularizers that SELU is said not to bear."""


def elu_is_centred(evidence: Evidence) -> Findings:
    """Mean activation of the layers at the end, as a share of the root mean square: ReLU's less ELU's.

    A share: a few networks whose activations grow to 10^14 would settle the mean of all others.
    """
    comparison = Comparison("activation", "relu", "elu", "offset", by=BY_NORM, rate="same")
    for name, tables in evidence.shapes:
        hidden = tables.hidden("last")
        mean, sd = hidden["activation_mean"].abs(), hidden["activation_sd"]
        for where, effects in comparison.effects(hidden.assign(offset=mean / np.hypot(mean, sd))):
            yield in_study(name, tables, effects, **where)


def elu_lives(evidence: Evidence) -> Findings:
    """0.001 less the dead share of ELU's units at the end."""
    for name, tables in evidence.shapes:
        own = held(tables.hidden("last"), {"activation": "elu"}, BY_NORM)
        for norm, group in own.groupby("normalization"):
            yield in_study(name, tables, 0.001 - by_seed(group, "dead"), normalization=norm)


def elu_arrives_sooner(evidence: Evidence) -> Findings:
    """Ln of the seconds to the target: the other's less ELU's, of pairs that both arrive."""
    for name, tables in evidence.shapes:
        for other in ("relu", "leaky_relu", "prelu"):
            for where, effects in Comparison("activation", other, "elu", "wait", by=BY_NORM).effects(tables.chosen):
                yield in_study(name, tables, effects, **where, compared=f"{other} − elu")


def smooth_learns_faster(evidence: Evidence) -> Findings:
    """Speed: the mean of smooth activations less that of kinked ones."""
    for name, tables in evidence.shapes:
        chosen = held(tables.chosen, {}, BY_NORM)
        for norm, group in chosen.groupby("normalization"):
            effects = 100 * kinds_differ(group, SMOOTH, KINKED, "profile")
            yield of_scores(name, tables, effects, normalization=norm)


def kinks_make_it_bounce(evidence: Evidence) -> Findings:
    """Ln of how much the training loss bounces late in training, at one learning rate: kinked less smooth."""
    for name, tables in evidence.shapes:
        own = held(tables.every[~tables.every["tuned"]], {})
        with np.errstate(divide="ignore"):
            own = own.assign(bounce=np.log(own["bounce"].where(own["bounce"] > 0)))
        for rate, group in own.groupby("learning_rate"):
            effects = kinds_differ(group, KINKED, SMOOTH_AT_ZERO, "bounce")
            yield in_study(name, tables, effects, learning_rate=f"{rate:g}")


def kinds_differ(table: pd.DataFrame, first: tuple[str, ...], second: tuple[str, ...], column: str) -> pd.Series:
    """Return by seed: the mean over some activations less that over others, of networks alike in all else."""
    others = [axis for axis in AXES if axis not in ("activation", "learning_rate")]
    one, other = (
        table[table["activation"].isin(kind)].groupby([*others, "seed"])[[column]].mean().reset_index()
        for kind in (first, second)
    )
    return paired(one, other, column, on=others)


def selu_worst_layer(tables: StudyTables, epoch: Epoch = 0, **setting: str) -> pd.Series:
    """Return, by seed, how far the worst layer's mean and sd are from 0 and 1, see `worst_layer`."""
    hidden = held(tables.hidden(epoch), {"activation": "selu"} | setting)
    return worst_layer(hidden)


def worst_layer(hidden: pd.DataFrame) -> pd.Series:
    """Return, by seed, how far the mean and sd of the worst of some layers are from 0 and 1, up to `LOST`."""
    off = pd.concat([hidden["activation_mean"].abs(), (hidden["activation_sd"] - 1).abs()], axis=1).max(axis=1)
    worst = off.groupby([hidden["learning_rate"], hidden["seed"]]).max().clip(upper=LOST)
    return worst.groupby("seed").mean()


def selu_normalises(evidence: Evidence) -> Findings:
    """0.5 less the worst layer's distance from mean 0 and sd 1."""
    for name, tables in evidence.shapes:
        for epoch, when in MOMENTS:
            worst = selu_worst_layer(tables, epoch, initializer=LECUN)
            yield in_study(name, tables, 0.5 - worst, when=when)


def selu_goes_on_normalising(evidence: Evidence) -> Findings:
    """0.5 less the worst layer's distance from mean 0 and sd 1, at each look while training."""
    for name, tables in evidence.shapes:
        for epoch in tables.looks.where(("epoch", ">", 0)).distinct(["epoch"])["epoch"]:
            yield in_study(name, tables, 0.5 - selu_worst_layer(tables, epoch, initializer=LECUN), epoch=epoch)


def selu_needs_its_conditions(evidence: Evidence) -> Findings:
    """The worst layer's distance from mean 0 and sd 1 with one condition broken, less that with all of them met."""
    if evidence.probes is not None:
        table = evidence.probes.moments
        unit, standardized = (table[table["inputs"] == inputs] for inputs in ("unit", "standardized"))
        yield in_probe(paired(unit, standardized, "off", on=()), broken="inputs between 0 and 1")
    for name, tables in evidence.shapes:
        met = selu_worst_layer(tables, initializer=LECUN)
        for initializer in ("he_normal", "glorot_uniform", "standard_normal"):
            worst = selu_worst_layer(tables, initializer=initializer)
            yield in_study(name, tables, (worst - met).dropna(), broken=initializer)
        worst = selu_worst_layer(tables, initializer=LECUN, normalization="before")
        yield in_study(name, tables, (worst - met).dropna(), broken="batch norm before")


def regularizers_break_selu(evidence: Evidence) -> Findings:
    """The worst layer's distance from mean 0 and sd 1 after training: with a regularizer less without."""
    yield from _with_regularizers(evidence, BREAKING)


def alpha_dropout_keeps_selu(evidence: Evidence) -> Findings:
    """The worst layer's distance from mean 0 and sd 1 after training: with alpha dropout less without."""
    yield from _with_regularizers(evidence, ("alpha_dropout",))


def _with_regularizers(evidence: Evidence, names: tuple[str, ...]) -> Findings:
    for name, tables in evidence.shapes:
        without = selu_worst_layer(tables, "last", initializer=LECUN)
        for level in sorted({*tables.networks["regularization"]}):
            if level.split("(")[0] in names:
                worst = selu_worst_layer(tables, "last", initializer=LECUN, regularization=level)
                yield in_study(name, tables, (worst - without).dropna(), regularization=level)


def elu_suits_other_architectures(evidence: Evidence) -> Findings:
    """Accuracy, SELU less ELU: in plain networks less in those with skips."""
    comparison = Comparison("activation", "selu", "elu", "test_accuracy", by=("architecture",))
    for name, tables in evidence.shapes:
        by_architecture = {where["architecture"]: weights for where, weights in comparison.contrasts(tables.chosen)}
        plain = by_architecture.get("mlp")
        for architecture, weights in by_architecture.items():
            if plain is not None and not ARCHITECTURES.parse(architecture).recurrent and architecture != "mlp":
                yield of_accuracy(name, tables, pd.concat([plain, -weights]), architecture=architecture)


CLAIMS = (
    Claim(
        id="elu-zero-mean",
        statement="ELU brings mean activations closer to 0 than ReLU.",
        source="ELU and SELU",
        measure="|mean activation| of the layers at the end as a share of the root mean square, ReLU less ELU",
        unit="share of the root mean square",
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
        measure="speed, ELU less ReLU",
        unit="points of speed",
        margin=FIVE_POINTS,
        expected="depends",
        known="conditional",
        reference="Clevert et al. 2016",
        studies=GRIDS,
        test=activations_differ("elu", ("relu",), "profile"),
    ),
    Claim(
        id="elu-faster-in-all",
        statement="ELU's slower steps are made up for: it arrives sooner than ReLU, LeakyReLU and PReLU.",
        source="ELU and SELU",
        measure="ln of the seconds to the target, the other's less ELU's",
        unit="ln ratio",
        margin=0.0,
        expected="supported",
        known="on large images",
        reference="Clevert et al. 2016",
        studies=GRIDS,
        test=found(elu_arrives_sooner),
        kind="cost",
    ),
    Claim(
        id="elu-no-death",
        statement="ELU units do not die.",
        source="ELU and SELU",
        measure="0.001 less the dead share of ELU's units at the end",
        unit="share of units",
        margin=0.0,
        expected="supported",
        known="true: it is 0 at a single point",
        reference="Clevert et al. 2016",
        studies=GRIDS,
        test=found(elu_lives),
        kind="check",
    ),
    Claim(
        id="elu-alpha",
        statement="ELU is fastest with α = 1, where it has no kink.",
        source="ELU and SELU",
        measure="speed, α = 1 less α = 0.5 and α = 2",
        unit="points of speed",
        margin=FIVE_POINTS,
        expected="inconclusive",
        known="nobody seems to have asked",
        reference="Clevert et al. 2016",
        studies=("activation_variants",),
        test=activations_differ("elu", ("elu(alpha=0.5)", "elu(alpha=2.0)"), "profile", normalized=False),
        only=True,
    ),
    Claim(
        id="smooth-beats-kinked",
        statement="Smooth activations converge faster than kinked ones.",
        source="ELU and SELU",
        measure="speed, GELU, Swish, Mish less ReLU, LeakyReLU",
        unit="points of speed",
        margin=FIVE_POINTS,
        expected="depends",
        known="conditional",
        reference="Ramachandran et al. 2017; Misra 2019",
        studies=GRIDS,
        test=found(smooth_learns_faster),
    ),
    Claim(
        id="kinks-bounce",
        statement="A kink at 0 makes gradient descent bounce.",
        source="ELU and SELU",
        measure="bends of the training loss late in training, ReLU and LeakyReLU less smooth ones",
        unit="ln ratio",
        margin=0.1,
        expected="inconclusive",
        known="nobody seems to have asked",
        reference="Clevert et al. 2016",
        studies=("bouncing",),
        test=found(kinks_make_it_bounce),
        only=True,
    ),
    Claim(
        id="selu-self-normalises",
        statement="SELU keeps mean 0 and standard deviation 1 in every layer.",
        source="ELU and SELU",
        measure="0.5 less the worst layer's distance, 1 at most, from them",
        unit="activation value",
        margin=0.0,
        expected="supported",
        known="true near the fixed point",
        reference="Klambauer et al. 2017",
        studies=GRIDS,
        test=found(selu_normalises),
    ),
    Claim(
        id="selu-while-training",
        statement="SELU goes on normalising while it is trained.",
        source="ELU and SELU",
        measure=(
            "0.5 less the worst layer's distance, 1 at most, from mean 0 and sd 1, at each look after the first step"
        ),
        unit="activation value",
        margin=0.0,
        expected="depends",
        known="proved for weights near their initial values",
        reference="Klambauer et al. 2017",
        studies=("selu_conditions",),
        test=found(selu_goes_on_normalising),
        only=True,
    ),
    Claim(
        id="selu-conditions",
        statement="SELU stops normalising where its conditions are not met.",
        source="ELU and SELU",
        measure=(
            "the worst layer's distance, 1 at most, from mean 0 and sd 1 before the first step, "
            "one condition broken less none"
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
        id="selu-regularizers",
        statement="Weight penalties, max-norm and dropout break SELU's self-normalisation.",
        source="ELU and SELU",
        measure=(
            "the worst layer's distance, 1 at most, from mean 0 and sd 1 after training, "
            "with a regularizer less without"
        ),
        unit="activation value",
        margin=0.1,
        expected="supported",
        known="true of dropout",
        reference="Klambauer et al. 2017",
        studies=("selu_conditions",),
        test=found(regularizers_break_selu),
        only=True,
    ),
    Claim(
        id="selu-alpha-dropout",
        statement="Alpha dropout does not break SELU's self-normalisation.",
        source="ELU and SELU",
        measure=(
            "the worst layer's distance, 1 at most, from mean 0 and sd 1 after training, "
            "with alpha dropout less without"
        ),
        unit="activation value",
        margin=0.25,
        expected="supported",
        known="made for it",
        reference="Klambauer et al. 2017",
        studies=("selu_conditions",),
        test=found(alpha_dropout_keeps_selu),
        alike=True,
        only=True,
    ),
    Claim(
        id="selu-plain-networks",
        statement="SELU is for plain networks; where layers are skipped, ELU is the better one.",
        source="ELU and SELU",
        measure="accuracy, SELU less ELU, in plain networks less in those with skips",
        unit="points",
        margin=HALF_A_POINT,
        expected="supported",
        known="skips add variance that SELU does not expect",
        reference="Klambauer et al. 2017",
        studies=("selu_conditions",),
        test=found(elu_suits_other_architectures),
        only=True,
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
        studies=("digits_deep", "deep_plain"),
        test=activations_differ(
            "selu",
            ("sigmoid", "tanh", "relu", "leaky_relu", "rrelu", "prelu", "elu", "gelu", "swish", "mish"),
            deep=True,
            normalized=False,
        ),
    ),
)
