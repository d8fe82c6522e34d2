"""How far ledgers on other seeds and splits agree: of every two runs, which verdicts differ.

Usage: ``python -m benchmarks.replications``, after `dvc repro` and `make replicate` with some seeds, and for the full
ledger after `make ledger SEED=…`. Writes ``benchmarks/results/replications-<hardware>-<date>.json`` and the lines in
``docs/claims.md``.
"""

import json
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

from benchmarks.report import machine, render_replications, save
from pipeline.evaluation.golden import FULL_LEDGER
from pipeline.evaluation.rerun import changes

REPORT = Path("report")


def main() -> None:
    """Compare, write, render."""
    files = {"0": REPORT / "claims.json"} | {file.stem: file for file in (REPORT / "replications").glob("*.json")}
    if len(files) < 2:
        sys.exit("error: there is nothing to compare; run `make replicate SEED=1000` first")
    names = sorted(files, key=int)
    ledgers = {name: json.loads(files[name].read_text(encoding="utf-8")) for name in names}
    pairs = [compared(first, second, ledgers) for first, second in combinations(names, 2)]
    tested = [entry["verdict"] != "not tested" for entry in ledgers[names[0]].values()]
    full = [_compared_with_the_full(file) for file in sorted((REPORT / "full").glob("*.json")) if _is_further(file)]
    save("replications", {**machine(), "base_seeds": names, "claims": sum(tested), "pairs": pairs, "full": full})
    render_replications()


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _is_further(file: Path) -> bool:
    """Say whether a file is a run that the full ledger does not rest on."""
    run = _read(FULL_LEDGER)["run"]
    return file.stem.isdecimal() and int(file.stem) not in (run["base_seed"], run["again"])


def _compared_with_the_full(file: Path) -> dict[str, Any]:
    """Return which verdicts of the full ledger another run of the same studies changes."""
    kept, other = _read(FULL_LEDGER)["claims"], _read(file)["claims"]
    same = {
        name: entry
        for name, entry in kept.items()
        if sorted(entry["studies"]) == sorted(other[name].get("studies", ()))
    }
    first = {name: entry | {"verdict": entry["verdicts"][0]} for name, entry in same.items()}
    return {
        "base_seed": file.stem,
        "claims": len(same),
        "of": len(kept),
        "changed": changes(same, other),
        "changed_of_the_first_run": changes(first, other),
    }


def compared(first: str, second: str, ledgers: dict[str, Any]) -> dict[str, Any]:
    """Return which verdicts differ, and of how many effects the difference is larger than both intervals allow."""
    one, other = ledgers[first], ledgers[second]
    effects = [(one[name], other[name]) for name in one if None not in (one[name].get("low"), other[name].get("low"))]
    beyond = [
        abs(a["effect"] - b["effect"]) > (half(a) ** 2 + half(b) ** 2) ** 0.5 for a, b in effects if half(a) or half(b)
    ]
    return {
        "base_seeds": [first, second],
        "changed": changes(one, other),
        "effects": len(beyond),
        "beyond": sum(beyond),
    }


def half(entry: dict[str, Any]) -> float:
    """Return half of an effect's interval."""
    return float(entry["high"] - entry["low"]) / 2


if __name__ == "__main__":
    main()
