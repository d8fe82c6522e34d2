"""Stage ``probes``: small experiments that claims need besides the grid. Usage: ``python -m stages.probes``."""

from pipeline.experiments.probes import clipping_angles, input_moments, signal_drifts, step_times, variance_ratios
from stages import RESULTS, run

PROBES = {
    "variances": variance_ratios,
    "drifts": signal_drifts,
    "moments": input_moments,
    "angles": clipping_angles,
    "steps": step_times,
}


def main() -> None:
    """Write ``results/probes``."""
    folder = RESULTS / "probes"
    folder.mkdir(parents=True, exist_ok=True)
    for name, probe in PROBES.items():
        probe().to_parquet(folder / f"{name}.parquet", index=False)
    print(f"probes: {', '.join(PROBES)}")


if __name__ == "__main__":
    run(main)
