"""What makes a stack fast and exact on a CPU: memory that is kept, and sums that are not split."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .workers import cores

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""glibc's names for ``mallopt``'s parameters (malloc.h)."""


def disable_malloc_trim() -> None:
    """Let the allocator keep what each step frees, where it is glibc's.

    A stack allocates and frees tens of megabytes a step. By default they go back to the kernel, which hands them out
    again as fresh, zeroed pages: that took half of the training time (2 cores, 64 networks of 100-100 on digits).
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(M_MMAP_THRESHOLD, 2**30)
            libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
            libc.mallopt(M_TOP_PAD, 2**28)


@contextmanager
def cap_threads_for_determinism(networks: int) -> Iterator[None]:
    """Use at most one thread for each network, and for each core that there is.

    With more threads than networks, torch splits one network's sums over several threads, and its bits would depend on
    how many there are. (Products are not torch's, and use one thread; see `pipeline.compute.kernels`.)
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(min(threads, networks, cores()))
    try:
        yield
    finally:
        torch.set_num_threads(threads)
