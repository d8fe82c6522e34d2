"""Stage ``code``: what each other stage runs, and what each study transfers. Usage: ``python -m stages.code``."""

from pipeline.closure import listing
from pipeline.config import load_params
from pipeline.strict_json import save_json
from stages import CODE, run
from stages.warm import STAGES

EXPERIMENTS = CODE / "experiments"


def main() -> None:
    """Write ``.code/STAGE`` for every stage: as long as it stays as it is, editing another file reruns nothing.

    And ``.code/experiments/STUDY.json``, so that editing a study's transfer experiments reruns no other study's. Most
    have none, and DVC would take no parameter that is missing.
    """
    params = load_params()
    EXPERIMENTS.mkdir(parents=True, exist_ok=True)
    for stage in STAGES:
        (CODE / stage).write_text(listing(f"stages/{stage}.py"), encoding="utf-8")
    for study in params.run:
        experiments = {name: one.model_dump(mode="json") for name, one in params.transfer.get(study, {}).items()}
        save_json(experiments, EXPERIMENTS / f"{study}.json")


if __name__ == "__main__":
    run(main)
