"""Stage ``champion``: a study's best network, trained again; references. Usage: ``python -m stages.champion STUDY``."""

import pandas as pd

from pipeline import data
from pipeline.config import load_params, load_study
from pipeline.experiments.champion import crown
from pipeline.experiments.names import CHAMPION_FILE, CHAMPION_FOLDER, REPEATS_FILE
from pipeline.experiments.repeats import repeat
from pipeline.strict_json import save_json
from stages import PREPARED, RESULTS, run


def main(title: str) -> None:
    """Write ``results/<study>/champion``, ``champion.json`` and ``repeats.parquet``."""
    params = load_params()
    folder = RESULTS / title
    networks = pd.read_parquet(folder / "networks.parquet")
    dataset = data.load(PREPARED / title)
    study = load_study(folder)
    found = crown(title, study, params, dataset, networks, folder / CHAMPION_FOLDER)
    save_json(found, folder / CHAMPION_FILE)
    repeat(study, params, dataset, networks).to_parquet(folder / REPEATS_FILE, index=False)
    if "champion" in found:
        print(f"{title}: the champion is {found['name']}; reproduced: {found['champion']['reproduced']}")


if __name__ == "__main__":
    run(main)
