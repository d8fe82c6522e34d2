"""Does this machine compute as others do? Usage: ``make verify``, or ``python -m stages.verify``.

Trains a small study, measures its networks before their first step, and compares what comes out with what the
repository keeps of it. Exit code 1 where it differs and nothing that is known of the machine explains it, or where it
differs by more than noise.
"""

import sys

from pipeline.compute.rounding import processor
from pipeline.config import load_params
from pipeline.data.prepare import prepare
from pipeline.evaluation.golden import BEFORE, GOLDEN, Record, compare, describe, load_record, record
from pipeline.experiments.propagation import propagation
from pipeline.training.devices import device_name
from pipeline.training.platform import platform_fingerprint
from pipeline.training.study import train_networks
from stages import run

STUDY = "mini"


def main() -> None:
    """Train, compare, and say in words what it means."""
    kept, here = load_record(STUDY, GOLDEN), measured()
    print(f"recorded: {kept.digest}\nhere:     {here.digest}   ({processor()})")
    found = compare(here, kept)
    if found.status == "equal":
        print("The same, bit for bit: this machine computes as those do that made the recorded results.")
        return
    reasons = differences(kept, here)
    print(describe(STUDY, found))
    if not reasons:
        sys.exit(
            "DIFFERENT, though device, kernels and libraries are those of the record. Either the code was changed "
            "(then `make golden` keeps the new results), or this machine does not compute reliably"
        )
    print("What differs here: " + "; ".join(reasons) + ".")
    if found.status == "drifted":
        sys.exit("DIFFERENT by more than such a difference explains: do not rely on results made here")
    print("Other bits are to be expected with that. The results agree within noise: conclusions hold, digests do not.")


def measured() -> Record:
    """Train the study, without the store, and return what it came to."""
    params = load_params()
    study = params.study(STUDY)
    dataset = prepare(study.data)
    results = train_networks(STUDY, study, params, dataset, study.networks())
    tables = results._asdict() | {BEFORE: propagation(STUDY, study, params, dataset)}
    return record(STUDY, study, params, tables, platform_fingerprint(device_name(params.compute)))


def differences(kept: Record, here: Record) -> list[str]:
    """Return what of the platform is not as it was recorded: ``torch 2.14.0 (recorded: 2.13.0)``."""
    ours, theirs = _flat(here.platform), _flat(kept.platform)
    return [
        f"{name} {ours.get(name)} (recorded: {theirs.get(name)})"
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
    ]


def _flat(platform: dict[str, object]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in platform.items():
        flat |= {f"{name}: {key}": inner for key, inner in value.items()} if isinstance(value, dict) else {name: value}
    return flat


if __name__ == "__main__":
    run(main)
