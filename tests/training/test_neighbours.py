"""A network does not notice its neighbours: bit for bit, alone or in any stack, at any place, with any threads."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.axes.activations import ACTIVATIONS
from pipeline.axes.architectures import ARCHITECTURES
from pipeline.axes.clipping import CLIPPINGS
from pipeline.axes.initializers import INITIALIZERS
from pipeline.axes.normalization import NORMALIZATIONS
from pipeline.axes.optimizers import OPTIMIZERS
from pipeline.axes.regularizers import REGULARIZERS
from pipeline.config import Params, Study
from pipeline.data import Dataset
from pipeline.grid import Network
from pipeline.networks.sums import norms, tree_sum
from pipeline.training.clipping import global_norms
from tests.building import cell, train_together

CLIPPED = [*CLIPPINGS.names, "norm(threshold=0.1)"]
INITIALIZED = [name for name in INITIALIZERS.names if name != "critical"]
# Widths that are no multiple of a vector: there the ends of a thread's share are rounded by other code.
HIDDEN = {"residual": "5x25", "recurrent": "8x25"}
KINDS: list[dict[str, Any]] = [{"activation": name, "optimizer": "momentum"} for name in ACTIVATIONS.names]
KINDS += [{"optimizer": name} for name in OPTIMIZERS.names if name != "momentum"]
KINDS += [{"regularization": name} for name in REGULARIZERS.names if name != "none"]
KINDS += [{"architecture": name, "hidden": HIDDEN.get(name, "50-9")} for name in ARCHITECTURES.names if name != "mlp"]
KINDS += [{"train_fraction": 0.3}]

own = {
    "initializer": st.sampled_from(INITIALIZED),
    "clipping": st.sampled_from(CLIPPED),
    "label_noise": st.sampled_from([0.0, 0.3]),
}
"""What networks of a stack need not have in common."""
rates = st.sampled_from([0.01, 0.1, 100.0])
neighbours = st.lists(st.tuples(st.fixed_dictionaries(own | {"learning_rate": rates}), st.integers(0, 50)), max_size=40)


def train(networks: list[Network], study: Study, params: Params, digits: Dataset, threads: int) -> dict:
    """Return each network's weights, buffers, losses and accuracies after training."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        module = train_together(networks, study, params, digits)
    finally:
        torch.set_num_threads(before)
    state = [value for name, value in module.networks.state_dict().items() if value.dim() == 3]
    scores = [part for epoch in module.history for scores in epoch for part in scores] + list(module.test)
    return {
        Network(recipe.cell, recipe.seed): [value[k] for value in state] + [s[k] for s in scores]
        for k, recipe in enumerate(module.stack.recipes)
    }


@given(tensors=st.integers(1, 30), networks=st.integers(2, 60))
@settings(max_examples=50, deadline=None)
def test_a_networks_gradient_norms_do_not_depend_on_the_others(tensors: int, networks: int) -> None:
    gradients = [torch.randn(networks, 3 + k, 17) for k in range(tensors)]
    last = [gradient[-1:] for gradient in gradients]
    assert torch.equal(global_norms(gradients)[-1:], global_norms(last))
    assert torch.equal(norms(gradients[0])[-1:], norms(last[0]))


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return all(torch.equal(x.nan_to_num(), y.nan_to_num()) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values())))
@given(
    others=neighbours,
    place=st.integers(0, 40),
    threads=st.sampled_from([1, 2, 3]),
    levels=st.fixed_dictionaries(own),
)
@settings(max_examples=5, deadline=None)
def test_a_network_does_not_notice_its_neighbours(
    kind: dict[str, Any], others: list, place: int, threads: int, levels: dict[str, Any], params, mini, digits
) -> None:
    study = mini.model_copy(update={"training": mini.training.model_copy(update={"epochs": 1})})
    recurrent = ARCHITECTURES.parse(kind.get("architecture", "mlp")).recurrent
    normalizations = [level.name for level in NORMALIZATIONS if not (recurrent and level.of_batch)]
    normalization = normalizations[place % len(normalizations)]
    this = Network(cell(normalization=normalization, hidden="50-9")._replace(**kind, **levels), 7)
    around = [Network(this.cell._replace(**theirs), seed) for theirs, seed in others]
    place = min(place, len(around))
    alone = train([this], study, params, digits, threads=1)[this]
    assert same(train([*around[:place], this, *around[place:]], study, params, digits, threads)[this], alone)


@given(rows=st.integers(1, 70), columns=st.integers(1, 400))
@settings(max_examples=50, deadline=None)
def test_a_networks_sum_does_not_depend_on_the_other_rows(rows: int, columns: int) -> None:
    values = torch.randn(rows, columns)
    assert torch.equal(tree_sum(values)[-1:], tree_sum(values[-1:].clone()))
    torch.testing.assert_close(tree_sum(values), values.double().sum(1).float(), rtol=1e-4, atol=1e-4)
