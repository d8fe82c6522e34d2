"""``torch.func``: a stack of networks by ``vmap`` over their gradients, step by step from Python."""

from collections.abc import Callable

import torch
from layers import network
from task import Task, run
from torch import Tensor
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn import functional as F


def train(task: Task) -> Callable[[], float]:
    """Return what trains a stack."""
    x, y, validation_x, validation_y = map(torch.from_numpy, task.parts())
    # Batch norm in vmap cannot update its averages in place: it goes by the batch alone, which costs less.
    nets = [network(task, x.shape[1]) for _ in range(task.networks)]
    for net in nets:
        for layer in net:
            if isinstance(layer, torch.nn.BatchNorm1d):
                layer.track_running_stats, layer.running_mean, layer.running_var = False, None, None
                layer.num_batches_tracked = None

    def loss(parameters: dict[str, Tensor], buffers: dict[str, Tensor], some_x: Tensor, some_y: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(nets[0], (parameters, buffers), (some_x,)), some_y)

    step = vmap(grad_and_value(loss), in_dims=(0, 0, 0, 0))
    score = vmap(loss, in_dims=(0, 0, None, None))

    def once() -> float:
        parameters, buffers = stack_module_state(nets)
        for _ in range(task.epochs):
            order = torch.stack([torch.randperm(len(x)) for _ in nets])
            for batch in order.split(task.batch_size, 1):
                gradients, _ = step(parameters, buffers, x[batch], y[batch])
                with torch.no_grad():
                    for name, values in parameters.items():
                        values.sub_(gradients[name], alpha=task.learning_rate)
            with torch.no_grad():
                score(parameters, buffers, validation_x, validation_y)
        return -1.0

    return once


if __name__ == "__main__":
    run(train)
