"""From relative poses to absolute ones: how far away a pose must be to be seen where it is."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError
from bottomup.metric3d.arrays import as_points
from bottomup.metric3d.cameras.camera import Camera, intrinsics_problem
from bottomup.metric3d.distance.kernels import roots as kernels
from bottomup.parameters import check, number, score

__all__ = ["FitRules", "Reconstruction", "RootFit", "fit_rays", "reconstruct_absolute", "unproject"]

_WHY = {
    kernels.TOO_FEW: "fewer than two parts are in view",
    kernels.ONE_RAY: "all parts in view lie on one ray",
    kernels.BEHIND: "the parts in view would lie behind the camera",
    kernels.NOT_FINITE: "the distance is not finite",
}


class FitRules(NamedTuple):
    """A `RootFit` as the kernel takes it."""

    ridge: float
    weight_outside: float
    batch_scaling: bool
    weak_perspective: bool
    fallback: bool
    mix: float


@dataclass(frozen=True)
class RootFit:
    """How the translation of a relative pose is found.

    Attributes
    ----------
    ridge : float
        Added to the diagonal of the normal equations. Default 0, exact on exact data. MeTRAbs's 0.01 pulls people
        towards the camera, by 0.7 mm at 2 m and 13 mm at 16 m, and does not measurably help under noise.
    weight_outside : float
        Weight of parts out of view; parts in view weigh 1 more. Default 0; MeTRAbs's is 0.0001.
    batch_scaling : bool
        Scale the equations by the root mean square over all people, as MeTRAbs does, instead of over each
        person: with a ridge, one person's answer then depends on the others.
    mix : float
        For parts in view: the weight, in [0, 1], of the moved relative pose; its projection onto the ray has the rest.
    weak_perspective : bool
        Weak perspective instead of least squares: some 50 mm of error on exact data.
    fallback : bool
        Use weak perspective where least squares fail, and report it; otherwise such poses are NaN.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    ridge: float = number(0.0, low=0)
    weight_outside: float = number(0.0, low=0)
    batch_scaling: bool = False
    mix: float = score(0.5)
    weak_perspective: bool = False
    fallback: bool = False

    def __post_init__(self) -> None:
        check(self)

    @classmethod
    def metrabs(cls) -> "RootFit":
        """Return MeTRAbs's own settings, biases included."""
        return cls(ridge=1e-2, weight_outside=1e-4, batch_scaling=True)


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """M absolute poses; `numpy.asarray` of it is `poses3d`.

    Attributes
    ----------
    poses3d : (M, N, 3) float64
        Millimetres in the camera's frame, NaN where there is none.
    roots : (M, 3) float64
        The translation that was added to each relative pose.
    problems : tuple of M str or None
        What went wrong with each person, None if nothing did.
    """

    poses3d: NDArray[np.float64]
    roots: NDArray[np.float64]
    problems: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.problems)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.poses3d, dtype) if copy else np.asarray(self.poses3d, dtype)


def reconstruct_absolute(
    keypoints_2d: ArrayLike,
    poses_relative: ArrayLike,
    intrinsics: ArrayLike | Camera,
    *,
    in_view: ArrayLike | None = None,
    fit: RootFit | None = None,
) -> Reconstruction:
    """Place relative 3D poses where a camera sees their keypoints.

    Any 2D poses and any lifter will do. Each person's distance is found
    independently, and problems are reported person by person.

    Parameters
    ----------
    keypoints_2d : (M, N, 2) or (N, 2) array
        x, y in pixels; NaN where a part was not found; it then moves with the rest.
    poses_relative : (M, N, 3) or (N, 3) array
        The same parts in millimetres, axes as the camera's (x right, y down, z ahead), from any origin.
    intrinsics : (3, 3) or (M, 3, 3) array, or Camera
        The camera, or one for each person. The lens of a `Camera` is undone.
    in_view : (M, N) bool array, optional
        Which keypoints to use. Default: those that are finite.
    fit : RootFit, optional
        How distances are found. Default: `RootFit()`.

    Returns
    -------
    Reconstruction
        Without its first axis where one (N, 3) pose was given.

    Raises
    ------
    InputError
        If the shapes do not fit together.

    Examples
    --------
    >>> pose = np.array([[0, -400, 0], [-200, 0, 50], [200, 0, -50], [0, 500, 0]])
    >>> camera = Camera.from_fov((1280, 720))
    >>> seen = camera.project(pose + [300, 100, 4000])
    >>> reconstruct_absolute(seen, pose, camera).roots.round(6)
    array([ 300.,  100., 4000.])
    """
    fit = RootFit() if fit is None else fit
    relative, keypoints = as_points(poses_relative, 3, "poses_relative"), as_points(keypoints_2d, 2, "keypoints_2d")
    if relative.ndim not in (2, 3) or keypoints.shape[:-1] != relative.shape[:-1]:
        raise InputError(
            "poses_relative must be (M, N, 3) and keypoints_2d (M, N, 2) of the same people and parts, "
            f"got {relative.shape} and {keypoints.shape}: from Poses, pass poses.xy"
        )
    is_single = relative.ndim == 2
    if is_single:
        relative, keypoints = relative[None], keypoints[None]
    rays, problems = _rays(keypoints, intrinsics)
    believed = np.ones(rays.shape[:2], np.bool_)
    if in_view is not None:
        given = np.asarray(in_view, dtype=np.bool_)
        if given.size != believed.size:
            raise InputError(f"in_view must have shape {believed.shape}, got {given.shape}")
        believed = given.reshape(believed.shape)
    fitted = fit_rays(rays, relative, believed, fit)
    first: Any = 0 if is_single else slice(None)
    said = tuple(problem or outcome for problem, outcome in zip(problems, fitted.problems, strict=True))
    return Reconstruction(fitted.poses3d[first], fitted.roots[first], said)


def fit_rays(
    rays: NDArray[np.float64], relative: NDArray[np.float64], in_view: NDArray[np.bool_], fit: RootFit
) -> Reconstruction:
    """Place (M, N, 3) poses on (M, N, 2) normalised rays; parts that are not finite count as out of view."""
    count, num_parts = rays.shape[:2]
    roots, poses = np.empty((count, 3)), np.empty((count, num_parts, 3))
    outcomes, lost = np.empty(count, np.int64), np.empty(count, np.int64)
    rules = FitRules(
        fit.ridge, fit.weight_outside, bool(fit.batch_scaling), bool(fit.weak_perspective), bool(fit.fallback), fit.mix
    )
    kernels.reconstruct(
        np.ascontiguousarray(rays), np.ascontiguousarray(relative), np.array(in_view, np.bool_), tuple(rules),
        np.empty(num_parts), roots, poses, outcomes, lost,
    )  # fmt: skip
    problems: list[str | None] = [None] * count
    for person in np.flatnonzero((outcomes != kernels.FITTED) | (lost > 0)):
        outcome = int(outcomes[person])
        if outcome == kernels.FITTED:
            problems[person] = f"{lost[person]} of {num_parts} parts have no relative position"
        elif outcome >= kernels.FALLBACK:
            problems[person] = f"{_WHY[outcome - kernels.FALLBACK]}: placed by weak perspective"
        else:
            problems[person] = _WHY[outcome]
    return Reconstruction(poses, roots, tuple(problems))


def unproject(pixels: NDArray[np.float64], intrinsics: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn (M, N, 2) pixels into normalised coordinates of each person's camera (M, 3, 3), which has no lens."""
    rays = np.empty(pixels.shape)
    kernels.unproject(np.ascontiguousarray(pixels), np.ascontiguousarray(intrinsics), rays)
    return rays


def _rays(
    keypoints: NDArray[np.float64], intrinsics: ArrayLike | Camera
) -> tuple[NDArray[np.float64], list[str | None]]:
    """Return normalised coordinates of (M, N, 2) pixels, and what is wrong with each person's camera."""
    count = len(keypoints)
    if isinstance(intrinsics, Camera):
        usable = intrinsics.normalise(keypoints) if intrinsics.problem is None else np.full(keypoints.shape, np.nan)
        return usable, [intrinsics.problem] * count
    matrices = np.array(intrinsics, np.float64)
    if matrices.shape not in ((3, 3), (count, 3, 3)):
        raise InputError(f"intrinsics must be (3, 3) or ({count}, 3, 3), one per person, got {matrices.shape}")
    if matrices.ndim == 2:
        problems = [intrinsics_problem(matrices)] * count
        matrices = np.tile(matrices, (count, 1, 1))
    else:
        problems = [intrinsics_problem(matrix) for matrix in matrices]
    matrices[[problem is not None for problem in problems]] = np.nan
    return unproject(keypoints, matrices), problems
