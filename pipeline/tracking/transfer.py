"""A study's transfer experiments: a run for each, and under it a run for each setting."""

from typing import Any

import pandas as pd
from mlflow import MlflowClient

from ..config import Params
from ..data import Card
from ..evaluation.names import transfer_name
from ..experiments.names import TRANSFER_SETTING
from ..experiments.transfer.results import TransferResults
from ..grid import spell_widths
from .provenance import common_tags, dataset_input, sha256
from .runs import (
    KIND,
    PARENT,
    NewRun,
    delete_unfinished,
    finished_runs,
    lock,
    make_experiments,
    metrics_of,
    open_run,
    write_runs,
)
from .settings import settings

SUMMARIZED = [name for name in TRANSFER_SETTING if name != "task"]
"""A summary is of task B."""
INTERVALS = ["test_accuracy_low", "test_accuracy_high", "gain_mean", "gain_low", "gain_high"]


def track_transfer(
    study: str, params: Params, card: Card, device: str, results: TransferResults, summary: pd.DataFrame
) -> None:
    """Write a study's transfer experiments: a parent run for each, and under it a run for each setting.

    Args:
        study: its name.
        params: all parameters.
        card: of the study's data.
        device: on which it was trained.
        results: of all the study's experiments.
        summary: see `pipeline.evaluation.transfer.summarize_transfer`.
    """
    intervals: dict[Any, Any] = summary.set_index(SUMMARIZED)[INTERVALS].to_dict("index")
    with lock(study):
        experiment = make_experiments([study])[study]
        client = MlflowClient()
        known = finished_runs(client, experiment)
        common = common_tags() | {"device": device}
        for name, table in results.transfer.groupby("experiment", sort=True):
            transfer = params.transfer[study][str(name)]
            identity = transfer.model_dump_json(), card.sha256
            history = results.transfer_history[results.transfer_history["experiment"] == name]
            digest = sha256(study, str(name), *identity, table.to_csv(index=False), history.to_csv(index=False))
            title = f"{study}, transfer {name}: {len(table):,} networks"
            with open_run(client, experiment, known, digest, title, common | {KIND: "transfer"}) as parent:
                if parent.new:
                    client.log_inputs(parent.id, [dataset_input(card)])
            budget = {
                "hidden": spell_widths(transfer.hidden),
                **transfer.training.model_dump(include={"epochs", "batch_size"}),
            }
            runs = []
            for setting in settings(table, history, TRANSFER_SETTING):
                bounds = (
                    intervals[tuple(setting.levels[name] for name in SUMMARIZED)]
                    if setting.levels["task"] == "B"
                    else {}
                )
                one = NewRun(
                    sha256(study, *identity, *setting.tables, str(bounds)),
                    transfer_name(setting.levels),
                    common
                    | {name: str(level) for name, level in setting.levels.items()}
                    | {KIND: "transfer_setting", PARENT: parent.id},
                    setting.levels | budget | setting.seeds,
                    setting.metrics + metrics_of(bounds),
                )
                runs.append(one)
            write_runs(client, experiment, known, runs)
        delete_unfinished(client, experiment)
