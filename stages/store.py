"""The network store: how much it holds, and what of it params.yaml still uses.

Usage: ``python -m stages.store [--prune]``
"""

from collections import defaultdict

from pipeline import data
from pipeline.errors import DataError, ParamsError
from pipeline.params import load_params
from pipeline.training.engine import choose_device, device_name
from pipeline.training.store import NetworkStore, Origin
from pipeline.transfer.engine import Experiment
from stages import PREPARED, run


def main(*words: str) -> None:
    """Print the entries in use by study; with ``--prune`` delete the others."""
    if not {*words} <= {"--prune"}:
        raise ParamsError(f"found {' '.join(words)!r}; allowed: --prune")
    params, store = load_params(), NetworkStore()
    device = device_name(choose_device(params))
    sizes: dict[str, int] = defaultdict(int)
    for path in store.entries():
        sizes[path.stem] += path.stat().st_size
    used: set[str] = set()
    print(f"{store.folder}: {len(sizes):,} networks, {_megabytes(sum(sizes.values()))}")
    for name, study in params.studies.items():
        try:
            dataset = data.load(PREPARED / name)
        except DataError:
            continue  # a study that was never prepared has no networks
        origin = Origin(study, params, dataset.card, device)
        wanted = {name: {origin.digest(network) for network in study.networks()}}
        for experiment, transfer in params.transfer.get(name, {}).items():
            title = f"{name}, {experiment}"
            wanted[title] = Experiment(title, study, params, dataset, transfer, store).digests
        for title, digests in wanted.items():
            kept = digests & sizes.keys()
            used |= kept
            print(f"  {title}: {len(kept):,} of {len(digests):,}, {_megabytes(sum(sizes[d] for d in kept))}")
    unused = len(sizes) - len(used)
    if "--prune" in words:
        count, size = store.prune(used)
        print(f"  deleted: {count:,} that no study uses, {_megabytes(size)}")
    elif unused:
        print(f"  no study uses {unused:,}: `python -m stages.store --prune` deletes them")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


if __name__ == "__main__":
    run(main)
