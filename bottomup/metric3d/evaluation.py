"""How far off 3D poses are: MPJPE, after Procrustes too, PCK and the area under its curve.

All take (..., N, 3) poses in millimetres and average over all parts that are
labelled, which means not NaN in the truth. A part that is NaN in the found
poses makes distances NaN, and counts as wrong in PCK and its area.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError
from bottomup.metric3d.arrays import as_points

__all__ = ["align", "auc", "distances", "mpjpe", "ncps", "pa_mpjpe", "pck"]


def distances(found: ArrayLike, truth: ArrayLike, *, root: int | None = None) -> NDArray[np.float64]:
    """Return the (..., N) distances between parts, millimetres.

    Parameters
    ----------
    found, truth : (..., N, 3) arrays
        Millimetres; parts of the truth that nobody labelled are NaN.
    root : int, optional
        Move both poses so that this part is at 0. Default: compare them where they are.

    Raises
    ------
    InputError
        If their shapes differ, or are not (..., N, 3).
    """
    first, second = as_points(found, 3, "found"), as_points(truth, 3, "truth")
    if first.shape != second.shape or first.ndim < 2:
        raise InputError(f"found and truth must both be (..., N, 3), got {first.shape} and {second.shape}")
    if root is not None:
        first, second = first - first[..., [root], :], second - second[..., [root], :]
    return np.asarray(np.linalg.norm(first - second, axis=-1), np.float64)


def mpjpe(found: ArrayLike, truth: ArrayLike, *, root: int | None = None) -> float:
    """Return the mean per-joint position error, millimetres; with a `root`, relative to that part.

    Arguments as for `distances`.

    Raises
    ------
    InputError
        If their shapes differ, or the truth has no finite part.

    Examples
    --------
    >>> truth = np.zeros((5, 17, 3))
    >>> mpjpe(truth + [3, 0, 4], truth), mpjpe(truth + [3, 0, 4], truth, root=0)
    (5.0, 0.0)
    """
    return _mean(distances(found, truth, root=root), truth)


def pa_mpjpe(found: ArrayLike, truth: ArrayLike) -> float:
    """Return the mean per-joint position error after each pose is aligned to its truth by `align`, millimetres.

    Arguments as for `distances`.

    Raises
    ------
    InputError
        If their shapes differ, or the truth has no finite part.
    """
    return mpjpe(align(found, truth), truth)


def pck(found: ArrayLike, truth: ArrayLike, *, threshold: float = 150.0, root: int | None = None) -> float:
    """Return the share of parts that are at most `threshold` millimetres off, in [0, 1].

    Parameters
    ----------
    found, truth, root
        As in `distances`.
    threshold : float
        Largest distance at which a part is right, millimetres.

    Raises
    ------
    InputError
        If their shapes differ, or the truth has no finite part.
    """
    return _mean((distances(found, truth, root=root) <= threshold).astype(np.float64), truth)


def auc(found: ArrayLike, truth: ArrayLike, *, highest: float = 150.0, root: int | None = None) -> float:
    """Return the mean of PCK over thresholds, in [0, 1]: every 5 mm from 0 to `highest`, as MPI-INF-3DHP counts.

    Parameters
    ----------
    found, truth, root
        As in `distances`.
    highest : float
        The last threshold, millimetres.

    Raises
    ------
    InputError
        If their shapes differ, or the truth has no finite part.
    """
    thresholds = np.arange(0, highest + 1e-9, 5.0)
    every = distances(found, truth, root=root)[..., None] <= thresholds
    return _mean(every.mean(axis=-1), truth)


def ncps(found: ArrayLike, truth: ArrayLike, *, threshold: float = 150.0) -> float:
    """Return the share of poses whose parts are all at most `threshold` millimetres off after `align`, in [0, 1].

    Parameters
    ----------
    found, truth, threshold
        As in `pck`.

    Raises
    ------
    InputError
        If their shapes differ.
    """
    off = distances(align(found, truth), truth)
    off = np.where(_labelled(truth), off, 0)
    return float((off <= threshold).all(axis=-1).mean())


def align(found: ArrayLike, truth: ArrayLike) -> NDArray[np.float64]:
    """Move, turn and scale (..., N, 3) poses, without mirroring, to lie nearest to their truth: Procrustes.

    Only parts that are finite in both count. A pose without extent is only
    moved; one that shares no part with its truth becomes NaN.

    Arguments as for `distances`.

    Raises
    ------
    InputError
        If their shapes differ, or are not (..., N, 3).

    References
    ----------
    Umeyama, "Least-squares estimation of transformation parameters between two point patterns", TPAMI 1991
    """
    poses, truths = as_points(found, 3, "found"), as_points(truth, 3, "truth")
    if poses.shape != truths.shape or poses.ndim < 2:
        raise InputError(f"found and truth must both be (..., N, 3), got {poses.shape} and {truths.shape}")
    aligned = np.empty(poses.shape)
    for place in np.ndindex(poses.shape[:-2]):
        aligned[place] = _aligned(poses[place], truths[place])
    return aligned


def _aligned(pose: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Align one pose."""
    shared = np.isfinite(pose + truth).all(axis=1)
    if not shared.any():
        return np.full(pose.shape, np.nan)
    middle, wanted = pose[shared].mean(axis=0), truth[shared].mean(axis=0)
    left, sizes, right = np.linalg.svd((pose[shared] - middle).T @ (truth[shared] - wanted))
    signs = np.array([1, 1, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    extent = ((pose[shared] - middle) ** 2).sum()
    scale = (sizes * signs).sum() / extent if extent > 0 else 1.0
    return np.asarray(scale * (pose - middle) @ (left * signs) @ right + wanted)


def _labelled(truth: ArrayLike) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(as_points(truth, 3, "truth")).all(axis=-1))


def _mean(values: NDArray[np.float64], truth: ArrayLike) -> float:
    """Return the mean over labelled parts."""
    labelled = _labelled(truth)
    if not labelled.any():
        raise InputError("truth must have at least one part that is not NaN")
    return float(values[labelled].mean())
