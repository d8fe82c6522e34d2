"""What stands in dvc's way is set aside, whole, and named."""

from pathlib import Path

import pytest

from stages import repair

LOCK = "schema: '2.0'\nstages: {}\n"


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".dvc/tmp").mkdir(parents=True)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (f"<<<<<<< HEAD\n{LOCK}=======\n{LOCK}>>>>>>> other\n".encode(), "holds the conflict of a merge (line 1)"),
        (f"{LOCK}<<<<<<< HEAD\n  a: 1\n=======\n".encode(), "holds the conflict of a merge (line 3)"),
        (b"schema: '2.0'\nstages: {a", "cannot be read, as after a run that was killed"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"", "is empty"),
    ],
)
def test_a_damaged_lock_is_kept_beside(content: bytes, found: str, capsys) -> None:
    Path("dvc.lock").write_bytes(content)
    repair.main()
    assert f"dvc.lock {found}" in capsys.readouterr().out
    assert not Path("dvc.lock").exists()
    assert Path("dvc.lock.damaged").read_bytes() == content


def test_whole_files_stay(capsys) -> None:
    Path("dvc.lock").write_text(LOCK)
    Path(".dvc/tmp/rwlock").write_text("{}")
    repair.main()
    assert capsys.readouterr().out == ""
    assert Path("dvc.lock").read_text() == LOCK
