"""How far off 3D poses are: MPJPE, after Procrustes too, PCK and the area under its curve.

All take (..., N, 3) poses in millimetres and average over everything but NaN
parts of the truth, which nobody labelled. A part of the found poses that is
NaN makes distances NaN, and counts as wrong in PCK and its area.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError
from bottomup.metric3d.arrays import as_points

__all__ = ["align", "auc", "distances", "mpjpe", "ncps", "pa_mpjpe", "pck"]


def distances(found: ArrayLike, truth: ArrayLike, *, root: int | None = None) -> NDArray[np.float64]:
    """Return (..., N) millimetres between parts; with a `root`, after both poses are moved to have it at 0.

    Parameters
    ----------
    found, truth : (..., N, 3) arrays
        Millimetres; parts of the truth that nobody labelled are NaN.
    root : int, optional
        The part that both poses are moved to have at 0. Default: they are compared where they are.

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

    Parameters
    ----------
    found, truth : (..., N, 3) arrays
        Millimetres; parts of the truth that nobody labelled are NaN.
    root : int, optional
        The part that both poses are moved to have at 0. Default: they are compared where they are.

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

    Parameters
    ----------
    found, truth : (..., N, 3) arrays
        Millimetres; parts of the truth that nobody labelled are NaN.

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
    found, truth : (..., N, 3) arrays
        Millimetres; parts of the truth that nobody labelled are NaN.
    threshold : float
        Millimetres up to which a part is right.
    root : int, optional
        The part that both poses are moved to have at 0. Default: they are compared where they are.

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
    found, truth : (..., N, 3) arrays
        Millimetres; parts of the truth that nobody labelled are NaN.
    highest : float
        The last threshold, millimetres.
    root : int, optional
        The part that both poses are moved to have at 0. Default: they are compared where they are.

    Raises
    ------
    InputError
        If their shapes differ, or the truth has no finite part.
    """
    thresholds = np.arange(0, highest + 1e-9, 5.0)
    every = distances(found, truth, root=root)[..., None] <= thresholds
    return _mean(every.mean(axis=-1), truth)


def ncps(found: ArrayLike, truth: ArrayLike, *, threshold: float = 150.0) -> float:
    """Return the share of poses no part of which is further off than `threshold` after `align`, in [0, 1].

    Parameters
    ----------
    found, truth : (..., N, 3) arrays
        Millimetres; parts of the truth that nobody labelled are NaN.
    threshold : float
        Millimetres up to which a part is right.

    Raises
    ------
    InputError
        If their shapes differ.
    """
    off = distances(align(found, truth), truth)
    off = np.where(_labelled(truth), off, 0)
    return float((off <= threshold).all(axis=-1).mean())


def align(found: ArrayLike, truth: ArrayLike) -> NDArray[np.float64]:
    """Return (..., N, 3) poses moved, turned and scaled, never mirrored, to lie nearest to their truth: Procrustes.

    Only parts that are finite in both count. A pose with no extent is moved
    alone; one with nothing in common with its truth becomes NaN.

    Parameters
    ----------
    found, truth : (..., N, 3) arrays
        Millimetres; parts of the truth that nobody labelled are NaN.

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
