"""What compiled code calls: NumPy's matrix products and functions, at their addresses in memory, and ``fma``.

They are the very ones that `pipeline.compute.kernels` reaches through NumPy, so compiled code rounds as the layers do.
"""

import ctypes
from collections.abc import Callable
from typing import Any, TypeVar

import llvmlite.binding as llvm
import numba
import numpy as np
from numba import types
from numba.extending import intrinsic
from threadpoolctl import threadpool_info

F = TypeVar("F", bound=Callable[..., Any])

LOCATOR = f"{__package__}.cache.Locator"
OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}
SGEMM = {"scipy_cblas_sgemm64_": types.int64, "cblas_sgemm64_": types.int64, "cblas_sgemm": types.int32}
"""Names of the matrix product in NumPy's OpenBLAS, and the type of its sizes."""
UFUNCS = {"exp": np.exp, "log": np.log, "tanh": np.tanh}
LOOPS_AT = 32
"""Bytes into a ``PyUFuncObject`` (NumPy's C API) at which its loops stand."""
ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112
"""Constants of the CBLAS interface."""


def inner(function: F) -> F:
    """Let Numba compile a function that only compiled code calls."""
    compiled: F = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function)
    return compiled


def entry(function: F) -> F:
    """Let Numba compile a function that Python calls, once for all processes: the result is kept, see `cache`."""
    numba.config.CACHE_LOCATOR_CLASSES = LOCATOR
    compiled: F = numba.njit(cache=True, **OPTIONS)(function)
    return compiled


def is_compiled(function: Any) -> bool:
    """Say whether this process has an entry's compiled code."""
    return bool(function.overloads)


def _sgemm() -> tuple[int, Any]:
    """Return the address of NumPy's product in single precision and the type of its sizes; 0 where none is found."""
    own = [info for info in threadpool_info() if info["user_api"] == "blas" and "numpy" in info["filepath"].lower()]
    for info in own:
        library = ctypes.CDLL(info["filepath"])
        for name, size in SGEMM.items():
            if hasattr(library, name):
                return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0, size
    return 0, types.int64


def _loop(ufunc: Any) -> int:
    """Return the address of a ufunc's inner loop in single precision."""
    loops = ctypes.cast(id(ufunc) + LOOPS_AT, ctypes.POINTER(ctypes.c_void_p))[0]
    address = ctypes.cast(loops, ctypes.POINTER(ctypes.c_void_p))[ufunc.types.index("f->f")]
    return int(address or 0)


_address, SIZE = _sgemm()
AVAILABLE = bool(_address)
"""Whether NumPy's matrix product is one that compiled code can call."""
_FLOATS, _SIZES = types.CPointer(types.float32), types.CPointer(types.int64)
if AVAILABLE:
    llvm.add_symbol("trainability_sgemm", _address)
for _name, _ufunc in UFUNCS.items():
    llvm.add_symbol(f"trainability_{_name}", _loop(_ufunc))

_call_sgemm = types.ExternalFunction(
    "trainability_sgemm",
    types.void(
        *[types.int32] * 3, *[SIZE] * 3, types.float32, _FLOATS, SIZE, _FLOATS, SIZE, types.float32, _FLOATS, SIZE
    ),
)
_exp, _log, _tanh = (
    types.ExternalFunction(f"trainability_{name}", types.void(_SIZES, _SIZES, _SIZES, types.intp)) for name in UFUNCS
)


@inner
def vector(block: Any, start: int, size: int) -> Any:
    """Return a part of a flat array."""
    return block[start : start + size]


@inner
def matrix(block: Any, start: int, rows: int, columns: int) -> Any:
    """Return a part of a flat array as ``[row, column]``."""
    return block[start : start + rows * columns].reshape(rows, columns)


@inner
def copy(source: Any, target: Any) -> None:
    """Write one flat array into another."""
    for i in range(target.size):
        target[i] = source[i]


@inner
def fill(target: Any, value: Any) -> None:
    """Write a value into all of a flat array."""
    for i in range(target.size):
        target[i] = value


@inner
def add(source: Any, target: Any) -> None:
    """Add one flat array to another."""
    for i in range(target.size):
        target[i] += source[i]


@inner
def matmul(a: Any, b: Any, out: Any) -> None:
    """Write ``a @ b``, ``[rows, inner] @ [inner, columns]``."""
    rows, depth = a.shape
    columns = b.shape[1]
    _call_sgemm(
        ROW_MAJOR, PLAIN, PLAIN, rows, columns, depth, np.float32(1), a.ctypes, depth, b.ctypes, columns,
        np.float32(0), out.ctypes, columns,
    )  # fmt: skip


@inner
def outer_product(a: Any, b: Any, columns: int, first: int, out: Any) -> None:
    """Write ``a.T @ b`` for some columns of a: one for each row of the output.

    Args:
        a: flat, ``[inner, columns]``.
        b: ``[inner, unit]``.
        columns: of a.
        first: of the columns.
        out: ``[row, unit]``.
    """
    depth, units = b.shape
    _call_sgemm(
        ROW_MAJOR, TRANSPOSED, PLAIN, out.shape[0], units, depth, np.float32(1), vector(a, first, 1).ctypes, columns,
        b.ctypes, units, np.float32(0), out.ctypes, units,
    )  # fmt: skip


@inner
def matmul_second_transposed(a: Any, b: Any, out: Any) -> None:
    """Write ``a @ b.T``, b ``[columns, inner]``."""
    rows, depth = a.shape
    columns = b.shape[0]
    _call_sgemm(
        ROW_MAJOR, PLAIN, TRANSPOSED, rows, columns, depth, np.float32(1), a.ctypes, depth, b.ctypes, depth,
        np.float32(0), out.ctypes, columns,
    )  # fmt: skip


@inner
def exp(x: Any) -> None:
    """Replace x by exp x."""
    words = _words(x)
    _exp(words.ctypes, vector(words, 2, 1).ctypes, vector(words, 3, 2).ctypes, 0)


@inner
def log(x: Any) -> None:
    """Replace x by ln x."""
    words = _words(x)
    _log(words.ctypes, vector(words, 2, 1).ctypes, vector(words, 3, 2).ctypes, 0)


@inner
def tanh(x: Any) -> None:
    """Replace x by tanh x."""
    words = _words(x)
    _tanh(words.ctypes, vector(words, 2, 1).ctypes, vector(words, 3, 2).ctypes, 0)


@inner
def _words(x: Any) -> Any:
    """Return what a ufunc's loop is told: where its input and output are, how many, and their strides."""
    words = np.empty(5, np.int64)
    words[0] = words[1] = x.ctypes.data
    words[2] = x.size
    words[3] = words[4] = 4
    return words


def _fma(context: Any, a: Any, b: Any, c: Any) -> Any:  # noqa: ARG001
    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.fma(*args)

    return a(a, b, c), build


fma: Callable[[Any, Any, Any], Any] = intrinsic(_fma)
"""a · b + c of three numbers of one type, rounded once."""
