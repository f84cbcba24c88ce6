"""Several images per call: threads that returned to Python after each would wait longer there than they decode."""

from bottomup.kernels.jit import kernel
from bottomup.posenet.kernels.best import decode_best
from bottomup.posenet.kernels.coral import decode_coral


@kernel
def decode_coral_together(images, tree, workspace, rules, max_poses, lowest, keypoints, pose_scores, counts):
    """Run `decode_coral` on every image: `images` holds the cells of each, `lowest` (B,) the lowest root of each.

    It fills `counts` (B,), what `decode_coral` returns; `keypoints` (B, M, N, 3) and `pose_scores` (B, M).
    """
    for image in range(counts.size):
        counts[image] = decode_coral(
            images[image], tree, workspace, rules, max_poses, lowest[image], keypoints[image], pose_scores[image]
        )


@kernel
def decode_best_together(images, tree, workspace, rules, max_poses, lowest, keypoints, pose_scores, counts):
    """Run `decode_best` on every image, as `decode_coral_together` runs `decode_coral`."""
    for image in range(counts.size):
        counts[image] = decode_best(
            images[image], tree, workspace, rules, max_poses, lowest[image], keypoints[image], pose_scores[image]
        )
