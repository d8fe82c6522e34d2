"""Stage ``champion``: a study's best network, trained again; references. Usage: ``python -m stages.champion STUDY``."""

import pandas as pd

from pipeline import data
from pipeline.config import load_params, load_study
from pipeline.experiments.champion import crown
from pipeline.experiments.names import CHAMPION_FILE, CHAMPION_FOLDER
from pipeline.strict_json import save_json
from stages import PREPARED, RESULTS, run


def main(title: str) -> None:
    """Write ``results/<study>/champion`` and ``champion.json``."""
    params = load_params()
    folder = RESULTS / title
    networks = pd.read_parquet(folder / "networks.parquet")
    dataset = data.load(PREPARED / title)
    found = crown(title, load_study(folder), params, dataset, networks, folder / CHAMPION_FOLDER)
    save_json(found, folder / CHAMPION_FILE)
    if "champion" in found:
        print(f"{title}: the champion is {found['name']}; reproduced: {found['champion']['reproduced']}")


if __name__ == "__main__":
    run(main)
