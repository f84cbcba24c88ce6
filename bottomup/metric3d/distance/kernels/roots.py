"""Loops that find how far away a pose is.

Of M people: `rays` (M, N, 2) are normalised camera coordinates, `relative` (M, N, 3) the poses in mm up to a
translation, `in_view` (M, N) bool says which rays to use. float64 throughout.
"""

import math

import numpy as np

from bottomup.kernels.jit import helper, kernel

FITTED, TOO_FEW, ONE_RAY, BEHIND, NOT_FINITE = range(5)
FALLBACK = 8  # added to the outcome of least squares where weak perspective took over
_LEAST_SPREAD = 1e-6  # of rays: a thousandth of a pixel at a focal length of 1000 px


@kernel
def reconstruct(rays, relative, in_view, fit_rules, weights, roots, poses, outcomes, lost):
    """Write `roots` (M, 3), `poses` (M, N, 3), `outcomes` (M,) as numbered above, and `lost` (M,) parts without a pose.

    `in_view` loses the parts whose ray or pose is not finite. Workspace: `weights` (N,).
    """
    (ridge, weight_outside, batch_scaling, weak_perspective, fallback, mix) = fit_rules
    scales = (1.0, 1.0)
    if ridge > 0 and batch_scaling:
        scales = root_mean_squares(rays, relative, 0, rays.shape[0])
    for person in range(rays.shape[0]):
        lost[person] = 0
        for part in range(rays.shape[1]):
            place = relative[person, part]
            lost[person] += not math.isfinite(place[0] + place[1] + place[2])
            usable = is_usable(rays, relative, person, part)
            in_view[person, part] &= usable
            weight = 1 + weight_outside if in_view[person, part] else weight_outside
            weights[part] = weight * weight if usable else 0
        root = roots[person]
        if weak_perspective:
            outcome = fit_weakly(rays, relative, in_view, person, root)
        else:
            if ridge > 0 and not batch_scaling:
                scales = root_mean_squares(rays, relative, person, person + 1)
            outcome = fit_root(rays[person], relative[person], in_view[person], weights, ridge, scales, root)
        if outcome != FITTED and fallback:
            retry = fit_weakly(rays, relative, in_view, person, root)
            outcome = outcome + FALLBACK if retry == FITTED else outcome
        if outcome != FITTED and outcome < FALLBACK:
            root[:] = np.nan
        outcomes[person] = outcome
        merge(rays[person], relative[person], in_view[person], mix, root, poses[person])


@kernel
def unproject(pixels, intrinsics, rays):
    """Write the rays of (M, N, 2) pixels through cameras (M, 3, 3) without a lens; nothing finite through no camera."""
    for person in range(pixels.shape[0]):
        matrix = intrinsics[person]
        a, b, c, d = matrix[0, 0], matrix[0, 1], matrix[1, 0], matrix[1, 1]
        scale = 1 / (a * d - b * c)
        for part in range(pixels.shape[1]):
            x, y = pixels[person, part, 0] - matrix[0, 2], pixels[person, part, 1] - matrix[1, 2]
            rays[person, part, 0] = (d * x - b * y) * scale
            rays[person, part, 1] = (a * y - c * x) * scale


@helper
def is_usable(rays, relative, person, part):
    """Return whether a part's ray and pose are numbers."""
    total = rays[person, part, 0] + rays[person, part, 1]
    return math.isfinite(total + relative[person, part, 0] + relative[person, part, 1] + relative[person, part, 2])


@helper
def root_mean_squares(rays, relative, first, last):
    """Return the root mean square of the people's rays, and of the right sides of their equations; 1 for 0."""
    of_rays = of_sides = 0.0
    count = 0
    for person in range(first, last):
        for part in range(rays.shape[1]):
            if is_usable(rays, relative, person, part):
                for axis in range(2):
                    ray = rays[person, part, axis]
                    side = ray * relative[person, part, 2] - relative[person, part, axis]
                    of_rays += ray * ray
                    of_sides += side * side
                    count += 1
    return (
        math.sqrt(of_rays / count) if of_rays > 0 else 1.0,
        math.sqrt(of_sides / count) if of_sides > 0 else 1.0,
    )


@helper
def fit_root(rays, relative, in_view, weights, ridge, scales, root):
    """Write the translation that best brings one pose (N, 3) onto its rays, full perspective, linear least squares.

    X - n Z = n r_z - r_x, and the same for y, with `weights` of the squares, and `ridge` added to the diagonal of the
    normal equations once rays n and right sides are divided by `scales`. Solved around the means, which loses no
    digits.
    """
    of_rays, of_sides = 1 / scales[0], 1 / scales[1]
    num_in_view = 0
    squares = mean_x = mean_y = mean_u = mean_v = 0.0
    for part in range(weights.size):
        num_in_view += in_view[part]
        weight = weights[part]
        if weight > 0:
            x, y, z = rays[part, 0], rays[part, 1], relative[part, 2]
            squares += weight
            mean_x += weight * x
            mean_y += weight * y
            mean_u += weight * (x * z - relative[part, 0])
            mean_v += weight * (y * z - relative[part, 1])
    if num_in_view < 2:
        return TOO_FEW
    mean_x /= squares
    mean_y /= squares
    mean_u /= squares
    mean_v /= squares
    spread = product = 0.0
    for part in range(weights.size):
        weight = weights[part]
        if weight > 0:
            x, y, z = rays[part, 0], rays[part, 1], relative[part, 2]
            off_x, off_y = x - mean_x, y - mean_y
            spread += weight * (off_x * off_x + off_y * off_y)
            off_u, off_v = x * z - relative[part, 0] - mean_u, y * z - relative[part, 1] - mean_v
            product += weight * (off_x * off_u + off_y * off_v)
    if not math.sqrt(spread / squares) > _LEAST_SPREAD:
        return ONE_RAY
    pull = ridge * squares / (squares + ridge)
    share = squares / (squares + ridge)
    depth = -(product + pull * (mean_x * mean_u + mean_y * mean_v)) * of_rays * of_sides
    depth /= ridge + (spread + pull * (mean_x * mean_x + mean_y * mean_y)) * of_rays * of_rays
    depth *= scales[1] * of_rays
    root[0] = share * (mean_u + mean_x * depth)
    root[1] = share * (mean_v + mean_y * depth)
    root[2] = depth
    return judged(relative, in_view, root)


@helper
def fit_weakly(rays, relative, in_view, person, root):
    """Write the translation by weak perspective: depth is the pose's size in mm over its size in the image.

    Uses the parts in view, or all parts if fewer than two are in view.
    """
    num_in_view = 0
    for part in range(rays.shape[1]):
        num_in_view += in_view[person, part]
    count = 0
    mean_x = mean_y = mean_u = mean_v = mean_z = 0.0
    for part in range(rays.shape[1]):
        if in_view[person, part] or (num_in_view < 2 and is_usable(rays, relative, person, part)):
            count += 1
            mean_x += rays[person, part, 0]
            mean_y += rays[person, part, 1]
            mean_u += relative[person, part, 0]
            mean_v += relative[person, part, 1]
            mean_z += relative[person, part, 2]
    if count < 2:
        return TOO_FEW
    mean_x /= count
    mean_y /= count
    mean_u /= count
    mean_v /= count
    mean_z /= count
    seen = real = 0.0
    for part in range(rays.shape[1]):
        if in_view[person, part] or (num_in_view < 2 and is_usable(rays, relative, person, part)):
            seen += (rays[person, part, 0] - mean_x) ** 2 + (rays[person, part, 1] - mean_y) ** 2
            real += (relative[person, part, 0] - mean_u) ** 2 + (relative[person, part, 1] - mean_v) ** 2
    if not math.sqrt(seen / count) > _LEAST_SPREAD:
        return ONE_RAY
    depth = math.sqrt(real / seen)
    root[0] = mean_x * depth - mean_u
    root[1] = mean_y * depth - mean_v
    root[2] = depth - mean_z
    return judged(relative[person], in_view[person], root)


@helper
def judged(relative, in_view, root):
    """Return whether a translation is finite and brings every part in view ahead of the camera."""
    if not math.isfinite(root[0] + root[1] + root[2]):
        return NOT_FINITE
    for part in range(in_view.size):
        if in_view[part] and not relative[part, 2] + root[2] > 0:
            return BEHIND
    return FITTED


@helper
def merge(rays, relative, in_view, mix, root, pose):
    """Write the moved pose; parts in view are pulled towards their ray, with weight 1 - `mix`."""
    for part in range(relative.shape[0]):
        depth = relative[part, 2] + root[2]
        for axis in range(3):
            moved = relative[part, axis] + root[axis]
            if in_view[part]:
                on_ray = depth if axis == 2 else rays[part, axis] * depth
                moved = mix * moved + (1 - mix) * on_ray
            pose[part, axis] = moved
