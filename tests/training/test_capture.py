"""Steps that are recorded on a GPU and replayed. What can be said of them without one is said on the CPU."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.config import Params, Study
from pipeline.data import Dataset
from pipeline.grid import Cell, Network
from pipeline.training import module as modules
from pipeline.training.capture import WARM_UP, CapturedStep
from pipeline.training.module import StackModule
from pipeline.training.outcome import Outcome, outcomes
from pipeline.training.recipe import Recipe, resolve
from pipeline.training.schedule import Schedule
from pipeline.training.stacks import Stack

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
LEVELS = [
    {"activation": "rrelu", "normalization": "before"},
    {"activation": "gelu", "clipping": "global_norm(threshold=0.1)", "optimizer": "momentum"},
    {"activation": "prelu", "regularization": "dropout", "optimizer": "rmsprop", "learning_rate": 0.001},
    {"activation": "relu", "initializer": "standard_normal", "learning_rate": 1000.0},
]


def some(study: Study, params: Params, digits: Dataset, levels: dict[str, object], device: str = "cpu") -> list[Recipe]:
    cell = Cell.of(study.own_levels | {"initializer": "he_normal", "learning_rate": 0.05} | levels)
    return list(resolve(study, params, digits.card, device, [Network(cell, seed) for seed in range(3)]).values())


def equal(some_: list[Outcome], others: list[Outcome]) -> None:
    for one, other in zip(some_, others, strict=True):
        np.testing.assert_array_equal(one.history, other.history)
        np.testing.assert_array_equal(one.health, other.health)
        np.testing.assert_array_equal(one.test, other.test)


@pytest.mark.parametrize("levels", LEVELS, ids=lambda levels: levels["activation"])
def test_a_step_reads_nothing_but_its_batch_and_tensors_that_stay(
    levels: dict[str, object], mini: Study, params: Params, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a graph is recorded from: the batch lies where the first one lay, and no tensor has been replaced."""
    recipes = some(mini, params, digits, levels)
    schedule = Schedule("test", digits, params.compute)
    monkeypatch.setattr(StackModule, "compiles", False)
    plain = outcomes(schedule.train_stack(Stack.of(recipes)), "cpu")

    where = set[int]()

    class Replayed(CapturedStep):
        def __init__(self, step: Callable[[Tensor], None], module: StackModule) -> None:
            super().__init__(step)
            self.module, self.held = module, dict[tuple[int, ...], Tensor]()

        def __call__(self, batch: Tensor) -> None:
            held = self.held.setdefault(tuple(batch.shape), batch.clone())
            held.copy_(batch)
            self.step(held)
            module = self.module
            optimizer = module.optimizers(use_pl_optimizer=False)
            kept = [
                module.alive,
                module.loss_sum,
                module.correct,
                optimizer.down,
                *module.networks.state_dict().values(),
            ]
            kept += [moment for state in optimizer.state.values() for moment in state.values()]
            where.add(hash(tuple(tensor.data_ptr() for tensor in kept)))

    start = StackModule.on_train_start

    def captured(module: StackModule) -> None:
        start(module)
        module.captured = Replayed(module._step, module)

    monkeypatch.setattr(StackModule, "on_train_start", captured)
    equal(outcomes(schedule.train_stack(Stack.of(recipes)), "cpu"), plain)
    assert len(where) == 1


def test_the_first_steps_of_a_shape_run_as_they_are_and_the_others_are_replayed() -> None:
    done: list[str] = []

    class Graph:
        def replay(self) -> None:
            done.append("replay")

    class OnPaper(CapturedStep):
        def _aside(self, batch: Tensor) -> None:
            done.append(f"step {batch.shape[1]}")

        def _record(self, held: Tensor) -> tuple[Graph, Tensor]:
            done.append("record")
            return Graph(), held

    step = OnPaper(lambda _batch: None)
    batches = torch.arange(70).view(1, 70).split(32, 1)
    for _ in range(WARM_UP):
        for batch in batches:
            step(batch)
    assert done == [
        "step 32", "step 32", "step 6", "step 32", "record", "replay", "step 6", "replay", "replay", "step 6",
    ]  # fmt: skip
    (_, held), *_ = step._graphs.values()
    assert torch.equal(held, batches[1])


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("levels", LEVELS, ids=lambda levels: levels["activation"])
def test_a_gpu_replays_to_the_bits_that_it_steps_to(
    levels: dict[str, object], mini: Study, params: Params, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_gpu = params.model_copy(update={"compute": params.compute.model_copy(update={"accelerator": "gpu"})})
    recipes = some(mini, on_gpu, digits, levels, torch.cuda.get_device_name())
    schedule = Schedule("test", digits, on_gpu.compute)
    module = schedule.train_stack(Stack.of(recipes))
    assert module.captured
    assert module.captured._graphs
    monkeypatch.setattr(modules, "CapturedStep", lambda _step: None)
    equal(outcomes(module, "gpu"), outcomes(schedule.train_stack(Stack.of(recipes)), "gpu"))


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("levels", LEVELS, ids=lambda levels: levels["activation"])
def test_on_a_gpu_a_network_does_not_notice_its_neighbours(
    levels: dict[str, object], mini: Study, params: Params, digits: Dataset
) -> None:
    on_gpu = params.model_copy(update={"compute": params.compute.model_copy(update={"accelerator": "gpu"})})
    recipes = some(mini, on_gpu, digits, levels, torch.cuda.get_device_name())
    schedule = Schedule("test", digits, on_gpu.compute)
    together = outcomes(schedule.train_stack(Stack.of(recipes)), "gpu")
    alone = [outcomes(schedule.train_stack(Stack.of([recipe])), "gpu")[0] for recipe in recipes]
    equal(alone, together)
