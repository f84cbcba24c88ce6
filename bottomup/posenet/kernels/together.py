"""Several images in one call: threads that come back for each image wait for one another longer than they decode."""

from bottomup.kernels.jit import kernel
from bottomup.posenet.kernels.best import decode_best
from bottomup.posenet.kernels.coral import decode_coral


@kernel
def decode_coral_together(
    counts, flags, words, peaks, heap_scores, found, found_scores, order, spare, keypoints, pose_scores, walks,
    heatmaps, logits, offsets, offset_tables, displacements, fwd_tables, bwd_tables, unit, height, width, output_stride,
    most, reached, *parameters,
):  # fmt: skip
    """Do as `decode_coral` for every image of the tuples of tensors and tables, and of `reached` (B,).

    `counts` (B,) are what it returns for each; `keypoints` (B, M, 17, 3) and `pose_scores` (B, M) the poses.
    """
    for image in range(counts.size):
        counts[image] = decode_coral(
            flags, words, peaks, heap_scores, found, found_scores, order, spare, keypoints[image], pose_scores[image],
            walks, heatmaps[image], logits[image], offsets[image], offset_tables[image], displacements[image],
            fwd_tables[image], bwd_tables[image], unit, height, width, output_stride, most, reached[image], *parameters,
        )  # fmt: skip


@kernel
def decode_best_together(
    counts, flags, words, peaks, heap_scores, found, found_scores, order, spare, keypoints, pose_scores, walks,
    heatmaps, logits, offsets, offset_tables, displacements, fwd_tables, bwd_tables, unit, height, width, output_stride,
    most, reached, scores, *parameters,
):  # fmt: skip
    """Do as `decode_best` for every image, as `decode_coral_together` does, with the tuple `scores` of their levels."""
    for image in range(counts.size):
        counts[image] = decode_best(
            flags, words, peaks, heap_scores, found, found_scores, order, spare, keypoints[image], pose_scores[image],
            walks, heatmaps[image], logits[image], offsets[image], offset_tables[image], displacements[image],
            fwd_tables[image], bwd_tables[image], unit, height, width, output_stride, most, reached[image],
            scores[image], *parameters,
        )  # fmt: skip
