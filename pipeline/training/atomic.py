"""Files that are whole or not there at all, and known to be so: a SHA-256 and, under it, the content."""

import hashlib
from pathlib import Path
from uuid import uuid4

SHA256_BYTES = 32
UNFINISHED = ".part"
"""Suffix of what a writer that was killed leaves behind."""


def sealed(content: bytes) -> bytes:
    """Return a content under its checksum."""
    return hashlib.sha256(content).digest() + content


def verified(entry: bytes) -> bytes:
    """Return the content of what was sealed.

    Raises:
        ValueError: it is not what was written.
    """
    checksum, content = entry[:SHA256_BYTES], entry[SHA256_BYTES:]
    if hashlib.sha256(content).digest() != checksum:
        raise ValueError("its checksum does not match")
    return content


def write_whole(path: Path, entry: bytes) -> None:
    """Write a file beside its place and move it there.

    Raises:
        OSError: the folder cannot be written, or the disk is full; nothing is left of the attempt.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{uuid4().hex}{UNFINISHED}")
    try:
        beside.write_bytes(entry)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
