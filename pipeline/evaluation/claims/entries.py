"""The claims. Each is an entry; what it asks of the data is the function beside it.

A function yields findings whose effects are above 0 where the data side with the claim. Accuracies are those of the
test part, at each setting's best learning rate by validation, without clipping; in each seed, the mean over
initializers.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from pipeline.evaluation.claims.evidence import Evidence, StudyTables, by_seed, paired
from pipeline.evaluation.claims.ledger import Claim, Finding, finding
from pipeline.evaluation.statistics import Scores

POINTS = 0.005
"""Half a percentage point of accuracy: what is less makes no difference in practice."""
DEEP = 10
"""Hidden layers from which on a network counts as deep."""
KINKED, SMOOTH = ("relu", "leaky_relu"), ("gelu", "swish", "mish")
RELU_FAMILY = ("relu", "leaky_relu", "rrelu", "prelu")
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


def levels(table: pd.DataFrame, axis: str, level: str) -> pd.DataFrame:
    """Return the rows at one level of an axis."""
    return table[table[axis] == level]


# --- comparisons that several claims make -----------------------------------------------------------------------


def activations_differ(
    better: str, worse: tuple[str, ...], column: str = "test_accuracy", deep_and_plain: bool = False
) -> Test:
    """Return a test of one activation against others, at each placement of batch norm."""

    def test(evidence: Evidence) -> Findings:
        for name, tables in evidence.items():
            if deep_and_plain and tables.depth < DEEP:
                continue
            tuned = plain(tables.tuned(tables.speed()))
            for norm, group in tuned.groupby("batch_norm"):
                if deep_and_plain and norm != "none":
                    continue
                for other in worse:
                    effects = paired(levels(group, "activation", better), levels(group, "activation", other), column)
                    yield finding(f"{name}, batch norm {norm}: {better} beside {other}", effects)

    return found(test)


# --- the claims' own questions ----------------------------------------------------------------------------------


def init_saturates(evidence: Evidence) -> Findings:
    """Sigmoid units saturated before the first step: standard normal weights less Glorot's."""
    for name, tables in evidence.items():
        hidden = plain(tables.hidden(0)).query("activation == 'sigmoid' and batch_norm == 'none'")
        for layer, group in hidden.groupby("layer"):
            effects = paired(
                levels(group, "initializer", "standard_normal"), levels(group, "initializer", "glorot_normal"),
                "saturated", on=("learning_rate",),
            )  # fmt: skip
            yield finding(f"{name}, layer {layer}", effects)


def he_keeps_signals(evidence: Evidence) -> Findings:
    """How far the pre-activations' variance moves through a deep network before the first step, He less LeCun."""
    for name, tables in evidence.items():
        if tables.depth < DEEP:
            continue
        hidden = plain(tables.hidden(0)).query("batch_norm == 'none'")
        ends = {layer: levels_of_layer(hidden, layer) for layer in (1, tables.depth)}
        both = ends[1].merge(ends[tables.depth], on=["activation", "initializer", "learning_rate", "seed"])
        both["drift"] = (both["signal_y"] / both["signal_x"]).map(np.log).abs()
        for activation in (*RELU_FAMILY, "elu", *SMOOTH):
            group = levels(both, "activation", activation)
            if len(group):
                effects = paired(
                    levels(group, "initializer", "lecun_normal"), levels(group, "initializer", "he_normal"), "drift",
                    on=("learning_rate",),
                )  # fmt: skip
                yield finding(f"{name}, {activation}", effects)


def levels_of_layer(hidden: pd.DataFrame, layer: int) -> pd.DataFrame:
    """Return the signal of one layer."""
    columns = ["activation", "initializer", "learning_rate", "seed", "signal"]
    return hidden[hidden["layer"] == layer][columns]


def pairing_is_best(evidence: Evidence) -> Findings:
    """The table's initializer less the best other one (chosen on validation), plus the margin: not worse."""
    for name, tables in evidence.items():
        tuned = plain(tables.tuned(tables.networks)).query("batch_norm == 'none'")
        for activation, family in PAIRING.items():
            own = levels(tuned, "activation", activation)
            is_paired = own["initializer"].str.startswith(family)
            # One of the normal and the uniform law, and of the others, by validation: the test part judges them.
            best = {}
            for ours, group in own.groupby(is_paired):
                scores = group.groupby("initializer")["val_accuracy"].mean()
                if scores.notna().any():
                    best[bool(ours)] = levels(group, "initializer", str(scores.idxmax()))
            if len(best) == 2:
                effects = paired(best[True], best[False], "test_accuracy", on=("activation",))
                yield finding(f"{name}, {activation}", effects + POINTS)


def lower_layers_stand_still(evidence: Evidence) -> Findings:
    """Where gradients vanish: log of the highest hidden layer's update-to-weight ratio over the lowest's."""
    for name, tables in evidence.items():
        vanishing = levels(plain(tables.networks), "health", "vanishing")
        key = ["activation", "initializer", "batch_norm", "learning_rate", "seed"]
        hidden = plain(tables.hidden(1)).merge(vanishing[key], on=key)
        for activation, group in hidden.groupby("activation"):
            ratio = group.pivot_table(index=key, columns="layer", values="update_ratio")
            if {1, tables.depth} <= {*ratio.columns} and tables.depth > 1:
                logs = (ratio[tables.depth] / ratio[1]).map(np.log).replace([np.inf, -np.inf], np.nan)
                yield finding(f"{name}, {activation}", logs.groupby("seed").mean().to_numpy())


def large_rates_kill(evidence: Evidence) -> Findings:
    """Dead share of ReLU's units at the end: the largest learning rate less the smallest."""
    for name, tables in evidence.items():
        hidden = plain(tables.hidden("last")).query("activation == 'relu'")
        for norm, group in hidden.groupby("batch_norm"):
            rates = sorted(group["learning_rate"].unique())
            if len(rates) > 1:
                low, high = (levels(group, "learning_rate", rate) for rate in (rates[0], rates[-1]))
                where = f"{name}, batch norm {norm}: learning rate {rates[-1]:g} beside {rates[0]:g}"
                yield finding(where, paired(high, low, "dead", on=("initializer", "layer")))


def prelu_moves(evidence: Evidence) -> Findings:
    """How far PReLU's mean slope is, at the end, from where it started, in either direction."""
    for name, tables in evidence.items():
        first = plain(tables.hidden(0)).query("activation == 'prelu'")
        last = plain(tables.hidden("last")).query("activation == 'prelu'")
        key = ["initializer", "batch_norm", "learning_rate", "layer"]
        for layer in sorted(last["layer"].unique()):
            moved = last[last["layer"] == layer].merge(first, on=[*key, "seed"])
            moved["moved"] = (moved["prelu_slope_x"] - moved["prelu_slope_y"]).abs()
            yield finding(f"{name}, layer {layer}", by_seed(moved, "moved").to_numpy())


def elu_is_centred(evidence: Evidence) -> Findings:
    """Mean activation of the layers at the end, in absolute value: ReLU's less ELU's."""
    for name, tables in evidence.items():
        hidden = plain(tables.hidden("last"))
        hidden = hidden.assign(offset=hidden["activation_mean"].abs())
        for norm, group in hidden.groupby("batch_norm"):
            relu, elu = (levels(group, "activation", one) for one in ("relu", "elu"))
            yield finding(
                f"{name}, batch norm {norm}", paired(relu, elu, "offset", on=("initializer", "learning_rate", "layer"))
            )


def elu_lives(evidence: Evidence) -> Findings:
    """0.001 less the dead share of ELU's units at the end."""
    for name, tables in evidence.items():
        own = levels(plain(tables.hidden("last")), "activation", "elu")
        for norm, group in own.groupby("batch_norm"):
            yield finding(f"{name}, batch norm {norm}", 0.001 - by_seed(group, "dead").to_numpy())


def smooth_learns_faster(evidence: Evidence) -> Findings:
    """Mean validation accuracy over the epochs: smooth activations less kinked ones."""
    for name, tables in evidence.items():
        tuned = plain(tables.tuned(tables.speed()))
        for norm, group in tuned.groupby("batch_norm"):
            smooth, kinked = (
                group[group["activation"].isin(kind)].groupby(["initializer", "seed"])[["speed"]].mean().reset_index()
                for kind in (SMOOTH, KINKED)
            )
            yield finding(f"{name}, batch norm {norm}", paired(smooth, kinked, "speed"))


def selu_worst_layer(tables: StudyTables, **setting: str) -> pd.Series:
    """Return, by seed, how far before the first step the worst layer's mean and sd are from 0 and 1."""
    hidden = levels(plain(tables.hidden(0)), "activation", "selu")
    for axis, level in setting.items():
        hidden = levels(hidden, axis, level)
    off = pd.concat([hidden["activation_mean"].abs(), (hidden["activation_sd"] - 1).abs()], axis=1).max(axis=1)
    return off.groupby(hidden["seed"]).max()


def selu_normalises(evidence: Evidence) -> Findings:
    """0.5 less the worst layer's distance from mean 0 and sd 1, before the first step."""
    for name, tables in evidence.items():
        worst = selu_worst_layer(tables, initializer="lecun_normal", batch_norm="none")
        yield finding(f"{name}, {tables.depth} layers", 0.5 - worst.to_numpy())


def selu_needs_its_conditions(evidence: Evidence) -> Findings:
    """The worst layer's distance from mean 0 and sd 1 with one condition broken, less that with all of them met."""
    for name, tables in evidence.items():
        met = selu_worst_layer(tables, initializer="lecun_normal", batch_norm="none")
        broken = {
            "He's weights": {"initializer": "he_normal", "batch_norm": "none"},
            "Glorot's weights": {"initializer": "glorot_normal", "batch_norm": "none"},
            "standard normal weights": {"initializer": "standard_normal", "batch_norm": "none"},
            "batch norm before": {"initializer": "lecun_normal", "batch_norm": "before"},
        }
        for what, setting in broken.items():
            worst = selu_worst_layer(tables, **setting)
            yield finding(f"{name}: {what}", (worst - met).dropna().to_numpy())


def accuracy_differences(
    evidence: Evidence, axis: str, first: str, second: str, by: str
) -> Iterator[tuple[str, Scores]]:
    """Yield the differences in accuracy between two levels of an axis, ``[seed]``, at each level of another axis."""
    for name, tables in evidence.items():
        tuned = plain(tables.tuned(tables.networks))
        for level, group in tuned.groupby(by):
            gap = paired(levels(group, axis, first), levels(group, axis, second), "test_accuracy")
            yield f"{name}, {'batch norm ' if by == 'batch_norm' else ''}{level}", gap


def gelu_is_its_approximation(evidence: Evidence) -> Findings:
    """The margin less the absolute difference in accuracy between GELU and z·σ(1.702 z)."""
    for where, gap in accuracy_differences(evidence, "activation", "gelu", "gelu_sigmoid", by="batch_norm"):
        yield finding(where, POINTS - np.abs(gap))


def batch_norm_improves(evidence: Evidence) -> Findings:
    """Accuracy with batch norm before the activation, less that without."""
    for where, gain in accuracy_differences(evidence, "batch_norm", "before", "none", by="activation"):
        yield finding(where, gain)


def placements_are_alike(evidence: Evidence) -> Findings:
    """The margin less the absolute difference in accuracy between the two placements."""
    for where, gap in accuracy_differences(evidence, "batch_norm", "before", "after", by="activation"):
        yield finding(where, 2 * POINTS - np.abs(gap))


def batch_norm_evens_gradients(evidence: Evidence) -> Findings:
    """How far the lowest layer's gradient is from the highest's (log of the ratio): without batch norm less with it."""
    for name, tables in evidence.items():
        if tables.depth < DEEP:
            continue
        moments: tuple[tuple[int | str, str], ...] = ((0, "before the first step"), ("last", "after training"))
        for epoch, when in moments:
            hidden = plain(tables.hidden(epoch))
            key = ["activation", "initializer", "learning_rate", "batch_norm", "seed"]
            both = hidden.pivot_table(index=key, columns="layer", values="gradient")
            uneven = (both[1] / both[tables.depth]).map(np.log).abs().replace([np.inf, -np.inf], np.nan)
            table = uneven.rename("uneven").reset_index()
            for activation, group in table.groupby("activation"):
                effects = paired(
                    levels(group, "batch_norm", "none"), levels(group, "batch_norm", "before"), "uneven",
                    on=("initializer", "learning_rate"),
                )  # fmt: skip
                yield finding(f"{name}, {activation}, {when}", effects)


def clipping_prevents_divergence(evidence: Evidence) -> Findings:
    """Share of networks that diverged without clipping, less that with it, where any diverged."""
    for name, tables in evidence.items():
        table = tables.networks.assign(lost=(tables.networks["status"] == "diverged").astype(float))
        key = ("activation", "initializer", "batch_norm", "learning_rate")
        for mode in ("value", "norm", "global_norm"):
            clipped = levels(table, "clipping", mode)
            free = levels(table, "clipping", "none").merge(clipped[[*key, "seed"]], on=[*key, "seed"])
            if len(clipped) and free["lost"].any():
                yield finding(f"{name}, clipping {mode}", paired(free, clipped, "lost", on=key))


def transfer_beats_scratch(evidence: Evidence) -> Findings:
    """Accuracy on the task with few labels: the reuse that is best on validation, less scratch."""
    for name, tables in evidence.items():
        for experiment, labels, group in by_labels(tables):
            scores = group[group["reused"] > 0].groupby(["reused", "unfrozen"])["val_accuracy"].mean()
            best = group.set_index(["reused", "unfrozen"]).loc[[scores.idxmax()]]
            effects = paired(best, group[group["reused"] == 0], "test_accuracy", on=("labels",))
            yield finding(f"{name}, {experiment}, {labels} labels", effects)


def upper_layers_matter_less(evidence: Evidence) -> Findings:
    """Accuracy with the lowest layer reused and frozen, less that with all of them."""
    for name, tables in evidence.items():
        for experiment, labels, group in by_labels(tables):
            frozen = group[(group["reused"] > 0) & (group["unfrozen"] == 0)]
            few, all_of_them = (
                frozen[frozen["reused"] == layers] for layers in (frozen["reused"].min(), frozen["reused"].max())
            )
            effects = paired(few, all_of_them, "test_accuracy", on=("labels",))
            yield finding(f"{name}, {experiment}, {labels} labels", effects)


def unfreezing_helps(evidence: Evidence) -> Findings:
    """Accuracy with all layers reused and unfrozen after a while, less that with them frozen throughout."""
    for name, tables in evidence.items():
        for experiment, labels, group in by_labels(tables):
            deepest = group[group["reused"] == group["reused"].max()]
            thawed = deepest[deepest["unfrozen"] == deepest["reused"]]
            effects = paired(thawed, deepest[deepest["unfrozen"] == 0], "test_accuracy", on=("labels",))
            yield finding(f"{name}, {experiment}, {labels} labels", effects)


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

CLAIMS = (
    Claim(
        "init-saturation", "A sigmoid on weights from N(0, 1) saturates.",
        "saturated share of the units before the first step, standard normal less Glorot's weights", "share of units",
        0.0, "true, in all layers", GRIDS, found(init_saturates),
    ),
    Claim(
        "glorot-both-ways", "Glorot's weights keep the variance both ways only where fan_in = fan_out.",
        "variance ratios of square and of other layers", "log of a ratio", 0.0, "true near 0", (), None,
    ),
    Claim(
        "he-suits-relu-family", "He's weights suit ReLU and its variants.",
        "drift of the pre-activations' variance through a deep network, LeCun's less He's", "|ln ratio|", 0.0,
        "false for GELU, Swish and Mish at depth; LeakyReLU(0.3) drifts", ("digits_deep",), found(he_keeps_signals),
    ),
    Claim(
        "pairing-table", "Each activation has its initializer: Glorot for tanh and the sigmoid, He for ReLU and its "
        "variants, LeCun for SELU.", "accuracy of the paired initializer less that of the best other, plus 0.005",
        "accuracy", 0.0, "conditional", GRIDS, found(pairing_is_best),
    ),
    Claim(
        "vanishing-lower-layers", "Where gradients vanish, the lower layers hardly change.",
        "update-to-weight ratio, highest over lowest hidden layer", "ln ratio", 0.0, "true", GRIDS,
        found(lower_layers_stand_still),
    ),
    Claim(
        "sigmoid-worse-than-relu", "In deep networks ReLU is better than the sigmoid.", "accuracy, ReLU less sigmoid",
        "accuracy", POINTS, "true", GRIDS, activations_differ("relu", ("sigmoid",)),
    ),
    Claim(
        "dying-relu-lr", "A large learning rate kills ReLU units.",
        "dead share of the units, largest learning rate less smallest", "share of units", 0.0,
        "folklore; depth matters too", GRIDS, found(large_rates_kill),
    ),
    Claim(
        "leaky-beats-relu", "LeakyReLU is always better than ReLU.", "accuracy, LeakyReLU less ReLU", "accuracy",
        POINTS,
        "conditional; batch norm erases it", GRIDS, activations_differ("leaky_relu", ("relu",)),
    ),
    Claim(
        "prelu-learns", "PReLU's slope moves away from its start.", "|slope at the end less at the start|", "slope",
        0.0,
        "true", ("digits",), found(prelu_moves),
    ),
    Claim(
        "elu-zero-mean", "ELU brings mean activations closer to 0 than ReLU.",
        "|mean activation| of the layers at the end, ReLU less ELU", "activation", 0.0, "true", GRIDS,
        found(elu_is_centred),
    ),
    Claim(
        "elu-fast-convergence", "ELU needs fewer epochs than ReLU.",
        "mean validation accuracy over the epochs, ELU less ReLU", "accuracy", POINTS, "conditional", GRIDS,
        activations_differ("elu", ("relu",), "speed"),
    ),
    Claim(
        "elu-no-death", "ELU units do not die.", "0.001 less the dead share of ELU's units at the end",
        "share of units", 0.0, "true", GRIDS, found(elu_lives),
    ),
    Claim(
        "smooth-beats-kinked", "Smooth activations converge faster than kinked ones.",
        "mean validation accuracy over the epochs, GELU, Swish, Mish less ReLU, LeakyReLU", "accuracy", POINTS,
        "conditional", GRIDS, found(smooth_learns_faster),
    ),
    Claim(
        "selu-self-normalises", "SELU keeps mean 0 and standard deviation 1 in every layer.",
        "0.5 less the worst layer's distance from them, before the first step", "activation", 0.0,
        "true near the fixed point", GRIDS, found(selu_normalises),
    ),
    Claim(
        "selu-conditions", "SELU stops normalising where its conditions are not met.",
        "the worst layer's distance from mean 0 and sd 1, one condition broken less none", "activation", 0.0, "true",
        GRIDS, found(selu_needs_its_conditions),
    ),
    Claim(
        "selu-deep", "SELU is better than the others in very deep plain networks.", "accuracy, SELU less each other",
        "accuracy", POINTS, "often", ("digits_deep",),
        activations_differ(
            "selu", ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "swish"), deep_and_plain=True
        ),
    ),
    Claim(
        "gelu-sigmoid-approximation", "z·σ(1.702 z) does what GELU does.", "0.005 less the difference in accuracy",
        "accuracy", 0.0, "largest gap of the functions 0.0203", ("digits",), found(gelu_is_its_approximation),
    ),
    Claim(
        "gelu-cost", "GELU's step takes longer than ReLU's.", "time per step", "seconds", 0.0, "true", (), None,
    ),
    Claim(
        "bn-improves", "Batch norm improves training a lot.", "accuracy, batch norm before the activation less none",
        "accuracy", POINTS, "depends on depth and learning rate", GRIDS, found(batch_norm_improves),
    ),
    Claim(
        "bn-before-or-after", "Whether batch norm stands before or after the activation makes little difference.",
        "0.01 less the difference in accuracy", "accuracy", 0.0, "contested", ("digits",), found(placements_are_alike),
    ),
    Claim(
        "bn-cures-exploding", "Batch norm cures vanishing and exploding gradients.",
        "gradient of the lowest over the highest layer, without batch norm less with it", "|ln ratio|", 0.0,
        "before the first step it makes deep plain networks explode", ("digits_deep",),
        found(batch_norm_evens_gradients),
    ),
    Claim(
        "bn-cost", "With batch norm an epoch takes longer.", "time per epoch", "seconds", 0.0, "usual", (), None,
    ),
    Claim(
        "clipping-prevents-explosion", "Clipping prevents divergence.",
        "share of networks that diverged, without clipping less with it", "share of networks", 0.0,
        "bounds the step, does nothing for vanishing", ("digits",), found(clipping_prevents_divergence),
    ),
    Claim(
        "clip-direction", "Clipping by value turns the gradient, clipping by norm does not.",
        "angle between the gradients before and after", "cosine", 0.0, "true for the global norm only", (), None,
    ),
    Claim(
        "transfer-beats-scratch", "With few labels, reused layers beat training from scratch.",
        "accuracy, reuse less scratch", "accuracy", POINTS, "true; how much depends on the classes", TRANSFERS,
        found(transfer_beats_scratch),
    ),
    Claim(
        "upper-layers-less-useful", "Upper layers are less useful to reuse than lower ones.",
        "accuracy, the lowest layer reused and frozen less all of them", "accuracy", POINTS, "usual", TRANSFERS,
        found(upper_layers_matter_less),
    ),
    Claim(
        "unfreezing-helps", "Unfreezing after a frozen phase improves further.", "accuracy, unfrozen less frozen",
        "accuracy", POINTS, "usual", TRANSFERS, found(unfreezing_helps),
    ),
)  # fmt: skip
