"""Loops of our own PoseNet decoder, and those it shares with the flavours."""

import numpy as np

from bottomup.kernels.heaps import pop_std, push_std
from bottomup.kernels.jit import helper, kernel
from bottomup.kernels.peaks import find_peaks
from bottomup.kernels.sampling import clamp, find_corners, read, sample, sigmoid, write_keypoint

_PARTS = 17
_EDGES = 16
_ZERO = np.float32(0)
_U = np.uint64  # an index that never counts from the end needs no test for that
_HALF = np.float32(0.5)
_ONE = np.float32(1)
_DISK = np.float32(np.pi / 3)  # integral of (1 - r^2)^2 over the unit disk
_EVEN_ODDS = np.float32(4)  # expected similarity at which half of the poses are right; it and the power 1.5 are fitted
_AREA_OF_BOX = np.float32(0.64)  # COCO's segment area over the area of the box around all 17 keypoints, measured


@kernel
def decode_best(
    flags, words, peaks, heap_scores, found, found_scores, order, densities, keypoints, pose_scores, walks, heatmaps,
    logits, offsets, offset_table, displacements, fwd_table, bwd_table, unit, height, width, output_stride, max_poses,
    lowest, scores, local_maximum_radius, nms_radius, refinement_steps, vote_passes, vote_radius, lowest_vote,
    min_mean_score, squared_kappas, position_error,
):  # fmt: skip
    """Fill `keypoints` (P, 17, 3) and `pose_scores` (P,) with the poses of our own decoder.

    Returns how many, or minus the number of roots where `peaks` is too small for them. The first ten arrays are a
    workspace; vectors and the radius of votes are in cells, the two other lengths in input pixels.
    """
    waiting = heap_roots(
        heatmaps, logits, height, width, lowest, local_maximum_radius, flags, words, peaks, heap_scores
    )
    if waiting > peaks.size:
        return -waiting
    radius = nms_radius / output_stride
    error = position_error / output_stride
    squared_radius = radius * radius
    squared_error = error * error
    num_found = np.int64(0)
    means = pose_scores
    while waiting > 0 and num_found < max_poses:
        root = pop_std(heap_scores, peaks, waiting)
        waiting -= 1
        pose = found[num_found]
        part = root % _PARTS
        place_root(pose, root, offsets, offset_table, unit, height, width)
        if is_near_any(found, num_found, part, pose[part, 0], pose[part, 1], squared_radius):
            continue
        trace(
            pose, walks[part], offsets, offset_table, displacements, fwd_table, bwd_table, unit, height, width,
            refinement_steps,
        )  # fmt: skip
        total = _ZERO
        for part in range(_PARTS):
            for _ in range(vote_passes):
                pose[part, 0], pose[part, 1], densities[num_found, part] = vote(
                    pose[part, 0], pose[part, 1], part, heatmaps, logits, scores, offsets, offset_table, unit, height,
                    width, vote_radius, lowest_vote,
                )  # fmt: skip
            corners = find_corners(pose[part, 0], pose[part, 1], width)
            pose[part, 2] = sigmoid(sample(heatmaps, logits, _ONE, _PARTS, part, corners))
            total += pose[part, 2]
        if total > min_mean_score * np.float32(_PARTS):
            means[num_found] = total
            num_found += 1
    sort_descending(means, num_found, order)
    for rank in range(num_found):
        found_scores[order[rank]] = expected_similarity(
            found, densities, order, rank, squared_radius, squared_kappas, squared_error
        )
    sort_descending(found_scores, num_found, order)
    for rank in range(num_found):
        if not found_scores[order[rank]] > _ZERO:  # a better pose has every part of it
            return rank
        pose_scores[rank] = calibrate(found_scores[order[rank]])
        for part in range(_PARTS):
            row, column, score = found[order[rank], part]
            write_keypoint(keypoints, rank, part, row, column, score, output_stride)
    return num_found


@helper
def heap_roots(heatmaps, logits, height, width, lowest, radius, flags, words, peaks, heap_scores):
    """Find the roots, heatmap peaks that reach `lowest`, and make them a heap, best first, if they fit; count them."""
    count = find_peaks(heatmaps, height, width, _PARTS, lowest, radius, False, flags, words, peaks)
    if count <= peaks.size:
        for peak in range(count):
            push_std(heap_scores, peaks, peak, read(heatmaps, logits, _ONE, peaks[peak]), peaks[peak])
    return count


@helper
def vote(
    row, column, part, heatmaps, logits, scores, offsets, offset_table, unit, height, width, vote_radius, lowest_vote
):  # fmt: skip
    """Return the weighted mean of the places that the 5 x 5 cells around point to, near here, and their density.

    One step of mean shift on the Hough votes. A cell votes with its score, less the further its place lies from here.
    Scores come from the table of the levels' scores where there are levels: 25 exponentials a keypoint are slow.
    """
    centre_row = int(row + _HALF)
    centre_column = int(column + _HALF)
    first_row = max(centre_row - 2, 0)
    first_column = max(centre_column - 2, 0)
    last_column = min(centre_column + 2, width - 1)
    total = _ZERO
    total_row = _ZERO
    total_column = _ZERO
    per_reach = _ONE / (vote_radius * vote_radius)
    for near_row in range(first_row, min(centre_row + 3, height)):
        cell = near_row * width + first_column
        for near_column in range(first_column, last_column + 1):
            logit = read(heatmaps, logits, _ONE, cell * _PARTS + part)
            if logit >= lowest_vote:
                vector = 2 * _PARTS * cell + part
                voted_row = np.float32(near_row) + read(offsets, offset_table, unit, vector)
                voted_column = np.float32(near_column) + read(offsets, offset_table, unit, vector + _PARTS)
                down = voted_row - row
                right = voted_column - column
                closeness = _ONE - (down * down + right * right) * per_reach
                if closeness > _ZERO:
                    score = sigmoid(logit) if scores is None else scores[heatmaps[_U(cell * _PARTS + part)]]
                    weight = score * closeness * closeness
                    total += weight
                    total_row += weight * voted_row
                    total_column += weight * voted_column
            cell += 1
    if total > _ZERO:
        row = clamp(total_row / total, np.float32(height - 1))
        column = clamp(total_column / total, np.float32(width - 1))
    return row, column, total * per_reach / _DISK


@helper
def expected_similarity(found, densities, order, rank, squared_radius, squared_kappas, squared_error):
    """Return the score of the pose at `rank`: what object keypoint similarity to expect of its free keypoints.

    A keypoint counts by score x density^2 x A k^2 / (A k^2 + e^2): the mean of exp(-d^2 / (2 A k^2)) when the error d
    is a Gaussian of deviation e, for a person of area A. A keypoint that a better pose has within the radius counts 0.
    """
    pose = order[rank]
    top = bottom = found[pose, 0, 0]
    left = right = found[pose, 0, 1]
    for part in range(1, _PARTS):
        top = min(top, found[pose, part, 0])
        bottom = max(bottom, found[pose, part, 0])
        left = min(left, found[pose, part, 1])
        right = max(right, found[pose, part, 1])
    area = _AREA_OF_BOX * (bottom - top) * (right - left)
    total = _ZERO
    for part in range(_PARTS):
        row, column, score = found[pose, part]
        is_free = True
        for better in range(rank):
            other = _U(order[better])
            down = found[other, part, 0] - row
            across = found[other, part, 1] - column
            if down * down + across * across <= squared_radius:
                is_free = False
                break
        if is_free:
            spread = area * squared_kappas[part]
            total += score * densities[pose, part] * densities[pose, part] * spread / (spread + squared_error)
    return total / np.float32(_PARTS)


@helper
def calibrate(similarity):
    """Return the probability that a pose of this expected similarity is right: OKS to a person above 0.5."""
    ratio = _EVEN_ODDS / similarity
    return _ONE / (_ONE + ratio * np.sqrt(ratio))


@helper
def place_root(pose, root, offsets, offset_table, unit, height, width):
    """Write row and column of the part that heatmap element `root` stands for, moved by its cell's offset."""
    cell = np.uint32(root) // np.uint32(_PARTS)
    part = root - np.int64(cell) * _PARTS
    cell_row = cell // np.uint32(width)
    cell_column = np.int64(cell) - np.int64(cell_row) * width
    vector = 2 * _PARTS * np.int64(cell) + part
    row = np.float32(cell_row) + read(offsets, offset_table, unit, vector)
    column = np.float32(cell_column) + read(offsets, offset_table, unit, vector + _PARTS)
    pose[part, 0] = clamp(row, np.float32(height - 1))
    pose[part, 1] = clamp(column, np.float32(width - 1))


@helper
def trace(
    pose, walk, offsets, offset_table, displacements, fwd_table, bwd_table, unit, height, width, refinement_steps
):  # fmt: skip
    """Find row and column of all parts of `pose` (17, 3), from its root along the 16 steps of `walk` (16, 5).

    Parts as far from the root as one another are found side by side: none waits for the other, nor does the processor.
    """
    last_row = np.float32(height - 1)
    last_column = np.float32(width - 1)
    first = 0
    while first < _EDGES:
        end = walk[_U(first), 4]
        for step in range(first, end):
            source = _U(walk[_U(step), 0])
            part = _U(walk[_U(step), 1])
            channel = walk[_U(step), 2]
            corners = find_corners(pose[source, 0], pose[source, 1], width)
            if walk[_U(step), 3]:
                down = sample(displacements, bwd_table, unit, 4 * _EDGES, channel, corners)
                right = sample(displacements, bwd_table, unit, 4 * _EDGES, channel + _EDGES, corners)
            else:
                down = sample(displacements, fwd_table, unit, 4 * _EDGES, channel, corners)
                right = sample(displacements, fwd_table, unit, 4 * _EDGES, channel + _EDGES, corners)
            pose[part, 0] = clamp(pose[source, 0] + down, last_row)
            pose[part, 1] = clamp(pose[source, 1] + right, last_column)
        for _ in range(refinement_steps):
            for step in range(first, end):
                part = walk[_U(step), 1]
                row = pose[_U(part), 0]
                column = pose[_U(part), 1]
                corners = find_corners(row, column, width)
                down = sample(offsets, offset_table, unit, 2 * _PARTS, part, corners)
                right = sample(offsets, offset_table, unit, 2 * _PARTS, part + _PARTS, corners)
                pose[_U(part), 0] = clamp(row + down, last_row)
                pose[_U(part), 1] = clamp(column + right, last_column)
        first = end


@helper
def is_near_any(found, num_found, part, row, column, squared_radius):
    """Tell whether (row, column) lies within the radius of the same part of any of the poses found."""
    part = _U(part)
    for pose in range(num_found):
        down = found[pose, part, 0] - row
        right = found[pose, part, 1] - column
        if down * down + right * right <= squared_radius:
            return True
    return False


@helper
def sort_descending(scores, size, order):
    """Write the indices of the `size` scores to `order`, best first; equal scores keep their order."""
    for index in range(size):
        place = index
        while place > 0 and scores[order[place - 1]] < scores[index]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = index
