"""Clipping of a stack against ``torch.nn.utils``, one network at a time."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from pipeline.params import ClippingThresholds
from pipeline.training.clipping import clip_gradients

MODES = ("none", "value", "norm", "global_norm")
SHAPES = ((5, 7), (1, 7), (7, 3), (1, 3))


def clip_with_torch(parameters: list[nn.Parameter], mode: str, thresholds: ClippingThresholds) -> None:
    match mode:
        case "value":
            clip_grad_value_(parameters, thresholds.value)
        case "norm":  # Keras's clipnorm: each tensor by itself
            for parameter in parameters:
                clip_grad_norm_([parameter], thresholds.norm)
        case "global_norm":
            clip_grad_norm_(parameters, thresholds.global_norm)


@given(
    modes=st.lists(st.sampled_from(MODES), min_size=1, max_size=12),
    scale=st.floats(1e-3, 1e3),
    threshold=st.floats(1e-2, 1e2),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_each_network_is_clipped_as_torch_clips_it_alone(
    modes: list, scale: float, threshold: float, seed: int
) -> None:
    torch.manual_seed(seed)
    thresholds = ClippingThresholds(value=threshold, norm=threshold, global_norm=threshold)
    modes = sorted(modes)
    gradients = [torch.randn(len(modes), *shape) * scale for shape in SHAPES]
    expected = [gradient.clone() for gradient in gradients]
    clip_gradients(gradients, modes, thresholds)
    for k, mode in enumerate(modes):
        parameters = [nn.Parameter(torch.zeros(shape)) for shape in SHAPES]
        for parameter, gradient in zip(parameters, expected, strict=True):
            parameter.grad = gradient[k].clone()
        clip_with_torch(parameters, mode, thresholds)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            # torch divides by the norm + 1e-6
            torch.testing.assert_close(gradient[k], parameter.grad, rtol=1e-3 if threshold < 0.1 else 1e-4, atol=1e-7)


def test_value_clipping_turns_a_gradient_and_norm_clipping_does_not() -> None:
    thresholds = ClippingThresholds(value=1.0, norm=1.0, global_norm=1.0)
    gradient = torch.tensor([[[3.0, 0.5]]] * 3)
    clipped = gradient.clone()
    clip_gradients([clipped], ["value", "norm", "global_norm"], thresholds)
    cosine = nn.functional.cosine_similarity(clipped.flatten(1), gradient.flatten(1))
    assert cosine[0] < 0.99
    torch.testing.assert_close(cosine[1:], torch.ones(2))


@pytest.mark.parametrize("mode", ["norm", "global_norm"])
@pytest.mark.parametrize("size", [1e19, 1e30, 3e37])
def test_a_gradient_whose_squares_overflow_is_clipped_to_norm_1(mode: str, size: float) -> None:
    thresholds = ClippingThresholds(value=1.0, norm=1.0, global_norm=1.0)
    gradients = [torch.full((3, 8, 16), size), torch.full((3, 1, 16), 1.0)]
    gradients[0][1] = 1.0  # a network whose neighbours alone overflow
    alone = [gradient[1:2].clone() for gradient in gradients]
    clip_gradients(gradients, [mode] * 3, thresholds)
    clip_gradients(alone, [mode], thresholds)
    for gradient, own in zip(gradients, alone, strict=True):
        assert torch.equal(gradient[1:2], own)
    torch.testing.assert_close(gradients[0][0].double().norm(), torch.tensor(1.0).double(), rtol=1e-5, atol=0)


@pytest.mark.parametrize("mode", ["norm", "global_norm"])
@pytest.mark.parametrize("element", [3e38, float("inf"), float("nan")])
def test_a_gradient_beyond_its_numbers_is_none_rather_than_zero(mode: str, element: float) -> None:
    gradient = torch.full((1, 8, 16), element)
    clip_gradients([gradient], [mode], ClippingThresholds(value=1.0, norm=1.0, global_norm=1.0))
    assert gradient.isnan().all()
