"""No stale result: what a stage depends on in dvc.yaml is what it runs, and the network store is keyed by it too."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline import closure as closures
from pipeline.closure import PACKAGES, PINS, WITHOUT, closure, code_digest, libraries, listing
from pipeline.config.load import PARAMS_FILE
from pipeline.training import recipe
from pipeline.training.recipe import CODE
from stages import code
from tests.building import recipes
from tests.conftest import ROOT

STAGES = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
LISTING = STAGES.pop("code")


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_list_of_the_code_that_it_runs_and_on_no_other_code(name: str) -> None:
    assert f".code/{name}" in LISTING["outs"]
    others = [dep for dep in STAGES[name]["deps"] if not dep.startswith(str(code.EXPERIMENTS))]
    assert [dep for dep in others if dep.split("/")[0] in (".code", *PACKAGES)] == [f".code/{name}"]


def test_a_list_is_made_of_every_stage_whenever_any_code_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {*LISTING["deps"]} == {PINS, *PACKAGES}
    shutil.copy(ROOT / PARAMS_FILE, tmp_path)
    monkeypatch.chdir(tmp_path)
    code.main()
    assert {f".code/{path.name}" for path in Path(".code").iterdir()} == {*LISTING["outs"]}
    assert {str(code.EXPERIMENTS), *(f".code/{name}" for name in STAGES)} == {*LISTING["outs"]}


def test_a_studys_transfer_experiments_are_listed_with_their_seeds_and_do_not_depend_on_another_studys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = YAML(typ="safe").load((ROOT / PARAMS_FILE).read_text())
    monkeypatch.chdir(tmp_path)

    def listed(**changed: object) -> dict[str, str]:
        YAML(typ="safe").dump(params | changed, tmp_path / PARAMS_FILE)
        code.main()
        return {path.name: path.read_text() for path in code.EXPERIMENTS.iterdir()}

    before = listed()
    assert {*before} == {f"{study}.json" for study in params["run"]}
    assert json.loads(before["digits_deep.json"]) == {}
    assert '"labels": [' in before["digits.json"]
    other = params["transfer"] | {"digits_deep": params["transfer"]["digits"]}
    after = listed(transfer=other)
    assert after.pop("digits_deep.json") == before["digits.json"]
    assert after == {name: text for name, text in before.items() if name != "digits_deep.json"}
    assert listed(base_seed=7)["digits.json"] != before["digits.json"]
    assert {"base_seed", "run", "transfer"} == {*LISTING["params"]}


def test_a_list_names_the_files_of_a_closure_as_sha256sum_does(tmp_path: Path) -> None:
    (tmp_path / ".code").write_text(listing("stages/evaluate.py"))
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", tmp_path / ".code"], cwd=ROOT, check=True)
    listed = {line.split("  ")[1] for line in (tmp_path / ".code").read_text().splitlines()}
    assert listed == {PINS, *closure("stages/evaluate.py")}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_that_computes_depends_on_the_kernels(name: str) -> None:
    if "pipeline/networks/stack.py" in closure(f"stages/{name}.py"):
        assert "compute.reproducible" in STAGES[name]["params"]


@pytest.mark.parametrize(
    ("start", "file"),
    [
        ("stages/champion.py", "pipeline/networks/normalization.py"),  # it is trained again
        ("stages/champion.py", "pipeline/training/module.py"),
        ("stages/train.py", "pipeline/data/dataset.py"),  # `load`
        ("stages/train.py", "pipeline/config/study.py"),
        ("stages/train.py", "pipeline/theory/edge.py"),  # the critical initializer
        ("stages/transfer.py", "pipeline/experiments/transfer/run.py"),  # imported in a function
        ("stages/report.py", "pipeline/report/ko.po"),
        ("stages/report.py", "pipeline/evaluation/published.yaml"),
        (CODE, "pipeline/data/dataset.py"),
    ],
)
def test_a_closure_holds(start: str, file: str) -> None:
    assert file in closure(start)


@pytest.mark.parametrize("file", ["pipeline/theory/maps.py", "pipeline/report/page.py", *WITHOUT])
def test_training_does_not_depend_on(file: str) -> None:
    assert not [path for path in closure("stages/train.py") | closure(CODE) if path.startswith(file)]


@pytest.mark.parametrize("file", ["pipeline/networks/stack.py", "pipeline/training/schedule.py"])
def test_evaluating_does_not_depend_on(file: str) -> None:
    assert file not in closure("stages/evaluate.py")


def test_what_is_left_out_is_there_and_has_a_reason() -> None:
    for file, reason in WITHOUT.items():
        assert (ROOT / file).exists()
        assert len(reason) > 20


def test_a_closure_follows_what_is_run_and_not_what_is_typed(tmp_path: Path) -> None:
    package = tmp_path / "pipeline"
    for folder in ("", "inner", "unused"):
        (package / folder).mkdir(exist_ok=True)
        (package / folder / "__init__.py").touch()
    (package / "inner" / "a.py").write_text("from pipeline.inner import b\nTABLE = 'numbers.yaml'\nOTHER = '.po'\n")
    (package / "inner" / "b.py").write_text("def late():\n    import pipeline.c\n")
    (package / "c.py").write_text("if TYPE_CHECKING:\n    import pipeline.unused\nimport numpy\n")
    (package / "inner" / "numbers.yaml").touch()
    (package / "inner" / "ko.po").touch()
    assert closure("pipeline/inner/a.py", tmp_path) == {
        "pipeline/__init__.py", "pipeline/c.py", "pipeline/inner/__init__.py", "pipeline/inner/a.py",
        "pipeline/inner/b.py", "pipeline/inner/ko.po", "pipeline/inner/numbers.yaml",
    }  # fmt: skip


def test_the_store_is_keyed_by_the_code(params, mini, digits, monkeypatch: pytest.MonkeyPatch) -> None:
    assert code_digest(CODE) != code_digest("pipeline/experiments/transfer/run.py")
    (one,) = recipes(mini.networks()[:1], mini, params, digits)
    assert recipe._key.__wrapped__(one) == one.key
    monkeypatch.setattr(recipe, "code_digest", lambda start: code_digest(start)[::-1])
    assert recipe._key.__wrapped__(one) != one.key


def test_the_store_is_keyed_by_the_libraries_that_training_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    used = libraries(CODE)
    assert {"numpy", "pytorch-lightning", "torch"} <= used.keys()
    assert not {"mlflow", "onnx", "dvc"} & used.keys()
    before = code_digest.__wrapped__(CODE)
    monkeypatch.setattr(closures, "libraries", lambda _start: used | {"torch": "1.0"})
    assert code_digest.__wrapped__(CODE) != before


def test_commands_quote_the_study() -> None:
    studies = [stage["cmd"] for stage in STAGES.values() if "item.study" in stage["cmd"]]
    assert studies
    assert all(command.endswith(" '${item.study}'") for command in studies)
