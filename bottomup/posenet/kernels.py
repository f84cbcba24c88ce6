"""Loops of our own PoseNet decoder, and those it shares with the flavours."""

import numpy as np

from bottomup.kernels.heaps import pop_std, push_std
from bottomup.kernels.jit import kernel
from bottomup.kernels.sampling import clamp, find_corners, sample, sigmoid, write_keypoint

_PARTS = 17
_EDGES = 16
_ZERO = np.float32(0)
_HALF = np.float32(0.5)
_ONE = np.float32(1)
_DISK = np.float32(np.pi / 3)  # integral of (1 - r^2)^2 over the unit disk
_EVEN_ODDS = np.float32(4)  # expected similarity at which half of the poses are right; it and the power 1.5 are fitted
_AREA_OF_BOX = np.float32(0.64)  # COCO's segment area over the area of the box around all 17 keypoints, measured


@kernel
def decode_best(
    peaks, heap_scores, walks, heatmaps, heatmap_scale, heatmap_zero, offsets, offset_scale, offset_zero, displacements,
    fwd_scale, fwd_zero, bwd_scale, bwd_zero, height, width, squared_radius, refinement_steps, vote_passes, vote_radius,
    lowest_vote, min_mean_score, squared_kappas, squared_error, output_stride, found, densities, means, order,
    found_scores, keypoints, pose_scores,
):  # fmt: skip
    """Fill `keypoints` (M, 17, 3) and `pose_scores` (M,) with the poses of our own decoder; return how many.

    `peaks` (P,) become a heap. Workspaces: `heap_scores` (P,), `found` (M, 17, 3) for row, column, score of poses in
    the order of their roots, `densities` (M, 17), `means`, `order` and `found_scores` (M,). Lengths are in cells.
    """
    for peak in range(peaks.size):
        logit = (np.float32(heatmaps[peaks[peak]]) - heatmap_zero) * heatmap_scale
        push_std(heap_scores, peaks, peak, logit, peaks[peak])
    num_found = 0
    waiting = peaks.size
    while waiting > 0 and num_found < found.shape[0]:
        root = pop_std(heap_scores, peaks, waiting)
        waiting -= 1
        pose = found[num_found]
        part = root % _PARTS
        place_root(pose, root, offsets, offset_scale, offset_zero, height, width)
        if is_near_any(found, num_found, part, pose[part, 0], pose[part, 1], squared_radius):
            continue
        trace(
            pose, walks[part], offsets, offset_scale, offset_zero, displacements, fwd_scale, fwd_zero, bwd_scale,
            bwd_zero, height, width, refinement_steps,
        )  # fmt: skip
        total = _ZERO
        for part in range(_PARTS):
            for _ in range(vote_passes):
                pose[part, 0], pose[part, 1], densities[num_found, part] = vote(
                    pose[part, 0], pose[part, 1], part, heatmaps, heatmap_scale, heatmap_zero, offsets, offset_scale,
                    offset_zero, height, width, vote_radius, lowest_vote,
                )  # fmt: skip
            corners = find_corners(pose[part, 0], pose[part, 1], width)
            pose[part, 2] = sigmoid(sample(heatmaps, heatmap_scale, heatmap_zero, _PARTS, part, corners))
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


@kernel
def vote(
    row, column, part, heatmaps, heatmap_scale, heatmap_zero, offsets, offset_scale, offset_zero, height, width,
    vote_radius, lowest_vote,
):  # fmt: skip
    """Return the weighted mean of the places that the 5 x 5 cells around point to, near here, and their density.

    One step of mean shift on the Hough votes. A cell votes with its score, less the further its place lies from here.
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
            logit = (np.float32(heatmaps[cell * _PARTS + part]) - heatmap_zero) * heatmap_scale
            if logit >= lowest_vote:
                vector = 2 * _PARTS * cell + part
                down = (np.float32(offsets[vector]) - offset_zero) * offset_scale
                right = (np.float32(offsets[vector + _PARTS]) - offset_zero) * offset_scale
                voted_row = np.float32(near_row) + down
                voted_column = np.float32(near_column) + right
                down = voted_row - row
                right = voted_column - column
                closeness = _ONE - (down * down + right * right) * per_reach
                if closeness > _ZERO:
                    weight = sigmoid(logit) * closeness * closeness
                    total += weight
                    total_row += weight * voted_row
                    total_column += weight * voted_column
            cell += 1
    if total > _ZERO:
        row = clamp(total_row / total, np.float32(height - 1))
        column = clamp(total_column / total, np.float32(width - 1))
    return row, column, total * per_reach / _DISK


@kernel
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
        for other in order[:rank]:
            down = found[other, part, 0] - row
            across = found[other, part, 1] - column
            if down * down + across * across <= squared_radius:
                is_free = False
                break
        if is_free:
            spread = area * squared_kappas[part]
            total += score * densities[pose, part] * densities[pose, part] * spread / (spread + squared_error)
    return total / np.float32(_PARTS)


@kernel
def calibrate(similarity):
    """Return the probability that a pose of this expected similarity is right: OKS to a person above 0.5."""
    ratio = _EVEN_ODDS / similarity
    return _ONE / (_ONE + ratio * np.sqrt(ratio))


@kernel
def place_root(pose, root, offsets, offset_scale, offset_zero, height, width):
    """Write row and column of the part that heatmap element `root` stands for, moved by its cell's offset."""
    part = root % _PARTS
    cell = root // _PARTS
    vector = 2 * _PARTS * cell + part
    row = np.float32(cell // width) + (np.float32(offsets[vector]) - offset_zero) * offset_scale
    column = np.float32(cell % width) + (np.float32(offsets[vector + _PARTS]) - offset_zero) * offset_scale
    pose[part, 0] = clamp(row, np.float32(height - 1))
    pose[part, 1] = clamp(column, np.float32(width - 1))


@kernel
def trace(
    pose, walk, offsets, offset_scale, offset_zero, displacements, fwd_scale, fwd_zero, bwd_scale, bwd_zero, height,
    width, refinement_steps,
):  # fmt: skip
    """Find row and column of all parts of `pose` (17, 3), from its root along the 16 steps of `walk` (16, 4)."""
    last_row = np.float32(height - 1)
    last_column = np.float32(width - 1)
    for step in range(_EDGES):
        source, part, channel, is_bwd = walk[step]
        scale = bwd_scale if is_bwd else fwd_scale
        zero = bwd_zero if is_bwd else fwd_zero
        row = pose[source, 0]
        column = pose[source, 1]
        corners = find_corners(row, column, width)
        down = sample(displacements, scale, zero, 4 * _EDGES, channel, corners)
        right = sample(displacements, scale, zero, 4 * _EDGES, channel + _EDGES, corners)
        row = clamp(row + down, last_row)
        column = clamp(column + right, last_column)
        for _ in range(refinement_steps):
            corners = find_corners(row, column, width)
            down = sample(offsets, offset_scale, offset_zero, 2 * _PARTS, part, corners)
            right = sample(offsets, offset_scale, offset_zero, 2 * _PARTS, part + _PARTS, corners)
            row = clamp(row + down, last_row)
            column = clamp(column + right, last_column)
        pose[part, 0] = row
        pose[part, 1] = column


@kernel
def is_near_any(found, num_found, part, row, column, squared_radius):
    """Tell whether (row, column) lies within the radius of the same part of any of the poses found."""
    for pose in range(num_found):
        down = found[pose, part, 0] - row
        right = found[pose, part, 1] - column
        if down * down + right * right <= squared_radius:
            return True
    return False


@kernel
def sort_descending(scores, size, order):
    """Write the indices of the `size` scores to `order`, best first; equal scores keep their order."""
    for index in range(size):
        place = index
        while place > 0 and scores[order[place - 1]] < scores[index]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = index
