"""The network store: a finished network is kept under the digest of all that determines it, and never trained again.

On a CPU a network comes out bit for bit the same in any stack, so what is kept is what training would give. An entry is
a safetensors file under its checksum, whole or not there at all. What is damaged is set aside and trained anew.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load
from safetensors.numpy import save as to_bytes

from ..checkout import checkout
from ..networks.stack import Weights
from .atomic import UNFINISHED, sealed, verified
from .checkpoints import NETWORKS, EpochCheckpoint, VerifiedIO
from .outcome import Outcome
from .recipe import Recipe
from .storage import VARIABLE, Folder, storage

DEFAULT_FOLDER = ".networks"
SUFFIX, WEIGHTS_SUFFIX = ".network", ".weights"
CHECKPOINTS, CHECKPOINT_SUFFIX = "unfinished", ".checkpoint"
UNDER_WAY = "under-way"
"""Folder of what is being trained: by whom, and which networks."""
ASIDE = "set-aside"
PLAIN = ("alive", "epochs", "seconds", "stack_size", "device")
"""Fields of an outcome that are no arrays."""
READ_AT_ONCE = 1024

DAMAGED = (SafetensorError, ValueError, KeyError)
"""What reading a file that is not what was written raises."""

T = TypeVar("T")


class NetworkStore:
    """Finished networks at a place that several processes, clones and machines may share.

    Args:
        place: a folder, which is made where it is missing, or a URL (see `pipeline.training.storage`); by default what
            ``NETWORK_STORE`` names, or else `DEFAULT_FOLDER`.

    Raises:
        ParamsError: the URL is none that can be used.
        ResourceError: nothing answers at the URL.
    """

    def __init__(self, place: Path | str | None = None) -> None:
        own = checkout() / DEFAULT_FOLDER
        self.storage = storage(place or os.environ.get(VARIABLE) or own)
        self.folder = self.storage.path if isinstance(self.storage, Folder) else own
        """Of this machine: has its checkpoints, and all the rest where the place is no URL."""
        self._warned = False
        self._marks: dict[str, frozenset[str]] = {}
        """What others are at, or were when they were killed, by the names of their marks."""
        self._own: dict[str, frozenset[str]] = {}

    def load_all(self, recipes: Iterable[Recipe]) -> dict[Recipe, Outcome]:
        """Return those of some networks that are here and whole."""
        asked = {recipe.key: recipe for recipe in recipes}
        return {asked[key]: outcome for key, outcome in self._read(asked, SUFFIX, _decoded).items()}

    def save_all(self, outcomes: Mapping[Recipe, Outcome], weights: Mapping[str, Weights] | None = None) -> None:
        """Keep what a stack came to, in place of its checkpoint; where that cannot be written, say so and go on."""
        entries = {_name(recipe.key, SUFFIX): _encoded(outcome, recipe.key) for recipe, outcome in outcomes.items()}
        entries |= {_name(key, WEIGHTS_SUFFIX): sealed(to_bytes(dict(own))) for key, own in (weights or {}).items()}
        try:
            self.storage.write(entries)
            self.checkpoint(list(outcomes)).path.unlink(missing_ok=True)
            self.unmark([recipe.key for recipe in outcomes])
        except OSError as error:
            self._warn(f"networks are not kept in {self.storage.place} ({error.strerror or error})")

    def load(self, digest: str) -> Outcome | None:
        """Return an entry; ``None`` where there is none, or where it was damaged: then it is set aside."""
        return self._read([digest], SUFFIX, _decoded).get(digest)

    def save(self, digest: str, outcome: Outcome) -> None:
        """Write an entry, whole or not at all.

        Raises:
            OSError: the place cannot be written, or the disk is full.
        """
        self.storage.write({_name(digest, SUFFIX): _encoded(outcome, digest)})

    def load_weights(self, digests: Iterable[str]) -> dict[str, Weights]:
        """Return networks' weights by name, of those that are here and whole."""
        return self._read(digests, WEIGHTS_SUFFIX, lambda entry, _: load(verified(entry)))

    # --- what is under way ---

    def checkpoint(self, recipes: Sequence[Recipe]) -> EpochCheckpoint:
        """Return what keeps a stack's state after its epochs, on this machine."""
        keys = [recipe.key for recipe in recipes]
        name = hashlib.sha256("".join(keys).encode()).hexdigest()
        return EpochCheckpoint(self.folder / CHECKPOINTS / f"{name}{CHECKPOINT_SUFFIX}", keys)

    def checkpoints(self) -> dict[Path, list[str]]:
        """Return the digests of the networks in each checkpoint that is whole."""
        found = {}
        for path in sorted((self.folder / CHECKPOINTS).glob(f"*{CHECKPOINT_SUFFIX}")):
            with suppress(FileNotFoundError):
                try:
                    found[path] = VerifiedIO().load_checkpoint(path)[NETWORKS]
                except DAMAGED as error:
                    aside = self.folder / ASIDE / path.name
                    _tell_damaged(path, error, aside.parent)
                    aside.parent.mkdir(parents=True, exist_ok=True)
                    path.replace(aside)
        return found

    def unfinished(self, recipes: Iterable[Recipe]) -> list[tuple[Recipe, ...]]:
        """Return the stacks that have a checkpoint, of which nothing but some of these networks are a part."""
        left = {recipe.key: recipe for recipe in recipes}
        stacks = []
        for keys in self.checkpoints().values():
            if left.keys() >= {*keys}:
                stacks.append(tuple(left.pop(key) for key in keys))
        return stacks

    @contextmanager
    def marking(self) -> Iterator[Callable[[Iterable[Recipe], bool], bool]]:
        """Give what marks networks as being trained here, until they are kept or the block ends.

        It returns whether they are: not those that somebody else is at, who may have been killed since, unless it is
        insisted on. Of two that begin the same at once, both may be told to leave it: who marks first and looks then is
        never told that nobody is at what another began.
        """

        def mark(recipes: Iterable[Recipe], insist: bool) -> bool:
            keys = frozenset(recipe.key for recipe in recipes)
            name = f"{UNDER_WAY}/{uuid4().hex}"
            self._own[name] = keys
            with suppress(OSError):  # `save_all` says so
                self.storage.write({name: "\n".join(keys).encode()})
                if insist or keys.isdisjoint(self._others()):
                    return True
                self.storage.delete([name])
                del self._own[name]
                return False
            return True

        try:
            yield mark
        finally:
            with suppress(OSError):
                self.storage.delete(self._own)
            self._own = {}

    def _others(self) -> frozenset[str]:
        """Return the digests of the networks that others are at."""
        names = self.storage.sizes(UNDER_WAY).keys() - self._own.keys()
        new = self.storage.read(names - self._marks.keys())
        read = {name: frozenset(content.decode("ascii", "replace").split()) for name, content in new.items()}
        self._marks = {name: keys for name, keys in (self._marks | read).items() if name in names}
        return frozenset().union(*self._marks.values())

    def unmark(self, keys: Collection[str]) -> None:
        """Take from all marks networks that are kept, whoever began them."""
        for marks in (self._own, self._marks):
            marks.update({name: marked.difference(keys) for name, marked in marks.items()})
            done = [name for name, marked in marks.items() if not marked]
            for name in done:
                del marks[name]
            with suppress(OSError):
                self.storage.delete(done)

    # --- what there is ---

    def entries(self) -> dict[str, int]:
        """Return the bytes of every file of the networks that are kept, by its name."""
        return {name: size for name, size in self.storage.sizes().items() if _is_entry(name)}

    def prune(self, used: set[str]) -> tuple[int, int]:
        """Delete what nothing uses and what killed writers left; return how many networks, and bytes, those were."""
        sizes = self.storage.sizes()
        unused = {name for name in sizes if _is_entry(name) and digest_of(name) not in used}
        rest = {name for name in sizes if name.startswith(f"{UNDER_WAY}/")}
        local = [path for path, digests in self.checkpoints().items() if not used >= {*digests}]
        local += self.folder.glob(f"*/*{UNFINISHED}")
        size = sum(sizes[name] for name in unused | rest) + sum(path.stat().st_size for path in local)
        self.storage.delete(unused | rest)
        for path in local:
            path.unlink(missing_ok=True)
        return len({digest_of(name) for name in unused}), size

    def _read(self, digests: Iterable[str], suffix: str, decode: Callable[[bytes, str], T]) -> dict[str, T]:
        """Return what entries say; without those that are not there, or are damaged: these are set aside."""
        found: dict[str, T] = {}
        asked = list(digests)
        for start in range(0, len(asked), READ_AT_ONCE):
            names = {_name(digest, suffix): digest for digest in asked[start : start + READ_AT_ONCE]}
            try:
                entries = self.storage.read(names)
            except OSError as error:
                self._warn(f"networks cannot be read from {self.storage.place} ({error.strerror or error})")
                return found
            for name, entry in entries.items():
                try:
                    found[names[name]] = decode(entry, names[name])
                except DAMAGED as error:
                    aside = f"{ASIDE}/{name.rpartition('/')[2]}"
                    _tell_damaged(f"{self.storage.place}/{name}", error, f"{self.storage.place}/{ASIDE}")
                    self.storage.write({aside: entry})
                    self.storage.delete([name])
        return found

    def _warn(self, fault: str) -> None:
        """Say once that the place fails."""
        if not self._warned:
            print(
                f"warning: {fault}; training goes on, and would train them again if it were interrupted",
                file=sys.stderr,
            )
        self._warned = True


def digest_of(name: str) -> str:
    """Return the digest of the network that a file is of."""
    return name.rpartition("/")[2].rpartition(".")[0]


def _name(digest: str, suffix: str) -> str:
    return f"{digest[:2]}/{digest}{suffix}"


def _is_entry(name: str) -> bool:
    return name.endswith((SUFFIX, WEIGHTS_SUFFIX)) and name.partition("/")[0] == digest_of(name)[:2]


def _tell_damaged(file: object, error: Exception, aside: object) -> None:
    print(f"warning: {file} is damaged ({error}); it is set aside in {aside}", file=sys.stderr)


def _encoded(outcome: Outcome, digest: str) -> bytes:
    arrays = {name: np.ascontiguousarray(value) for name, value in outcome._asdict().items() if name not in PLAIN}
    plain = {name: getattr(outcome, name) for name in PLAIN} | {"digest": digest}
    return sealed(to_bytes(arrays, metadata={"network": json.dumps(plain)}))


def _decoded(entry: bytes, digest: str) -> Outcome:
    content = verified(entry)
    header = int.from_bytes(content[:8], "little")
    plain = json.loads(json.loads(content[8 : 8 + header])["__metadata__"]["network"])
    if plain.pop("digest") != digest:
        raise ValueError("it belongs to another network")
    fields: dict[str, Any] = load(content) | plain
    return Outcome(**fields)
