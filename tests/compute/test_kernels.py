"""NumPy's products and functions on torch's memory: right, wherever their operands lie."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pipeline.compute.kernels import Linear, exp_, log_, matmul, sqrt_, tanh_

FLOATS = 16
"""Of 32 bits in 64 bytes."""
offsets = st.integers(0, FLOATS - 1)


def shifted(x: Tensor, offset: int) -> Tensor:
    """Return a copy that starts so many floats behind a multiple of 64 bytes."""
    room = torch.empty(x.numel() + 2 * FLOATS)
    start = -(room.data_ptr() // 4) % FLOATS + offset
    copy = room[start : start + x.numel()].view(x.shape)
    assert copy.data_ptr() % 64 == 4 * offset
    return copy.copy_(x)


@given(
    networks=st.integers(1, 5),
    shape=st.tuples(st.integers(1, 70), st.integers(1, 130), st.integers(1, 110)),
    at=st.tuples(offsets, offsets, offsets),
    seed=st.integers(0, 99),
)
@settings(max_examples=200, deadline=None)
def test_a_networks_products_depend_neither_on_alignment_nor_on_other_networks(networks, shape, at, seed) -> None:
    batch, fan_in, fan_out = shape
    generator = torch.Generator().manual_seed(seed)
    x, w, g = (
        torch.randn(networks, *size, generator=generator)
        for size in ((batch, fan_in), (fan_in, fan_out), (batch, fan_out))
    )
    for left, right in ((x, w), (g, w.mT), (x.mT, g)):
        alone = matmul(left[-1:].clone(), right[-1:].clone())
        assert torch.equal(matmul(left, right)[-1:], alone)
    at_x, at_w, at_g = at
    moved_x, moved_w, moved_g = shifted(x, at_x), shifted(w, at_w), shifted(g, at_g)
    assert torch.equal(matmul(moved_x, moved_w), matmul(x, w))
    assert torch.equal(matmul(moved_g, moved_w.mT), matmul(g, w.mT))
    assert torch.equal(matmul(moved_x.mT, moved_g), matmul(x.mT, g))


FUNCTIONS = {
    "exp": (exp_, np.exp, (-80.0, 80.0)),
    "log": (log_, np.log, (1e-30, 1e30)),
    "sqrt": (sqrt_, np.sqrt, (0.0, 1e30)),
    "tanh": (tanh_, np.tanh, (-10.0, 10.0)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@given(offset=offsets, size=st.integers(1, 300), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_a_function_treats_every_element_alike(name: str, offset: int, size: int, seed: int) -> None:
    ours, _, (low, high) = FUNCTIONS[name]
    x = torch.empty(size).uniform_(low, high, generator=torch.Generator().manual_seed(seed))
    one_by_one = torch.cat([ours(value.clone()) for value in x.split(1)])
    assert torch.equal(ours(shifted(x, offset)), one_by_one)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_as_exact_as_its_type_allows(name: str) -> None:
    ours, reference, (low, high) = FUNCTIONS[name]
    x = torch.linspace(low, high, 100_001)
    exact = reference(x.double().numpy())
    ulp = np.spacing(np.abs(exact).astype(np.float32))
    assert (np.abs(ours(x.clone()).double().numpy() - exact) / ulp).max() <= (0.5 if name == "sqrt" else 3.0)


@pytest.mark.parametrize("bias", [True, False])
def test_a_dense_layers_gradients_are_torchs(bias: bool) -> None:
    sizes = ((3, 7, 5), (3, 5, 4), (3, 1, 4))
    x, w, b = (torch.randn(*size, dtype=torch.float64, requires_grad=True) for size in sizes)
    assert torch.autograd.gradcheck(lambda *given: Linear.apply(*given, *([] if bias else [None])), [x, w, *[b] * bias])
    expected = x @ w + (b if bias else 0)
    torch.testing.assert_close(Linear.apply(x, w, b if bias else None), expected)


def test_what_is_not_finite_passes_without_a_word() -> None:
    infinite = torch.full((1, 2, 2), torch.inf)
    assert matmul(infinite, -infinite).eq(-torch.inf).all()
    assert exp_(torch.tensor([1e9, -1e9, torch.nan])).nan_to_num(7.0).tolist() == [torch.finfo().max, 0.0, 7.0]
