"""Stage ``code``: the files that each other stage runs, with their SHA-256. Usage: ``python -m stages.code``."""

from pipeline.closure import listing
from stages import CODE, run
from stages.warm import STAGES


def main() -> None:
    """Write ``.code/STAGE`` for every stage: as long as it stays as it is, editing another file reruns nothing."""
    CODE.mkdir(exist_ok=True)
    for stage in STAGES:
        (CODE / stage).write_text(listing(f"stages/{stage}.py"), encoding="utf-8")


if __name__ == "__main__":
    run(main)
