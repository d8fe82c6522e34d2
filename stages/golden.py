"""Keep what this run came to, for others to compare with. Usage: ``make golden``, or ``python -m stages.golden``.

Writes ``golden/``: the small study that ``make verify`` trains, and ``digits`` as ``results/`` has it.
"""

from pipeline.config import load_params
from pipeline.evaluation.golden import GOLDEN, save_record
from stages import RESULTS, drift, run, verify

KEPT = "digits"


def main() -> None:
    """Write both records."""
    for kept in (verify.measured(), drift.read(RESULTS, KEPT, load_params())):
        save_record(kept, GOLDEN)
        print(f"{GOLDEN}/{kept.study}: {len(kept.cells):,} cells, {kept.digest}")


if __name__ == "__main__":
    run(main)
