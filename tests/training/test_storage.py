"""Where the network store keeps its files: a folder, and S3 as a real server on loopback speaks it."""

import secrets
import time
from pathlib import Path

import pytest

from pipeline.errors import ParamsError, ResourceError
from pipeline.training.storage import NOBODYS, Folder, Remote, Storage, storage
from pipeline.training.store import ASIDE, UNDER_WAY, NetworkStore
from pipeline.training.study import train_networks
from tests.building import recipes
from tests.s3 import Bucket
from tests.training.test_store import small, train

KINDS = ("folder", "memory", "s3")


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """A place of each kind, with nothing in it."""
    match request.param:
        case "folder":
            return tmp_path / "store"
        case "memory":
            return f"memory://{secrets.token_hex(8)}"
        case _:
            bucket: Bucket = request.getfixturevalue("bucket")
            return bucket.url(secrets.token_hex(8))


@pytest.fixture
def kept(place: Path | str) -> Storage:
    return storage(place)


def test_what_is_written_is_read_and_listed_and_deleted(kept: Storage) -> None:
    contents = {f"{number:02x}/file-{number}": bytes([number]) * number for number in range(20)}
    assert kept.sizes() == {}
    assert kept.read(contents) == {}
    kept.write(contents)
    assert kept.read([*contents, "ff/none"]) == contents
    assert kept.sizes() == {name: len(content) for name, content in contents.items()}
    assert kept.sizes("03") == {"03/file-3": 3}
    assert kept.sizes(NOBODYS) == {}
    kept.delete(["03/file-3", "ff/none"])
    assert contents.keys() - kept.sizes().keys() == {"03/file-3"}


def test_the_last_writers_file_is_there(place: Path | str) -> None:
    one, other = storage(place), storage(place)
    one.write({"ab/name": b"one"})
    other.write({"ab/name": b"other"})
    assert one.read(["ab/name"]) == {"ab/name": b"other"}
    assert one.sizes() == {"ab/name": 5}


def test_what_is_kept_anywhere_is_not_trained_again(place, params, mini, digits, tmp_path, capsys) -> None:
    study = small(mini, seed=(0,))
    first = train(study, params, digits, NetworkStore(place), tmp_path / "first")
    capsys.readouterr()
    again = train(study, params, digits, NetworkStore(place), tmp_path / "again")
    assert "4 of 4 networks are in the store, 0 to train" in capsys.readouterr().out
    assert first == again == train(study, params, digits, None, tmp_path / "scratch")


def test_what_is_damaged_anywhere_is_set_aside_and_trained_anew(place, params, mini, digits, tmp_path, capsys) -> None:
    study, store = small(mini, seed=(0,)), NetworkStore(place)
    first = train(study, params, digits, store, tmp_path / "first")
    names = store.entries()
    store.storage.write({name: content[:-1] for name, content in store.storage.read(names).items()})
    assert train(study, params, digits, store, tmp_path / "again") == first
    assert "is damaged" in capsys.readouterr().err
    assert store.entries().keys() == names.keys()
    assert len(store.storage.sizes(ASIDE)) == 4


def test_pruning_anywhere_keeps_what_is_used(place, params, mini, digits) -> None:
    study, store = small(mini, seed=(0,)), NetworkStore(place)
    train_networks("mini", study, params, digits, study.networks(), store)
    (used, *_) = recipes(study.networks(), study, params, digits)
    store.storage.write({f"{UNDER_WAY}/of-a-killed-one": b"some"})
    assert store.prune({used.key})[0] == 3
    assert len(store.storage.sizes()) == 1


def test_what_is_under_way_is_on_this_machine(bucket: Bucket, params, mini, digits, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    study, store = small(mini), NetworkStore(bucket.url("checkpoints"))
    checkpoint = store.checkpoint(recipes(study.networks(), study, params, digits))
    assert checkpoint.path.resolve().is_relative_to(tmp_path)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s4://bucket/folder", r"NETWORK_STORE: found 's4://bucket/folder'; allowed: a folder, or a URL"),
        ("gs://bucket/folder", r"NETWORK_STORE: the package for gs:// is missing; install it"),
        ("s3://key:secret@bucket/folder", r"NETWORK_STORE: found a URL with a user or a password in it; allowed"),
    ],
)
def test_a_url_that_cannot_be_used_is_named_without_its_password(url: str, told: str) -> None:
    with pytest.raises(ParamsError, match=told) as refused:
        storage(url)
    assert "secret" not in str(refused.value)


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_named() -> None:
    with pytest.raises(ResourceError, match=r"NETWORK_STORE: s3://none-such/folder cannot be reached: .*not exist"):
        storage("s3://none-such/folder")


def test_a_server_that_goes_away_loses_no_training(bucket: Bucket, params, mini, digits, tmp_path, capfd) -> None:
    study, store = small(mini, seed=(0,)), NetworkStore(bucket.url("away"))
    kept = store.storage
    assert isinstance(kept, Remote)

    class Away(Remote):
        """As if the server had gone: nothing that is asked for is answered."""

        def __init__(self) -> None:
            self.place, self.system, self.root = kept.place, kept.system, "none-such/folder"

    store.storage = Away()
    lost = train(study, params, digits, store, tmp_path / "lost")
    assert f"networks are not kept in {kept.place}" in capfd.readouterr().err
    assert lost == train(study, params, digits, None, tmp_path / "scratch")


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    found = storage(f"file://{tmp_path}")
    assert isinstance(found, Folder)
    assert found.path == tmp_path


def test_files_that_vanish_while_they_are_listed_are_none(tmp_path: Path) -> None:
    kept = storage(tmp_path)
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        kept.write({"ab/one": b"1", "cd/two": b"2"})
        listed = iter(kept.sizes().items())
        kept.delete(["ab/one", "cd/two"])
        assert dict(listed) == {"ab/one": 1, "cd/two": 1}
