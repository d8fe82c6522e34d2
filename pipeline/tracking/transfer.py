"""A study's transfer experiments: a run for each, and under it a run for each setting."""

import pandas as pd
from mlflow import MlflowClient

from pipeline.config import Params
from pipeline.data import Card
from pipeline.evaluation.names import transfer_name
from pipeline.experiments.names import TRANSFER_SETTING
from pipeline.experiments.transfer.results import TransferResults
from pipeline.grid import spell_widths
from pipeline.tracking.provenance import common_tags, dataset_input, sha256
from pipeline.tracking.runs import (
    KIND,
    PARENT,
    delete_unfinished,
    finished_runs,
    lock,
    make_experiments,
    open_run,
    write_curves,
)


def track_transfer(study: str, params: Params, card: Card, device: str, results: TransferResults) -> None:
    """Write a study's transfer experiments: a parent run for each, and under it a run for each setting."""
    with lock(study):
        experiment = make_experiments([study])[study]
        client = MlflowClient()
        known = finished_runs(client, experiment)
        common = common_tags() | {"device": device}
        for name, table in results.transfer.groupby("experiment", sort=True):
            transfer = params.transfer[study][str(name)]
            settings = transfer.model_dump_json(), card.sha256
            history = results.transfer_history[results.transfer_history["experiment"] == name]
            digest = sha256(study, str(name), *settings, table.to_csv(index=False), history.to_csv(index=False))
            title = f"{study}, transfer {name}: {len(table):,} networks"
            with open_run(client, experiment, known, digest, title, common | {KIND: "transfer"}) as parent:
                if parent.new:
                    client.log_inputs(parent.id, [dataset_input(card)])
            budget = {
                "hidden": spell_widths(transfer.hidden),
                **transfer.training.model_dump(include={"epochs", "batch_size"}),
            }
            for key, networks in table.groupby(TRANSFER_SETTING, sort=True):
                setting = dict(zip(TRANSFER_SETTING, key, strict=True))
                curves = history[(history[TRANSFER_SETTING] == pd.Series(setting)).all(axis=1)]
                digest = sha256(study, *settings, networks.to_csv(index=False), curves.to_csv(index=False))
                tags = {name: str(value) for name, value in setting.items()}
                tags |= common | {KIND: "transfer_setting", PARENT: parent.id}
                with open_run(client, experiment, known, digest, transfer_name(setting), tags) as run:
                    if run.new:
                        write_curves(client, run.id, setting | budget, networks, curves)
        delete_unfinished(client, experiment)
