"""Pairing rows and columns of a table of costs so that the sum is least: two methods, which part on ties alone."""

import numpy as np

from bottomup.kernels.jit import helper

_STARRED = 1
_PRIMED = 2
_MOST_STEPS = 100000  # a table of 30 by 30 takes some hundred


@helper
def assign(costs, num_rows, num_columns, chosen, solver):
    """Write to `chosen` each row's column; there are at least as many columns as rows, and costs are finite.

    Shortest augmenting paths, row after row. Of equal paths, the one to a free column, then the one found first,
    columns counted from the last; ties fall as in SciPy's `linear_sum_assignment`.

    References
    ----------
    Crouse, "On implementing 2D rectangular assignment algorithms", 2016. doi:10.1109/TAES.2016.140952
    """
    (row_prices, column_prices, lengths, came_from, owners, waiting, row_seen, column_seen) = solver
    row_prices[:num_rows] = 0
    column_prices[:num_columns] = 0
    owners[:num_columns] = -1
    chosen[:num_rows] = -1
    for first in range(num_rows):
        row_seen[:num_rows] = False
        for column in range(num_columns):
            lengths[column] = np.inf
            column_seen[column] = False
            waiting[column] = num_columns - 1 - column
        num_waiting = num_columns
        length = 0.0
        row = np.int64(first)
        sink = np.int64(-1)
        while sink < 0:
            row_seen[row] = True
            place = np.int64(-1)
            shortest = np.inf
            for index in range(num_waiting):
                column = waiting[index]
                reduced = length + costs[row, column] - row_prices[row] - column_prices[column]
                if reduced < lengths[column]:
                    came_from[column] = row
                    lengths[column] = reduced
                if lengths[column] < shortest or (lengths[column] == shortest and owners[column] < 0):
                    shortest = lengths[column]
                    place = index
            if place < 0:  # costs that are no numbers
                return False
            length = shortest
            column = waiting[place]
            if owners[column] < 0:
                sink = column
            else:
                row = owners[column]
            column_seen[column] = True
            num_waiting -= 1
            waiting[place] = waiting[num_waiting]
        row_prices[first] += length
        for row in range(num_rows):
            if row_seen[row] and row != first:
                row_prices[row] += length - lengths[chosen[row]]
        for column in range(num_columns):
            if column_seen[column]:
                column_prices[column] -= length - lengths[column]
        column = sink
        while True:
            row = came_from[column]
            owners[column] = row
            column, chosen[row] = chosen[row], column
            if row == first:
                break
    return True


@helper
def assign_by_covers(costs, size, chosen, marks, covers, path):
    """Write to `chosen` each row's column of a square table, which is spoilt; ties fall as in Python's munkres 1.1.

    Zeros are starred and primed, rows and columns covered, as Munkres has it. Each search for a bare zero goes on from
    where the last one stopped, and takes the last of its row.

    References
    ----------
    Munkres, "Algorithms for the assignment and transportation problems", 1957. doi:10.1137/0105003
    """
    row_covered = covers[0]
    column_covered = covers[1]
    row_covered[:size] = False
    column_covered[:size] = False
    for row in range(size):
        lowest = costs[row, 0]
        for column in range(1, size):
            lowest = min(lowest, costs[row, column])
        for column in range(size):
            costs[row, column] -= lowest
            marks[row, column] = 0
    for row in range(size):
        for column in range(size):
            if costs[row, column] == 0 and not column_covered[column]:
                marks[row, column] = _STARRED
                column_covered[column] = True
                break
    row = np.int64(0)
    column = np.int64(0)
    is_new = True
    for _ in range(_MOST_STEPS):
        if is_new:
            if cover_starred(marks, size, column_covered) >= size:
                break
            row = column = 0
            is_new = False
        row, column = find_bare_zero(costs, size, row, column, row_covered, column_covered)
        if row < 0:
            uncover_zero(costs, size, row_covered, column_covered)
            row = column = 0
            continue
        marks[row, column] = _PRIMED
        star = find_mark(marks, size, row, _STARRED)
        if star >= 0:
            column = star
            row_covered[row] = True
            column_covered[column] = False
        else:
            exchange_stars(marks, size, row, column, path)
            row_covered[:size] = False
            column_covered[:size] = False
            is_new = True
    for row in range(size):
        chosen[row] = find_mark(marks, size, row, _STARRED)


@helper
def cover_starred(marks, size, column_covered):
    """Cover the columns that hold a starred zero; return how many that are."""
    count = 0
    for column in range(size):
        for row in range(size):
            if marks[row, column] == _STARRED:
                column_covered[column] = True
                count += 1
                break
    return count


@helper
def find_bare_zero(costs, size, first_row, first_column, row_covered, column_covered):
    """Return the last zero of the first row from `first_row` on that has any in neither cover; -1, -1 if none has."""
    row = first_row
    for _ in range(size):
        if not row_covered[row]:
            found = np.int64(-1)
            column = first_column
            for _ in range(size):
                if costs[row, column] == 0 and not column_covered[column]:
                    found = column
                column = column + 1 if column + 1 < size else 0
            if found >= 0:
                return row, found
        row = row + 1 if row + 1 < size else 0
    return np.int64(-1), np.int64(-1)


@helper
def uncover_zero(costs, size, row_covered, column_covered):
    """Take the least bare cost from the bare columns and add it to the covered rows, so that a zero is bare."""
    lowest = np.inf
    for row in range(size):
        if not row_covered[row]:
            for column in range(size):
                if not column_covered[column] and costs[row, column] < lowest:
                    lowest = costs[row, column]
    for row in range(size):
        for column in range(size):
            if row_covered[row]:
                costs[row, column] += lowest
            if not column_covered[column]:
                costs[row, column] -= lowest


@helper
def find_mark(marks, size, row, mark):
    """Return the first column of a row that is marked so, -1 if none is."""
    for column in range(size):
        if marks[row, column] == mark:
            return np.int64(column)
    return np.int64(-1)


@helper
def exchange_stars(marks, size, row, column, path):
    """Star the primed zeros and unstar the starred ones along the path from a primed zero; forget the other primes."""
    path[0, 0] = row
    path[0, 1] = column
    count = np.int64(1)
    while count < 2 * size - 1:
        star = np.int64(-1)
        for near in range(size):
            if marks[near, path[count - 1, 1]] == _STARRED:
                star = near
                break
        if star < 0:
            break
        path[count, 0] = star
        path[count, 1] = path[count - 1, 1]
        path[count + 1, 0] = star
        path[count + 1, 1] = find_mark(marks, size, star, _PRIMED)
        count += 2
    for step in range(count):
        is_star = marks[path[step, 0], path[step, 1]] == _STARRED
        marks[path[step, 0], path[step, 1]] = 0 if is_star else _STARRED
    for row in range(size):
        for column in range(size):
            if marks[row, column] == _PRIMED:
                marks[row, column] = 0
