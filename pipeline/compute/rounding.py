"""What decides how this machine rounds, settled before NumPy and torch are loaded, and what it came to.

| ``compute.reproducible`` | which kernels compute | the same bits again |
|---|---|---|
| ``portable`` | those for AVX2, which every x86-64 processor since about 2015 has | on any of these |
| ``machine`` | the libraries' own choice for this processor | on this kind of processor |

Importing `pipeline` settles it, from the ``params.yaml`` in the working folder. What the user has set stays as it is:
`current` says what was in fact loaded, and the network store and ``platform.json`` keep it.
"""

import os
import platform
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

Mode = Literal["portable", "machine"]

ALWAYS = {
    "MKL_CBWR": "AUTO,STRICT",  # where NumPy is built on MKL: products do not round by their operands' alignment
    "OPENBLAS_NUM_THREADS": "1",  # more would split sums by how many there are; see `pipeline.compute.kernels`
}
AVX2 = {"OPENBLAS_CORETYPE": "Haswell", "ATEN_CPU_CAPABILITY": "avx2"}
"""The first processor with AVX2, in OpenBLAS's words; torch's name for its kernels."""
NUMPY_BEYOND_AVX2 = {
    "X86_V4": {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"},
    "AVX512_ICL": {"avx512_vbmi", "avx512_vbmi2", "avx512_bitalg", "avx512_vnni", "avx512_vpopcntdq"},
    "AVX512_SPR": {"avx512_fp16"},
}
"""NumPy's words for what it would use beyond AVX2, from 2.4 on, and the processor's flags that each asks for."""
X86_64 = {"x86_64", "amd64"}


def settle() -> None:
    """Set the environment for ``compute.reproducible``; variables that are set already are left alone."""
    for name, value in variables(_mode_of_params(), _flags(), _numpy()).items():
        os.environ.setdefault(name, value)


def variables(mode: Mode, flags: set[str], numpy: tuple[int, ...]) -> Mapping[str, str]:
    """Return the environment that a mode asks for.

    Args:
        mode: see above.
        flags: the processor's, as Linux names them; empty for one that has no AVX2, or that is not known.
        numpy: its version.
    """
    if mode == "machine" or not {"avx2", "fma"} <= flags:
        return ALWAYS
    beyond = [name for name, asked in NUMPY_BEYOND_AVX2.items() if {*NUMPY_BEYOND_AVX2["X86_V4"], *asked} <= flags]
    named = {"NPY_DISABLE_CPU_FEATURES": " ".join(beyond)} if beyond and numpy >= (2, 4) else {}
    return {**ALWAYS, **AVX2, **named}


def everywhere() -> dict[str, str]:
    """Return the environment in which other machines round as this process does, whatever their processors."""
    every_flag = {"avx2", "fma"}.union(*NUMPY_BEYOND_AVX2.values())
    return dict(variables("portable" if current()["mode"] == "portable" else "machine", every_flag, _numpy()))


@lru_cache
def current() -> dict[str, str]:
    """Return what rounds in this process: ``mode``, ``torch``'s kernels, ``blas`` of NumPy's products.

    The mode is ``portable`` where AVX2's kernels were in fact loaded, whoever asked for them; else ``machine``.
    """
    import torch
    from threadpoolctl import threadpool_info

    # SciPy has an OpenBLAS of its own, which computes no network.
    own = [info for info in threadpool_info() if info["user_api"] == "blas" and "numpy" in info["filepath"].lower()]
    blas = own[0] if own else {"internal_api": "unknown"}
    kernels = torch.backends.cpu.get_cpu_capability()
    core = blas.get("architecture", platform.machine())
    portable = (blas["internal_api"], core, kernels) == ("openblas", "Haswell", "AVX2")
    return {
        "mode": "portable" if portable else "machine",
        "torch": kernels,
        "blas": " ".join(filter(None, (blas["internal_api"], blas.get("version"), core))),
    }


def _mode_of_params() -> Mode:
    """Return ``compute.reproducible``; a file that is missing or broken is complained of later, by `load_params`."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        found = YAML(typ="safe").load(Path("params.yaml").read_text(encoding="utf-8"))["compute"]["reproducible"]
    except (OSError, UnicodeDecodeError, YAMLError, KeyError, TypeError):
        return "portable"
    return "machine" if found == "machine" else "portable"


def _flags() -> set[str]:
    """Return the processor's flags; empty where it is no x86-64, or does not tell."""
    return set(_cpuinfo().get("flags", "").split()) if platform.machine().lower() in X86_64 else set()


def _numpy() -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version("numpy").split(".")[:2])
    except (PackageNotFoundError, ValueError):
        return (0,)


def processor() -> str:
    """Return this machine's processor in words: ``AMD EPYC, family 25, model 17``."""
    found = _cpuinfo()
    name = found.get("model name") or platform.processor() or platform.machine()
    return f"{name}, family {found['cpu family']}, model {found['model']}" if "cpu family" in found else name


def _cpuinfo() -> dict[str, str]:
    """Return what Linux says of the first processor; elsewhere nothing."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    said = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in said}
