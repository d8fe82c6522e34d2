"""Stage ``train``: every network of a study. Usage: ``python -m stages.train STUDY``."""

from pipeline import data
from pipeline.params import load_params
from pipeline.training.engine import choose_device, device_name, train_networks
from pipeline.training.place import place, save_place
from pipeline.training.store import NetworkStore
from stages import PREPARED, RESULTS, run


def main(study: str) -> None:
    """Write ``results/<study>``: networks, history, layers, timings, place."""
    params = load_params()
    settings = params.study(study)
    dataset = data.load(PREPARED / study)
    results = train_networks(study, settings, params, dataset, settings.networks(), NetworkStore())
    results.save(RESULTS / study)
    save_place(place(device_name(choose_device(params))), RESULTS / study)


if __name__ == "__main__":
    run(main)
