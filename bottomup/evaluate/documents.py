"""COCO's two files, annotations and results, checked before anything is computed from them."""

import json
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from bottomup.errors import InputError
from bottomup.skeletons import COCO17

#: COCO's result dicts, or a JSON file of them.
Results: TypeAlias = Sequence[Mapping[str, Any]] | str | Path
#: A COCO annotation document, or a JSON file of one.
Annotations: TypeAlias = Mapping[str, Any] | str | Path

_NUM_NUMBERS = 3 * len(COCO17.parts)


class Truth(NamedTuple):
    """What an annotation document says of people."""

    images: dict[int, Mapping[str, Any]]  #: image records by id
    people: list[dict[str, Any]]  #: COCO annotations, complete and numbered from 1
    category: int  #: id of the one category with keypoints

    def of_images(self, image_ids: Iterable[int] | None) -> "Truth":
        """Return what it says of some images; None: of all."""
        if image_ids is None:
            return self
        chosen = set(image_ids)
        unknown = chosen - self.images.keys()
        if unknown:
            raise InputError(f"image_ids must be ids of the annotations' images, got {min(unknown, key=str)!r}")
        images = {number: image for number, image in self.images.items() if number in chosen}
        return Truth(images, [person for person in self.people if person["image_id"] in chosen], self.category)


def read_truth(annotations: Annotations | Truth) -> Truth:
    """Return the people of an annotation document; those of COCO's 17 parts, for OKS needs their sigmas."""
    if isinstance(annotations, Truth):
        return annotations
    document, name = _read(annotations, "annotations")
    if not isinstance(document, Mapping) or not {"images", "annotations"} <= document.keys():
        raise InputError(
            f"{name} must be a COCO document with 'images' and 'annotations', got {_described(document)}: "
            "pass a file as person_keypoints_val2017.json"
        )
    images = {}
    for record in _dicts(document["images"], f"{name}: images"):
        if not isinstance(record.get("id"), int):
            raise InputError(f"{name}: every image needs an 'id', a whole number, got {_shortened(record)}")
        images[record["id"]] = record
    with_keypoints = [
        each for each in _dicts(document["annotations"], f"{name}: annotations") if each.get("keypoints") is not None
    ]
    if not with_keypoints:
        raise InputError(
            f"{name} has no annotation with keypoints: pass COCO's person_keypoints file, "
            "not that of instances or captions"
        )
    category = with_keypoints[0].get("category_id", 1)
    for each in with_keypoints:
        other = each.get("category_id", 1)
        if not isinstance(other, Integral) or other != category:
            raise InputError(
                f"{name} must have keypoints of one category, people, got category_id {category!r} and {other!r}"
            )
    people = [_person(each, number, images, name) for number, each in enumerate(with_keypoints, 1)]
    if all(person["ignore"] for person in people):
        raise InputError(f"{name} labels no keypoint of anybody: there is nothing to measure by")
    return Truth(images, people, category)


def read_results(results: Results, truth: Truth) -> list[dict[str, Any]]:
    """Return results that can be measured by the truth, as new dicts."""
    document, name = _read(results, "results")
    if isinstance(document, Mapping) or not isinstance(document, Sequence) or isinstance(document, str):
        raise InputError(f"{name} must be a list of COCO results, one dict a pose, got {_described(document)}")
    checked = []
    for index, result in enumerate(_dicts(document, name)):
        where = f"{name}[{index}]"
        missing = {"image_id", "keypoints", "score"} - result.keys()
        if missing:
            raise InputError(f"{where} lacks {', '.join(sorted(missing))}: make it with bottomup.export.coco_results")
        if not _is_of(result["image_id"], truth.images):
            raise InputError(f"{where} is of image {result['image_id']!r}, which the annotations do not have")
        if result.get("category_id", truth.category) != truth.category:
            raise InputError(
                f"{where} has category_id {result['category_id']!r}, people are {truth.category} in the annotations"
            )
        score = result["score"]
        if isinstance(score, bool) or not isinstance(score, (int, float)) or not math.isfinite(score):
            raise InputError(f"{where}: score must be a finite number, got {score!r}")
        checked.append(
            {
                "image_id": result["image_id"],
                "category_id": truth.category,
                "keypoints": _numbers(result["keypoints"], where),
                "score": float(score),
                **({"bbox": _box(result["bbox"], where)} if result.get("bbox") else {}),
            }
        )
    return checked


def _person(annotation: Mapping[str, Any], number: int, images: Mapping[int, Any], name: str) -> dict[str, Any]:
    """Return an annotation with all that COCO's evaluation reads, and `ignore`: whether it counts for nothing."""
    where = f"{name}: annotation {annotation.get('id', number)}"
    if not _is_of(annotation.get("image_id"), images):
        raise InputError(f"{where} is of image {annotation.get('image_id')!r}, which 'images' does not have")
    keypoints = _numbers(annotation["keypoints"], where)
    num_labelled = sum(visibility > 0 for visibility in keypoints[2::3])
    area, is_crowd = annotation.get("area"), annotation.get("iscrowd", 0)
    if isinstance(area, bool) or not isinstance(area, (int, float)) or not 0 <= area < math.inf:
        raise InputError(f"{where} needs 'area', the person's in square pixels, which OKS divides by; got {area!r}")
    if is_crowd not in (0, 1):
        raise InputError(f"{where}: iscrowd must be 0 or 1, got {is_crowd!r}")
    return {
        "id": number,
        "image_id": annotation["image_id"],
        "category_id": annotation.get("category_id", 1),
        "keypoints": keypoints,
        "num_keypoints": num_labelled,
        "area": area,
        "bbox": _box(annotation.get("bbox"), where),
        "iscrowd": int(is_crowd),
        "ignore": int(is_crowd or num_labelled == 0),
    }


def _is_of(image_id: Any, images: Mapping[int, Any]) -> bool:
    """Tell whether an id is one of the images'."""
    return isinstance(image_id, Hashable) and image_id in images


def _box(values: Any, where: str) -> list[float]:
    """Return COCO's four numbers of a box."""
    are_four = isinstance(values, Sequence) and not isinstance(values, str) and len(values) == 4
    if not are_four or not all(isinstance(value, Real) and math.isfinite(value) for value in values):
        raise InputError(f"{where} needs 'bbox', [x, y, width, height] in pixels, got {_shortened(values)}")
    return [float(value) for value in values]


def _numbers(values: Any, where: str) -> list[float]:
    """Return COCO's 51 numbers of a pose."""
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != _NUM_NUMBERS:
        got = f"{len(values)} numbers" if isinstance(values, Sequence) else type(values).__name__
        raise InputError(
            f"{where}: keypoints must be {_NUM_NUMBERS} numbers, x, y and visibility or score of each of COCO's "
            f"17 parts, got {got}"
        )
    if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in values):
        raise InputError(
            f"{where}: keypoints must be finite numbers; COCO writes 0, 0, 0 for a part that was not found"
        )
    return list(values)


def _read(given: Any, name: str) -> tuple[Any, str]:
    """Return a document, read if it is a path, and what to call it."""
    if not isinstance(given, (str, Path)):
        return given, name
    try:
        return json.loads(Path(given).read_text(encoding="utf-8")), str(given)
    except OSError as error:
        raise InputError(f"{name} {str(given)!r} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # no JSON, or no UTF-8
        raise InputError(f"{name} {str(given)!r} are no JSON: {error}") from error


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
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
