"""The claims. Each is an entry; what it asks of the data is the function beside it.

A function yields findings whose effects are above 0 where the data side with the claim. Accuracies, in percentage
points, are those of the test part, without clipping, at the learning rate of the view (each setting's best one by
validation, or a fixed one); in each seed, the mean over initializers.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from pipeline.evaluation.claims.evidence import Evidence, StudyTables, by_seed, paired
from pipeline.evaluation.claims.ledger import Claim, Finding, finding
from pipeline.evaluation.statistics import Scores

HALF_A_POINT = 0.5
"""Of accuracy, in percentage points: what is less makes no difference in practice."""
SMALLEST = float(np.finfo(np.float32).tiny)
DEEP = 10
"""Hidden layers from which on a network counts as deep."""
KINKED, SMOOTH = ("relu", "leaky_relu"), ("gelu", "swish", "mish")
PAIRING = {
    "tanh": "glorot", "sigmoid": "glorot", "relu": "he", "leaky_relu": "he", "rrelu": "he", "prelu": "he", "elu": "he",
    "selu": "lecun",
}  # fmt: skip
"""The textbook's table: which initializer belongs to which activation."""

Test = Callable[[Evidence], list[Finding]]
Findings = Iterator[Finding | None]


def found(test: Callable[[Evidence], Findings]) -> Test:
    """Let a test yield its findings, also those that came to nothing."""
    return lambda evidence: [one for one in test(evidence) if one is not None]


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows without clipping."""
    return table[table["clipping"] == "none"]


def levels(table: pd.DataFrame, axis: str, level: object) -> pd.DataFrame:
    """Return the rows at one level of an axis."""
    return table[table[axis] == level]


def between(
    table: pd.DataFrame, axis: str, first: object, second: object, column: str, on: Sequence[str] = ("initializer",)
) -> Scores:
    """Return ``[seed]``: a column at one level of an axis less that at another, see `paired`."""
    return paired(levels(table, axis, first), levels(table, axis, second), column, on)


def points(table: pd.DataFrame, axis: str, first: object, second: object, column: str = "test_accuracy") -> Scores:
    """Return `between` of an accuracy, in percentage points."""
    return 100 * between(table, axis, first, second, column)


PLAIN_KEY = ["activation", "initializer", "batch_norm", "learning_rate", "seed"]
"""What tells networks without clipping apart."""


def log_ratio_of_ends(hidden: pd.DataFrame, column: str, depth: int) -> pd.DataFrame:
    """Return each network's ``ratio``, ln of a column in its highest hidden layer over that in its lowest.

    Without rows where there is one hidden layer, or nobody looked.
    """
    ends = hidden.pivot_table(index=PLAIN_KEY, columns="layer", values=column)
    if depth < 2 or not {1, depth} <= {*ends.columns}:
        return pd.DataFrame(columns=[*PLAIN_KEY, "ratio"], dtype=float)
    ends = ends.clip(lower=SMALLEST)  # where gradients vanish altogether, nothing moves
    return (ends[depth] / ends[1]).map(np.log).rename("ratio").reset_index()


# --- comparisons that several claims make -----------------------------------------------------------------------


def activations_differ(
    better: str, worse: tuple[str, ...], column: str = "test_accuracy", deep: bool = False, normalized: bool = True
) -> Test:
    """Return a test of one activation against others, at each placement of batch norm.

    Args:
        better: the activation.
        worse: the others.
        column: an accuracy.
        deep: in deep networks alone.
        normalized: with batch norm too.
    """

    def test(evidence: Evidence) -> Findings:
        for name, tables in evidence.items():
            if deep and tables.depth < DEEP:
                continue
            for norm, group in plain(tables.chosen(tables.speed())).groupby("batch_norm"):
                if norm != "none" and not normalized:
                    continue
                for other in worse:
                    effects = points(group, "activation", better, other, column)
                    yield finding(name, effects, batch_norm=norm, compared=f"{better} − {other}")

    return found(test)


# --- the claims' own questions ----------------------------------------------------------------------------------


def init_saturates(evidence: Evidence) -> Findings:
    """Sigmoid units saturated before the first step: standard normal weights less Glorot's."""
    for name, tables in evidence.items():
        hidden = plain(tables.hidden(0)).query("activation == 'sigmoid' and batch_norm == 'none'")
        for layer, group in hidden.groupby("layer"):
            effects = between(
                group, "initializer", "standard_normal", "glorot_normal", "saturated", on=("learning_rate",)
            )
            yield finding(name, effects, layer=layer)


def gradients_shrink(evidence: Evidence) -> Findings:
    """Sigmoid units: ln of the highest layer's gradient over the lowest's, with N(0, 1); and that less Glorot's."""
    for name, tables in evidence.items():
        hidden = plain(tables.hidden(0)).query("activation == 'sigmoid' and batch_norm == 'none'")
        shrinks = log_ratio_of_ends(hidden, "gradient", tables.depth)
        own = levels(shrinks, "initializer", "standard_normal")
        yield finding(name, by_seed(own, "ratio").to_numpy(), initializer="standard_normal")
        effects = between(shrinks, "initializer", "standard_normal", "glorot_normal", "ratio", on=("learning_rate",))
        yield finding(name, effects, compared="standard_normal − glorot_normal")


def glorot_needs_square_layers(evidence: Evidence) -> Findings:
    """Distance of a linear layer's ln variance ratio from 0, the worse way: 0.1 less a square one's; others less it."""
    if evidence.probes is None:
        return
    table = evidence.probes.variances
    off = table[["forward", "backward"]].abs().max(axis=1).groupby([table["shape"], table["seed"]]).mean()
    yield finding("probe", (0.1 - off["square"]).to_numpy(), shape="square")
    for shape in ("narrowing", "widening"):
        yield finding("probe", (off[shape] - off["square"]).to_numpy(), shape=shape)


def he_keeps_signals(evidence: Evidence) -> Findings:
    """The logarithm of 10 less how far the pre-activations' variance moves through a deep network with He's weights."""
    if evidence.probes is None:
        return
    table = evidence.probes.drifts
    for activation, group in table.assign(moved=table["drift"].abs()).groupby("activation", sort=False):
        yield finding("probe", math.log(10) - by_seed(group, "moved").to_numpy(), activation=activation)


def pairing_is_best(evidence: Evidence) -> Findings:
    """The table's initializer less the best other one (chosen on validation), plus the margin: not worse."""
    for name, tables in evidence.items():
        chosen = plain(tables.chosen(tables.networks)).query("batch_norm == 'none'")
        for activation, family in PAIRING.items():
            own = levels(chosen, "activation", activation)
            is_paired = own["initializer"].str.startswith(family)
            # One of the normal and the uniform law, and of the others, by validation: the test part judges them.
            best = {}
            for ours, group in own.groupby(is_paired):
                scores = group.groupby("initializer")["val_accuracy"].mean()
                if scores.notna().any():
                    best[bool(ours)] = levels(group, "initializer", str(scores.idxmax()))
            if len(best) == 2:
                effects = 100 * paired(best[True], best[False], "test_accuracy", on=("activation",))
                yield finding(name, effects + HALF_A_POINT, activation=activation)


def lower_layers_stand_still(evidence: Evidence) -> Findings:
    """Where gradients vanish: log of the highest hidden layer's update-to-weight ratio over the lowest's."""
    for name, tables in evidence.items():
        vanishing = levels(plain(tables.networks), "health", "vanishing")
        hidden = plain(tables.hidden(1)).merge(vanishing[PLAIN_KEY], on=PLAIN_KEY)
        for activation, group in log_ratio_of_ends(hidden, "update_ratio", tables.depth).groupby("activation"):
            yield finding(name, by_seed(group, "ratio").to_numpy(), activation=activation)


def large_rates_kill(evidence: Evidence) -> Findings:
    """Dead share of ReLU's units at the end: the largest learning rate less the smallest."""
    for name, tables in evidence.items():
        hidden = plain(tables.hidden("last")).query("activation == 'relu'")
        for norm, group in hidden.groupby("batch_norm"):
            rates = sorted(group["learning_rate"].unique())
            if len(rates) > 1:
                effects = between(group, "learning_rate", rates[-1], rates[0], "dead", on=("initializer", "layer"))
                yield finding(name, effects, batch_norm=norm, learning_rate=f"{rates[-1]:g} − {rates[0]:g}")


def prelu_moves(evidence: Evidence) -> Findings:
    """How far PReLU's mean slope is, at the end, from where it started, in either direction."""
    for name, tables in evidence.items():
        first = plain(tables.hidden(0)).query("activation == 'prelu'")
        last = plain(tables.hidden("last")).query("activation == 'prelu'")
        key = ["initializer", "batch_norm", "learning_rate", "layer"]
        for layer in sorted(last["layer"].unique()):
            moved = last[last["layer"] == layer].merge(first, on=[*key, "seed"])
            moved["moved"] = (moved["prelu_slope_x"] - moved["prelu_slope_y"]).abs()
            yield finding(name, by_seed(moved, "moved").to_numpy(), layer=layer)


def elu_is_centred(evidence: Evidence) -> Findings:
    """Mean activation of the layers at the end, in absolute value: ReLU's less ELU's."""
    for name, tables in evidence.items():
        hidden = plain(tables.hidden("last"))
        hidden = hidden.assign(offset=hidden["activation_mean"].abs())
        for norm, group in hidden.groupby("batch_norm"):
            effects = between(
                group, "activation", "relu", "elu", "offset", on=("initializer", "learning_rate", "layer")
            )
            yield finding(name, effects, batch_norm=norm)


def elu_lives(evidence: Evidence) -> Findings:
    """0.001 less the dead share of ELU's units at the end."""
    for name, tables in evidence.items():
        own = levels(plain(tables.hidden("last")), "activation", "elu")
        for norm, group in own.groupby("batch_norm"):
            yield finding(name, 0.001 - by_seed(group, "dead").to_numpy(), batch_norm=norm)


def smooth_learns_faster(evidence: Evidence) -> Findings:
    """Mean validation accuracy over the epochs: smooth activations less kinked ones."""
    for name, tables in evidence.items():
        for norm, group in plain(tables.chosen(tables.speed())).groupby("batch_norm"):
            smooth, kinked = (
                group[group["activation"].isin(kind)].groupby(["initializer", "seed"])[["speed"]].mean().reset_index()
                for kind in (SMOOTH, KINKED)
            )
            yield finding(name, 100 * paired(smooth, kinked, "speed"), batch_norm=norm)


MOMENTS: tuple[tuple[int | str, str], ...] = ((0, "before the first step"), ("last", "after training"))


def selu_worst_layer(tables: StudyTables, epoch: int | str = 0, **setting: str) -> pd.Series:
    """Return, by seed, how far the worst layer's mean and sd are from 0 and 1."""
    hidden = levels(plain(tables.hidden(epoch)), "activation", "selu")
    for axis, level in setting.items():
        hidden = levels(hidden, axis, level)
    off = pd.concat([hidden["activation_mean"].abs(), (hidden["activation_sd"] - 1).abs()], axis=1).max(axis=1)
    return off.groupby(hidden["seed"]).max()


def selu_normalises(evidence: Evidence) -> Findings:
    """0.5 less the worst layer's distance from mean 0 and sd 1."""
    for name, tables in evidence.items():
        for epoch, when in MOMENTS:
            worst = selu_worst_layer(tables, epoch, initializer="lecun_normal", batch_norm="none")
            yield finding(name, 0.5 - worst.to_numpy(), layers=tables.depth, when=when)


def selu_needs_its_conditions(evidence: Evidence) -> Findings:
    """The worst layer's distance from mean 0 and sd 1 with one condition broken, less that with all of them met."""
    if evidence.probes is not None:
        table = evidence.probes.moments
        effects = between(table, "inputs", "unit", "standardized", "off", on=())
        yield finding("probe", effects, broken="inputs between 0 and 1")
    for name, tables in evidence.items():
        met = selu_worst_layer(tables, initializer="lecun_normal", batch_norm="none")
        for initializer in ("he_normal", "glorot_normal", "standard_normal"):
            worst = selu_worst_layer(tables, initializer=initializer, batch_norm="none")
            yield finding(name, (worst - met).dropna().to_numpy(), broken=initializer)
        worst = selu_worst_layer(tables, initializer="lecun_normal", batch_norm="before")
        yield finding(name, (worst - met).dropna().to_numpy(), broken="batch norm before")


def accuracy_differences(
    evidence: Evidence, axis: str, first: str, second: str, by: str, column: str = "test_accuracy"
) -> Iterator[tuple[str, Scores, dict[str, str]]]:
    """Yield, for each level of an axis, the study, two levels' differences in accuracy ``[seed]``, and that level."""
    for name, tables in evidence.items():
        for level, group in plain(tables.chosen(tables.speed())).groupby(by):
            yield name, points(group, axis, first, second, column), {by: str(level)}


def gelu_is_its_approximation(evidence: Evidence) -> Findings:
    """Accuracy with GELU, less that with z·σ(1.702 z)."""
    for name, gap, where in accuracy_differences(evidence, "activation", "gelu", "gelu_sigmoid", by="batch_norm"):
        yield finding(name, gap, **where)


def batch_norm_improves(evidence: Evidence) -> Findings:
    """Accuracy with batch norm before the activation, less that without."""
    for name, gain, where in accuracy_differences(evidence, "batch_norm", "before", "none", by="activation"):
        yield finding(name, gain, **where)


def batch_norm_needs_fewer_epochs(evidence: Evidence) -> Findings:
    """Mean validation accuracy over the epochs with batch norm before the activation, less that without."""
    differences = accuracy_differences(evidence, "batch_norm", "before", "none", by="activation", column="speed")
    for name, gain, where in differences:
        yield finding(name, gain, **where)


def placements_are_alike(evidence: Evidence) -> Findings:
    """Accuracy with batch norm before the activation, less that with it after."""
    for name, gap, where in accuracy_differences(evidence, "batch_norm", "before", "after", by="activation"):
        yield finding(name, gap, **where)


def batch_norm_evens_gradients(evidence: Evidence) -> Findings:
    """How far the lowest layer's gradient is from the highest's (log of the ratio): without batch norm less with it."""
    for name, tables in evidence.items():
        if tables.depth < DEEP:
            continue
        for epoch, when in MOMENTS:
            hidden = plain(tables.hidden(epoch))
            ratios = log_ratio_of_ends(hidden, "gradient", tables.depth)
            for activation, group in ratios.assign(uneven=ratios["ratio"].abs()).groupby("activation"):
                effects = between(group, "batch_norm", "none", "before", "uneven", on=("initializer", "learning_rate"))
                yield finding(name, effects, activation=activation, when=when)


def clipping_prevents_divergence(evidence: Evidence) -> Findings:
    """Share of networks that diverged without clipping, less that with it, where any diverged."""
    for name, tables in evidence.items():
        table = tables.networks.assign(lost=(tables.networks["status"] == "diverged").astype(float))
        key = ("activation", "initializer", "batch_norm", "learning_rate")
        for mode in ("value", "norm", "global_norm"):
            clipped = levels(table, "clipping", mode)
            free = levels(table, "clipping", "none").merge(clipped[[*key, "seed"]], on=[*key, "seed"])
            if len(clipped) and (free["lost"].any() or clipped["lost"].any()):
                yield finding(name, paired(free, clipped, "lost", on=key), clipping=mode)


def clipping_by_value_alone_turns(evidence: Evidence) -> Findings:
    """Angle between the gradients before and after, less 1°, for clipping by value; 1° less the angle for norms."""
    if evidence.probes is None:
        return
    for mode, group in evidence.probes.angles.groupby("clipping"):
        above = by_seed(group, "angle").to_numpy() - 1.0
        yield finding("probe", above if mode == "value" else -above, clipping=mode)


def takes_longer(kind: tuple[str, str], than: tuple[str, str], compared: str) -> Test:
    """Return a test of a step's time, in percent of the other's, in each round of the probe."""

    def test(evidence: Evidence) -> Findings:
        if evidence.probes is not None:
            times = evidence.probes.steps.set_index(["activation", "batch_norm", "round"])["seconds"].sort_index()
            yield finding("probe", (100 * (times[kind] / times[than] - 1)).to_numpy(), compared=compared)

    return found(test)


def transfer_beats_scratch(evidence: Evidence) -> Findings:
    """Accuracy on the task with few labels: the reuse that is best on validation, less scratch."""
    for name, tables in evidence.items():
        for experiment, labels, group in by_labels(tables):
            reuse = group[group["reused"] > 0].assign(lost=group["status"] != "trained")
            ways = reuse.groupby(["reused", "unfrozen"]).agg(lost=("lost", "sum"), score=("val_accuracy", "mean"))
            chosen = ways.sort_values(["lost", "score"], ascending=[True, False]).index[0]
            best = group.set_index(["reused", "unfrozen"]).loc[[chosen]]
            effects = 100 * paired(best, group[group["reused"] == 0], "test_accuracy", on=("labels",))
            yield finding(name, effects, experiment=experiment, labels=labels)


def upper_layers_matter_less(evidence: Evidence) -> Findings:
    """Accuracy with the lowest layer reused and frozen, less that with all of them."""
    for name, tables in evidence.items():
        for experiment, labels, group in by_labels(tables):
            frozen = group[(group["reused"] > 0) & (group["unfrozen"] == 0)]
            fewest, most = frozen["reused"].min(), frozen["reused"].max()
            if not fewest < most:
                continue
            few, all_of_them = (frozen[frozen["reused"] == layers] for layers in (fewest, most))
            effects = 100 * paired(few, all_of_them, "test_accuracy", on=("labels",))
            yield finding(name, effects, experiment=experiment, labels=labels)


def unfreezing_helps(evidence: Evidence) -> Findings:
    """Accuracy with all layers reused and unfrozen after a while, less that with them frozen throughout."""
    for name, tables in evidence.items():
        for experiment, labels, group in by_labels(tables):
            deepest = group[group["reused"] == group["reused"].max()]
            thawed = deepest[deepest["unfrozen"] == deepest["reused"]]
            effects = 100 * paired(thawed, deepest[deepest["unfrozen"] == 0], "test_accuracy", on=("labels",))
            yield finding(name, effects, experiment=experiment, labels=labels)


def by_labels(tables: StudyTables) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """Yield the transfer experiments' networks of task B by number of labels, where any layer is reused."""
    if tables.transfer.empty:
        return
    of_b = tables.transfer[tables.transfer["task"] == "B"]
    for experiment, networks in of_b.groupby("experiment", sort=True):
        for labels in sorted(networks["labels"].unique()):
            group = networks[networks["labels"] == labels]
            if (group["reused"] > 0).any():
                yield str(experiment), int(labels), group


GRIDS = ("digits", "digits_deep")
TRANSFERS = ("digits", "fashion_notebook")
PROBES = ("probe",)

CLAIMS = (
    Claim(
        "init-saturation", "A sigmoid on weights from N(0, 1) saturates.",
        "Vanishing/exploding gradients",
        "saturated share of the units before the first step, standard normal less Glorot's weights", "share of units",
        0.0, "supported", "true, in all layers", "Glorot & Bengio 2010", GRIDS, found(init_saturates),
    ),
    Claim(
        "init-gradients", "A sigmoid's gradients shrink towards the input, with weights from N(0, 1) more than with "
        "Glorot's.", "Vanishing/exploding gradients",
        "gradient of the highest over the lowest hidden layer before the first step: with N(0, 1), and that less "
        "Glorot's", "ln ratio", 0.0, "supported", "Glorot's weights were made to prevent it", "Glorot & Bengio 2010",
        GRIDS, found(gradients_shrink),
    ),
    Claim(
        "glorot-both-ways", "Glorot's weights keep the variance both ways only where fan_in = fan_out.",
        "Glorot and He initialization",
        "|ln variance ratio| of a linear layer in the worse direction: 0.1 less a square layer's, others less a square "
        "layer's", "|ln ratio|", 0.0, "supported", "true near 0, where activations are linear", "Glorot & Bengio 2010",
        PROBES, found(glorot_needs_square_layers),
    ),
    Claim(
        "he-suits-relu-family", "He's weights suit ReLU and its variants.", "Glorot and He initialization",
        "ln 10 less the drift of the pre-activations' variance through a deep network with He's weights", "|ln ratio|",
        0.0,
        "depends", "made for ReLU; false for GELU, Swish and Mish at depth, and LeakyReLU(0.3) drifts",
        "He et al. 2015; Hayou et al. 2019", PROBES, found(he_keeps_signals),
    ),
    Claim(
        "pairing-table", "Each activation has its initializer: Glorot for tanh and the sigmoid, He for ReLU and its "
        "variants, LeCun for SELU.", "Glorot and He initialization",
        "accuracy of the paired initializer less that of the best other one, plus 0.5", "points", 0.0, "supported",
        "the initializers' own papers pair them so", "Glorot & Bengio 2010; He et al. 2015; Klambauer et al. 2017",
        GRIDS, found(pairing_is_best),
    ),
    Claim(
        "vanishing-lower-layers", "Where gradients vanish, the lower layers hardly change.",
        "Vanishing/exploding gradients", "update-to-weight ratio, highest over lowest hidden layer", "ln ratio", 0.0,
        "supported", "true", "Bengio, Simard & Frasconi 1994", GRIDS, found(lower_layers_stand_still),
    ),
    Claim(
        "sigmoid-worse-than-relu", "In deep networks ReLU is better than the sigmoid.", "Better activation functions",
        "accuracy, ReLU less sigmoid", "points", HALF_A_POINT, "supported", "true", "Glorot, Bordes & Bengio 2011",
        ("digits_deep",), activations_differ("relu", ("sigmoid",), deep=True),
    ),
    Claim(
        "dying-relu-lr", "A large learning rate kills ReLU units.", "Better activation functions",
        "dead share of the units, largest learning rate less smallest", "share of units", 0.0, "supported",
        "folklore; depth matters too", "Lu et al. 2020", GRIDS, found(large_rates_kill),
    ),
    Claim(
        "leaky-beats-relu", "LeakyReLU is always better than ReLU.", "Leaky ReLU", "accuracy, LeakyReLU less ReLU",
        "points", HALF_A_POINT, "depends", "on the slope; batch norm erases it", "Xu et al. 2015", GRIDS,
        activations_differ("leaky_relu", ("relu",)),
    ),
    Claim(
        "prelu-learns", "PReLU's slope moves away from its start.", "Leaky ReLU",
        "|slope at the end less at the start|", "slope", 0.0, "supported", "true", "He et al. 2015", ("digits",),
        found(prelu_moves),
    ),
    Claim(
        "elu-zero-mean", "ELU brings mean activations closer to 0 than ReLU.", "ELU and SELU",
        "|mean activation| of the layers at the end, ReLU less ELU", "activation value", 0.0, "supported", "true",
        "Clevert et al. 2016", GRIDS, found(elu_is_centred),
    ),
    Claim(
        "elu-slow-step", "ELU's step takes longer than ReLU's.", "ELU and SELU",
        "time per training step, ELU's over ReLU's less 1", "%", 0.0, "supported", "true: it takes an exponential",
        "Clevert et al. 2016", PROBES, takes_longer(("elu", "none"), ("relu", "none"), "elu / relu"),
    ),
    Claim(
        "elu-fast-convergence", "ELU needs fewer epochs than ReLU.", "ELU and SELU",
        "mean validation accuracy over the epochs, ELU less ReLU", "points", HALF_A_POINT, "depends", "conditional",
        "Clevert et al. 2016", GRIDS, activations_differ("elu", ("relu",), "speed"),
    ),
    Claim(
        "elu-no-death", "ELU units do not die.", "ELU and SELU", "0.001 less the dead share of ELU's units at the end",
        "share of units", 0.0, "supported", "true", "Clevert et al. 2016", GRIDS, found(elu_lives),
    ),
    Claim(
        "smooth-beats-kinked", "Smooth activations converge faster than kinked ones.", "ELU and SELU",
        "mean validation accuracy over the epochs, GELU, Swish, Mish less ReLU, LeakyReLU", "points", HALF_A_POINT,
        "depends", "conditional", "Ramachandran et al. 2017; Misra 2019", GRIDS, found(smooth_learns_faster),
    ),
    Claim(
        "selu-self-normalises", "SELU keeps mean 0 and standard deviation 1 in every layer.", "ELU and SELU",
        "0.5 less the worst layer's distance from them", "activation value", 0.0, "supported",
        "true near the fixed point", "Klambauer et al. 2017", GRIDS, found(selu_normalises),
    ),
    Claim(
        "selu-conditions", "SELU stops normalising where its conditions are not met.", "ELU and SELU",
        "the worst layer's distance from mean 0 and sd 1 before the first step, one condition broken less none",
        "activation value", 0.0, "supported", "true", "Klambauer et al. 2017", GRIDS, found(selu_needs_its_conditions),
    ),
    Claim(
        "selu-deep", "SELU is better than the others in very deep plain networks.", "ELU and SELU",
        "accuracy, SELU less each other one", "points", HALF_A_POINT, "supported", "often", "Klambauer et al. 2017",
        ("digits_deep",),
        activations_differ(
            "selu", ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "swish"), deep=True, normalized=False
        ),
    ),
    Claim(
        "gelu-sigmoid-approximation", "z·σ(1.702 z) does what GELU does.", "GELU, Swish, and Mish",
        "accuracy, GELU less its approximation", "points", HALF_A_POINT, "supported",
        "the functions differ by at most 0.0203, near |z| = 2.27", "Hendrycks & Gimpel 2016", ("digits",),
        found(gelu_is_its_approximation), alike=True,
    ),
    Claim(
        "gelu-cost", "GELU's step takes longer than ReLU's.", "GELU, Swish, and Mish",
        "time per training step, GELU's over ReLU's less 1", "%", 0.0, "supported", "true: it takes an error function",
        "Hendrycks & Gimpel 2016", PROBES, takes_longer(("gelu", "none"), ("relu", "none"), "gelu / relu"),
    ),
    Claim(
        "bn-improves", "Batch norm improves training a lot.", "Batch normalization",
        "accuracy, batch norm before the activation less none", "points", HALF_A_POINT, "depends",
        "on depth and learning rate", "Ioffe & Szegedy 2015; Bjorck et al. 2018", GRIDS, found(batch_norm_improves),
    ),
    Claim(
        "bn-before-or-after", "Whether batch norm stands before or after the activation makes little difference.",
        "Batch normalization", "accuracy, batch norm before the activation less after", "points", 2 * HALF_A_POINT,
        "depends", "contested", "Mishkin et al. 2017", ("digits",), found(placements_are_alike), alike=True,
    ),
    Claim(
        "bn-cures-exploding", "Batch norm cures vanishing and exploding gradients.", "Batch normalization",
        "|ln| of the lowest layer's gradient over the highest's, without batch norm less with it", "|ln ratio|", 0.0,
        "depends", "before the first step it makes deep plain networks explode", "Yang et al. 2019", ("digits_deep",),
        found(batch_norm_evens_gradients),
    ),
    Claim(
        "bn-cost", "With batch norm an epoch takes longer.", "Batch normalization",
        "time per training step, with batch norm over without, less 1", "%", 0.0, "supported", "usual",
        "Ioffe & Szegedy 2015", PROBES, takes_longer(("relu", "before"), ("relu", "none"), "before / none"),
    ),
    Claim(
        "bn-fewer-epochs", "With batch norm fewer epochs are needed.", "Batch normalization",
        "mean validation accuracy over the epochs, batch norm before the activation less none", "points", HALF_A_POINT,
        "supported", "usual", "Ioffe & Szegedy 2015", GRIDS, found(batch_norm_needs_fewer_epochs),
    ),
    Claim(
        "clipping-prevents-explosion", "Clipping prevents divergence.", "Gradient clipping",
        "share of networks that diverged, without clipping less with it", "share of networks", 0.0, "supported",
        "bounds the step, does nothing for vanishing gradients", "Pascanu et al. 2013", ("digits",),
        found(clipping_prevents_divergence),
    ),
    Claim(
        "clip-direction", "Clipping by value turns the gradient, clipping by norm does not.", "Gradient clipping",
        "angle between the gradients before and after: by value less 1°, 1° less by norm", "degrees", 0.0, "depends",
        "true for the global norm; Keras's clipnorm, each tensor by its own, turns it too", "Pascanu et al. 2013",
        PROBES, found(clipping_by_value_alone_turns),
    ),
    Claim(
        "transfer-beats-scratch", "With few labels, reused layers beat training from scratch.",
        "Transfer learning", "accuracy, reuse less scratch", "points", HALF_A_POINT, "supported",
        "how much depends on the classes", "Yosinski et al. 2014", TRANSFERS, found(transfer_beats_scratch),
    ),
    Claim(
        "upper-layers-less-useful", "Upper layers are less useful to reuse than lower ones.", "Transfer learning",
        "accuracy, the fewest layers reused and frozen less all of them", "points", HALF_A_POINT, "supported", "usual",
        "Yosinski et al. 2014", TRANSFERS, found(upper_layers_matter_less),
    ),
    Claim(
        "unfreezing-helps", "Unfreezing after a frozen phase improves further.", "Transfer learning",
        "accuracy, unfrozen less frozen", "points", HALF_A_POINT, "supported", "usual",
        "Yosinski et al. 2014; Howard & Ruder 2018", TRANSFERS, found(unfreezing_helps),
    ),
)  # fmt: skip
