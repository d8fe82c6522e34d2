"""Clipping of a stack against ``torch.nn.utils``, one network at a time."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from pipeline.axes.clipping import CLIPPINGS
from pipeline.training.clipping import clip_gradients

MODES = ("none", "value", "norm", "global_norm")
SHAPES = ((5, 7), (1, 7), (7, 3), (1, 3))


def clip(gradients: list[torch.Tensor], modes: list[str]) -> None:
    clip_gradients(gradients, [CLIPPINGS.parse(mode) for mode in modes])


def clip_with_torch(parameters: list[nn.Parameter], mode: str, threshold: float) -> None:
    match mode:
        case "value":
            clip_grad_value_(parameters, threshold)
        case "norm":  # Keras's clipnorm: each tensor by itself
            for parameter in parameters:
                clip_grad_norm_([parameter], threshold)
        case "global_norm":
            clip_grad_norm_(parameters, threshold)


thresholds = st.floats(1e-2, 1e2)


@given(
    modes=st.lists(st.tuples(st.sampled_from(MODES), thresholds), min_size=1, max_size=12),
    shared=st.none() | thresholds,
    scale=st.floats(1e-3, 1e3),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_each_network_is_clipped_as_torch_clips_it_alone(
    modes: list, shared: float | None, scale: float, seed: int
) -> None:
    torch.manual_seed(seed)
    modes = sorted((mode, shared or threshold) for mode, threshold in modes)
    gradients = [torch.randn(len(modes), *shape) * scale for shape in SHAPES]
    expected = [gradient.clone() for gradient in gradients]
    clip(gradients, [mode if mode == "none" else f"{mode}(threshold={threshold})" for mode, threshold in modes])
    for k, (mode, threshold) in enumerate(modes):
        parameters = [nn.Parameter(torch.zeros(shape)) for shape in SHAPES]
        for parameter, gradient in zip(parameters, expected, strict=True):
            parameter.grad = gradient[k].clone()
        clip_with_torch(parameters, mode, threshold)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            # torch divides by the norm + 1e-6
            torch.testing.assert_close(gradient[k], parameter.grad, rtol=1e-3 if threshold < 0.1 else 1e-4, atol=1e-7)


def test_value_clipping_turns_a_gradient_and_norm_clipping_does_not() -> None:
    gradient = torch.tensor([[[3.0, 0.5]]] * 3)
    clipped = gradient.clone()
    clip([clipped], ["value", "norm", "global_norm"])
    cosine = nn.functional.cosine_similarity(clipped.flatten(1), gradient.flatten(1))
    assert cosine[0] < 0.99
    torch.testing.assert_close(cosine[1:], torch.ones(2))


@pytest.mark.parametrize("mode", ["norm", "global_norm"])
@pytest.mark.parametrize("size", [1e19, 1e30, 3e37])
def test_a_gradient_whose_squares_overflow_is_clipped_to_norm_1(mode: str, size: float) -> None:
    gradients = [torch.full((3, 8, 16), size), torch.full((3, 1, 16), 1.0)]
    gradients[0][1] = 1.0  # a network whose neighbours alone overflow
    alone = [gradient[1:2].clone() for gradient in gradients]
    clip(gradients, [mode] * 3)
    clip(alone, [mode])
    for gradient, own in zip(gradients, alone, strict=True):
        assert torch.equal(gradient[1:2], own)
    torch.testing.assert_close(gradients[0][0].double().norm(), torch.tensor(1.0).double(), rtol=1e-5, atol=0)


@pytest.mark.parametrize("mode", ["norm", "global_norm"])
@pytest.mark.parametrize("element", [3e38, float("inf"), float("nan")])
def test_a_gradient_beyond_its_numbers_is_none_rather_than_zero(mode: str, element: float) -> None:
    gradient = torch.full((1, 8, 16), element)
    clip([gradient], [mode])
    assert gradient.isnan().all()
