"""The network store: a finished network is kept under the digest of all that determines it, and never trained again.

On a CPU a network comes out bit for bit the same in any stack, so what is kept is what training would give. An entry is
a safetensors file under its checksum, whole or not there at all. What is damaged is set aside and trained anew.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load
from safetensors.numpy import save as to_bytes

from pipeline.networks.stack import Weights
from pipeline.training.atomic import UNFINISHED, atomic_write, read_verified
from pipeline.training.checkpoints import NETWORKS, EpochCheckpoint, VerifiedIO
from pipeline.training.outcome import Outcome
from pipeline.training.recipe import Recipe

DEFAULT_FOLDER = Path(".networks")
SUFFIX, WEIGHTS_SUFFIX = ".network", ".weights"
CHECKPOINTS, CHECKPOINT_SUFFIX = "unfinished", ".checkpoint"
ASIDE = "set-aside"
PLAIN = ("alive", "epochs", "seconds", "stack_size", "device")
"""Fields of an outcome that are no arrays."""

T = TypeVar("T")


class NetworkStore:
    """Finished networks in a folder that several processes, clones and machines may share.

    Args:
        folder: it is made where it is missing. ``NETWORK_STORE`` names another than `DEFAULT_FOLDER`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or Path(os.environ.get("NETWORK_STORE") or DEFAULT_FOLDER)
        self._warned = False

    def load_all(self, recipes: Iterable[Recipe]) -> dict[Recipe, Outcome]:
        """Return those of some networks that are here and whole."""
        found = {recipe: self.load(recipe.key) for recipe in recipes}
        return {recipe: outcome for recipe, outcome in found.items() if outcome is not None}

    def save_all(self, outcomes: Mapping[Recipe, Outcome], weights: Mapping[str, Weights] | None = None) -> None:
        """Keep what a stack came to, in place of its checkpoint; where that cannot be written, say so and go on."""
        try:
            for recipe, outcome in outcomes.items():
                self.save(recipe.key, outcome)
            for key, arrays in (weights or {}).items():
                atomic_write(self._path(key, WEIGHTS_SUFFIX), to_bytes(dict(arrays)))
            self.checkpoint(list(outcomes)).path.unlink(missing_ok=True)
        except OSError as error:
            if not self._warned:
                print(
                    f"warning: networks are not kept in {self.folder} ({error.strerror}); "
                    "training goes on, and would train them again if it were interrupted",
                    file=sys.stderr,
                )
            self._warned = True

    def load(self, digest: str) -> Outcome | None:
        """Return an entry; ``None`` where there is none, or where it was damaged: then it is set aside."""
        return self._read(self._path(digest), lambda path: _decoded(read_verified(path), digest))

    def save(self, digest: str, outcome: Outcome) -> None:
        """Write an entry, whole or not at all.

        Raises:
            OSError: the folder cannot be written, or the disk is full.
        """
        atomic_write(self._path(digest), _encoded(outcome, digest))

    def load_weights(self, digest: str) -> Weights | None:
        """Return a network's weights by name; ``None`` as for `load`."""
        return self._read(self._path(digest, WEIGHTS_SUFFIX), lambda path: load(read_verified(path)))

    def checkpoint(self, recipes: Sequence[Recipe]) -> EpochCheckpoint:
        """Return what keeps a stack's state after its epochs."""
        keys = [recipe.key for recipe in recipes]
        name = hashlib.sha256("".join(keys).encode()).hexdigest()
        return EpochCheckpoint(self.folder / CHECKPOINTS / f"{name}{CHECKPOINT_SUFFIX}", keys)

    def checkpoints(self) -> dict[Path, list[str]]:
        """Return the digests of the networks in each checkpoint that is whole."""
        found = {path: self._read(path, VerifiedIO().load_checkpoint) for path in self._checkpoint_files()}
        return {path: checkpoint[NETWORKS] for path, checkpoint in found.items() if checkpoint is not None}

    def unfinished(self, recipes: Iterable[Recipe]) -> list[tuple[Recipe, ...]]:
        """Return the stacks that have a checkpoint, of which nothing but some of these networks are a part."""
        left = {recipe.key: recipe for recipe in recipes}
        stacks = []
        for keys in self.checkpoints().values():
            if left.keys() >= {*keys}:
                stacks.append(tuple(left.pop(key) for key in keys))
        return stacks

    def entries(self) -> Iterator[Path]:
        """Yield every file of the networks that are kept."""
        for suffix in (SUFFIX, WEIGHTS_SUFFIX):
            yield from self.folder.glob(f"??/*{suffix}")

    def prune(self, used: set[str]) -> tuple[int, int]:
        """Delete what nothing uses and what killed writers left; return how many networks, and bytes, those were."""
        unused = [path for path in self.entries() if path.stem not in used]
        rest = [path for path, digests in self.checkpoints().items() if not used >= {*digests}]
        rest += self.folder.glob(f"*/*{UNFINISHED}")
        size = sum(path.stat().st_size for path in unused + rest)
        for path in unused + rest:
            path.unlink(missing_ok=True)
        return len({path.stem for path in unused}), size

    def _checkpoint_files(self) -> list[Path]:
        return sorted((self.folder / CHECKPOINTS).glob(f"*{CHECKPOINT_SUFFIX}"))

    def _read(self, path: Path, decode: Callable[[Path], T]) -> T | None:
        """Return what a file says; ``None`` where it is not there, or is damaged: then it is set aside."""
        try:
            return decode(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (SafetensorError, ValueError, KeyError) as error:
            aside = self.folder / ASIDE / path.name
            print(f"warning: {path} is damaged ({error}); it is set aside in {aside.parent}", file=sys.stderr)
            aside.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # another process was faster
                path.replace(aside)
            return None

    def _path(self, digest: str, suffix: str = SUFFIX) -> Path:
        return self.folder / digest[:2] / f"{digest}{suffix}"


def _encoded(outcome: Outcome, digest: str) -> bytes:
    arrays = {name: np.ascontiguousarray(value) for name, value in outcome._asdict().items() if name not in PLAIN}
    plain = {name: getattr(outcome, name) for name in PLAIN} | {"digest": digest}
    return to_bytes(arrays, metadata={"network": json.dumps(plain)})


def _decoded(content: bytes, digest: str) -> Outcome:
    header = int.from_bytes(content[:8], "little")
    plain = json.loads(json.loads(content[8 : 8 + header])["__metadata__"]["network"])
    if plain.pop("digest") != digest:
        raise ValueError("it belongs to another network")
    fields: dict[str, Any] = load(content) | plain
    return Outcome(**fields)
