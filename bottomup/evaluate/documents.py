"""Read COCO's two files, annotations and results, and check them before anything is computed."""

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from bottomup.errors import InputError
from bottomup.skeletons import COCO17, Skeleton

__all__ = ["Annotations", "Results", "Truth", "read_results", "read_truth"]

#: COCO's result dicts, or a JSON file of them.
Results: TypeAlias = Sequence[Mapping[str, Any]] | str | Path
#: A COCO annotation document, or a JSON file of one.
Annotations: TypeAlias = Mapping[str, Any] | str | Path

_LARGEST_ID = 2**63 - 1  # faster-coco-eval keeps ids in 64 bits


class Truth(NamedTuple):
    """The people in an annotation document."""

    images: dict[int, Mapping[str, Any]]  #: image records by id
    people: list[dict[str, Any]]  #: COCO annotations, complete and numbered from 1
    category: int  #: id of the one category with keypoints
    skeleton: Skeleton = COCO17  #: names the parts; OKS uses its sigmas

    def of_images(self, image_ids: Iterable[int] | None) -> "Truth":
        """Return the people of these images alone; None keeps all."""
        if image_ids is None:
            return self
        chosen = set(image_ids)
        unknown = chosen - self.images.keys()
        if unknown:
            raise InputError(f"image_ids must be ids of images in the annotations, got {min(map(_shortened, unknown))}")
        images = {number: image for number, image in self.images.items() if number in chosen}
        return self._replace(images=images, people=[each for each in self.people if each["image_id"] in chosen])


def read_truth(annotations: Annotations | Truth, skeleton: Skeleton | None = None) -> Truth:
    """Return the people of an annotation document.

    Parameters
    ----------
    annotations : dict, path or Truth
        A COCO document, or what this function returned before.
    skeleton : Skeleton, optional
        Names the labelled parts. Default: COCO's 17, or those that the document's category names, with default sigmas
        unless it lists them.

    Raises
    ------
    InputError
        If the document is not valid; the message names the entry.
    """
    if isinstance(annotations, Truth):
        if skeleton is None:
            return annotations
        if len(skeleton.parts) != len(annotations.skeleton.parts):
            given = f"{len(annotations.skeleton.parts)} parts, got {skeleton.name!r} with {len(skeleton.parts)}"
            raise InputError(f"skeleton must have the annotations' {given}")
        return annotations._replace(skeleton=skeleton)
    document, name = _read(annotations, "annotations")
    if not isinstance(document, Mapping) or not {"images", "annotations"} <= document.keys():
        raise InputError(
            f"{name} must be a COCO document with 'images' and 'annotations', got {_described(document)}: "
            "pass a file such as person_keypoints_val2017.json"
        )
    images = {}
    for record in _dicts(document["images"], f"{name}: images"):
        if not _is_id(record.get("id")):
            raise InputError(f"{name}: every image needs an 'id', a whole number, got {_shortened(record)}")
        images[int(record["id"])] = record
    with_keypoints = [
        each for each in _dicts(document["annotations"], f"{name}: annotations") if each.get("keypoints") is not None
    ]
    if not with_keypoints:
        raise InputError(
            f"{name} has no annotation with keypoints: pass COCO's person_keypoints file, "
            "not the one of instances or captions"
        )
    category = with_keypoints[0].get("category_id", 1)
    for each in with_keypoints:
        other = each.get("category_id", 1)
        if not _is_id(other) or other != category:
            raise InputError(
                f"{name} must have keypoints of one category, people, got category_id {_shortened(category)} "
                f"and {_shortened(other)}"
            )
    skeleton = _skeleton(document, with_keypoints[0], category, name) if skeleton is None else skeleton
    people = [_person(each, number, images, skeleton, name) for number, each in enumerate(with_keypoints, 1)]
    if all(person["ignore"] for person in people):
        raise InputError(f"{name} has no labelled keypoints: there is nothing to measure against")
    return Truth(images, people, int(category), skeleton)


def read_results(results: Results, truth: Truth) -> list[dict[str, Any]]:
    """Return results that fit the truth, as new dicts."""
    document, name = _read(results, "results")
    if isinstance(document, Mapping) or not isinstance(document, Sequence) or isinstance(document, str):
        raise InputError(f"{name} must be a list of COCO results, one dict per pose, got {_described(document)}")
    checked = []
    for index, result in enumerate(_dicts(document, name)):
        where = f"{name}[{index}]"
        missing = {"image_id", "keypoints", "score"} - result.keys()
        if missing:
            raise InputError(f"{where} lacks {', '.join(sorted(missing))}: make it with bottomup.export.coco_results")
        if not _is_of(result["image_id"], truth.images):
            raise InputError(f"{where} belongs to image {_shortened(result['image_id'])}, which the annotations lack")
        if result.get("category_id", truth.category) != truth.category:
            raise InputError(
                f"{where} has category_id {_shortened(result['category_id'])}, people in the annotations have "
                f"{truth.category}"
            )
        if not _is_number(result["score"]):
            raise InputError(f"{where}: score must be a finite number, got {_shortened(result['score'])}")
        box = result.get("bbox")
        checked.append(
            {
                "image_id": int(result["image_id"]),
                "category_id": truth.category,
                "keypoints": _numbers(result["keypoints"], truth.skeleton, where),
                "score": float(result["score"]),
                **({"bbox": _box(box, where)} if box is not None and len(box) else {}),
            }
        )
    return checked


def _skeleton(document: Mapping[str, Any], first: Mapping[str, Any], category: Any, name: str) -> Skeleton:
    """Return the skeleton of a document's category: COCO's 17 parts if it names those, or none."""
    categories = document.get("categories")
    entries = [each for each in categories if isinstance(each, Mapping)] if isinstance(categories, Sequence) else []
    entry = next((each for each in entries if each.get("id") == category), {})
    parts = entry.get("keypoints")
    count = len(first["keypoints"]) // 3 if isinstance(first["keypoints"], Sequence) else len(COCO17.parts)
    if not isinstance(parts, Sequence) or isinstance(parts, str) or len(parts) != count:
        parts = None
    if parts is None or tuple(str(part).lower().replace(" ", "_") for part in parts) == COCO17.parts:
        return COCO17
    try:
        return Skeleton(str(entry.get("name") or "unnamed"), tuple(parts), sigmas=entry.get("sigmas"))
    except InputError as error:
        raise InputError(f"{name}: its category does not name its parts, pass skeleton=: {error}") from error


def _person(
    annotation: Mapping[str, Any], number: int, images: Mapping[int, Any], skeleton: Skeleton, name: str
) -> dict[str, Any]:
    """Return an annotation with all that COCO's evaluation reads, and `ignore` for people who do not count."""
    where = f"{name}: annotation {_shortened(annotation.get('id', number))}"
    if not _is_of(annotation.get("image_id"), images):
        given = _shortened(annotation.get("image_id"))
        raise InputError(f"{where} belongs to image {given}, which 'images' lacks")
    keypoints = _numbers(annotation["keypoints"], skeleton, where)
    num_labelled = sum(visibility > 0 for visibility in keypoints[2::3])
    area: Any = annotation.get("area")
    is_crowd = annotation.get("iscrowd", 0)
    if not _is_number(area) or area < 0:
        raise InputError(
            f"{where} needs 'area', the person's area in square pixels, which OKS divides by; got {_shortened(area)}"
        )
    if is_crowd not in (0, 1):
        raise InputError(f"{where}: iscrowd must be 0 or 1, got {_shortened(is_crowd)}")
    return {
        "id": number,
        "image_id": int(annotation["image_id"]),
        "category_id": int(annotation.get("category_id", 1)),
        "keypoints": keypoints,
        "num_keypoints": num_labelled,
        "area": float(area),
        "bbox": _box(annotation.get("bbox"), where),
        "iscrowd": int(is_crowd),
        "ignore": int(is_crowd or num_labelled == 0),
    }


def _is_of(image_id: Any, images: Mapping[int, Any]) -> bool:
    """Return whether one of the images has this id."""
    return _is_id(image_id) and image_id in images


def _is_id(value: Any) -> bool:
    """Return whether a value is a whole number that fits in 64 bits."""
    return isinstance(value, Integral) and not isinstance(value, bool) and abs(int(value)) <= _LARGEST_ID


def _is_number(value: Any) -> bool:
    """Return whether a value is a real number that a float can hold; numbers in JSON can be too large."""
    try:
        return isinstance(value, Real) and not isinstance(value, (bool, np.bool_)) and math.isfinite(value)
    except OverflowError:
        return False


def _listed(values: Any) -> Any:
    """Return an array as a list, and anything else as it is."""
    return values.tolist() if isinstance(values, np.ndarray) else values


def _box(values: Any, where: str) -> list[float]:
    """Return the four numbers of a COCO box."""
    values = _listed(values)
    are_four = isinstance(values, Sequence) and not isinstance(values, str) and len(values) == 4
    if not are_four or not all(map(_is_number, values)):
        raise InputError(f"{where} needs 'bbox', [x, y, width, height] in pixels, got {_shortened(values)}")
    return [float(value) for value in values]


def _numbers(values: Any, skeleton: Skeleton, where: str) -> list[float]:
    """Return the numbers of a COCO pose: x, y and visibility or score of each part."""
    values, count = _listed(values), 3 * len(skeleton.parts)
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != count:
        got = f"{len(values)} numbers" if isinstance(values, Sequence) else type(values).__name__
        whose = "COCO's 17 parts" if skeleton == COCO17 else f"the {len(skeleton.parts)} parts of {skeleton.name}"
        raise InputError(
            f"{where}: keypoints must be {count} numbers, x, y and visibility or score of each of {whose}, got {got}: "
            "for other parts, name them in the category or pass skeleton="
        )
    if not all(map(_is_number, values)):
        raise InputError(
            f"{where}: keypoints must be finite numbers; COCO writes 0, 0, 0 for a part that was not found"
        )
    return [float(value) for value in values]


def _read(given: Any, name: str) -> tuple[Any, str]:
    """Return a document, read from its file if it is a path, and its name for messages."""
    if not isinstance(given, (str, Path)):
        return given, name
    try:
        return json.loads(Path(given).read_text(encoding="utf-8")), str(given)
    except OSError as error:
        raise InputError(f"{name} {str(given)!r} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # not JSON, or not UTF-8
        raise InputError(f"{name} {str(given)!r} are not JSON: {error}") from error


def _dicts(values: Any, name: str) -> Sequence[Mapping[str, Any]]:
    """Return a list of dicts."""
    if not isinstance(values, Sequence) or not all(isinstance(value, Mapping) for value in values):
        raise InputError(f"{name} must be a list of dicts, got {_described(values)}")
    return values


def _described(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"a dict of {', '.join(map(repr, list(value)[:5])) or 'nothing'}"
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return f"a list of {type(value[0]).__name__}"
    return _shortened(value)


def _shortened(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # a whole number of more digits than Python prints
        return f"a number of more than {sys.get_int_max_str_digits()} digits"
    return text if len(text) <= 60 else text[:57] + "..."
