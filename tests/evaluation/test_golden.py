"""What is kept of results, and what is said where others differ from it."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.reproducible_cost import DOC, OUT, table
from pipeline.axes.initializers import INITIALIZERS, Variances
from pipeline.compute.rounding import current
from pipeline.errors import DataError
from pipeline.evaluation.golden import BEFORE, GOLDEN, compare, describe, fingerprint, load_record, record, save_record
from pipeline.experiments.propagation import propagation
from pipeline.networks import initializers
from pipeline.training.platform import platform_fingerprint, save_platform
from pipeline.training.study import train_networks
from stages import drift, verify
from tests.conftest import ROOT

PORTABLE = pytest.mark.skipif(
    current()["mode"] != "portable", reason="this machine's kernels are not those of the record"
)


@given(st.lists(st.floats(allow_nan=True, width=64), min_size=1), st.integers(0, 63))
@settings(deadline=None)
def test_a_fingerprint_knows_every_bit_and_nothing_else(values: list[float], bit: int) -> None:
    table = pd.DataFrame({"score": values, "name": ["a"] * len(values)})
    again = table.copy()
    again["score"] = np.where(again["score"].isna(), -np.nan, again["score"])
    assert fingerprint(table) == fingerprint(again.astype({"name": "category"}).astype({"name": object}))
    bits = np.array(values).view(np.int64)
    bits[-1] ^= 1 << bit if bit < 63 else np.iinfo(np.int64).min
    changed = table.assign(score=bits.view(np.float64))
    same = table["score"].equals(changed["score"])  # NaN or zero, whichever their bits
    assert (fingerprint(changed) == fingerprint(table)) == same
    assert fingerprint(table.rename(columns={"score": "points"})) != fingerprint(table)


@pytest.fixture(scope="module")
def study(mini):
    return mini.model_copy(update={"training": mini.training.model_copy(update={"epochs": 2})})


def trained(study, params, digits):
    results = train_networks("mini", study, params, digits, study.networks())
    before = propagation("mini", study, params, digits)
    tables = results._asdict() | {BEFORE: before}
    return results, before, record("mini", study, params, tables, platform_fingerprint("cpu"))


@pytest.fixture(scope="module")
def kept(study, params, digits):
    return trained(study, params, digits)[-1]


def test_a_record_comes_back_the_same(kept, tmp_path: Path) -> None:
    save_record(kept, tmp_path)
    found = compare(kept, load_record("mini", tmp_path))
    assert (found.status, found.largest) == ("equal", 0.0)
    assert describe("mini", found) == f"mini: equal, bit for bit, in all {len(kept.cells)} cells"


@pytest.mark.parametrize("suffix", ["json", "csv", "parquet"])
def test_a_missing_or_damaged_record_is_named(suffix: str, kept, tmp_path: Path) -> None:
    save_record(kept, tmp_path)
    file = tmp_path / f"mini.{suffix}"
    file.write_bytes(b"{" if suffix != "csv" else b'a,"b\n')
    with pytest.raises(DataError, match=r"damaged .*git checkout") if suffix != "csv" else pytest.raises(DataError):
        compare(load_record("mini", tmp_path), kept)
    file.unlink()
    with pytest.raises(DataError, match="make golden"):
        load_record("mini", tmp_path)


def test_other_parameters_are_not_compared(kept) -> None:
    other = kept._replace(settings="0")
    with pytest.raises(DataError, match="parameters are not those of the record"):
        compare(kept, other)


def test_an_initializers_constant_that_changed_by_2_percent_is_drift_and_is_named(
    kept, study, params, digits, monkeypatch
) -> None:
    he_normal = INITIALIZERS["he_normal"]
    variances = he_normal.variances

    def off(self, layer) -> Variances:
        return (found := variances(self, layer))._replace(weight=1.02 * found.weight)

    monkeypatch.setattr(he_normal, "variances", off)
    found = compare(trained(study, params, digits)[-1], kept)
    assert found.status == "drifted"
    drifted = found.cells[found.cells["status"] == "drifted"]
    assert set(drifted["initializer"]) == {"he_normal"}
    assert set(found.cells.loc[found.cells["status"] != "equal", "initializer"]) == {"he_normal"}
    message = describe("mini", found)
    assert "what they have in common: initializer he_normal (and every such cell has changed)\n" in message
    assert re.search(r"he_normal · (relu|selu|rrelu).* · lr .*: initial_signal differs by \+0\.0198", message)


def test_differences_as_small_as_roundings_are_noise(kept) -> None:
    networks = kept.networks.assign(val_loss=kept.networks["val_loss"] + 1e-6)
    other = kept._replace(
        digest="0", networks=networks, cells=kept.cells.assign(digest=[f"{n}" for n in range(len(kept.cells))])
    )
    found = compare(other, kept)
    assert found.status == "within noise"
    assert 0 < found.largest < 2e-6


@pytest.fixture
def folders(study, params, digits, tmp_path: Path, monkeypatch) -> Path:
    """Results of a study, and the place of the kept ones, both in a scratch folder."""
    results, before, kept = trained(study, params, digits)
    for name in ("results", "other"):
        results.save(tmp_path / name / "mini")
        before.to_parquet(tmp_path / name / "mini" / "propagation.parquet")
        save_platform(platform_fingerprint("cpu"), tmp_path / name / "mini")
    save_record(kept, tmp_path / "golden")
    for module in (verify, drift):
        monkeypatch.setattr(module, "GOLDEN", tmp_path / "golden")
        monkeypatch.setattr(
            module, "load_params", lambda: params.model_copy(update={"studies": {**params.studies, "mini": study}})
        )
    return tmp_path


def test_drift_compares_results_with_those_kept_and_with_each_other(folders: Path, capsys) -> None:
    drift.main(str(folders / "results"))
    drift.main(str(folders / "results"), str(folders / "other"), "--exact")
    assert capsys.readouterr().out.count("mini: equal, bit for bit") == 2
    table = folders / "other" / "mini" / "networks.parquet"
    networks = pd.read_parquet(table)
    networks.loc[0, "val_loss"] += 1e-7
    networks.to_parquet(table)
    drift.main(str(folders / "other"))
    assert "mini: within noise: 1 of 40 cells have other bits" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="not as they were: mini"):
        drift.main(str(folders / "other"), "--exact")
    with pytest.raises(DataError, match="allowed are one or two folders"):
        drift.main("nowhere")


def test_drift_notices_one_bit_of_what_is_measured_before_the_first_step(folders: Path, capsys) -> None:
    table = folders / "other" / "mini" / "propagation.parquet"
    before = pd.read_parquet(table)
    before.loc[0, "signal"] = np.nextafter(before.loc[0, "signal"], 2)
    before.to_parquet(table)
    with pytest.raises(SystemExit, match="not as they were: mini"):
        drift.main(str(folders / "other"), str(folders / "results"), "--exact")
    said = capsys.readouterr().out
    assert "mini: within noise: 0 of 40 cells have other bits" in said
    assert "propagation.parquet, what is measured before the first step and what theory predicts, has other" in said


def test_networks_of_another_shape_before_the_first_step_are_not_compared(kept) -> None:
    other = kept._replace(propagation={"digest": "0", "settings": "0"})
    found = compare(other, kept)
    assert (found.status, found.propagation) == ("equal", "not compared")
    assert describe("mini", found).endswith("; propagation.parquet is not compared: its settings differ")


@pytest.mark.usefixtures("folders")
def test_verify_passes_where_the_bits_are_the_same(capsys) -> None:
    verify.main()
    said = capsys.readouterr().out
    assert len(set(re.findall(r"[0-9a-f]{64}", said))) == 1
    assert "The same, bit for bit" in said


@pytest.mark.usefixtures("folders")
def test_verify_fails_where_one_bit_of_one_weight_is_another(capsys, monkeypatch) -> None:
    draw = initializers.draw

    def flipped(distributions, variances, seeds, purpose, rows, columns):
        weights = draw(distributions, variances, seeds, purpose, rows, columns)
        if purpose == ("weights", 0):
            weights.view(torch.int32)[0, 20, 0] ^= 1  # of a pixel that is not always 0
        return weights

    monkeypatch.setattr(initializers, "draw", flipped)
    with pytest.raises(SystemExit, match="DIFFERENT, though device, kernels and libraries are those of the record"):
        verify.main()
    said = capsys.readouterr().out
    assert len(set(re.findall(r"[0-9a-f]{64}", said))) == 2
    assert "cells have other bits" in said


def test_verify_says_what_explains_other_bits(folders: Path, capsys) -> None:
    file = folders / "golden" / "mini.json"
    kept = json.loads(file.read_text())
    kept["digest"] = "0" * 64
    kept["platform"]["rounding"]["blas"] = "another"
    file.write_text(json.dumps(kept))
    verify.main()
    said = capsys.readouterr().out
    assert re.search(r"rounding: blas .* \(recorded: another\)", said)
    assert "conclusions hold, digests do not" in said


@PORTABLE
def test_this_machine_computes_as_the_repository_says() -> None:
    here, kept = verify.measured(), load_record("mini", ROOT / GOLDEN)
    assert (here.digest, here.propagation) == (kept.digest, kept.propagation)


def test_the_readme_shows_the_digest() -> None:
    assert load_record("mini", ROOT / GOLDEN).digest in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_documented_cost_is_the_measured_one() -> None:
    content = json.loads(OUT.read_text(encoding="utf-8"))
    assert table(content) in DOC.read_text(encoding="utf-8")
