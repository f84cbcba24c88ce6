"""Loops of the PersonLab paper's decoder."""

import math

import numpy as np

from bottomup.kernels.heaps import pop_std, push_std
from bottomup.kernels.jit import helper, kernel
from bottomup.kernels.sampling import find_corners, read, sample, sigmoid, write_keypoint
from bottomup.kernels.sorting import sort_descending
from bottomup.posenet.kernels.tree import count_parts, is_near_any, is_taken, trace

_ZERO = np.float32(0)
_ONE = np.float32(1)
_REJECTED = 400  # patience that a root costs if it is followed and leads to nobody; one near somebody costs 1


@kernel
def cast_votes(cells, tree, raster, lowest_vote, vote_weight, hough):
    """Add to `hough` (fine_height * fine_width * N,) the score of every cell where its offset points, bilinear."""
    (
        heatmaps, logits, _scores, offsets, offset_table, _displacements, _fwd_table, _bwd_table, unit, height, width,
        _output_stride, _shift_x, _shift_y,
    ) = cells  # fmt: skip
    (_walks, num_parts, _squared_kappas) = tree
    (fineness, fine_height, fine_width) = raster
    parts = count_parts(num_parts)
    for cell in range(height * width):
        cell_row = np.float32(cell // width)
        cell_column = np.float32(cell % width)
        for part in range(parts):
            logit = read(heatmaps, logits, _ONE, cell * parts + part)
            if logit >= lowest_vote:
                vector = 2 * parts * cell + part
                row = (cell_row + read(offsets, offset_table, unit, vector)) * fineness
                column = (cell_column + read(offsets, offset_table, unit, vector + parts)) * fineness
                if _ZERO <= row <= fine_height - 1 and _ZERO <= column <= fine_width - 1:  # false for NaN
                    weight = vote_weight * sigmoid(logit)
                    corners = find_corners(np.float32(row), np.float32(column), fine_width)
                    top_left, top_right, bottom_left, bottom_right, below, beside = corners
                    hough[top_left * parts + part] += weight * (_ONE - below) * (_ONE - beside)
                    hough[top_right * parts + part] += weight * (_ONE - below) * beside
                    hough[bottom_left * parts + part] += weight * below * (_ONE - beside)
                    hough[bottom_right * parts + part] += weight * below * beside


@kernel
def decode_personlab(cells, tree, raster, hough, search, rules, keypoints, pose_scores):
    """Fill `keypoints` (M, N, 3) and `pose_scores` (M,) with the poses of PersonLab; return how many.

    `peaks` (P,), flat indices into `hough`, become a heap. Lengths are in cells.
    """
    (
        heatmaps, logits, _scores, _offsets, _offset_table, _displacements, _fwd_table, _bwd_table, _unit, height,
        width, output_stride, shift_x, shift_y,
    ) = cells  # fmt: skip
    (fineness, _fine_height, fine_width) = raster
    (peaks, heap_scores, found, found_scores, order, kept) = search
    (walks, num_parts, squared_kappas) = tree
    (squared_radius, refinement_steps, disk_radius, nms_similarity, patience) = rules
    parts = count_parts(num_parts)
    for peak in range(peaks.size):
        push_std(heap_scores, peaks, peak, hough[peaks[peak]], peaks[peak])
    patience += height * width
    num_found = 0
    waiting = peaks.size
    while waiting > 0 and num_found < found.shape[0] and patience > 0:
        root = pop_std(heap_scores, peaks, waiting)
        waiting -= 1
        part = root % parts
        place = root // parts
        row = np.float32(place // fine_width) / fineness
        column = np.float32(place % fine_width) / fineness
        if is_near_any(found, num_found, part, row, column, squared_radius):
            patience -= 1
            continue
        pose = found[num_found]
        pose[part, 0] = row
        pose[part, 1] = column
        trace(pose, walks[part], cells, num_parts, refinement_steps)
        area = box_area(pose, num_parts)
        total = _ZERO
        for part in range(parts):
            corners = find_corners(pose[part, 0], pose[part, 1], width)
            score = sigmoid(sample(heatmaps, logits, _ONE, parts, part, corners))
            spread = area * squared_kappas[part]
            closeness = expect_closeness(pose, part, num_parts, hough, raster, disk_radius, spread)
            pose[part, 2] = score * closeness
            total += pose[part, 2]
        if total > _ZERO:  # false for NaN
            found_scores[num_found] = total
            num_found += 1
        else:
            patience -= _REJECTED
    sort_descending(found_scores, num_found, order)
    for rank in range(num_found):
        found_scores[order[rank]] = sum_of_unclaimed(found, order, rank, num_parts, squared_radius) / np.float32(parts)
    sort_descending(found_scores, num_found, order)
    num_kept = 0
    for rank in range(num_found):
        pose = order[rank]
        if found_scores[pose] > _ZERO and not resembles_any(
            found, pose, kept, num_kept, num_parts, squared_kappas, nms_similarity
        ):
            kept[num_kept] = pose
            pose_scores[num_kept] = found_scores[pose]
            for part in range(parts):
                row, column, score = found[pose, part]
                write_keypoint(keypoints, num_kept, part, row, column, score, output_stride, shift_x, shift_y)
            num_kept += 1
    return num_kept


@helper
def box_area(pose, num_parts):
    """Return the area of the box around a pose's keypoints."""
    top = bottom = pose[0, 0]
    left = right = pose[0, 1]
    for part in range(1, count_parts(num_parts)):
        top = min(top, pose[part, 0])
        bottom = max(bottom, pose[part, 0])
        left = min(left, pose[part, 1])
        right = max(right, pose[part, 1])
    return (bottom - top) * (right - left)


@helper
def expect_closeness(pose, part, num_parts, hough, raster, disk_radius, spread):
    """Return the mean of exp(-d^2 / (2 * spread)) over the votes in the disk around a keypoint; 0 without votes."""
    (fineness, fine_height, fine_width) = raster
    parts = count_parts(num_parts)
    row = pose[part, 0] * fineness
    column = pose[part, 1] * fineness
    radius = disk_radius * fineness
    votes = _ZERO
    close = _ZERO
    for near_row in range(max(int(row - radius), 0), min(int(row + radius) + 2, fine_height)):
        for near_column in range(max(int(column - radius), 0), min(int(column + radius) + 2, fine_width)):
            down = np.float32(near_row) - row
            right = np.float32(near_column) - column
            squared = down * down + right * right
            vote = hough[(near_row * fine_width + near_column) * parts + part]
            if squared <= radius * radius and vote > _ZERO:
                votes += vote
                if spread > _ZERO:
                    close += vote * exp(-squared / (fineness * fineness) / (np.float32(2) * spread))
    return close / votes if votes > _ZERO else _ZERO


@helper
def exp(power):
    """Return the exponential of a float32, rounded once: the same to the last bit everywhere.

    If people are alike, the last bit decides which of them is kept.
    """
    return np.float32(math.exp(np.float64(power)))


@helper
def sum_of_unclaimed(found, order, rank, num_parts, squared_radius):
    """Sum the keypoint scores of the pose at `rank` that no better pose has within the radius."""
    parts = count_parts(num_parts)
    total = _ZERO
    for part in range(parts):
        row, column, score = found[order[rank], part]
        if not is_taken(found, order, rank, part, row, column, squared_radius):
            total += score
    return total


@helper
def resembles_any(found, pose, kept, num_kept, num_parts, squared_kappas, nms_similarity):
    """Tell whether the object keypoint similarity to any of the poses kept exceeds `nms_similarity`."""
    parts = count_parts(num_parts)
    for other in kept[:num_kept]:
        area = box_area(found[other], num_parts)
        similarity = _ZERO
        for part in range(parts):
            down = found[pose, part, 0] - found[other, part, 0]
            right = found[pose, part, 1] - found[other, part, 1]
            spread = np.float32(2) * area * squared_kappas[part]
            if spread > _ZERO:
                similarity += exp(-(down * down + right * right) / spread)
        if similarity / np.float32(parts) > nms_similarity:
            return True
    return False
