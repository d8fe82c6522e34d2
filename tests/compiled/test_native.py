"""The parts of compiled code, each against torch and NumPy."""

import numba
import numpy as np
import pytest
import torch

from pipeline.compiled import layers, native, sums
from pipeline.compiled.cache import Locator, digest
from pipeline.networks.seeds import counter_uniform, stream_keys
from pipeline.networks.sums import tree_sum


@numba.njit
def column_sums(values, out):
    sums.column_sums(values, out)


@numba.njit
def norm(values):
    return sums.norm(values)


@numba.njit
def tree(values):
    return sums.tree_sum(values, np.empty(values.size + 1, np.float32))


@numba.njit
def exp(values):
    native.exp(values)


@numba.njit
def tanh(values):
    native.tanh(values)


@numba.njit
def log(values):
    native.log(values)


@numba.njit
def fma(a, b, c):
    return native.fma(a, b, c)


@numba.njit
def uniform(key, step, out):
    layers.uniform(key, step, out)


@pytest.mark.parametrize("units", [*range(2, 45), 64, 100, 128, 300])
def test_columns_are_summed_in_torchs_order(units: int) -> None:
    for rows in (1, 2, 3, 5, 8, 16, 21, 31, 32, 33, 64, 128, 300, 784, 4500):
        values = torch.randn(rows, units, generator=torch.Generator().manual_seed(rows))
        out = np.empty(units, np.float32)
        column_sums(values.numpy(), out)
        np.testing.assert_array_equal(out, values[None].sum(1)[0].numpy())


@pytest.mark.parametrize("size", [*range(1, 40), 300, 1000, 6400])
def test_norms_are_torchs(size: int) -> None:
    values = torch.randn(20, 1, size, generator=torch.Generator().manual_seed(size))
    ours = [norm(row.numpy()) for row in values.flatten(1)]
    np.testing.assert_array_equal(ours, torch.linalg.vector_norm(values, dim=(1, 2)).numpy())


def test_a_norm_whose_squares_are_beyond_float32_is_known() -> None:
    assert norm(np.full(4, 1e30, np.float32)) == np.float32(2e30)
    assert norm(np.full(4, 3e38, np.float32)) == np.inf
    assert np.isnan(norm(np.array([1, np.nan], np.float32)))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 32, 33, 1077])
def test_sums_of_pairs_are_those_of_the_layers(size: int) -> None:
    values = torch.randn(size, generator=torch.Generator().manual_seed(size))
    assert tree(values.numpy()) == tree_sum(values[None])[0]


@pytest.mark.parametrize(("ours", "numpys"), [(exp, np.exp), (tanh, np.tanh), (log, np.log)])
@pytest.mark.parametrize("size", [1, 7, 8, 9, 1000])
def test_functions_are_numpys(ours, numpys, size: int) -> None:
    values = np.random.default_rng(size).uniform(1e-3, 5, size).astype(np.float32)
    expected = numpys(values)
    ours(values)
    np.testing.assert_array_equal(values, expected)


def test_fma_rounds_once() -> None:
    a, b, c = (np.float32(x) for x in (1 + 2**-12, 1 + 2**-12, -1))
    assert fma(a, b, c) == np.float32(float(a) * float(b) + float(c))
    assert fma(a, b, c) != a * b + c


def test_random_numbers_are_those_of_the_layers() -> None:
    keys, out = stream_keys([5], "rrelu", 2), np.empty((3, 7), np.float32)
    uniform(keys[0, 0, 0].item(), 11, out.reshape(-1))
    np.testing.assert_array_equal(out, counter_uniform(keys, torch.tensor(11), 3, 7)[0].numpy())


def test_what_is_compiled_is_kept_by_a_digest_of_all_its_code(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / project)
    locator = Locator.from_function(norm.py_func, __file__)
    assert locator is not None
    assert digest() in locator.get_cache_path()
    monkeypatch.setattr("pooch.os_cache", lambda _project: "/proc/nowhere")
    assert Locator.from_function(norm.py_func, __file__) is None
