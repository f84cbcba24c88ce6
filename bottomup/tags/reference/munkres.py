"""Munkres' method of assignment, said aloud, with ties as in Python's munkres 1.1."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["pair_by_covers"]


def pair_by_covers(costs: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return each row's column, so that the sum is least.

    Zeros are starred, one a row and column, and primed on the way to more stars. Each search for a zero in neither
    cover goes on from where the last one stopped, and takes the last of its row.
    """
    num_rows, size = len(costs), max(costs.shape)
    table = np.zeros((size, size))
    table[: costs.shape[0], : costs.shape[1]] = costs
    table -= table.min(axis=1, keepdims=True)
    starred = np.zeros(table.shape, np.bool_)
    for row in range(size):
        for column in np.flatnonzero(table[row] == 0):
            if not starred[:, column].any():
                starred[row, column] = True
                break
    while starred.any(axis=0).sum() < size:
        _add_star(table, starred)
    return np.asarray(starred.argmax(axis=1)[:num_rows], np.intp)


def _add_star(table: NDArray[np.float64], starred: NDArray[np.bool_]) -> None:
    """Change the table and the stars until there is one more."""
    rows_covered = np.zeros(len(table), np.bool_)
    columns_covered = np.asarray(starred.any(axis=0))
    primed = np.zeros(table.shape, np.bool_)
    row = column = 0
    while True:
        zero = _bare_zero(table, rows_covered, columns_covered, row, column)
        if zero is None:
            lowest = table[~rows_covered][:, ~columns_covered].min()
            table[rows_covered] += lowest
            table[:, ~columns_covered] -= lowest
            row = column = 0
            continue
        row, column = zero
        primed[row, column] = True
        if not starred[row].any():
            break
        column = int(starred[row].argmax())
        rows_covered[row], columns_covered[column] = True, False
    path = [(row, column)]
    while starred[:, column].any():
        row = int(starred[:, column].argmax())
        path.append((row, column))
        column = int(primed[row].argmax())
        path.append((row, column))
    for place in path:
        starred[place] = not starred[place]


def _bare_zero(
    table: NDArray[np.float64],
    rows_covered: NDArray[np.bool_],
    columns_covered: NDArray[np.bool_],
    row: int,
    column: int,
) -> tuple[int, int] | None:
    """Return the last zero of the first row that has any in neither cover, counting rows and columns from a place."""
    size = len(table)
    columns = (column + np.arange(size)) % size
    for here in (row + np.arange(size)) % size:
        zeros = columns[(table[here, columns] == 0) & ~columns_covered[columns]]
        if not rows_covered[here] and len(zeros):
            return int(here), int(zeros[-1])
    return None
