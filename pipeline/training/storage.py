"""Where the network store keeps its files: a folder, or what `fsspec` reaches under a URL, such as a bucket."""

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import fsspec
from fsspec.registry import known_implementations

from ..errors import ParamsError, ResourceError
from .atomic import UNFINISHED, write_whole

VARIABLE = "NETWORK_STORE"
EXTRAS = {"s3": "s3", "s3a": "s3"}
"""Which of the project's extras a protocol needs."""
LISTED_AT_ONCE = 32
"""Folders: an S3 server lists a thousand files at a time."""
NOBODYS = "nobody-s"
"""A folder that no storage has, looked for to see whether anything answers."""


class Storage(Protocol):
    """Files by name, each whole or not there at all, which several processes and machines may read and write at once.

    A name is a folder, ``/`` and the rest; of two that write one name, either's file is there afterwards.
    """

    place: str
    """What messages call it."""

    def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of those that are there.

        Raises:
            OSError: they cannot be read.
        """

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Write files.

        Raises:
            OSError: they cannot be written.
        """

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Return the bytes of every file of a folder, by name; by default of all folders.

        Raises:
            OSError: they cannot be listed.
        """

    def delete(self, names: Iterable[str]) -> None:
        """Delete those that are there.

        Raises:
            OSError: they cannot be deleted.
        """


def storage(place: Path | str) -> Storage:
    """Return the storage at a folder or a URL.

    Raises:
        ParamsError: the URL is of no kind that is known, or of one whose package is not installed, or has a password.
        ResourceError: nothing answers there, or it refuses to.
    """
    protocol, separator, rest = str(place).partition("://")
    if not separator:
        return Folder(Path(place))
    return Folder(Path(rest)) if protocol in ("file", "local") else Remote(str(place))


class Folder:
    """A folder of this machine, or one that is mounted here."""

    def __init__(self, path: Path) -> None:
        self.path, self.place = path, str(path)

    def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """See `Storage`."""
        found = {}
        for name in names:
            with suppress(FileNotFoundError, NotADirectoryError):
                found[name] = (self.path / name).read_bytes()
        return found

    def write(self, contents: Mapping[str, bytes]) -> None:
        """See `Storage`."""
        for name, content in contents.items():
            write_whole(self.path / name, content)

    def sizes(self, folder: str = "") -> dict[str, int]:
        """See `Storage`."""
        folders = [folder] if folder else self._folders()
        return {f"{name}/{file}": size for name in folders for file, size in self._files(name)}

    def delete(self, names: Iterable[str]) -> None:
        """See `Storage`."""
        for name in names:
            (self.path / name).unlink(missing_ok=True)

    def _folders(self) -> list[str]:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.path) as found:
            return sorted(one.name for one in found if one.is_dir())
        return []

    def _files(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield names and bytes; a file that another process moved away meanwhile is none."""
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.path / folder) as found:
            for one in found:
                with suppress(FileNotFoundError):
                    if one.is_file() and not one.name.endswith(UNFINISHED):
                        yield one.name, one.stat().st_size


class Remote:
    """What `fsspec` reaches under a URL. Credentials come from the environment, as its package documents.

    Raises:
        ParamsError: see `storage`.
        ResourceError: see `storage`.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.password or parts.username:
            raise ParamsError(
                f"{VARIABLE}: found a URL with a user or a password in it; allowed: one without, and credentials in "
                "the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE, …)"
            )
        if parts.scheme not in known_implementations:
            raise ParamsError(
                f"{VARIABLE}: found {url!r}; allowed: a folder, or a URL of a kind that fsspec knows, such as "
                "s3://bucket/folder"
            )
        self.place = url.rstrip("/")
        try:
            self.system, self.root = fsspec.url_to_fs(self.place)
        except ImportError as error:
            extra = EXTRAS.get(parts.scheme)
            install = f"`pip install .[{extra}]` installs it" if extra else f"install it: {error}"
            raise ParamsError(f"{VARIABLE}: the package for {parts.scheme}:// is missing; {install}") from None
        try:
            self.sizes(NOBODYS)
        except OSError as error:
            raise ResourceError(f"{VARIABLE}: {self.place} cannot be reached: {error}") from error

    def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """See `Storage`; many files at a time."""
        paths = {self._path(name): name for name in names}
        with _as_os_errors():
            got: dict[str, Any] = self.system.cat([*paths], on_error="return") if paths else {}
            for content in got.values():
                if isinstance(content, Exception) and not isinstance(content, FileNotFoundError):
                    raise content
        return {paths[path]: content for path, content in got.items() if isinstance(content, bytes)}

    def write(self, contents: Mapping[str, bytes]) -> None:
        """See `Storage`; many files at a time."""
        with _as_os_errors():
            self.system.pipe({self._path(name): content for name, content in contents.items()})

    def sizes(self, folder: str = "") -> dict[str, int]:
        """See `Storage`."""
        self.system.invalidate_cache()
        with _as_os_errors(), ThreadPoolExecutor(LISTED_AT_ONCE) as threads:
            folders = [self._path(folder)] if folder else self._folders()
            files = {path: about for found in threads.map(self._files, folders) for path, about in found.items()}
        return {path.removeprefix(f"{self.root}/"): int(about["size"]) for path, about in files.items()}

    def delete(self, names: Iterable[str]) -> None:
        """See `Storage`."""
        for name in names:
            with _as_os_errors(), suppress(FileNotFoundError):
                self.system.rm_file(self._path(name))

    def _folders(self) -> list[str]:
        try:
            return list(self.system.ls(self.root, detail=False))
        except FileNotFoundError:  # nothing was written yet
            return []

    def _files(self, folder: str) -> dict[str, Any]:
        found: dict[str, Any] = self.system.find(folder, detail=True)
        return found

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """Make errors of whatever package reaches a place those that files have."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # each package has errors of its own
        raise OSError(f"{type(error).__name__}: {error}") from error
