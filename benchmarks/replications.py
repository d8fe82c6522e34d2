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
    kept = _claims(FULL_LEDGER)
    full = [
        {"base_seed": file.stem, "claims": len(kept), "changed": changes(kept, _claims(file))}
        for file in sorted((REPORT / "full").glob("*.json"))
        if file.stem.isdecimal()
    ]
    save("replications", {**machine(), "base_seeds": names, "claims": sum(tested), "pairs": pairs, "full": full})
    render_replications()


def _claims(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["claims"]
    return found


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
