"""Files that are whole or not there at all: a SHA-256 and, under it, the content."""

import hashlib
from pathlib import Path
from uuid import uuid4

SHA256_BYTES = 32
UNFINISHED = ".part"
"""Suffix of what a writer that was killed leaves behind."""


def atomic_write(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there.

    Raises:
        OSError: the folder cannot be written, or the disk is full; nothing is left of the attempt.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{uuid4().hex}{UNFINISHED}")
    try:
        beside.write_bytes(hashlib.sha256(content).digest() + content)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def read_verified(path: Path) -> bytes:
    """Return a file's content.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is not what was written.
    """
    entry = path.read_bytes()
    checksum, content = entry[:SHA256_BYTES], entry[SHA256_BYTES:]
    if hashlib.sha256(content).digest() != checksum:
        raise ValueError("its checksum does not match")
    return content
