"""One network in PyTorch, as the peers in PyTorch train it."""

from itertools import pairwise

from task import Task
from torch import nn

ACTIVATIONS = {"relu": nn.ReLU, "selu": nn.SELU, "gelu": nn.GELU}


def network(task: Task, features: int) -> nn.Sequential:
    """Return the task's network."""
    widths = [features, *task.hidden]
    layers: list[nn.Module] = [nn.BatchNorm1d(features, eps=1e-3, momentum=0.01)] if task.batch_norm else []
    for fan_in, units in pairwise(widths):
        dense = nn.Linear(fan_in, units, bias=not task.batch_norm)
        nn.init.kaiming_normal_(dense.weight)
        layers.append(dense)
        if task.batch_norm:
            layers.append(nn.BatchNorm1d(units, eps=1e-3, momentum=0.01))
        layers.append(ACTIVATIONS[task.activation]())
    return nn.Sequential(*layers, nn.Linear(widths[-1], 10))
