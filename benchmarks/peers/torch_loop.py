"""A bare PyTorch loop on tensors in memory, one network at a time."""

from collections.abc import Callable

import torch
from layers import network
from task import Task, run
from torch.nn import functional as F


def train(task: Task) -> Callable[[], float]:
    """Return what trains one network."""
    x, y, validation_x, validation_y = map(torch.from_numpy, task.parts())

    def once(epochs: int = task.epochs) -> float:
        net = network(task, x.shape[1])
        optimizer = torch.optim.SGD(net.parameters(), lr=task.learning_rate)
        for _ in range(epochs):
            net.train()
            for batch in torch.randperm(len(x)).split(task.batch_size):
                optimizer.zero_grad()
                F.cross_entropy(net(x[batch]), y[batch]).backward()
                optimizer.step()
            net.eval()
            with torch.no_grad():
                logits = net(validation_x)
                F.cross_entropy(logits, validation_y)
                (logits.argmax(1) == validation_y).float().mean()
        return -1.0

    once(1)  # the first optimizer of a process imports for a second
    return once


if __name__ == "__main__":
    run(train)
