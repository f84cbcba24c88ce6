"""The definitions in plain NumPy, to test the kernels and other ports against."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_roots", "fit_roots_weakly", "merge", "soft_argmax"]


def soft_argmax(volumes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the (B, N, 3) mean column, row and depth of the softmax over each part's cells.

    Parameters
    ----------
    volumes : (B, H, W, D, N) array
        Logits.
    """
    logits = np.asarray(volumes, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        exponentials = np.exp(logits - logits.max(axis=(1, 2, 3), keepdims=True))
        shares = exponentials / exponentials.sum(axis=(1, 2, 3), keepdims=True)
    rows, columns, depths = (np.arange(size) for size in logits.shape[1:4])
    return np.stack(
        [
            np.einsum("bhwdp,w->bp", shares, columns),
            np.einsum("bhwdp,h->bp", shares, rows),
            np.einsum("bhwdp,d->bp", shares, depths),
        ],
        axis=-1,
    )


def fit_roots(
    rays: NDArray[np.float64],
    relative: NDArray[np.float64],
    in_view: NDArray[np.bool_],
    *,
    ridge: float = 0.0,
    weight_outside: float = 0.0,
    batch_scaling: bool = False,
) -> NDArray[np.float64]:
    """Return the (M, 3) translations that bring poses onto their rays, by each person's normal equations.

    Parameters
    ----------
    rays : (M, N, 2) array
        Normalised coordinates of the parts.
    relative : (M, N, 3) array
        Millimetres up to a translation.
    in_view : (M, N) bool array
        Which rays to use.
    ridge, weight_outside, batch_scaling
        As in `RootFit`.
    """
    sides = rays * relative[..., 2:] - relative[..., :2]
    axes = (0, 1, 2) if batch_scaling else (1, 2)
    ray_scales = np.broadcast_to(np.sqrt((rays**2).mean(axis=axes, keepdims=True)), (len(rays), 1, 1))
    side_scales = np.broadcast_to(np.sqrt((sides**2).mean(axis=axes, keepdims=True)), (len(rays), 1, 1))
    n, b = rays / ray_scales, sides / side_scales
    zeros, ones = np.zeros(n.shape[:2]), np.ones(n.shape[:2])
    matrix = np.concatenate(
        [np.stack([ones, zeros, -n[..., 0]], axis=-1), np.stack([zeros, ones, -n[..., 1]], axis=-1)], axis=1
    )
    weights = np.concatenate([in_view + weight_outside] * 2, axis=1)
    weighted = matrix * weights[..., None]
    right = np.concatenate([b[..., 0], b[..., 1]], axis=1) * weights
    normal = np.einsum("mri,mrj->mij", weighted, weighted) + ridge * np.eye(3)
    solved = np.linalg.solve(normal, np.einsum("mri,mr->mi", weighted, right)[..., None])[..., 0]
    scale = side_scales[:, :, 0]
    return np.concatenate([solved[:, :2] * scale, solved[:, 2:] * scale / ray_scales[:, :, 0]], axis=1)


def fit_roots_weakly(
    rays: NDArray[np.float64], relative: NDArray[np.float64], in_view: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return (M, 3) translations by weak perspective: depth is the poses' spread in mm over that of their rays.

    Arguments as for `fit_roots`.
    """
    roots = np.empty((len(rays), 3))
    for person, believed in enumerate(in_view):
        seen, pose = rays[person, believed], relative[person, believed]
        spreads = [np.sqrt(((each - each.mean(axis=0)) ** 2).sum(axis=1).mean()) for each in (pose[:, :2], seen)]
        depth = spreads[0] / spreads[1]
        roots[person] = np.append(seen.mean(axis=0) * depth, depth) - pose.mean(axis=0)
    return roots


def merge(
    rays: NDArray[np.float64],
    relative: NDArray[np.float64],
    in_view: NDArray[np.bool_],
    roots: NDArray[np.float64],
    *,
    mix: float = 0.5,
) -> NDArray[np.float64]:
    """Return the moved (M, N, 3) poses, with parts in view pulled towards their rays.

    Parameters
    ----------
    rays, relative, in_view : arrays
        As in `fit_roots`.
    roots : (M, 3) array
        Translations.
    mix : float
        As in `RootFit`.
    """
    moved = relative + roots[:, None]
    on_rays = np.concatenate([rays, np.ones((*rays.shape[:2], 1))], axis=-1) * moved[..., 2:]
    return np.asarray(np.where(in_view[..., None], mix * moved + (1 - mix) * on_rays, moved))
