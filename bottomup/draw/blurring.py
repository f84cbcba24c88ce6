"""People, or their faces, made unrecognisable."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bottomup.draw.canvas import copy_of, like
from bottomup.draw.strokes import cut
from bottomup.errors import InputError
from bottomup.images import import_cv2
from bottomup.poses import Poses, as_poses
from bottomup.skeletons import Skeleton

__all__ = ["blur_people"]

_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_SHOULDERS = ("left_shoulder", "right_shoulder")
_TRUNK = (*_SHOULDERS, "right_hip", "left_hip")
_AROUND_FACE = 1.3  # times the width between the outermost parts of a face, from its middle
_FACE_OF_SHOULDERS = 0.45  # of their width, if the face is seen from the side
_FACE_OF_BODY = 0.09  # of the longer side of the box
_LIMB = 0.22  # of the root of the box's area: a generous thickness of arms and legs
_MARGIN = 0.02  # of the root of the image's area, around masks
_BLOCKS = 6  # that are left across a face or a limb


def blur_people(
    image: Any,
    poses: Poses,
    *,
    what: Literal["people", "faces"] = "people",
    masks: NDArray[np.bool_] | None = None,
    min_keypoint_score: float = 0.1,
) -> Any:
    """Return a copy of the image in which people, or their faces, are too coarse to recognise.

    Networks miss people, especially small ones, and parts of people: check every picture before you publish it.

    Parameters
    ----------
    image : (height, width, 3) uint8 array, or Pillow image
        The picture; never written to.
    poses : Poses
        People in pixels of `image`.
    what : {"people", "faces"}
        Whole bodies, or circles around nose, eyes and ears. If none of these is found, as when somebody is seen from
        behind, the circle is above the shoulders.
    masks : (height, width) or (M, height, width) bool array, optional
        Pixels of people, from a network that gives masks; hidden in addition to what the poses cover.
    min_keypoint_score : float
        Lowest score of a keypoint that counts; low, because hiding too much does no harm.

    Raises
    ------
    InputError
        If `what` is neither of these, or the masks differ from the image in size.

    Examples
    --------
    >>> from bottomup.synthetic import random_poses
    >>> image = np.random.default_rng(0).integers(0, 256, (481, 641, 3), np.uint8)
    >>> bool((blur_people(image, random_poses(2)) != image).any())
    True
    """
    if what not in ("people", "faces"):
        raise InputError(f"what must be 'people' or 'faces', got {what!r}")
    canvas = copy_of(image)
    hidden = np.zeros(canvas.shape[:2], np.uint8)
    sizes = [20.0]
    for pose in (poses[number] for number in range(len(as_poses(poses)))):
        found = np.isfinite(pose.xy[0]).all(axis=1) & (pose.keypoint_scores[0] >= min_keypoint_score)
        if found.any():
            sizes.append(_cover_face(hidden, pose, found))
            if what == "people":
                sizes.append(_cover_body(hidden, pose, found))
    if masks is not None and what == "people":
        hidden |= _widened(np.asarray(masks), canvas.shape[:2])
    return like(image, _coarse(canvas, hidden > 0, max(sizes)))


def _cover_face(hidden: NDArray[np.uint8], pose: Poses, found: NDArray[np.bool_]) -> float:
    """Mark a person's face; return how wide it is."""
    skeleton, places = pose.skeleton, pose.xy[0].astype(np.float64)
    face, shoulders = ([part for part in _parts(skeleton, names) if found[part]] for names in (_FACE, _SHOULDERS))
    breadth = float(np.linalg.norm(np.ptp(places[shoulders], axis=0))) if len(shoulders) == 2 else 0.0
    box = pose.boxes[0, 2:]
    least = max(_FACE_OF_SHOULDERS * breadth, _FACE_OF_BODY * float(box.max()), 4.0)
    if face:
        middle = places[face].mean(axis=0)
        spread = float(np.linalg.norm(places[face] - middle, axis=1).max())
        radius = max(_AROUND_FACE * 2 * spread, least) if spread else 1.2 * least
    elif len(shoulders) == 2:
        middle, radius = places[shoulders].mean(axis=0) - (0, 0.8 * breadth), 0.8 * breadth
    else:
        return 0.0
    _dot(hidden, middle, radius)
    return 2 * radius


def _cover_body(hidden: NDArray[np.uint8], pose: Poses, found: NDArray[np.bool_]) -> float:
    """Mark a person's limbs and trunk; return how thick limbs are."""
    cv2 = import_cv2()
    places = pose.xy[0].astype(np.float64)
    thickness = max(3.0, _LIMB * float(np.sqrt(max(pose.boxes[0, 2:].prod(), 1.0))))
    for parent, child in pose.skeleton.edges:
        ends = cut(tuple(places[parent]), tuple(places[child]), hidden) if found[parent] and found[child] else None
        if ends is not None:
            cv2.line(hidden, *ends, 255, round(min(thickness, 30_000)), cv2.LINE_8, 4)
    for part in np.flatnonzero(found):
        _dot(hidden, places[part], thickness / 2)
    corners = places[_parts(pose.skeleton, _TRUNK)]
    if len(corners) == 4 and np.isfinite(corners).all():
        limits = 2.0 * np.array(hidden.shape[::-1])
        cv2.fillPoly(hidden, [np.clip(corners, -limits, limits).astype(np.int32)], 255)
    return thickness


def _parts(skeleton: Skeleton, names: tuple[str, ...]) -> list[int]:
    """Return the indices of the named parts that the skeleton has."""
    return [skeleton.parts.index(name) for name in names if name in skeleton.parts]


def _dot(hidden: NDArray[np.uint8], middle: NDArray[np.float64], radius: float) -> None:
    ends = cut((middle[0], middle[1]), (middle[0], middle[1]), hidden)
    if ends is not None:
        import_cv2().circle(hidden, ends[0], round(min(radius, 30_000) * 16), 255, -1, 8, 4)


def _widened(masks: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the pixels of all masks, with a margin, because the edges of masks are coarse."""
    anybody = masks.any(axis=0) if masks.ndim == 3 else masks
    if anybody.shape != shape or masks.dtype != np.bool_:
        raise InputError(f"masks must be bool (M, {shape[0]}, {shape[1]}), got {masks.dtype} {masks.shape}")
    side = 2 * max(2, round(_MARGIN * float(np.sqrt(shape[0] * shape[1])))) + 1
    wide: NDArray[np.uint8] = import_cv2().dilate(anybody.astype(np.uint8) * 255, np.ones((side, side), np.uint8))
    return wide


def _coarse(canvas: NDArray[np.uint8], hidden: NDArray[np.bool_], size: float) -> NDArray[np.uint8]:
    """Blur some pixels into blocks, coarse enough for the largest face or limb, in place."""
    cv2 = import_cv2()
    height, width = canvas.shape[:2]
    block = max(4.0, size / _BLOCKS)
    small = cv2.resize(
        canvas, (max(1, round(width / block)), max(1, round(height / block))), interpolation=cv2.INTER_AREA
    )
    coarse = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    canvas[hidden] = coarse[hidden]
    return canvas
