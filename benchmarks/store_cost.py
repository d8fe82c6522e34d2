"""What losing nothing costs: the share of training time that the network store and epoch checkpoints take.

Usage: ``python -m benchmarks.store_cost``. One worker; the clock runs inside the store, since a run with it and one
without differ by more than it costs. Checkpoints are written after every epoch, as if each stack took over a minute.
"""

import tempfile
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from pipeline.config import load_params
from pipeline.data.prepare import prepare
from pipeline.training import checkpoints
from pipeline.training.checkpoints import EpochCheckpoint
from pipeline.training.store import NetworkStore
from pipeline.training.study import train_networks

STUDIES = ("digits", "digits_deep")
ACTIVATIONS = ("relu", "swish")
"""Whose networks are trained."""


class Clock:
    """Adds up how long some calls take."""

    seconds = 0.0

    def times(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the call, timed."""

        @wraps(call)
        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - started

        return timed


def main() -> None:
    """Print the shares for each study and activation."""
    store_clock, checkpoint_clock = Clock(), Clock()
    for name in ("load_all", "save_all", "unfinished"):
        setattr(NetworkStore, name, store_clock.times(getattr(NetworkStore, name)))
    EpochCheckpoint.on_train_epoch_end = checkpoint_clock.times(EpochCheckpoint.on_train_epoch_end)  # type: ignore[method-assign]
    checkpoints.SECONDS_WORTH_KEEPING = 0.0
    params = load_params()
    params = params.model_copy(update={"compute": params.compute.model_copy(update={"workers": 1})})
    lines = []
    for name in STUDIES:
        study = params.study(name)
        dataset = prepare(study.data)
        for activation in ACTIVATIONS:
            networks = [network for network in study.networks() if network.cell.activation == activation]
            store_clock.seconds = checkpoint_clock.seconds = 0.0
            started = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                train_networks(name, study, params, dataset, networks, NetworkStore(Path(folder)))
            whole = time.perf_counter() - started
            lines.append(
                f"{name}, {activation}: {len(networks):,} networks in {whole:.1f} s, "
                f"store {store_clock.seconds / whole:.2%}, checkpoints {checkpoint_clock.seconds / whole:.2%} "
                "(goal: at most 3 % together)"
            )
    print("\n".join(lines))


if __name__ == "__main__":
    main()
