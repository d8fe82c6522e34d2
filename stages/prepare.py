"""Stage ``prepare``: a study's data, split and scaled. Usage: ``python -m stages.prepare STUDY``."""

from pipeline.data import save
from pipeline.data.prepare import prepare
from pipeline.params import load_params
from stages import PREPARED, run


def main(study: str) -> None:
    """Write ``data/prepared/<study>``."""
    dataset = prepare(load_params().study(study).data)
    save(dataset, PREPARED / study)
    samples = ", ".join(f"{count:,} {part}" for part, count in dataset.card.samples.items())
    print(f"{study}: {samples} samples, {dataset.card.features} features, {len(dataset.card.classes)} classes")


if __name__ == "__main__":
    run(main)
