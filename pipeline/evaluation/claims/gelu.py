"""Claims on GELU, Swish and Mish."""

from .comparison import Comparison
from .evidence import Evidence
from .ledger import Claim, finding
from .questions import (
    BY_NORM,
    GRIDS,
    HALF_A_POINT,
    PROBES,
    Findings,
    activations_differ,
    compared,
    found,
    pairs_differ,
    takes_longer,
)

HARDER = {"spirals": "spirals_hard", "teacher": "teacher_hard", "parity": "parity_hard"}
"""Studies of one task, and of the same task with a higher difficulty."""


def gelu_helps_with_hard_tasks(evidence: Evidence) -> Findings:
    """Accuracy, GELU less ReLU: on the harder of two tasks less on the easier one."""
    comparison = Comparison("activation", "gelu", "relu", "test_accuracy", {"initializer": "he_normal"})
    for easier, harder in HARDER.items():
        both = [[own for name, own in evidence.shapes if name == study] for study in (easier, harder)]
        for own in both[0]:
            for other in both[1]:
                if own.depth == other.depth:
                    (of_easy,), (of_hard,) = (
                        [effects for _, effects in comparison.effects(tables.chosen)] for tables in (own, other)
                    )
                    effects = 100 * (of_hard - of_easy).dropna()
                    yield finding(harder, easier, other.overlap, effects, {"compared": "harder − easier"})


CLAIMS = (
    Claim(
        id="gelu-hard-tasks",
        statement="The harder the task, the more GELU gains on ReLU.",
        source="GELU, Swish, and Mish",
        measure="accuracy, GELU less ReLU, on the harder of two tasks less on the easier one",
        unit="points",
        margin=HALF_A_POINT,
        expected="inconclusive",
        known="said of its curvature; nobody seems to have asked",
        reference="Hendrycks & Gimpel 2016",
        studies=(*HARDER, *HARDER.values()),
        test=found(gelu_helps_with_hard_tasks),
        only=True,
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
        test=found(compared(Comparison("activation", "gelu", "gelu_sigmoid", "test_accuracy", by=BY_NORM))),
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
    Claim(
        id="swish-beats-relu",
        statement="Swish is better than ReLU.",
        source="GELU, Swish, and Mish",
        measure="accuracy, Swish less ReLU",
        unit="points",
        margin=HALF_A_POINT,
        expected="depends",
        known="on large images",
        reference="Ramachandran et al. 2017",
        studies=GRIDS,
        test=activations_differ("swish", ("relu",)),
    ),
    Claim(
        id="mish-beats-swish",
        statement="Mish is a little better than Swish and GELU.",
        source="GELU, Swish, and Mish",
        measure="accuracy, Mish less Swish and less GELU",
        unit="points",
        margin=HALF_A_POINT,
        expected="negligible",
        known="by a little, on large images",
        reference="Misra 2019",
        studies=("deep_plain",),
        test=pairs_differ("activation", [("mish", "swish"), ("mish", "gelu")], by=BY_NORM),
        only=True,
    ),
    Claim(
        id="swish-cost",
        statement="Swish's step takes longer than ReLU's.",
        source="GELU, Swish, and Mish",
        measure="time per training step, Swish's over ReLU's less 1",
        unit="%",
        margin=0.0,
        expected="supported",
        known="true: it takes an exponential",
        reference="Ramachandran et al. 2017",
        studies=PROBES,
        test=takes_longer(("swish", "none"), ("relu", "none"), "swish / relu"),
        kind="cost",
    ),
)
