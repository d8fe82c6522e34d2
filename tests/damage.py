"""Files with one bit wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import strategies as st

Flip = tuple[float, int]
"""Where in a file, from 0 to 1, and which bit of the byte there."""

flips = st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7))


@contextmanager
def flipped(path: Path, flip: Flip) -> Iterator[bytes]:
    """Let a file have one bit wrong; give the damaged content."""
    whole = path.read_bytes()
    position, bit = flip
    damaged = bytearray(whole)
    damaged[int(position * len(whole))] ^= 1 << bit
    path.write_bytes(damaged)
    try:
        yield bytes(damaged)
    finally:
        path.write_bytes(whole)
