"""Read files of poses."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bottomup.errors import InputError
from bottomup.files import read_limited
from bottomup.geometry import ImageSize
from bottomup.poses import Poses
from bottomup.skeletons import BODY25, COCO17, MPI15, OPENPOSE18, Skeleton, as_skeleton, get

__all__ = ["MAX_BYTES", "Line", "read_coco_results", "read_json_lines", "read_openpose_json"]

#: Limit on a file of poses, in bytes; assign a higher one if your files are larger.
MAX_BYTES = 2**29

_BY_COUNT = {25: BODY25, 18: OPENPOSE18, 17: COCO17, 15: MPI15}


class Line(NamedTuple):
    """The poses of one image or frame, and the other entries of its line."""

    about: dict[str, Any]  #: such as {"image": "street.jpg", "width": 640, "height": 480}
    poses: Poses


def read_openpose_json(
    source: str | Path | dict[str, Any], *, skeleton: Skeleton | None = None, image_size: Any = None
) -> Poses:
    """Read the poses in a file that OpenPose, or `openpose_json`, wrote for one image or frame.

    A part at 0, 0 with score 0 was not found: (nan, nan, 0). A pose's score is the mean score of its parts, because
    OpenPose writes none.

    Parameters
    ----------
    source : str, Path or dict
        The file, or its content as `json.load` returns it.
    skeleton : Skeleton, optional
        Names the parts. Default: BODY25, OPENPOSE18, COCO17 or MPI15, by the number of parts.
    image_size : (width, height), optional
        Size of the image, which the file does not contain.

    Raises
    ------
    InputError
        If it is not such a file.
    """
    name = "the document given" if isinstance(source, dict) else repr(str(source))
    document = source if isinstance(source, dict) else _parsed(_text(source), name)
    people = document.get("people") if isinstance(document, dict) else None
    if not isinstance(people, list):
        raise InputError(f"{name} is not an OpenPose file: it has no list 'people'")
    rows = [_numbers(_entry(person, "pose_keypoints_2d", name), name) for person in people]
    counts = {len(row) for row in rows}
    if skeleton is None:
        count = counts.pop() if len(counts) == 1 else 75 if not rows else 0
        skeleton = _BY_COUNT.get(count // 3) if count % 3 == 0 else None
        if skeleton is None:
            raise InputError(
                f"{name} has people with {count / 3:g} parts, unlike any OpenPose skeleton: pass skeleton="
            )
    count = len(as_skeleton(skeleton).parts)
    if any(len(row) != 3 * count for row in rows):
        raise InputError(
            f"{name} must have {3 * count} numbers per person, x, y and score of the {count} parts of {skeleton.name}"
        )
    keypoints = np.reshape(np.array(rows, np.float32), (-1, count, 3))
    ids = [_identity(person) for person in people]
    size = None if image_size is None else ImageSize(*image_size)
    return _poses(keypoints, None, skeleton, size, ids if rows and min(ids) >= 0 else None)


def read_json_lines(source: str | Path | Iterable[str], *, skeleton: Skeleton | None = None) -> Iterator[Line]:
    """Yield the poses of each image or frame in a file that `bottomup predict` or `json_line` wrote.

    The file holds JSON lines, or one document such as poses.json or the text of `Poses.to_json`.

    Parameters
    ----------
    source : str, Path or iterable of str
        The file, or its lines.
    skeleton : Skeleton, optional
        Names the parts. Needed if the file names a skeleton that `bottomup.skeletons.get` does not know.

    Yields
    ------
    Line
        `poses`, and in `about` the file's other entries for the image.

    Raises
    ------
    InputError
        If it is not such a file; the message names the line.
    """
    is_file = isinstance(source, (str, Path))
    name = repr(str(source)) if is_file else "the lines given"
    lines = _text(source).splitlines() if isinstance(source, (str, Path)) else source
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"line {number} of {name}"
        document = _parsed(line, place)
        if not isinstance(document, dict):
            raise InputError(f"{place} must be a JSON object with 'poses', got {type(document).__name__}")
        known = skeleton or _skeleton(document.get("skeleton"), place)
        for each in document["images"] if isinstance(document.get("images"), list) else [document]:
            yield _line(each, known, place)


def read_coco_results(source: str | Path | list[dict[str, Any]], *, skeleton: Skeleton = COCO17) -> dict[int, Poses]:
    """Read a file of COCO keypoint results; return the poses of each image, best first, by image id.

    A part at 0, 0 with score 0 was not found: (nan, nan, 0). "track_id" gives ids if every result has one.

    Parameters
    ----------
    source : str, Path or list of dict
        The file, or its content as `json.load` or `coco_results` returns it.
    skeleton : Skeleton
        Names the parts.

    Raises
    ------
    InputError
        If it is not such a file; the message names the result.
    """
    name = "the list given" if isinstance(source, list) else repr(str(source))
    document = source if isinstance(source, list) else _parsed(_text(source), name)
    if not isinstance(document, list):
        raise InputError(f"{name} must be a list of COCO results, got {type(document).__name__}")
    count = len(as_skeleton(skeleton).parts)
    found: dict[int, list[tuple[float, list[float], int]]] = defaultdict(list)
    for number, result in enumerate(document):
        place = f"result {number} of {name}"
        row = _numbers(_entry(result, "keypoints", place), place)
        if len(row) != 3 * count:
            raise InputError(f"{place} must have {3 * count} numbers in 'keypoints', got {len(row)}: pass skeleton=")
        image_id = _entry(result, "image_id", place)
        if isinstance(image_id, bool) or not isinstance(image_id, (int, np.integer)):
            raise InputError(f"{place} must have a whole number 'image_id', got {image_id!r}")
        (score,) = _numbers([_entry(result, "score", place)], place)
        track = result.get("track_id", -1)
        found[int(image_id)].append((score, row, track if isinstance(track, int) else -1))
    images = {}
    for image_id, results in found.items():
        results.sort(key=lambda result: -result[0])
        scores, rows, ids = zip(*results, strict=True)
        keypoints = np.reshape(np.array(rows, np.float32), (-1, count, 3))
        images[image_id] = _poses(keypoints, list(scores), skeleton, None, list(ids) if min(ids) >= 0 else None)
    return images


def _poses(
    keypoints: np.ndarray, scores: list[float] | None, skeleton: Skeleton, size: ImageSize | None, ids: Any
) -> Poses:
    """Return poses whose parts at 0, 0, 0 were not found."""
    keypoints[~keypoints.any(axis=2)] = np.nan, np.nan, 0
    if scores is None:
        are_found = np.isfinite(keypoints[..., 0])
        scores = (np.where(are_found, keypoints[..., 2], 0).sum(axis=1) / np.maximum(are_found.sum(axis=1), 1)).tolist()
    return Poses(keypoints, np.array(scores, np.float32), skeleton, size, ids=ids)


def _line(document: Any, skeleton: Skeleton, place: str) -> Line:
    """Return one image's poses."""
    poses = _entry(document, "poses", place)
    if not isinstance(poses, list):
        raise InputError(f"{place} must have a list 'poses', got {type(poses).__name__}")
    count = len(skeleton.parts)
    keypoints = np.full((len(poses), count, 3), (np.nan, np.nan, 0), np.float32)
    filled, scores, boxes, ids = np.zeros((len(poses), count), np.bool_), [], [], []
    for row, pose in enumerate(poses):
        given = _entry(pose, "keypoints", place)
        if not isinstance(given, list) or len(given) != count:
            raise InputError(
                f"{place} must have {count} keypoints per pose, one for each part of skeleton {skeleton.name}"
            )
        for part, keypoint in enumerate(given):
            if keypoint is not None:
                numbers = _numbers(keypoint, place)
                if len(numbers) != 3:
                    raise InputError(f"{place} must have keypoints [x, y, score] or null, got {keypoint!r}")
                keypoints[row, part] = numbers
        for part in pose.get("filled", ()):
            if isinstance(part, int) and 0 <= part < count:
                filled[row, part] = True
        scores.append(_numbers([pose.get("score")], place)[0])
        ids.append(pose.get("id"))
        boxes.append(pose.get("box"))
    about = {name: value for name, value in document.items() if name not in ("poses", "skeleton")}
    sides = about.get("width"), about.get("height")
    size = ImageSize(*sides) if all(isinstance(side, int) for side in sides) else None  # type: ignore[arg-type]
    return Line(
        about,
        Poses(
            keypoints,
            np.array(scores, np.float32),
            skeleton,
            size,
            filled,
            ids if ids and None not in ids else None,  # type: ignore[arg-type]
            [_numbers(box, place) for box in boxes] if boxes and None not in boxes else None,  # type: ignore[arg-type]
        ),
    )


def _skeleton(document: Any, place: str) -> Skeleton:
    """Return the skeleton that a file names or describes."""
    if isinstance(document, str):
        return get(document)
    if not isinstance(document, dict) or not isinstance(document.get("parts"), list):
        raise InputError(f"{place} names no skeleton: pass skeleton=")
    name, parts = document.get("name", "unnamed"), tuple(document["parts"])
    try:
        known = get(name)
    except InputError:
        return Skeleton(str(name), parts, document.get("edges", ()))
    return known if known.parts == parts else Skeleton(str(name), parts, document.get("edges", ()))


def _entry(document: Any, name: str, place: str) -> Any:
    if not isinstance(document, dict) or name not in document:
        raise InputError(f"{place} must have an entry {name!r}")
    return document[name]


def _numbers(values: Any, place: str) -> list[float]:
    """Return a list of numbers; null becomes nan."""
    if not isinstance(values, list) or not all(
        value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in values
    ):
        raise InputError(f"{place} must have lists of numbers, got {str(values)[:60]}")
    try:
        numbers = [math.nan if value is None else float(value) for value in values]
    except OverflowError as error:
        raise InputError(f"{place} has a number too large for a float") from error
    return numbers


def _identity(person: Any) -> int:
    """Return OpenPose's person_id, a list of one number; -1 if there is none."""
    document = person.get("person_id", [-1])
    number = document[0] if isinstance(document, list) and document else document
    return number if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**31 else -1


def _text(path: str | Path) -> str:
    try:
        return read_limited(path, MAX_BYTES, "bottomup.export.reading.MAX_BYTES").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{str(path)!r} is not JSON: it is not UTF-8 text") from error


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place} is not JSON: {error}") from error
