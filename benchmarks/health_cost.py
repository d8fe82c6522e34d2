"""What looking at the layers costs: its share of the time in which the default studies are trained.

Usage: ``python -m benchmarks.health_cost``. One worker; the clock runs inside the recorder, since a run with it and one
without differ by more than it costs.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.config import load_params
from pipeline.data.prepare import prepare
from pipeline.training.health import HealthRecorder
from pipeline.training.study import train_networks

STUDIES = ("digits", "digits_deep")
ACTIVATIONS = ("relu", "elu", "swish")
"""Whose networks are trained."""


class TimedRecorder(HealthRecorder):
    """A recorder that knows how long it took."""

    seconds = 0.0

    def look(self, epoch: int) -> None:
        """Record the layers, and the time."""
        started = time.perf_counter()
        super().look(epoch)
        TimedRecorder.seconds += time.perf_counter() - started

    @contextmanager
    def step(self, epoch: int, first: bool, last: bool) -> Iterator[None]:
        """Watch a step, and the time before and after it."""
        started = time.perf_counter()
        with super().step(epoch, first, last):
            TimedRecorder.seconds += time.perf_counter() - started
            yield
            started = time.perf_counter()
        TimedRecorder.seconds += time.perf_counter() - started


def main() -> None:
    """Print the share for each study and activation."""
    import pipeline.training.module as training

    training.HealthRecorder = TimedRecorder  # type: ignore[misc]
    params = load_params()
    params = params.model_copy(update={"compute": params.compute.model_copy(update={"workers": 1})})
    lines = []
    for name in STUDIES:
        study = params.study(name)
        dataset = prepare(study.data)
        for activation in ACTIVATIONS:
            networks = [network for network in study.networks() if network.cell.activation == activation]
            TimedRecorder.seconds = 0.0
            started = time.perf_counter()
            train_networks(name, study, params, dataset, networks)
            rest = time.perf_counter() - started - TimedRecorder.seconds
            lines.append(f"{name}, {activation}: {TimedRecorder.seconds / rest:.1%} more (goal: at most 5 %)")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
