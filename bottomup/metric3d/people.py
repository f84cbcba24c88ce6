"""From decoded crops back to people: find distances, undo mirroring and rotation, collect problems."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError
from bottomup.metric3d.arrays import turned
from bottomup.metric3d.cameras.camera import Camera
from bottomup.metric3d.distance.absolute import RootFit, fit_rays, unproject
from bottomup.metric3d.distance.bones import absolute_by_bones
from bottomup.metric3d.heads.heatmaps import Decoded, Heads
from bottomup.skeletons import Skeleton

__all__ = ["PoseOfCrop", "Seen", "as_seen", "poses_of_crops"]


class PoseOfCrop(NamedTuple):
    """What one crop shows of its person."""

    pose: NDArray[np.float64]  #: (N, 3), millimetres in the frame of the image's camera, NaN where there is none
    problem: str | None


class Seen(NamedTuple):
    """The M people of one image, in the frame of its camera."""

    poses3d: NDArray[np.float64]  #: (M, A, N, 3)
    poses2d: NDArray[np.float64]  #: (M, A, N, 2), image pixels
    problems: list[str | None]


def poses_of_crops(
    decoded: Decoded,
    heads: Heads,
    intrinsics: NDArray[np.float64],
    rotations: NDArray[np.float64],
    flips: NDArray[np.bool_],
    skeleton: Skeleton,
    fit: RootFit,
    bone_lengths: ArrayLike | None = None,
    recombination: NDArray[np.float64] | None = None,
) -> Iterator[PoseOfCrop]:
    """Yield each crop's absolute pose, turned back into the frame of the image's camera.

    Parameters
    ----------
    decoded : Decoded
        Keypoints and relative poses of B crops.
    heads : Heads
        The heads that they were decoded with.
    intrinsics, rotations : (B, 3, 3) arrays
        Of the crops' cameras.
    flips : (B,) bool array
        Which crops are mirrored.
    skeleton : Skeleton
        Which parts mirror each other.
    fit : RootFit
        How distances are found.
    bone_lengths : (E,) array, optional
        Needed for 2.5D volumes, to find their distances.
    recombination : (L, N) array, optional
        Weights of L latent points in N parts.
    """
    in_view = heads.in_view(decoded.keypoints)
    if heads.volume_xy == "image":
        if bone_lengths is None:
            raise InputError("2.5D volumes need bone_lengths, one per edge, in mm: distances are computed from them")
        poses, problems = _by_bones(decoded, intrinsics, flips, in_view, skeleton, bone_lengths)
    else:
        fitted = fit_rays(unproject(decoded.keypoints, intrinsics), decoded.relative, in_view, fit)
        poses, problems = list(fitted.poses3d), list(fitted.problems)
    mirror = list(skeleton.mirror)
    for crop, pose in enumerate(poses):
        if recombination is not None:
            pose = np.einsum("lc,ln->nc", pose, recombination)
        upright = turned(pose[mirror] if flips[crop] else pose, rotations[crop])
        yield PoseOfCrop(upright, _lost_logits(decoded.keypoints[crop]) or problems[crop])


def _by_bones(
    decoded: Decoded,
    intrinsics: NDArray[np.float64],
    flips: NDArray[np.bool_],
    in_view: NDArray[np.bool_],
    skeleton: Skeleton,
    bone_lengths: ArrayLike,
) -> tuple[list[NDArray[np.float64]], list[str | None]]:
    """Return each crop's pose and problem for 2.5D volumes."""
    edges = np.array(skeleton.edges, np.int64).reshape(-1, 2)
    mirrored = np.array(skeleton.mirror, np.int64)[edges]
    found = [
        absolute_by_bones(
            decoded.keypoints[[crop]], decoded.relative[[crop], :, 2], Camera(intrinsics[crop]),
            mirrored if flips[crop] else edges, bone_lengths, in_view=in_view[[crop]],
        )
        for crop in range(len(intrinsics))
    ]  # fmt: skip
    return [each.poses3d[0] for each in found], [each.problems[0] for each in found]


def _lost_logits(keypoints: NDArray[np.float64]) -> str | None:
    """Describe which of a crop's parts have no finite logits; None if all have."""
    lost = int((~np.isfinite(keypoints).all(axis=1)).sum())
    if not lost:
        return None
    some = f"{lost} of {len(keypoints)} parts have no finite logits"
    return "no logits are finite" if lost == len(keypoints) else some


def as_seen(
    looks: list[list[PoseOfCrop]], problems: list[str | None], camera: Camera, num_aug: int, num_parts: int
) -> Seen:
    """Collect the crops of one image's people.

    `problems` says why a person has no crops, and is None for the others.
    """
    poses = np.full((len(looks), num_aug, num_parts, 3), np.nan)
    said = []
    for person, (crops, problem) in enumerate(zip(looks, problems, strict=True)):
        for number, crop in enumerate(crops):
            poses[person, number] = crop.pose
        said.append(problem or _summed_up([crop.problem for crop in crops]))
    poses2d = camera.project(poses) if camera.problem is None else np.full((*poses.shape[:3], 2), np.nan)
    return Seen(poses, poses2d, said)


def _summed_up(problems: list[str | None]) -> str | None:
    """Summarise the problems of a person's crops; None if there are none."""
    said = [problem for problem in problems if problem is not None]
    if not said:
        return None
    if len(said) == len(problems) and len(set(said)) == 1:
        return said[0]
    return f"in {len(said)} of {len(problems)} crops: " + "; ".join(sorted(set(said)))
