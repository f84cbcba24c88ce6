"""Example: lift a photo's 2D poses by a simple rule, place them in space, and plot them.

    python -m bottomup.metric3d.example PHOTO.jpg lifted.png [MODEL]

`lift` stands in for your own lifter, which only has to return relative 3D poses in millimetres.
"""

import sys

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.estimation.loading import load
from bottomup.files import replacing
from bottomup.images import read_image
from bottomup.metric3d.cameras.camera import Camera
from bottomup.metric3d.distance.absolute import reconstruct_absolute
from bottomup.metric3d.plot import plot_poses3d
from bottomup.poses import Poses
from bottomup.skeletons import COCO17

#: An adult's bones in mm, parent first, and where the child lies when a bone looks short: -1 nearer, 1 further.
BONES: dict[tuple[str, str], tuple[float, int]] = {
    ("left_hip", "left_knee"): (430, -1),
    ("right_hip", "right_knee"): (430, -1),
    ("left_knee", "left_ankle"): (420, 1),
    ("right_knee", "right_ankle"): (420, 1),
    ("left_hip", "left_shoulder"): (500, -1),
    ("right_hip", "right_shoulder"): (500, -1),
    ("left_shoulder", "left_elbow"): (290, -1),
    ("right_shoulder", "right_elbow"): (290, -1),
    ("left_elbow", "left_wrist"): (250, -1),
    ("right_elbow", "right_wrist"): (250, -1),
}
SHOULDERS, HIPS = 350.0, 230.0
FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")


def lift(poses: Poses, *, keypoint_threshold: float = 0.2) -> NDArray[np.float64]:
    """Return relative 3D poses (M, 17, 3), millimetres, from known bone lengths alone.

    The bone that looks longest for its length is taken to lie across the line
    of sight, and gives the pixels per millimetre. Other bones look shorter
    because they point away or towards the camera; which of the two is guessed.
    Parts that were not found are NaN.

    References
    ----------
    Taylor, "Reconstruction of articulated objects from point correspondences in a single uncalibrated image", CVIU 2000
    """
    poses = poses.to_coco17()
    seen = np.where((poses.keypoint_scores >= keypoint_threshold)[..., None], poses.xy, np.nan).astype(np.float64)
    return np.array([_lift_one(pixels) for pixels in seen]).reshape(-1, len(COCO17.parts), 3)


def _lift_one(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lift one pose, (17, 2) pixels."""
    part = COCO17.index
    lengths = {(part(a), part(b)): length for (a, b), (length, _) in BONES.items()}
    lengths |= {(part("left_shoulder"), part("right_shoulder")): SHOULDERS, (part("left_hip"), part("right_hip")): HIPS}
    spans = {bone: float(np.linalg.norm(pixels[bone[0]] - pixels[bone[1]])) for bone in lengths}
    scales = [spans[bone] / length for bone, length in lengths.items() if np.isfinite(spans[bone])]
    if not scales or max(scales) <= 0:
        return np.full((len(pixels), 3), np.nan)
    scale = max(scales)

    def reach(first: int, second: int) -> float:
        """Return how much further one end of a bone lies than the other."""
        span = spans[first, second] / scale
        return float(np.sqrt(max(lengths[first, second] ** 2 - span**2, 0))) if np.isfinite(span) else 0.0

    depth = np.zeros(len(pixels))
    middle = (pixels[part("left_shoulder"), 0] + pixels[part("right_shoulder"), 0]) / 2
    nearer = -1 if pixels[part("nose"), 0] < middle else 1  # looking right brings the left side to the front
    for left, right in (("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")):
        half = reach(part(left), part(right)) / 2
        depth[part(left)], depth[part(right)] = nearer * half, -nearer * half
    for (parent, child), (_, way) in BONES.items():
        if child.endswith("shoulder"):
            depth[part(child)] += way * reach(part(parent), part(child)) / 4  # a trunk leans little
        else:
            depth[part(child)] = depth[part(parent)] + way * reach(part(parent), part(child))
    for name in FACE:
        depth[part(name)] = (depth[part("left_shoulder")] + depth[part("right_shoulder")]) / 2
    middle_of_all = np.nanmean(pixels, axis=0)
    return np.column_stack([(pixels - middle_of_all) / scale, np.where(np.isfinite(pixels[:, 0]), depth, np.nan)])


def main(photo: str, out: str, model: str | None = None) -> None:
    """Find the people in a photo, lift them, and write a picture of both."""
    image = read_image(photo)
    poses = load(model)(image).to_coco17()
    poses = poses[poses.scores > 0.4]
    camera = Camera.from_fov((image.shape[1], image.shape[0]))
    relative = lift(poses)
    pixels = np.where(np.isfinite(relative[..., :1]), poses.xy, np.nan)
    placed = reconstruct_absolute(pixels, relative, camera)
    with replacing(out) as waiting:
        plot_poses3d(placed.poses3d, COCO17, image=image, poses2d=pixels).savefig(waiting)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    try:
        main(*sys.argv[1:])
    except InputError as error:
        raise SystemExit(str(error)) from error
