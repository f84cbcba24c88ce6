"""Photos with COCO keypoints."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray


class Photo(NamedTuple):
    """A photo's file and COCO's labels of the people in it, in pixels of the file."""

    path: Path
    keypoints: NDArray[np.float32]  #: (M, 17, 3) x, y, visibility 0, 1 or 2; a row of zeros is a person without labels
    boxes: NDArray[np.float32]  #: (M, 4) left, top, width, height
    crowds: NDArray[np.bool_]  #: (M,) whether the box is of a crowd


def read_photos(folder: Path, annotations: Path) -> list[Photo]:
    """Read COCO keypoint annotations of the photos of a folder; files may be smaller than the annotated originals."""
    labels = json.loads(annotations.read_text())
    people: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in labels["images"]}
    for person in labels["annotations"]:
        people[person["image_id"]].append(person)
    photos = []
    for image in labels["images"]:
        path = folder / image["file_name"]
        scale = cv2.imread(str(path)).shape[1] / image["width"]
        found = people[image["id"]]
        keypoints = np.array([person["keypoints"] for person in found], np.float32).reshape(-1, 17, 3)
        keypoints[..., :2] = (keypoints[..., :2] + 0.5) * scale - 0.5
        keypoints *= keypoints[..., 2:] > 0
        boxes = np.array([person["bbox"] for person in found], np.float32).reshape(-1, 4) * scale
        photos.append(Photo(path, keypoints, boxes, np.array([person["iscrowd"] for person in found], bool)))
    return photos
