"""Stage ``map``: two settings as a grid of networks. Usage: ``python -m stages.map MAP``."""

from pipeline.config import load_params
from pipeline.data.prepare import prepare
from pipeline.evaluation.maps import draw, save_map
from pipeline.tracking import track_map
from pipeline.training.devices import device_name
from pipeline.training.platform import platform_fingerprint, save_platform
from pipeline.training.store import NetworkStore
from pipeline.training.study import train_networks
from stages import MAPS, run, tracked


def main(title: str) -> None:
    """Write ``results/maps/<map>``, see `pipeline.evaluation.maps.save_map`, with platform.json; MLflow."""
    params = load_params()
    made = params.map(title)
    study, dataset = made.study(), prepare(made.data)
    results = train_networks(f"map {title}", study, params, dataset, study.networks(), NetworkStore())
    drawn = draw(made, results.networks, dataset.card.guess_accuracy("validation"))
    folder = MAPS / title
    save_map(drawn, folder)
    save_platform(platform_fingerprint(device_name(params.compute)), folder)
    with tracked(title):
        track_map(title, drawn, folder)
    told = f"map {title}: {drawn.metrics['learned']:,} of {drawn.metrics['networks']:,} networks learned"
    if "ordered_distance" in drawn.metrics:
        told += ", the borders {ordered_distance:.0%} and {chaotic_distance:.0%} of σ_w² off theory's".format(
            **drawn.metrics
        )
    print(told)


if __name__ == "__main__":
    run(main)
