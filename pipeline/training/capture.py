"""Steps on an NVIDIA GPU as one launch: a step is recorded as a CUDA graph and then replayed."""

from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP = 3
"""Steps of each shape before one is recorded, in which libraries choose their kernels."""

Step = Callable[[Tensor], None]


class CapturedStep:
    """Trains on batches by a step that reads nothing but its batch and tensors which stay where they are.

    A small step is some hundred kernels of microseconds each; launched one by one, the GPU waits for Python. The first
    steps of a shape, and a shape that comes rarely (an epoch's last batch), run as they are.

    Args:
        step: trains on a batch, without waiting for the GPU.
    """

    def __init__(self, step: Step) -> None:
        self.step = step
        self._met: Counter[tuple[int, ...]] = Counter()
        self._graphs: dict[tuple[int, ...], tuple[torch.cuda.CUDAGraph, Tensor]] = {}

    def __call__(self, batch: Tensor) -> None:
        """Train on a batch, ``[network, place]`` of sample indices."""
        shape = tuple(batch.shape)
        if shape not in self._graphs:
            self._met[shape] += 1
            if self._met[shape] <= WARM_UP:
                self._aside(batch)
                return
            self._graphs[shape] = self._record(batch.clone())
        graph, held = self._graphs[shape]
        held.copy_(batch)
        graph.replay()

    def _aside(self, batch: Tensor) -> None:
        """Run the step on a stream of its own, as recording asks for."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self.step(batch)
        torch.cuda.current_stream().wait_stream(stream)

    def _record(self, held: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        """Record the step on a batch that later ones are copied into; nothing is computed."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step(held)
        return graph, held
