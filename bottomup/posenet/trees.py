"""The tree along which displacements lead from part to part."""

from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.skeletons import COCO17, Skeleton, as_skeleton

__all__ = ["EDGES", "NUM_EDGES", "NUM_PARTS", "Tree", "coco_tree", "kernel_tree", "tree_of"]

NUM_PARTS = 17
#: The tree along which displacements lead, parent first, in channel order (tfjs `keypoints.ts`, libcoral).
EDGES = (
    (0, 1), (1, 3), (0, 2), (2, 4), (0, 5), (5, 7), (7, 9), (5, 11),
    (11, 13), (13, 15), (0, 6), (6, 8), (8, 10), (6, 12), (12, 14), (14, 16),
)  # fmt: skip
NUM_EDGES = len(EDGES)


class Tree(NamedTuple):
    """What kernels know of a skeleton of N parts."""

    walks: NDArray[np.int64]  #: (N, N - 1, 5) from each root, breadth first, steps through the tree; see `_walks`
    num_parts: int | None  #: None for 17: the compiler divides faster by a constant
    squared_kappas: NDArray[np.float32]  #: (N,) COCO's squared constants, (2 sigma)^2


@lru_cache(maxsize=64)
def tree_of(skeleton: Skeleton) -> tuple[tuple[int, int], ...]:
    """Return the edges of displacements, in channel order: the skeleton's, or PoseNet's own for COCO's 17 parts.

    Raises
    ------
    InputError
        If the skeleton's edges do not join all parts as a tree.
    """
    count, edges = len(skeleton.parts), skeleton.edges
    reached = {0}
    for _ in range(count):
        reached |= {part for edge in edges if reached & set(edge) for part in edge}
    if count >= 2 and len(edges) == count - 1 and len(reached) == count:
        return edges
    if skeleton.parts == COCO17.parts:
        return EDGES
    raise InputError(
        f"skeleton {skeleton.name!r} must have {max(count - 1, 1)} edges that join its {count} parts as a tree, got "
        f"{len(edges)} that do not: name the edges of the displacements, in channel order, parent first"
    )


@lru_cache(maxsize=64)
def kernel_tree(skeleton: Skeleton) -> tuple[Any, ...]:
    """Return the plain tuple of a skeleton's `Tree`."""
    count = len(skeleton.parts)
    kappas = np.square(skeleton.kappas).astype(np.float32)
    return tuple(Tree(_walks(tree_of(as_skeleton(skeleton))), None if count == NUM_PARTS else count, kappas))


@cache
def coco_tree() -> tuple[Any, ...]:
    """Return `kernel_tree(COCO17)` without hashing the skeleton."""
    return kernel_tree(COCO17)


def _walks(edges: tuple[tuple[int, int], ...]) -> NDArray[np.int64]:
    """Return (N, N - 1, 5): from each root, breadth first, steps through the tree.

    A step is source, target, displacement channel, is backward, and the number
    of the first step that lies further from the root. The edges form a tree:
    each part is reached along one path, so the order of steps does not matter
    and upstream's queues are not needed.
    """
    num_edges = len(edges)
    table = np.empty((num_edges + 1, num_edges, 5), np.int64)
    for root in range(num_edges + 1):
        distances, steps = {root: 0}, []
        for source in (reached := [root]):
            for edge, (parent, child) in enumerate(edges):
                for start, target, channel, is_bwd in (
                    (parent, child, edge, 0),
                    (child, parent, 2 * num_edges + edge, 1),
                ):
                    if source == start and target not in distances:
                        distances[target] = distances[source] + 1
                        steps.append((source, target, channel, is_bwd))
                        reached.append(target)
        ends = [sum(distance <= distances[target] for distance in distances.values()) - 1 for _, target, _, _ in steps]
        table[root] = [(*step, end) for step, end in zip(steps, ends, strict=True)]
    return table
