"""Distance from known bone lengths, for 2.5D networks: their x and y are in the image, their z in millimetres."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError
from bottomup.metric3d.arrays import as_float64, as_points
from bottomup.metric3d.cameras.camera import Camera
from bottomup.metric3d.distance.absolute import Reconstruction

__all__ = ["absolute_by_bones", "as_edges", "bone_lengths_of", "median_bone_lengths"]

_STEPS = 100
_LONGEST_FIRST_GUESS = 1500.0  # mm of the largest extent of a pose, as MeTRAbs guesses


@np.errstate(all="ignore")  # meaningless numbers are a problem, not a warning
def absolute_by_bones(
    keypoints_2d: ArrayLike,
    depths: ArrayLike,
    camera: Camera,
    edges: ArrayLike,
    bone_lengths: ArrayLike,
    *,
    in_view: ArrayLike | None = None,
) -> Reconstruction:
    """Find the distance at which a pose's bones have their known lengths.

    Every part lies on its ray, at its relative depth plus the person's
    distance. That distance minimises the squared errors of bone lengths
    (Levenberg-Marquardt in one variable), over bones with both ends in view.

    Parameters
    ----------
    keypoints_2d : (M, N, 2) array
        x, y in pixels.
    depths : (M, N) array
        z in millimetres, from any origin.
    camera : Camera
        The camera.
    edges : (E, 2) array of int
        The two parts of each bone.
    bone_lengths : (E,) or (M, E) array
        Millimetres.
    in_view : (M, N) bool array, optional
        Which keypoints to use. Default: those that are finite.

    Returns
    -------
    Reconstruction
        Its roots are (0, 0, distance).

    Raises
    ------
    InputError
        If the shapes do not fit together.

    References
    ----------
    Sárándi et al., "Metric-Scale Truncation-Robust Heatmaps for 3D Human Pose Estimation", FG 2020, arXiv:2003.02953
    """
    pixels, relative = as_points(keypoints_2d, 2, "keypoints_2d"), as_float64(depths, "depths")
    if pixels.ndim != 3 or relative.shape != pixels.shape[:2]:
        raise InputError(
            f"keypoints_2d must be (M, N, 2) and depths (M, N), got shapes {pixels.shape} and {relative.shape}"
        )
    ends = as_edges(edges, pixels.shape[1])
    lengths = np.broadcast_to(as_float64(bone_lengths, "bone_lengths"), (len(pixels), len(ends)))
    rays = np.full((*relative.shape, 3), np.nan)
    if camera.problem is None:
        rays = np.concatenate([camera.normalise(pixels), np.ones((*relative.shape, 1))], axis=-1)
    believed = np.isfinite(rays).all(axis=-1) & np.isfinite(relative)
    if in_view is not None:
        believed &= np.asarray(in_view, np.bool_)
    poses, roots = np.full((*relative.shape, 3), np.nan), np.zeros((len(pixels), 3))
    problems = []
    for person in range(len(pixels)):
        used = believed[person, ends].all(axis=1) & np.isfinite(lengths[person])
        distance, problem = _distance(rays[person], relative[person], ends[used], lengths[person, used])
        if problem is None and not (relative[person][believed[person]] + distance > 0).all():
            distance, problem = np.nan, "the parts in view would lie behind the camera"
        roots[person, 2] = distance
        poses[person] = rays[person] * (relative[person] + distance)[:, None]
        problems.append(camera.problem or problem)
    return Reconstruction(poses, roots, tuple(problems))


def _distance(
    rays: NDArray[np.float64], depths: NDArray[np.float64], ends: NDArray[np.int64], lengths: NDArray[np.float64]
) -> tuple[float, str | None]:
    """Return the distance, or NaN and why there is none."""
    if not len(ends):
        return np.nan, "no bone has both ends in view"
    first, second = ends.T
    slope = rays[first] - rays[second]
    start = rays[first] * depths[first, None] - rays[second] * depths[second, None]
    extent = np.ptp(rays[np.unique(ends)], axis=0).max()
    if not extent > 1e-6:
        return np.nan, "all parts in view lie on one ray"

    def errors(distance: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        bones = slope * distance + start
        found = np.linalg.norm(bones, axis=1)
        return found - lengths, (bones * slope).sum(axis=1) / np.maximum(found, 1e-9)

    distance, damping = _LONGEST_FIRST_GUESS / float(extent), 1e-3
    residuals, slopes = errors(distance)
    for _ in range(_STEPS):
        step = -float(slopes @ residuals) / (float(slopes @ slopes) * (1 + damping) + 1e-30)
        after, slopes_after = errors(distance + step)
        if after @ after <= residuals @ residuals:
            distance, residuals, slopes, damping = distance + step, after, slopes_after, damping / 10
            if abs(step) < 1e-9 * max(abs(distance), 1.0):
                break
        else:
            damping = max(damping, 1e-6) * 10
    return distance, None


def as_edges(edges: ArrayLike, num_parts: int) -> NDArray[np.int64]:
    """Return edges as an (E, 2) array of part numbers, or raise `InputError`."""
    array = np.asarray(edges)
    if array.size == 0:
        return np.empty((0, 2), np.int64)
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu":
        raise InputError(f"edges must be (E, 2) part numbers, got {array.dtype} {array.shape}")
    if array.min() < 0 or array.max() >= num_parts:
        raise InputError(f"edges must join parts 0 to {num_parts - 1}, got {array.min()} to {array.max()}")
    return array.astype(np.int64)


@np.errstate(all="ignore")  # meaningless numbers are a problem, not a warning
def bone_lengths_of(poses3d: ArrayLike, edges: ArrayLike) -> NDArray[np.float64]:
    """Return (..., E) lengths of the bones of (..., N, 3) poses.

    Parameters
    ----------
    poses3d : (..., N, 3) array
        Millimetres.
    edges : (E, 2) array of int
        The two parts of each bone.

    Raises
    ------
    InputError
        If a shape is wrong, or an edge names a part that does not exist.
    """
    poses = as_points(poses3d, 3, "poses3d")
    first, second = as_edges(edges, poses.shape[-2]).T
    return np.asarray(np.linalg.norm(poses[..., first, :] - poses[..., second, :], axis=-1), np.float64)


def median_bone_lengths(poses3d: ArrayLike, edges: ArrayLike) -> NDArray[np.float64]:
    """Return the (E,) median bone lengths over many poses, such as a sequence; NaN is ignored.

    Parameters
    ----------
    poses3d : (M, N, 3) array
        Millimetres.
    edges : (E, 2) array of int
        The two parts of each bone.

    Raises
    ------
    InputError
        If no pose shows one of the bones.
    """
    lengths = bone_lengths_of(poses3d, edges)
    lengths = lengths.reshape(-1, lengths.shape[-1])
    if not np.isfinite(lengths).any(axis=0).all():
        raise InputError("poses3d must show each bone at least once, with both ends finite")
    return np.asarray(np.nanmedian(lengths, axis=0), np.float64)
