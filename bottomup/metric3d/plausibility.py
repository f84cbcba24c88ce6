"""Which 3D poses are plausible: four tests, one by one and all together."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError
from bottomup.metric3d.arrays import as_float64, as_points
from bottomup.metric3d.distance.bones import as_edges, bone_lengths_of

__all__ = [
    "as_boxes",
    "fills_box",
    "finite_mean",
    "has_plausible_bones",
    "is_consistent",
    "suppress_implausible_poses",
    "suppress_similar",
]

_TOLERANCES = (0.1, 3.0, 300.0)  # absurd: below a tenth or above three times the length, and more than 300 mm off
_SPREAD = 200.0  # mm within which augmentations agree on a part
_SIMILAR = 300.0  # mm apart, from which two parts are not alike at all


@np.errstate(all="ignore")  # meaningless numbers fail a test, without a warning
def has_plausible_bones(poses3d: ArrayLike, edges: ArrayLike, bone_lengths: ArrayLike) -> NDArray[np.bool_]:
    """Return which of (M, N, 3) poses have no bone of absurd length.

    A length is absurd if it is below a tenth or above three times the known
    one, and more than 300 mm off. Bones with a NaN end are not tested.

    Parameters
    ----------
    poses3d : (M, N, 3) array
        Millimetres.
    edges : (E, 2) array of int
        The two parts of each bone.
    bone_lengths : (E,) array
        Millimetres: measured on your subjects, or `median_bone_lengths` of a sequence.

    Raises
    ------
    InputError
        If a shape is wrong, or an edge names a part that does not exist.
    """
    found, known = bone_lengths_of(_people(poses3d), edges), as_float64(bone_lengths, "bone_lengths")
    if known.shape != found.shape[-1:]:
        raise InputError(f"bone_lengths must be {found.shape[-1]} numbers, one per edge, got shape {known.shape}")
    least, most, off = _TOLERANCES
    absurd = ((found < least * known) | (found > most * known)) & (abs(found - known) > off)
    return np.asarray(~absurd.any(axis=-1))


@np.errstate(all="ignore")  # meaningless numbers fail a test, without a warning
def is_consistent(poses3d: ArrayLike) -> NDArray[np.bool_]:
    """Return for which of M people all A augmentations agree.

    Each augmentation is first scaled to the person's mean distance; more than a
    quarter of the parts must then spread by less than 200 mm. A single augmentation agrees with itself.

    Parameters
    ----------
    poses3d : (M, A, N, 3) array
        All augmentations of each person, millimetres in the camera's frame.

    Raises
    ------
    InputError
        If the shape is wrong.
    """
    poses = as_points(poses3d, 3, "poses3d")
    if poses.ndim != 4:
        raise InputError(f"poses3d must be (M, A, N, 3), all augmentations of each person, got {poses.shape}")
    finite = np.asarray(np.isfinite(poses).all(axis=(2, 3)))
    agree = np.empty(len(poses), np.bool_)
    for person, usable in enumerate(finite):
        scaled = _of_one_scale(poses[person, usable]) if usable.any() else np.full((1, poses.shape[2], 3), np.nan)
        spread = np.sqrt(scaled.var(axis=0).sum(axis=-1))
        agree[person] = (spread < _SPREAD).sum() > poses.shape[2] // 4
    return agree


@np.errstate(all="ignore")  # meaningless numbers fail a test, without a warning
def fills_box(poses2d: ArrayLike, boxes: ArrayLike) -> NDArray[np.bool_]:
    """Return which of (M, N, 2) poses cover more than half of the box that they were found in.

    Parameters
    ----------
    poses2d : (M, N, 2) array
        Image pixels.
    boxes : (M, 4) or (M, 5) array
        Left, top, width, height in image pixels.

    Raises
    ------
    InputError
        If the shapes are wrong or do not match.
    """
    poses, places = as_points(poses2d, 2, "poses2d"), as_boxes(boxes)
    if poses.ndim != 3 or len(poses) != len(places):
        raise InputError(f"poses2d must be (M, N, 2) for {len(places)} boxes, got {poses.shape}")
    if not poses.size:
        return np.zeros(len(poses), np.bool_)
    low = np.where(np.isnan(poses), np.inf, poses).min(axis=1)
    high = np.where(np.isnan(poses), -np.inf, poses).max(axis=1)
    left_top, right_bottom = places[:, :2], places[:, :2] + places[:, 2:4]
    shared = (np.minimum(high, right_bottom) - np.maximum(low, left_top)).clip(0).prod(axis=1)
    return np.asarray(shared > 0.5 * places[:, 2:4].prod(axis=1))


@np.errstate(all="ignore")  # meaningless numbers fail a test, without a warning
def suppress_similar(poses3d: ArrayLike, scores: ArrayLike, *, threshold: float = 0.4) -> NDArray[np.bool_]:
    """Return which of (M, N, 3) poses duplicate no pose of a higher score: non-maximum suppression on poses.

    Two poses are first scaled to one size about the camera. Their similarity is
    the mean of 1 - distance / 300 mm, at least 0, over the quarter of their
    parts that lie furthest apart.

    Parameters
    ----------
    poses3d : (M, N, 3) array
        Millimetres in the camera's frame.
    scores : (M,) array
        Of two similar poses, the one with the higher score is kept.
    threshold : float
        Similarity above which two poses are one person's.

    Raises
    ------
    InputError
        If the shapes are wrong or do not match.
    """
    poses, order = _people(poses3d), np.argsort(-as_float64(scores, "scores"), kind="stable")
    if len(order) != len(poses):
        raise InputError(f"scores must be {len(poses)} numbers, one per pose, got {len(order)}")
    kept = np.zeros(len(poses), np.bool_)
    for person in order:
        kept[person] = all(_similarity(poses[person], poses[other]) <= threshold for other in np.flatnonzero(kept))
    return kept


def suppress_implausible_poses(
    poses3d: ArrayLike,
    poses2d: ArrayLike,
    boxes: ArrayLike,
    *,
    edges: ArrayLike = (),
    bone_lengths: ArrayLike | None = None,
) -> NDArray[np.bool_]:
    """Return which of M people pass all tests: bone lengths, augmentations, box, and no duplicate.

    MeTRAbs's filter, which its PyTorch port leaves out.

    Parameters
    ----------
    poses3d : (M, A, N, 3) array
        All augmentations of each person, millimetres in the camera's frame.
    poses2d : (M, A, N, 2) array
        The same in image pixels.
    boxes : (M, 5) array
        Left, top, width, height and score; without scores, earlier boxes are better.
    edges, bone_lengths : arrays, optional
        As for `has_plausible_bones`; without lengths, bones are not tested.

    Returns
    -------
    (M,) bool array

    Raises
    ------
    InputError
        If the shapes are wrong or do not match.
    """
    poses, seen, places = as_points(poses3d, 3, "poses3d"), as_points(poses2d, 2, "poses2d"), as_boxes(boxes)
    if poses.ndim != 4 or seen.shape[:3] != poses.shape[:3] or len(places) != len(poses):
        raise InputError(
            "poses3d must be (M, A, N, 3), poses2d (M, A, N, 2) and boxes (M, 5) of the same people, "
            f"got {poses.shape}, {seen.shape} and {places.shape}"
        )
    mean = finite_mean(poses, axis=1)
    kept = is_consistent(poses) & fills_box(finite_mean(seen, axis=1), places)
    if bone_lengths is not None:
        kept &= has_plausible_bones(mean, as_edges(edges, poses.shape[2]), bone_lengths)
    scores = places[:, 4] if places.shape[1] > 4 else -np.arange(len(places), dtype=np.float64)
    kept[kept] = suppress_similar(mean[kept], scores[kept])
    return kept


def as_boxes(boxes: ArrayLike) -> NDArray[np.float64]:
    """Return boxes as an (M, 4) or (M, 5) array; no boxes at all are (0, 4).

    Parameters
    ----------
    boxes : array
        (M, 4) or (M, 5): left, top, width, height and optionally a score.

    Raises
    ------
    InputError
        If the shape is another one.
    """
    array = as_float64(boxes, "boxes")
    if array.size == 0:
        return array.reshape(0, array.shape[-1] if array.ndim == 2 and array.shape[-1] in (4, 5) else 4)
    if array.ndim != 2 or array.shape[1] not in (4, 5):
        raise InputError(
            f"boxes must be (M, 4) or (M, 5): left, top, width, height and optionally a score, got {array.shape}"
        )
    return array


def finite_mean(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return the mean of the finite values; NaN where there are none.

    Parameters
    ----------
    values : array
        Numbers, some of them NaN or infinite.
    axis : int
        The axis to average over.
    """
    finite = np.isfinite(values)
    count = finite.sum(axis=axis)
    total = np.where(finite, values, 0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _people(poses3d: ArrayLike) -> NDArray[np.float64]:
    poses = as_points(poses3d, 3, "poses3d")
    if poses.ndim != 3:
        raise InputError(f"poses3d must be (M, N, 3), got {poses.shape}")
    return poses


def _of_one_scale(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (A, N, 3) poses, each scaled about the camera to their common mean square."""
    squares = (poses**2).mean(axis=(1, 2), keepdims=True)
    return np.asarray(poses * np.sqrt(squares.mean(axis=0, keepdims=True) / np.maximum(squares, 1e-12)))


def _similarity(pose: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the similarity of two poses, from 0 to 1, over the parts that both have."""
    shared = np.isfinite(pose + other).all(axis=1)
    if not shared.any():
        return 0.0
    both = _of_one_scale(np.stack([pose[shared], other[shared]]))
    distances = np.sort(np.linalg.norm(both[0] - both[1], axis=-1))
    furthest = distances[-max(1, len(distances) // 4) :]
    return float((1 - furthest / _SIMILAR).clip(0).mean())
