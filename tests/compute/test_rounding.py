"""The same bits on other machines: fresh processes, each with what stands in for another one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.compute.rounding import ALWAYS, AVX2, NUMPY_BEYOND_AVX2, current, processor, variables
from tests.conftest import ROOT

HERE = Path(__file__).parent
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="/proc/cpuinfo, LD_PRELOAD")
DECIDES = ("MKL_", "OPENBLAS_", "ATEN_", "NPY_", "OMP_", "ONEDNN_")
"""How the names begin of the variables that decide how a library rounds."""
FLAGS = {"avx2", "fma"}
V4 = NUMPY_BEYOND_AVX2["X86_V4"]


def flags_here() -> set[str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return set(next(line for line in lines if line.startswith("flags")).split())


def portable_here() -> bool:
    return sys.platform == "linux" and flags_here() >= FLAGS


PORTABLE = pytest.mark.skipif(not portable_here(), reason="no x86-64 processor with AVX2")


@pytest.mark.parametrize(
    ("mode", "flags", "numpy", "expected"),
    [
        ("portable", FLAGS, (2, 4), ALWAYS | AVX2),
        ("portable", FLAGS | V4, (2, 4), ALWAYS | AVX2 | {"NPY_DISABLE_CPU_FEATURES": "X86_V4"}),
        ("portable", FLAGS | V4, (2, 3), ALWAYS | AVX2),
        ("portable", set(), (2, 4), ALWAYS),
        ("portable", {"avx2"}, (2, 4), ALWAYS),
        ("machine", FLAGS | V4, (2, 4), ALWAYS),
    ],
)
def test_a_mode_asks_for_kernels_that_the_processor_has(mode, flags, numpy, expected) -> None:
    assert variables(mode, flags, numpy) == expected


def child(code: str, *, folder: Path = ROOT, **environment: str) -> str:
    """Run Python in a fresh process where no variable is set that decides how a library rounds, but for these."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(DECIDES)}
    done = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", code],
        cwd=folder, env=clean | {"PYTHONPATH": str(ROOT)} | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


STATE = "import json; from pipeline.compute.rounding import current; print(json.dumps(current()))"


@PORTABLE
def test_kernels_for_avx2_are_loaded_with_no_variable_set() -> None:
    found = json.loads(child(STATE))
    assert (found["mode"], found["torch"]) == ("portable", "AVX2")
    assert found["blas"].endswith("Haswell")


@PORTABLE
def test_what_the_user_has_set_stays_and_is_told() -> None:
    found = json.loads(child(STATE, OPENBLAS_CORETYPE="Sandybridge"))
    assert (found["mode"], found["blas"].split()[-1]) == ("machine", "Sandybridge")


@PORTABLE
def test_params_ask_for_the_machines_own_kernels(tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text().replace("reproducible: portable", "reproducible: machine")
    (tmp_path / "params.yaml").write_text(text)
    found = json.loads(child(STATE, folder=tmp_path))
    fastest = child("import torch; print(torch.backends.cpu.get_cpu_capability())")
    assert found["torch"] == fastest


@pytest.mark.parametrize("text", ["", "compute: [", "compute: {reproducible: neither}", "just text"])
def test_broken_params_leave_the_default_for_others_to_complain_of(text: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(text)
    assert json.loads(child(STATE, folder=tmp_path))["mode"] == ("portable" if portable_here() else "machine")


def test_this_process_is_settled_too() -> None:
    assert set(current()) == {"mode", "torch", "blas"}
    assert processor()


TRAINING = """
from pipeline.data.prepare import prepare
from pipeline.evaluation.golden import fingerprint
from pipeline.axes.activations import ACTIVATIONS
from pipeline.axes.architectures import ARCHITECTURES
from pipeline.axes.initializers import INITIALIZERS
from pipeline.axes.normalization import NORMALIZATIONS
from pipeline.axes.optimizers import OPTIMIZERS
from pipeline.axes.regularizers import REGULARIZERS
from pipeline.config import load_params
from pipeline.training.study import train_networks
params = load_params()
mini = params.study("mini")
def block(**levels):
    own = dict(clipping=("none",), learning_rate=(0.05,), seed=(0, 1))
    return mini.grid[1].model_copy(update=own | levels)
def without(names, one):
    return tuple(name for name in names if name != one)
grid = (
    block(initializer=("lecun_normal", "critical"), activation=without(ACTIVATIONS.names, "softplus"),
          normalization=("none", "before", "after")),
    block(initializer=without(INITIALIZERS.names, "critical"), activation=("softplus",)),
    block(normalization=NORMALIZATIONS.names, label_noise=(0.25,)),
    block(optimizer=OPTIMIZERS.names),
    block(regularization=REGULARIZERS.names),
    block(architecture=ARCHITECTURES.names, hidden=("8x25",), train_fraction=(0.5,)),
    *mini.grid[1:],
)
study = mini.model_copy(update=dict(
    hidden=(50, 9), grid=grid, training=mini.training.model_copy(update=dict(epochs=2))))
compute = dict(workers=WORKERS, stack_size=SIZE)
params = params.model_copy(update=dict(compute=params.compute.model_copy(update=compute)))
tables = train_networks("mini", study, params, prepare(study.data), study.networks())
print(*(fingerprint(table) for table in tables[:3]))
"""
TRAIN = f"WORKERS, SIZE = 1, 'auto'\n{TRAINING}"
"""Every level of every axis, in layers that are no multiple of any vector's width."""
MEASURE = (
    TRAIN.partition("tables = ")[0]
    + """
from pipeline.experiments import probes
from pipeline.experiments.propagation import propagation
deep = dict(propagation=params.propagation.model_copy(update=dict(depth=9, width=25)))
tables = (propagation("mini", study, params.model_copy(update=deep), prepare(study.data)), probes.variance_ratios(),
          probes.signal_drifts(), probes.input_moments(), probes.clipping_angles())
print(*(fingerprint(table) for table in tables))
"""
)
"""Every level before its first step, in 64 bits, with the theory; and the small experiments."""


@pytest.fixture(scope="module")
def here() -> str:
    return child(TRAIN)


@pytest.fixture(scope="module")
def other_machine(tmp_path_factory: pytest.TempPathFactory) -> str:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    library = tmp_path_factory.mktemp("shim") / "other_machine.so"
    source = str(HERE / "other_machine.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), source, "-ldl"], check=True)
    return str(library)


OTHERS = {
    "AVX-512 in torch": {"ATEN_CPU_CAPABILITY": "avx512"},
    "AVX2 in torch": {"ATEN_CPU_CAPABILITY": "avx2"},
    "AVX-512 in NumPy": {"NPY_DISABLE_CPU_FEATURES": ""},
    "MKL's own choice": {"MKL_CBWR": "AUTO"},
    "MKL for AVX2": {"MKL_CBWR": "AVX2,STRICT"},
    "MKL for AVX-512": {"MKL_CBWR": "AVX512"},
    "compiled code for AVX2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""},
    "compiled code for AVX-512": {"NUMBA_CPU_NAME": "skylake-avx512", "NUMBA_CPU_FEATURES": ""},
    "other caches": {"OPENBLAS_L2_SIZE": "262144"},
    "one thread": {"OMP_NUM_THREADS": "1"},
    "threads for products": {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
}


@PORTABLE
@pytest.mark.parametrize("name", OTHERS)
def test_networks_come_out_the_same_on_another_machine(name: str, here: str) -> None:
    wants = OTHERS[name]
    if "avx512" in "".join(wants.values()).lower() and not flags_here() >= V4:
        pytest.skip("this processor has no AVX-512")
    assert child(TRAIN, **wants) == here


@PORTABLE
@pytest.mark.parametrize("maker", [{}, {"OTHER_MAKER": "1"}], ids=["AMD", "Intel"])
@pytest.mark.parametrize("capability", ["avx2", "avx512"])
def test_networks_come_out_the_same_on_a_processor_of_another_maker(
    capability: str, maker: dict[str, str], here: str, other_machine: str
) -> None:
    if capability == "avx512" and not flags_here() >= V4:
        pytest.skip("this processor has no AVX-512")
    assert child(TRAIN, LD_PRELOAD=other_machine, ATEN_CPU_CAPABILITY=capability, **maker) == here


@PORTABLE
def test_measurements_and_theory_come_out_the_same_on_a_processor_of_another_maker(other_machine: str) -> None:
    amd, intel = (child(MEASURE, LD_PRELOAD=other_machine, **maker) for maker in ({}, {"OTHER_MAKER": "1"}))
    assert amd == intel


@PORTABLE
def test_mkl_notices_the_stand_in_for_another_maker(other_machine: str) -> None:
    functions = "import torch; torch.manual_seed(0); print(torch.randn(10_000).exp().numpy().tobytes().hex())"
    makers = [child(functions, LD_PRELOAD=other_machine, **maker) for maker in ({}, {"OTHER_MAKER": "1"})]
    assert makers[0] != makers[1]


@LINUX
@pytest.mark.parametrize("shift", ["4", "60"])
def test_networks_come_out_the_same_wherever_their_tensors_lie(shift: str, here: str, other_machine: str) -> None:
    assert child(TRAIN, LD_PRELOAD=other_machine, OTHER_ALIGNMENT=shift) == here


@pytest.mark.parametrize(("workers", "size"), [(2, 3), (1, 1)])
def test_networks_come_out_the_same_in_any_stack_and_number_of_workers(workers: int, size: int, here: str) -> None:
    assert child(f"WORKERS, SIZE = {workers}, {size}\n{TRAINING}") == here
