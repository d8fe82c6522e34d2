"""Small experiments that claims need besides the grid: variances, SELU's inputs, what clipping turns, a step's cost.

All are drawn from seeds of their own and need no study. All but `step_times` come out bit for bit the same.
"""

import time
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..axes.activations import ACTIVATIONS
from ..axes.architectures import ARCHITECTURES
from ..axes.clipping import CLIPPINGS
from ..axes.initializers import INITIALIZERS
from ..axes.normalization import NORMALIZATIONS
from ..axes.optimizers import SGD
from ..axes.regularizers import NoRegularizer
from ..compute.cpu import cap_threads_for_determinism
from ..compute.kernels import log_, matmul, sqrt_
from ..networks import Design, StackedNetwork, build_networks
from ..networks.context import LayerContext
from ..networks.observe import observe
from ..networks.scores import cross_entropy
from ..networks.sums import tree_sum
from ..theory.functions import function_of
from ..training.clipping import clip_gradients
from ..training.optimizer import StackedOptimizer

SEEDS = range(10)
SHAPES = {"square": (200, 200), "narrowing": (300, 100), "widening": (100, 300)}
"""Fan-in and fan-out of a layer; all have the same fan_avg."""
SAMPLES, FEATURES, CLASSES = 256, 64, 10
DEPTH, WIDTH = 20, 64
RELU_AND_VARIANTS = ("relu", "leaky_relu", "rrelu", "prelu", "elu", "gelu", "swish", "mish")
DRIFT_WIDTH, DRIFT_SAMPLES = 256, 64
"""In narrow layers the variance wanders by itself, by about sqrt(5 · layers / width) of its logarithm."""
COSTS = (
    ("relu", "none"), ("relu", "before"), ("elu", "none"), ("gelu", "none"), ("swish", "none"),
)  # fmt: skip
ROUNDS, STEPS = 24, 8
NETWORKS, BATCH = 16, 32


def variance_ratios() -> pd.DataFrame:
    """Send signals and gradients through one linear layer with Glorot's weights.

    Columns: ``shape``, ``fan_in``, ``fan_out``, ``seed``; ``forward``, ln of the output's variance over the input's;
    ``backward``, ln of the variance of the gradient behind the layer over that in front of it.
    """
    generator = torch.Generator().manual_seed(0)
    tables = []
    for shape, (fan_in, fan_out) in SHAPES.items():
        networks = _networks((fan_in, fan_out, 1), "tanh", "none", "glorot_normal", SEEDS).double()
        weight = networks.kernels[0].detach()
        x = torch.randn(SAMPLES, fan_in, generator=generator, dtype=torch.float64)
        g = torch.randn(SAMPLES, fan_out, generator=generator, dtype=torch.float64)
        with cap_threads_for_determinism(1):
            forward = matmul(x.expand(len(SEEDS), -1, -1), weight).var((1, 2)) / x.var()
            backward = matmul(g.expand(len(SEEDS), -1, -1), weight.mT).var((1, 2)) / g.var()
        table = {"shape": shape, "fan_in": fan_in, "fan_out": fan_out, "seed": SEEDS}
        tables.append(pd.DataFrame(table | {"forward": log_(forward).numpy(), "backward": log_(backward).numpy()}))
    return pd.concat(tables, ignore_index=True)


def signal_drifts() -> pd.DataFrame:
    """Send standardised inputs through wide, deep networks with He's weights.

    Columns: ``activation``, ``seed``; ``drift``, ln of the pre-activations' mean square in the highest hidden layer
    over that in the lowest.
    """
    x = torch.randn(DRIFT_SAMPLES, FEATURES, generator=torch.Generator().manual_seed(0)).expand(len(SEEDS), -1, -1)
    widths = (FEATURES, *(DRIFT_WIDTH,) * DEPTH, CLASSES)
    weights = _networks(widths, "relu", "none", "he_normal", SEEDS).kernels[:-1]
    tables = []
    for activation in RELU_AND_VARIANTS:
        squares, signal, built = [], x, ACTIVATIONS.parse(activation).build
        with torch.no_grad(), cap_threads_for_determinism(1):
            for number, weight in enumerate(weights):
                z = matmul(signal, weight)
                squares.append(tree_sum(z.double().square().flatten(1)))
                signal = built(LayerContext(number, DRIFT_WIDTH, SEEDS))(z)
        drift = log_(squares[-1] / squares[0]).numpy()
        tables.append(pd.DataFrame({"activation": activation, "seed": SEEDS, "drift": drift}))
    return pd.concat(tables, ignore_index=True)


def input_moments() -> pd.DataFrame:
    """Send standardised inputs, and inputs between 0 and 1, through deep SELU networks with LeCun's weights.

    Columns: ``inputs`` (standardized, unit), ``seed``; ``off``, how far the worst layer's activations are from mean 0
    and sd 1.
    """
    generator = torch.Generator().manual_seed(0)
    inputs = {
        "standardized": torch.randn(SAMPLES, FEATURES, generator=generator),
        "unit": torch.rand(SAMPLES, FEATURES, generator=generator),
    }
    labels = torch.arange(SAMPLES) % CLASSES
    widths = (FEATURES, *(WIDTH,) * DEPTH, CLASSES)
    networks = _networks(widths, "selu", "none", "lecun_normal", SEEDS).double()
    tables = []
    for name, x in inputs.items():
        seen = observe(networks, function_of(ACTIVATIONS.parse("selu")), x.double(), labels)
        off = torch.maximum(seen.mean.abs(), (seen.sd - 1).abs()).amax(1)
        tables.append(pd.DataFrame({"inputs": name, "seed": SEEDS, "off": off.numpy()}))
    return pd.concat(tables, ignore_index=True)


def clipping_angles() -> pd.DataFrame:
    """Clip the first gradient of ReLU networks with weights from N(0, 1), which is far above every threshold.

    Columns: ``clipping``, ``seed``; ``angle`` between the gradient over all weights before and after, in degrees.
    """
    networks = _networks((FEATURES, WIDTH, WIDTH, CLASSES), "relu", "none", "standard_normal", SEEDS)
    with cap_threads_for_determinism(len(SEEDS)):
        next(_steps(networks))
        before = [p.grad.clone() for p in networks.parameters() if p.grad is not None]
    tables = []
    modes = [level for level in CLIPPINGS if level.clips]
    for mode in modes:
        after = [gradient.clone() for gradient in before]
        clip_gradients(after, [mode] * len(SEEDS))
        tables.append(pd.DataFrame({"clipping": str(mode), "seed": SEEDS, "angle": _angles(before, after)}))
    return pd.concat(tables, ignore_index=True)


def step_times() -> pd.DataFrame:
    """Time training steps of several kinds of network side by side, round by round, on one thread of the CPU.

    Columns: ``activation``, ``normalization``, ``round``; ``seconds``, the fastest of the round's `STEPS` steps of a
    stack
    of `NETWORKS` networks.
    """
    seeds = range(NETWORKS)
    runs = {}
    for activation, norm in COSTS:
        networks = _networks((FEATURES, 2 * WIDTH, 2 * WIDTH, CLASSES), activation, norm, "he_normal", seeds)
        runs[activation, norm] = _steps(networks)
    rows = []
    with cap_threads_for_determinism(1):
        for number, (kind, steps) in product(range(ROUNDS + 1), runs.items()):
            rows.append((*kind, number, min(_seconds_of(steps) for _ in range(STEPS))))
    table = pd.DataFrame(rows, columns=["activation", "normalization", "round", "seconds"])
    return table[table["round"] > 0].reset_index(drop=True)  # the first warms up


def _seconds_of(steps: Iterator[None]) -> float:
    start = time.perf_counter()
    next(steps)
    return time.perf_counter() - start


def _networks(
    widths: Sequence[int], activation: str, normalization: str, initializer: str, seeds: Sequence[int]
) -> StackedNetwork:
    features, *hidden, outputs = widths
    design = Design(
        (features,),
        tuple(hidden),
        outputs,
        ARCHITECTURES.parse("mlp"),
        ACTIVATIONS.parse(activation),
        NORMALIZATIONS.parse(normalization),
        NoRegularizer(),
    )
    return build_networks(design, [INITIALIZERS.parse(initializer)] * len(seeds), seeds, [1.0] * len(seeds))


def _steps(networks: StackedNetwork) -> Iterator[None]:
    """Yield after each step of training on noise; its gradients are still there."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(networks.networks, BATCH, FEATURES, generator=generator)
    y = torch.randint(CLASSES, (networks.networks, BATCH), generator=generator)
    optimizer = StackedOptimizer(networks.parameters(), torch.full((networks.networks,), 1e-4), SGD())
    while True:
        optimizer.zero_grad()
        cross_entropy(networks(x), y).mean(1).sum().backward()
        optimizer.step()
        yield


def _angles(before: Sequence[Tensor], after: Sequence[Tensor]) -> np.ndarray:
    """Return each network's angle between two gradients over all weights, in degrees."""

    def inner(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        products = [tree_sum((a.double() * b.double()).flatten(1)) for a, b in zip(first, second, strict=True)]
        return tree_sum(torch.stack(products, 1))

    cosine = inner(before, after) / sqrt_(inner(before, before) * inner(after, after))
    angles: np.ndarray = np.degrees(np.arccos(cosine.clamp(max=1.0).numpy()))
    return angles
