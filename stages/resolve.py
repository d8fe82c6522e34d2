"""More seeds for a claim that the data leave open, until they tell. Usage: ``python -m stages.resolve CLAIM [MOST]``.

Looking again is allowed: every look spends a share of the error rate that was set aside for it (docs/claims.md).
"""

import pandas as pd

from pipeline import data
from pipeline.config import load_params
from pipeline.errors import ParamsError, did_you_mean
from pipeline.evaluation.claims.entries import CLAIMS
from pipeline.evaluation.claims.ledger import CONFIDENCE, FIRST_LOOK, Entry, as_metrics, keep_ledger
from pipeline.evaluation.rerun import gather
from pipeline.strict_json import save_json
from stages import PREPARED, REPORT, run
from stages.claims import load_ledger, load_probes

MOST = 160
"""Seeds that are tried unless more are asked for."""
USAGE = "as in `make resolve CLAIM=leaky-beats-relu` or `make resolve CLAIM=leaky-beats-relu SEEDS=320`"


def main(*words: str) -> None:
    """Double the seeds of the claim's studies until it is decided; write ``report/resolved/CLAIM.json``."""
    name, most = asked(*words)
    entry = load_ledger()[name]
    studies = {*pd.read_parquet(REPORT / "effects.parquet").query("claim == @name")["study"]} - {"probe"}
    if entry["verdict"] != "inconclusive":
        print(f"{name}: {entry['verdict']}; there is nothing to resolve")
        return
    if not studies:
        raise ParamsError(f"{name}: it rests on small experiments with a fixed number of seeds, which no study adds to")
    count = FIRST_LOOK
    while (count := 2 * count) <= most:
        params = load_params().with_seeds(count, studies)
        ledger = keep_ledger(CLAIMS, gather(params, lambda study: data.load(PREPARED / study), load_probes()))
        (found,) = (one for one in ledger if one.claim.id == name)
        print(f"{name}: with {count} seeds {told(found)}")
        folder = REPORT / "resolved"
        folder.mkdir(exist_ok=True)
        save_json({"seeds": count} | as_metrics(ledger)[name], folder / f"{name}.json")
        if found.verdict != "inconclusive":
            break
        if found.parts[0].replicates < FIRST_LOOK:
            print("it rests on the networks that choose learning rates: tuning.seeds in params.yaml says how many")
            return
        if found.needed is None:
            print("more seeds on the same samples would not tell: it takes more datasets, or larger ones")
            break
    print(f"to keep it: give {', '.join(sorted(studies))} {min(count, most)} seeds in params.yaml")


def asked(*words: str) -> tuple[str, int]:
    """Return the claim and the most seeds that the command line asks for.

    Raises:
        ParamsError: there is no such claim, or it cannot be resolved.
    """
    names = [claim.id for claim in CLAIMS if claim.kind != "cost"]
    if not 1 <= len(words) <= 2 or not all(word.isdecimal() for word in words[1:]):
        raise ParamsError(f"found {' '.join(words)!r}; allowed: a claim, and how many seeds at most, {USAGE}")
    if words[0] not in names:
        raise ParamsError(f"{words[0]!r} is not a claim{did_you_mean(words[0], names)}")
    if len(words) > 1 and int(words[1]) < 2 * FIRST_LOOK:
        raise ParamsError(f"SEEDS: found {words[1]}; allowed: at least {2 * FIRST_LOOK}, of which the second look is")
    return words[0], int(words[1]) if len(words) > 1 else MOST


def told(entry: Entry) -> str:
    """Return what a claim has come to, in words."""
    effect, low, high = entry.parts[0].pooled.estimate.interval(CONFIDENCE)
    more = "" if entry.needed is None else f"; about {entry.needed:,} would tell"
    return f"{entry.verdict}, {effect:+.3g} [{low:+.3g}, {high:+.3g}] {entry.claim.unit}{more}"


if __name__ == "__main__":
    run(main)
