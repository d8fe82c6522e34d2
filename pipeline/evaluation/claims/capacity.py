"""Claims on large networks: that they over-fit, and that they are slow."""

from ...grid import AXIS, widths_of
from .comparison import Comparison
from .evidence import Evidence
from .ledger import Claim
from .questions import FIVE_POINTS, HALF_A_POINT, Findings, found, over_shapes, pairs_differ

OTHERS = ("momentum", "nesterov", "rmsprop", "adam", "adamw")


def scarce_noisy_large_overfits(evidence: Evidence) -> Findings:
    """Training less test accuracy: few samples less all, noisy labels less clean, wide less narrow networks."""
    for name, tables in evidence.studies.items():
        chosen = tables.chosen
        for axis, what in (("train_fraction", "few samples"), ("label_noise", "noisy labels"), ("hidden", "width")):
            levels = AXIS[axis].sorted(chosen[axis])
            if axis == "hidden" and len({len(widths_of(level)) for level in levels}) > 1:
                continue  # of several depths
            if len(levels) > 1:
                worse, better = (levels[0], levels[-1]) if axis == "train_fraction" else (levels[-1], levels[0])
                rows = chosen[(chosen["regularization"] == "none") & (chosen["normalization"] == "none")]
                effects = Comparison(axis, worse, better, "gap").of(rows)
                yield over_shapes(name, tables, 100 * effects, what=what)


def large_networks_are_slow(evidence: Evidence) -> Findings:
    """Speed: the smallest networks less the largest ones, by depth and by width."""
    yield from _smallest_less_largest(evidence, "profile", 100.0)


def large_networks_take_time(evidence: Evidence) -> Findings:
    """Ln of the seconds to the target: the largest networks less the smallest ones, of those that arrive."""
    yield from _smallest_less_largest(evidence, "wait", -1.0)


def _smallest_less_largest(evidence: Evidence, metric: str, scale: float) -> Findings:
    for name, tables in evidence.studies.items():
        chosen = tables.chosen
        levels = AXIS["hidden"].sorted(chosen["hidden"])
        if len(levels) > 1 and set(chosen["architecture"]) == {"mlp"}:
            size = "depth" if len(widths_of(levels[0])) < len(widths_of(levels[-1])) else "width"
            comparison = Comparison("hidden", levels[0], levels[-1], metric)
            for _, effects in comparison.effects(chosen):
                yield over_shapes(name, tables, scale * effects, size=size)


CLAIMS = (
    Claim(
        id="overfitting",
        statement="A network over-fits where samples are few or noisy, and parameters are many.",
        source="Vanishing/exploding gradients",
        measure="training less test accuracy, few samples, noisy labels and wide networks less their opposites",
        unit="points",
        margin=HALF_A_POINT,
        expected="depends",
        known="few and noisy samples do it; that more parameters do is often not so",
        reference="Zhang et al. 2017; Nakkiran et al. 2020",
        studies=("overfitting",),
        test=found(scarce_noisy_large_overfits),
        only=True,
    ),
    Claim(
        id="large-networks-slow",
        statement="Large networks need many epochs.",
        source="Faster optimizers",
        measure="speed, smallest networks less largest",
        unit="points of speed",
        margin=FIVE_POINTS,
        expected="depends",
        known="deep ones do, wide ones do not",
        reference="Saxe et al. 2014",
        studies=("optimizers", "overfitting"),
        test=found(large_networks_are_slow),
        only=True,
    ),
    Claim(
        id="large-networks-time",
        statement="Large networks take long to train.",
        source="Faster optimizers",
        measure="ln of the seconds to the target, largest networks less smallest",
        unit="ln ratio",
        margin=0.0,
        expected="supported",
        known="true",
        reference="Saxe et al. 2014",
        studies=("optimizers", "overfitting"),
        test=found(large_networks_take_time),
        kind="cost",
        only=True,
    ),
    Claim(
        id="faster-optimizers",
        statement="Momentum, RMSProp and Adam are faster than plain gradient descent.",
        source="Faster optimizers",
        measure="speed, each other optimizer less plain SGD",
        unit="points of speed",
        margin=FIVE_POINTS,
        expected="supported",
        known="true in deep networks",
        reference="Kingma & Ba 2015; Dahl et al. 2023",
        studies=("optimizers",),
        test=pairs_differ("optimizer", [(other, "sgd") for other in OTHERS], "profile"),
        only=True,
    ),
)
