"""Says whether ``params.yaml`` makes sense, and what it builds. Usage: ``python -m pipeline.config``."""

import sys

from ..console import speak_plainly
from ..errors import ParamsError
from ..grid import TUNED
from .load import load_params


def main() -> int:
    """Check ``params.yaml`` and say what it builds. Returns the exit code."""
    speak_plainly()
    try:
        params = load_params()
    except ParamsError as error:
        print(error, file=sys.stderr)
        return 1
    for name in params.run:
        networks = params.studies[name].networks()
        tuned = len({network.cell for network in networks if network.cell.learning_rate == TUNED})
        print(f"{name}: {len(networks):,} networks" + (f", {tuned:,} learning rates to find" if tuned else ""))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
