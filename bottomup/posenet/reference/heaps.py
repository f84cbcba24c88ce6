"""Priority queues whose ties come out in upstream's order, which decides poses: 8-bit heatmaps tie all the time."""

from typing import Any

__all__ = ["CoralHeap", "TfjsHeap"]


class CoralHeap:
    """A priority queue whose ties come out in libstdc++'s order."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Any, Any]] = []

    def __len__(self) -> int:
        return len(self.pairs)

    def push(self, score: Any, item: Any) -> None:
        """Add an item (`std::push_heap`)."""
        self.pairs.append((score, item))
        self._sift_up(len(self.pairs) - 1, (score, item))

    def pop(self) -> Any:
        """Remove and return an item of the highest score (`std::pop_heap`)."""
        best, last = self.pairs[0], self.pairs.pop()
        size, hole, child = len(self.pairs), 0, 0
        if size == 0:
            return best[1]
        while child < (size - 1) // 2:
            child = 2 * child + 2
            if self.pairs[child][0] < self.pairs[child - 1][0]:
                child -= 1
            self.pairs[hole], hole = self.pairs[child], child
        if size % 2 == 0 and child == (size - 2) // 2:
            child = 2 * child + 1
            self.pairs[hole], hole = self.pairs[child], child
        self._sift_up(hole, last)
        return best[1]

    def _sift_up(self, hole: int, pair: tuple[Any, Any]) -> None:
        while hole > 0 and self.pairs[(hole - 1) // 2][0] < pair[0]:
            self.pairs[hole], hole = self.pairs[(hole - 1) // 2], (hole - 1) // 2
        self.pairs[hole] = pair


class TfjsHeap:
    """A priority queue whose ties come out in tfjs's order: the parent of place k is k >> 1."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Any, Any]] = []

    def __len__(self) -> int:
        return len(self.pairs)

    def push(self, score: Any, item: Any) -> None:
        """Add an item."""
        self.pairs.append((score, item))
        place = len(self.pairs) - 1
        while place > 0 and self._is_less(place >> 1, place):
            self._swap(place >> 1, place)
            place >>= 1

    def pop(self) -> Any:
        """Remove and return an item of the highest score."""
        self._swap(0, len(self.pairs) - 1)
        best = self.pairs.pop()
        place, last = 0, len(self.pairs) - 1
        while 2 * place <= last:
            child = 2 * place
            if child < last and self._is_less(child, child + 1):
                child += 1
            if not self._is_less(place, child):
                break
            self._swap(place, child)
            place = child
        return best[1]

    def _is_less(self, one: int, other: int) -> bool:
        return bool(self.pairs[one][0] < self.pairs[other][0])

    def _swap(self, one: int, other: int) -> None:
        self.pairs[one], self.pairs[other] = self.pairs[other], self.pairs[one]
