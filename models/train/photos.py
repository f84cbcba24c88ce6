"""Photos with COCO keypoints, cut into square views, and a teacher network's outputs for each view."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from tqdm import tqdm

import bottomup as bu

SIDE = 385  #: pixels of a view, whole strides plus 1
CELLS = 25
#: A teacher's tensors, as named in `PoseNetFields`, in the order in which they are stored.
TEACHER_TENSORS = ("heatmaps", "offsets", "displacements_fwd", "displacements_bwd", "segments", "long_offsets")
TEACHER_CHANNELS = 17 + 34 + 32 + 32 + 1 + 34


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


def view_transform(photo: Photo, size: tuple[int, int], generator: np.random.Generator) -> NDArray[np.float64]:
    """Return the (2, 3) affine map of a photo of (width, height) into a view that shows someone at a random size."""
    centre, extent = np.array(size) / 2, max(size) / generator.uniform(0.4, 1)
    labelled = np.flatnonzero((photo.keypoints[..., 2] > 0).sum(axis=1) >= 3)
    if len(labelled) and generator.uniform() < 0.85:
        box = photo.boxes[generator.choice(labelled)]
        centre, extent = box[:2] + box[2:] / 2, max(box[2:].max(), 8)
    scale = np.exp(generator.uniform(np.log(45), np.log(360))) / extent
    scale = np.clip(scale, 0.85 * SIDE / max(size), 3)
    angle = np.clip(generator.normal(0, 0.12), -0.5, 0.5)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = SIDE / 2 + generator.uniform(-0.35, 0.35, 2) * SIDE
    reach = scale * np.array(size) / 2  # show no more of the border than necessary
    middle_of_photo = middle + turn @ (np.array(size) / 2 - centre)
    slack = np.abs(reach - SIDE / 2)
    middle = middle + np.clip(middle_of_photo, SIDE / 2 - slack, SIDE / 2 + slack) - middle_of_photo
    return np.column_stack([turn, middle - turn @ centre])


def cut(image: NDArray[np.uint8], transform: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the view of an image; outside of it is grey, as in a letterbox."""
    flags = cv2.INTER_AREA if abs(np.linalg.det(transform[:, :2])) < 1 else cv2.INTER_LINEAR
    view = cv2.warpAffine(image, transform, (SIDE, SIDE), flags=flags, borderValue=(128, 128, 128))
    return np.asarray(view, np.uint8)


def build_views(photos: list[Photo], teacher: Path | None, folder: Path, rounds: int, seed: int) -> None:
    """Write `rounds` views of every photo, and the teacher's outputs, to a folder; resume if interrupted."""
    folder.mkdir(parents=True, exist_ok=True)
    count = rounds * len(photos)
    shapes = {"images": (count, SIDE, SIDE, 3), "teacher": (count, CELLS, CELLS, TEACHER_CHANNELS)}
    arrays = {
        name: open_memmap(folder / f"{name}.npy", "r+" if (folder / f"{name}.npy").exists() else "w+", np.uint8, shape)
        for name, shape in shapes.items()
    }
    path = folder / "views.json"
    state = json.loads(path.read_text()) if path.exists() else {"transforms": [], "units": []}
    estimator = bu.load(teacher, input_size=(SIDE, SIDE), decoder=bu.PoseNetDecoder()) if teacher else None
    order = [np.random.default_rng([seed, turn]).permutation(len(photos)) for turn in range(rounds)]
    first = len(state["transforms"])
    for view in tqdm(range(first, count), "views", initial=first, total=count):
        photo = photos[order[view // len(photos)][view % len(photos)]]
        image = cv2.imread(str(photo.path))
        transform = view_transform(photo, image.shape[1::-1], np.random.default_rng([seed, rounds, view]))
        arrays["images"][view] = cut(image, transform)
        if estimator is not None:
            fields = estimator.fields(arrays["images"][view])
            tensors = [getattr(fields, name) for name in TEACHER_TENSORS]
            arrays["teacher"][view] = np.concatenate([tensor.values for tensor in tensors], axis=2)
            state["units"] = [[tensor.scale, tensor.zero_point, tensor.values.shape[2]] for tensor in tensors]
        state["transforms"].append(
            [int(order[view // len(photos)][view % len(photos)]), *(round(float(v), 4) for v in transform.ravel())]
        )
        if view % 200 == 199 or view == count - 1:
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(state))
            partial.replace(path)
