"""Stage ``train``: prepared data to the tables of a study. Usage: ``python -m stages.train STUDY``."""

from pipeline import data
from pipeline.config import load_params, save_study
from pipeline.training.devices import device_name
from pipeline.training.platform import platform_fingerprint, save_platform
from pipeline.training.store import NetworkStore
from pipeline.training.study import train_networks
from stages import PREPARED, RESULTS, run


def main(title: str) -> None:
    """Write ``results/<study>``: networks, history, hits, layers, timings, tuning, platform, study."""
    params = load_params()
    study = params.study(title)
    results = train_networks(title, study, params, data.load(PREPARED / title), study.networks(), NetworkStore())
    results.save(RESULTS / title)
    save_study(study, RESULTS / title)
    save_platform(platform_fingerprint(device_name(params.compute)), RESULTS / title)


if __name__ == "__main__":
    run(main)
