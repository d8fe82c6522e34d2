"""The network store: how much it holds, and what of it params.yaml still uses.

Usage: ``python -m stages.store [--prune]``
"""

from collections import defaultdict

from pipeline import data
from pipeline.config import load_params
from pipeline.data.prepare import prepare
from pipeline.errors import DataError, ParamsError
from pipeline.experiments.transfer.run import Experiment
from pipeline.training.devices import device_name
from pipeline.training.recipe import resolve
from pipeline.training.results import load_results
from pipeline.training.store import NetworkStore, digest_of
from pipeline.training.study import recorded_recipes
from stages import MAPS, PREPARED, RESULTS, run


def main(*words: str) -> None:
    """Print the entries in use by study; with ``--prune`` delete the others."""
    if not {*words} <= {"--prune"}:
        raise ParamsError(f"found {' '.join(words)!r}; allowed: --prune")
    params, store = load_params(), NetworkStore()
    device = device_name(params.compute)
    sizes: dict[str, int] = defaultdict(int)
    for name, size in store.entries().items():
        sizes[digest_of(name)] += size
    wanted: dict[str, set[str]] = {}
    print(f"{store.storage.place}: {len(sizes):,} networks, {_megabytes(sum(sizes.values()))}")
    for name, study in params.studies.items():
        try:
            dataset = data.load(PREPARED / name)
        except DataError:
            continue  # a study that was never prepared has no networks
        recipes = {*resolve(study, params, dataset.card, device).values()}
        if (RESULTS / name / "tuning.parquet").is_file():  # its learning rates are known
            recipes |= recorded_recipes(study, params, dataset.card, load_results(RESULTS / name))
        wanted[name] = {recipe.key for recipe in recipes}
        for experiment, transfer in params.transfer.get(name, {}).items():
            title = f"{name}, {experiment}"
            wanted[title] = Experiment(title, params, dataset, transfer, store).keys
    for name, made in params.maps.items():
        if (MAPS / name).is_dir():  # it was drawn once
            study, card = made.study(), prepare(made.data).card
            wanted[f"map {name}"] = {recipe.key for recipe in resolve(study, params, card, device).values()}
    used: set[str] = set()
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
