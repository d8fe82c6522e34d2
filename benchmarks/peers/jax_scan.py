"""JAX: a stack of networks by ``vmap``, an epoch by ``scan``, compiled as one; compilation is not timed."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from task import Task, run

EPS, MOMENTUM = 1e-3, 0.99
ACTIVATIONS = {"relu": jax.nn.relu, "selu": jax.nn.selu, "gelu": partial(jax.nn.gelu, approximate=False)}


def train(task: Task) -> Callable[[], float]:
    """Return what trains a stack."""
    x, y, validation_x, validation_y = map(jnp.asarray, task.parts())
    widths = [x.shape[1], *task.hidden, 10]
    activation, size = ACTIVATIONS[task.activation], task.networks
    normalized = widths[:-1] if task.batch_norm else []

    def init(key: Any) -> Any:
        dense = [
            {"w": jax.random.normal(one, (a, b)) * np.sqrt(2 / a), "b": jnp.zeros(b)}
            for one, (a, b) in zip(jax.random.split(key, len(widths) - 1), pairwise(widths), strict=True)
        ]
        return dense, [{"scale": jnp.ones(a), "shift": jnp.zeros(a)} for a in normalized]

    def apply(parameters: Any, samples: Any, moving: Any = None) -> Any:
        dense, norms = parameters
        seen = []

        def normalize(z: Any, place: int) -> Any:
            mean, variance = (z.mean(0), z.var(0)) if moving is None else moving[place]
            seen.append((mean, variance))
            return (z - mean) * jax.lax.rsqrt(variance + EPS) * norms[place]["scale"] + norms[place]["shift"]

        a = normalize(samples, 0) if task.batch_norm else samples
        for place, layer in enumerate(dense[:-1]):
            z = a @ layer["w"]
            a = activation(normalize(z, place + 1) if task.batch_norm else z + layer["b"])
        return a @ dense[-1]["w"] + dense[-1]["b"], seen

    def losses(logits: Any, labels: Any) -> Any:
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1)[:, 0]

    def loss(parameters: Any, samples: Any, labels: Any) -> Any:
        logits, seen = apply(parameters, samples)
        each = losses(logits, labels)
        return each.mean(), (each.sum(), (logits.argmax(1) == labels).sum(), seen)

    def step(carry: Any, batch: Any) -> Any:
        parameters, moving, total, correct = carry
        labels = y[batch]
        gradients, (own, right, seen) = jax.grad(loss, has_aux=True)(parameters, x[batch], labels)
        parameters = jax.tree.map(lambda p, g: p - task.learning_rate * g, parameters, gradients)
        moving = jax.tree.map(lambda old, new: MOMENTUM * old + (1 - MOMENTUM) * new, moving, seen)
        return parameters, moving, total + own, correct + right

    def score(parameters: Any, moving: Any) -> Any:
        logits, _ = apply(parameters, validation_x, moving)
        return losses(logits, validation_y).mean(), (logits.argmax(1) == validation_y).mean()

    @partial(jax.jit, donate_argnums=(0, 1))
    def epoch(parameters: Any, moving: Any, order: Any) -> Any:
        whole = len(x) // task.batch_size * task.batch_size
        batches = order[:, :whole].reshape(size, -1, task.batch_size).transpose(1, 0, 2)
        steps = jax.vmap(step)
        carry = (parameters, moving, jnp.zeros(size), jnp.zeros(size, jnp.int32))
        carry, _ = jax.lax.scan(lambda carry, batch: (steps(carry, batch), None), carry, batches)
        if whole < len(x):
            carry = steps(carry, order[:, whole:])
        parameters, moving, *trained = carry
        return parameters, moving, trained, jax.vmap(score)(parameters, moving)

    start = jax.vmap(init)(jax.random.split(jax.random.PRNGKey(0), size))
    averages = [(jnp.zeros((size, a)), jnp.ones((size, a))) for a in normalized]
    draw = np.random.default_rng(0)
    state = epoch(start, averages, orders(draw, size, len(x)))[:2]
    jax.block_until_ready(state)

    def once() -> float:
        nonlocal state
        for _ in range(task.epochs):
            *state, _, scores = epoch(*state, orders(draw, size, len(x)))
            jax.block_until_ready(scores)
        jax.block_until_ready(state)
        return -1.0

    return once


def orders(draw: np.random.Generator, size: int, samples: int) -> Any:
    """Return an order of the samples for each network."""
    return jnp.asarray(draw.permuted(np.tile(np.arange(samples, dtype=np.int32), (size, 1)), axis=1))


if __name__ == "__main__":
    run(train)
