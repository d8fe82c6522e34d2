"""What scikit-learn's classifiers make of the same split: the rows every network is read against."""

import warnings
from collections.abc import Callable, Iterable
from typing import Any

from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from ..config.schema import Reference
from ..data import Split

REFERENCES: dict[Reference, Callable[[], Any]] = {
    "majority": lambda: DummyClassifier(strategy="most_frequent"),
    "logistic_regression": lambda: LogisticRegression(max_iter=200),
    "random_forest": lambda: RandomForestClassifier(n_estimators=100, random_state=0, n_jobs=-1),
}


def reference_scores(names: Iterable[Reference], split: Split) -> dict[str, dict[str, float]]:
    """Fit each reference on the training part; return its validation and test accuracy (0 to 1)."""
    scores = {}
    for name in names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # 200 iterations are enough for a reference
            model = REFERENCES[name]().fit(split.train.x, split.train.y)
        scores[str(name)] = {
            "val_accuracy": float(model.score(split.validation.x, split.validation.y)),
            "test_accuracy": float(model.score(split.test.x, split.test.y)),
        }
    return scores
