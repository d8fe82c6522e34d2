"""The ledger again, on fresh seeds and splits: which verdicts hold? Usage: ``python -m stages.replicate [SEED]``.

Trains what `dvc repro` does with ``base_seed: SEED``, by default today's date, and changes none of its results.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from pipeline import data
from pipeline.config import load_params
from pipeline.errors import ParamsError
from pipeline.evaluation.claims.entries import CLAIMS
from pipeline.evaluation.claims.ledger import as_metrics, keep_ledger
from pipeline.evaluation.rerun import changes, gather
from pipeline.strict_json import save_json
from stages import PREPARED, REPORT, run
from stages.claims import load_ledger, load_probes


def main(*words: str) -> None:
    """Write ``report/replications/SEED.json``, and say which verdicts of ``report/claims.json`` hold."""
    if len(words) > 1 or not all(word.isdecimal() for word in words):
        raise ParamsError(f"found {' '.join(words)!r}; allowed: a seed, as in `make replicate SEED=7`")
    seed = int(words[0]) if words else int(f"{date.today():%Y%m%d}")
    before = load_ledger()
    evidence = gather(load_params().reseeded(seed), lambda name: data.load(PREPARED / name), load_probes())
    after = as_metrics(keep_ledger(CLAIMS, evidence))
    folder = REPORT / "replications"
    folder.mkdir(exist_ok=True)
    save_json(after, folder / f"{seed}.json")
    print("\n".join(told(before, after)))


def told(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return in lines which verdicts changed, and how many did not."""
    before = {name: entry for name, entry in before.items() if name in after}
    changed = changes(before, after)
    decided = [name for name, pair in changed.items() if "inconclusive" not in pair]
    return [
        *(f"{name}: {first}, now {second}" for name, (first, second) in changed.items()),
        f"{len(before) - len(changed)} of {len(before)} verdicts hold; {len(changed) - len(decided)} changed to or "
        f"from inconclusive, {len(decided)} otherwise",
    ]


if __name__ == "__main__":
    run(main)
