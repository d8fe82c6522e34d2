"""From recipes to stacks: which networks are trained together, and how many at a time."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from ..grid import AXIS
from .recipe import Graph, Recipe

CPU_WEIGHT_BYTES = 64 * 2**20
"""What a stack's weights and gradients may take on a CPU.

Compiled code trains each network by itself: what is a stack then decides how often its state is kept and progress is
told, not how fast it is. It holds 30 networks of 784-300-100-10, which take some 20 s for an epoch.
"""
LARGEST_CPU_STACK = 128
CPU_ACTIVATION_BYTES = 2**29
"""What a stack's activations may take on a CPU: of recurrent networks, it is they that are large, not the weights."""
COPIES = 10
"""Of a layer's outputs that are held while a batch is learned from: what backpropagation needs, and gradients.

With batches of 64, 128 networks of 20 x 50 took 368 MB, recurrent ones of 100 steps x 32 took 1.2 GB.
"""
GPU_SHARE = 0.25
"""Share of a GPU's memory that a stack's weights, gradients and momenta may take; activations take the rest."""


class Stack(NamedTuple):
    """Networks that share a compute graph and are trained as one module."""

    graph: Graph
    recipes: tuple[Recipe, ...]
    """In order of their clipping, so that those clipped alike are one slice."""

    @classmethod
    def of(cls, recipes: Sequence[Recipe]) -> "Stack":
        """Return recipes of one graph as a stack."""
        (graph,) = {Graph.of(recipe) for recipe in recipes}
        return cls(graph, tuple(sorted(recipes, key=lambda recipe: AXIS["clipping"].order(recipe.cell.clipping))))

    def halves(self) -> tuple["Stack", "Stack"]:
        """Return two stacks, each with one half of the networks."""
        half = -(-len(self.recipes) // 2)
        return self._replace(recipes=self.recipes[:half]), self._replace(recipes=self.recipes[half:])


def into_stacks(recipes: Sequence[Recipe], size: Callable[[Graph], int]) -> list[Stack]:
    """Group recipes by graph into stacks of at most a size, which may depend on the graph."""
    groups: dict[Graph, list[Recipe]] = defaultdict(list)
    for recipe in recipes:
        groups[Graph.of(recipe)].append(recipe)
    stacks = []
    for graph, members in groups.items():
        count = -(-len(members) // size(graph))  # of nearly equal size, rather than full ones and a remainder
        bounds = [round(i * len(members) / count) for i in range(count + 1)]
        stacks += [Stack.of(members[start:end]) for start, end in pairwise(bounds)]
    return stacks


def stack_size(parameters: int, activations: int, memory: int | None) -> int:
    """Return how many networks to train at a time.

    Args:
        parameters: of one network.
        activations: outputs of one network's layers, over a batch.
        memory: bytes of the GPU's memory; ``None`` on a CPU.
    """
    if memory is None:
        fitting = min(CPU_WEIGHT_BYTES // (4 * 2 * parameters), CPU_ACTIVATION_BYTES // (4 * COPIES * activations))
        return max(1, min(LARGEST_CPU_STACK, fitting))
    share = int(GPU_SHARE * memory)
    return max(1, min(share // (4 * 3 * parameters), share // (4 * COPIES * activations)))
