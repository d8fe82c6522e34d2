"""Stage ``prepare``: a study's data, split and scaled. Usage: ``python -m stages.prepare STUDY``."""

from pipeline.config import load_params
from pipeline.data import save
from pipeline.data.prepare import prepare
from pipeline.errors import ParamsError
from stages import PREPARED, run


def main(study: str) -> None:
    """Write ``data/prepared/<study>``."""
    params = load_params()
    dataset = prepare(params.study(study).data)
    for name, transfer in params.transfer.get(study, {}).items():  # rather now than when the grid is trained
        if unknown := transfer.unknown_class(dataset.card.classes):
            raise ParamsError(f"transfer.{study}.{name}.{unknown}")
    save(dataset, PREPARED / study)
    samples = ", ".join(f"{count:,} {part}" for part, count in dataset.card.samples.items())
    print(f"{study}: {samples} samples, {dataset.card.features} features, {len(dataset.card.classes)} classes")


if __name__ == "__main__":
    run(main)
