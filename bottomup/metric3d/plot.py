"""Plot 3D poses beside their photo, with matplotlib."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError, MissingRuntimeError
from bottomup.metric3d.arrays import as_points
from bottomup.metric3d.distance.bones import as_edges
from bottomup.skeletons import Skeleton

__all__ = ["plot_poses3d"]

_COLOURS = ("#ff8c1a", "#00a5cf", "#d6278d", "#e03131", "#5fb324", "#3561d4", "#d4b800", "#7b4fd6")


def plot_poses3d(
    poses3d: ArrayLike,
    skeleton: Skeleton,
    *,
    image: NDArray[np.uint8] | None = None,
    poses2d: ArrayLike | None = None,
    world_up: ArrayLike = (0.0, -1.0, 0.0),
    azimuth: float = -70.0,
    elevation: float = 12.0,
) -> Any:
    """Return a matplotlib figure of 3D poses, beside the photo if one is given.

    All axes are in metres and share one scale; up is at the top.
    `figure.savefig("poses.png")` writes it.

    Parameters
    ----------
    poses3d : (M, N, 3) array
        Millimetres; parts that are NaN are left out.
    skeleton : Skeleton
        Its edges are drawn.
    image : uint8 (H, W, 3) array, optional
        The photo, BGR.
    poses2d : (M, N, 2) array, optional
        The poses in pixels of the photo, drawn onto it.
    world_up : (3,) array
        The up direction, along one of the axes.
    azimuth, elevation : float
        The viewpoint, in degrees; an azimuth of -90 looks along the camera's line of sight.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    MissingRuntimeError
        If matplotlib is not installed.
    InputError
        If shapes do not fit together.
    """
    poses, edges = as_points(poses3d, 3, "poses3d"), as_edges(skeleton.edges, len(skeleton.parts))
    if poses.ndim != 3 or poses.shape[1] != len(skeleton.parts):
        raise InputError(f"poses3d must be (M, {len(skeleton.parts)}, 3), got {poses.shape}")
    up = as_points(world_up, 3, "world_up")
    if np.count_nonzero(up) != 1:
        raise InputError(f"world_up must lie along one axis, got {up.tolist()}")
    figure = _figure((13, 5.5) if image is not None else (6.5, 5.5))
    if image is not None:
        _draw_photo(figure.add_subplot(1, 2, 1), image, poses2d, edges)
    space = figure.add_subplot(1, 2 if image is not None else 1, 2 if image is not None else 1, projection="3d")
    _draw_space(space, poses / 1000, edges, up)
    space.view_init(elev=elevation, azim=azimuth)
    figure.tight_layout()
    return figure


def _figure(size: tuple[float, float]) -> Any:
    """Return an empty figure that needs no window."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingRuntimeError("plots need matplotlib: pip install 'bottomup[plot]'") from error
    figure = Figure(figsize=size, dpi=100)
    FigureCanvasAgg(figure)
    return figure


def _draw_photo(axes: Any, image: NDArray[np.uint8], poses2d: ArrayLike | None, edges: NDArray[np.int64]) -> None:
    """Draw the photo, and skeletons on it."""
    axes.imshow(image[..., ::-1])
    axes.set_axis_off()
    axes.set_xlim(-0.5, image.shape[1] - 0.5)
    axes.set_ylim(image.shape[0] - 0.5, -0.5)
    if poses2d is None:
        return
    for person, places in enumerate(as_points(poses2d, 2, "poses2d")):
        colour = _COLOURS[person % len(_COLOURS)]
        for edge in edges:
            axes.plot(*places[edge].T, color=colour, linewidth=2)


def _draw_space(axes: Any, poses: NDArray[np.float64], edges: NDArray[np.int64], up: NDArray[np.float64]) -> None:
    """Draw poses in metres, up at the top."""
    height = int(np.flatnonzero(up)[0])
    others = [axis for axis in (0, 2, 1) if axis != height]  # across, then away
    signs = np.ones(3)
    signs[height] = np.sign(up[height])
    order = [*others, height]
    shown = (poses * signs)[..., order]
    for person, places in enumerate(shown):
        colour = _COLOURS[person % len(_COLOURS)]
        for edge in edges:
            axes.plot(*places[edge].T, color=colour, linewidth=2)
        axes.scatter(*places.T, color=colour, s=8, depthshade=False)
    finite = shown.reshape(-1, 3)
    finite = finite[np.isfinite(finite).all(axis=1)]
    low, high = (finite.min(axis=0), finite.max(axis=0)) if len(finite) else (np.full(3, -1.0), np.ones(3))
    middle, size = (low + high) / 2, np.maximum(high - low, 1.0) * 1.1
    names = ["x", "y", "z"]
    for place, (axis, name) in enumerate(zip(order, "xyz", strict=True)):
        getattr(axes, f"set_{name}lim")(middle[place] - size[place] / 2, middle[place] + size[place] / 2)
        getattr(axes, f"set_{name}label")(f"{'-' if signs[axis] < 0 else ''}{names[axis]} (m)")
        steps = max(1, round(float(size[place] / size.max() * 5)))
        axes.locator_params(axis=name, nbins=steps)
    axes.set_box_aspect(size, zoom=0.9)
