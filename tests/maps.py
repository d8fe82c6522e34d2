"""Maps whose networks learn where a test says so."""

import numpy as np
import pandas as pd

from pipeline.config.map import Map
from pipeline.evaluation.maps import Drawn, draw

GUESS = 0.1


def small_map(**changed) -> Map:
    """Return a small map of ReLU networks, whose edge is at σ_w² = 2 whatever the bias."""
    settings = {
        "data": {"source": "digits", "scaling": "unit",
                 "split": {"kind": "stratified", "validation": 0.2, "test": 0.2, "seed": 0}},
        "hidden": ("20x8",), "training": {"epochs": 1, "batch_size": 32}, "activation": "relu", "optimizer": "sgd",
        "normalization": "none", "clipping": "none", "learning_rate": 0.1, "seed": 0,
        "x": {"setting": "weight_variance", "from": 1.0, "to": 3.0, "points": 41, "scale": "linear"},
        "y": {"setting": "bias_variance", "from": 0.0, "to": 0.2, "points": 5, "scale": "linear"},
    }  # fmt: skip
    settings |= changed
    return Map(**{name: value for name, value in settings.items() if value is not None})


def drawn(made: Map, learns, noise: float = 0.0) -> Drawn:
    """Draw a map whose networks have 0.9 where ``learns(place)`` says so, and guess elsewhere."""
    rng = np.random.default_rng(0)
    rows = []
    for place in made.places:
        accuracy = (0.9 if learns(place) else GUESS) + noise * rng.normal()
        outcome = {"status": "trained", "train_loss": 1.0, "val_loss": 1.0}
        scores = dict.fromkeys(("train_accuracy", "val_accuracy", "test_accuracy"), accuracy)
        rows.append(made.spelled(place) | {"learning_rate": place["learning_rate"]} | outcome | scores)
    shuffled = pd.DataFrame(rows).sample(frac=1, random_state=0)
    return draw(made, shuffled, GUESS)
