"""A network does not notice its neighbours: bit for bit, alone or in any stack, at any place, with any threads."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data import Dataset
from pipeline.params import ACTIVATIONS, Cell, Network, Params, Study
from pipeline.training.clipping import global_norms, norms
from pipeline.training.engine import train_stack
from pipeline.training.module import tree_sum
from pipeline.training.stacks import Stack

neighbours = st.lists(
    st.tuples(
        st.sampled_from(["standard_normal", "glorot_uniform", "he_normal"]),
        st.sampled_from(["none", "value", "norm", "global_norm"]),
        st.sampled_from([0.01, 0.1, 100.0]),
        st.integers(0, 50),
    ),
    max_size=40,
)


def train(networks: list[Network], study: Study, params: Params, digits: Dataset, threads: int) -> dict:
    """Return each network's weights, buffers, losses and accuracies after training."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        stack = Stack(networks[0].cell.activation, networks[0].cell.batch_norm, tuple(networks))
        module = train_stack(stack, study, params, digits)
    finally:
        torch.set_num_threads(before)
    state = [value for name, value in module.networks.state_dict().items() if value.dim() == 3]
    scores = [part for epoch in module.history for scores in epoch for part in scores] + list(module.test)
    return {n: [value[k] for value in state] + [s[k] for s in scores] for k, n in enumerate(networks)}


@given(tensors=st.integers(1, 30), networks=st.integers(2, 60))
@settings(max_examples=50, deadline=None)
def test_a_networks_gradient_norms_do_not_depend_on_the_others(tensors: int, networks: int) -> None:
    gradients = [torch.randn(networks, 3 + k, 17) for k in range(tensors)]
    last = [gradient[-1:] for gradient in gradients]
    assert torch.equal(global_norms(gradients)[-1:], global_norms(last))
    assert torch.equal(norms(gradients[0])[-1:], norms(last[0]))


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return all(torch.equal(x.nan_to_num(), y.nan_to_num()) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@given(
    others=neighbours,
    place=st.integers(0, 40),
    threads=st.sampled_from([1, 2, 3]),
    clipping=st.sampled_from(["none", "value", "norm", "global_norm"]),
)
@settings(max_examples=5, deadline=None)
def test_a_network_does_not_notice_its_neighbours(
    activation: str, others: list, place: int, threads: int, clipping, params, mini, digits
) -> None:
    study = mini.model_copy(
        # Widths that are no multiple of a vector: there the ends of a thread's share are rounded by other code.
        update={"hidden": (50, 9), "training": mini.training.model_copy(update={"epochs": 1, "momentum": 0.9})}
    )
    batch_norm = ("none", "before", "after")[place % 3]
    this = Network(Cell("glorot_uniform", activation, batch_norm, clipping, 0.1), 7)
    around = [Network(Cell(i, activation, batch_norm, c, r), seed) for i, c, r, seed in others]
    place = min(place, len(around))
    # As stacks are made: equal clipping modes side by side.
    together = sorted([*around[:place], this, *around[place:]], key=lambda n: n.cell.clipping)
    alone = train([this], study, params, digits, threads=1)[this]
    assert same(train(together, study, params, digits, threads)[this], alone)


@given(rows=st.integers(1, 70), columns=st.integers(1, 400))
@settings(max_examples=50, deadline=None)
def test_a_networks_sum_does_not_depend_on_the_other_rows(rows: int, columns: int) -> None:
    values = torch.randn(rows, columns)
    assert torch.equal(tree_sum(values)[-1:], tree_sum(values[-1:].clone()))
    torch.testing.assert_close(tree_sum(values), values.double().sum(1).float(), rtol=1e-4, atol=1e-4)
