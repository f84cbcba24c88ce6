"""The examples that a network is measured on: photos, and scenes that no training saw."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from bottomup.geometry import ImageSize
from bottomup.poses import Poses
from models.train.labels import as_poses
from models.train.scenes import Scene, render_scene

#: Seeds of scenes that no training sees begin here.
FRESH = 1_000_000


class Example(NamedTuple):
    """A picture, its COCO annotations, and the (M, H, W) masks of its people if they are known."""

    image: NDArray[np.uint8]
    annotations: list[dict[str, Any]]
    masks: NDArray[np.bool_] | None

    @property
    def poses(self) -> Poses:
        """The people as poses; parts that are not labelled are missing."""
        keypoints = np.array([person["keypoints"] for person in self.annotations], np.float32).reshape(-1, 17, 3)
        return as_poses(keypoints, ImageSize(self.image.shape[1], self.image.shape[0]))


def photo_examples(folder: Path, annotations: Path) -> list[Example]:
    """Read photos with COCO annotations."""
    labels = json.loads(annotations.read_text())
    people: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in labels["images"]}
    for person in labels["annotations"]:
        people[person["image_id"]].append(person)
    return [
        Example(cv2.imread(str(folder / image["file_name"])), people[image["id"]], None) for image in labels["images"]
    ]


def scene_examples(count: int, first: int = FRESH) -> list[Example]:
    """Render scenes and annotate them as COCO does."""
    return [scene_example(render_scene(seed)) for seed in range(first, first + count)]


def scene_example(scene: Scene) -> Example:
    """Annotate a scene as COCO does."""
    people = []
    for keypoints, mask in zip(scene.keypoints, scene.masks, strict=True):
        left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
        people.append(
            {
                "category_id": 1,
                "bbox": [left, top, width, height],
                "area": float(mask.sum()),
                "iscrowd": 0,
                "num_keypoints": int((keypoints[:, 2] > 0).sum()),
                "keypoints": [float(value) for value in keypoints.ravel()],
            }
        )
    return Example(scene.image, people, scene.masks)
