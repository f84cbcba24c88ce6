"""Several images in one call: threads that come back for each image wait for one another longer than they decode."""

from bottomup.kernels.jit import kernel
from bottomup.posenet.kernels.best import decode_best
from bottomup.posenet.kernels.coral import decode_coral


@kernel
def decode_coral_together(images, tree, workspace, rules, max_poses, lowest, keypoints, pose_scores, counts):
    """Do as `decode_coral` for every image: `images` are the cells of each, `lowest` (B,) the lowest root of each.

    `counts` (B,) are what it returns for each; `keypoints` (B, M, N, 3) and `pose_scores` (B, M) the poses.
    """
    for image in range(counts.size):
        counts[image] = decode_coral(
            images[image], tree, workspace, rules, max_poses, lowest[image], keypoints[image], pose_scores[image]
        )


@kernel
def decode_best_together(images, tree, workspace, rules, max_poses, lowest, keypoints, pose_scores, counts):
    """Do as `decode_best` for every image, as `decode_coral_together` does."""
    for image in range(counts.size):
        counts[image] = decode_best(
            images[image], tree, workspace, rules, max_poses, lowest[image], keypoints[image], pose_scores[image]
        )
