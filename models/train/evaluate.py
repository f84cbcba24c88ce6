"""Average precision of a network on photos and on rendered scenes, with each family's decoder."""

import contextlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

import bottomup as bu
from bottomup.geometry import ImageSize, Letterbox, Placement, lay_out
from bottomup.paf.decoder import PafDecoder
from bottomup.paf.fields import PafFields
from bottomup.posenet.decoder import PoseNetDecoder
from bottomup.posenet.fields import PoseNetFields
from models.train.network import NUM_PARTS_AND_BACKGROUND, TinyNetwork
from models.train.scenes import Scene, render_scene
from models.train.targets import PAF_STRIDE, STRIDE

INPUT_SIZE = ImageSize(641, 481)
#: Seeds of scenes that no training sees begin here.
FRESH = 1_000_000


class Example(NamedTuple):
    """A picture, COCO annotations of it, and the mask of all people where it is known."""

    image: NDArray[np.uint8]
    annotations: list[dict[str, Any]]
    covered: NDArray[np.bool_] | None


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
    return Example(scene.image, people, scene.masks.any(axis=0))


def network_fields(
    network: TinyNetwork, image: NDArray[np.uint8], input_size: ImageSize = INPUT_SIZE
) -> tuple[PoseNetFields, PafFields, Placement]:
    """Run a network on an image laid into its input."""
    laid_out, placement = lay_out(image, Letterbox(), input_size)
    pixels = torch.from_numpy(np.ascontiguousarray(laid_out[..., ::-1].transpose(2, 0, 1)))[None]
    device = next(network.parameters()).device
    with torch.inference_mode():
        outputs = network((pixels.to(device).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last))
    arrays = {name: np.ascontiguousarray(values[0].permute(1, 2, 0).cpu().numpy()) for name, values in outputs.items()}
    maps = arrays.pop("openpose")
    parts = {"confidence_maps": maps[..., :NUM_PARTS_AND_BACKGROUND], "pafs": maps[..., NUM_PARTS_AND_BACKGROUND:]}
    return *fields_of(arrays | parts), placement


def fields_of(arrays: dict[str, Any]) -> tuple[PoseNetFields, PafFields]:
    """Return the fields of both families from (H, W, C) outputs by name, as the exported files call them."""
    posenet = PoseNetFields.from_mid_offsets(
        arrays["heatmaps"],
        arrays["short_offsets"],
        arrays["mid_offsets"],
        output_stride=STRIDE,
        long_offsets=arrays["long_offsets"],
        segments=arrays["segments"],
    )
    return posenet, PafFields(arrays["confidence_maps"], arrays["pafs"], output_stride=PAF_STRIDE)


def measure(run: Any, examples: Iterable[Example]) -> dict[str, float]:
    """Return COCO's AP of both heads, and the mean IoU of the person mask where it is known.

    `run` takes an image and returns its PoseNet fields, its PAF fields and
    where it was laid in the network's input.
    """
    examples = list(examples)
    found: dict[str, list[dict[str, Any]]] = {"posenet": [], "paf": []}
    overlaps = []
    for number, example in enumerate(examples, 1):
        posenet, maps, placement = run(example.image)
        size = ImageSize(example.image.shape[1], example.image.shape[0])
        for head, poses in (("posenet", PoseNetDecoder().decode(posenet)), ("paf", PafDecoder().decode(maps))):
            found[head] += coco_results(poses.to_image(placement, size).to_coco17(), number)
        if example.covered is not None and posenet.segments is not None:
            mask = person_mask(posenet, placement, size)
            overlaps.append((mask & example.covered).sum() / max((mask | example.covered).sum(), 1))
    figures = {f"ap_{head}": keypoint_ap(examples, results) for head, results in found.items()}
    if overlaps:
        figures["mask_iou"] = round(float(np.mean(overlaps)), 4)
    return figures


def person_mask(fields: PoseNetFields, placement: Placement, size: ImageSize) -> NDArray[np.bool_]:
    """Return where in the image the network sees people: segments enlarged to it, above 0."""
    segments = fields.segments.dequantize() if isinstance(fields.segments, bu.Quantized) else fields.segments
    grid_x, grid_y = (
        ((np.arange(length, dtype=np.float32) + 0.5) * scale - 0.5 + corner) / fields.output_stride
        for length, scale, corner in (
            (size.width, placement.scale_x, placement.left),
            (size.height, placement.scale_y, placement.top),
        )
    )
    columns, rows = np.meshgrid(grid_x.astype(np.float32), grid_y.astype(np.float32))
    return np.asarray(
        cv2.remap(np.asarray(segments)[..., 0], columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) > 0
    )


def coco_results(poses: bu.Poses, image_id: int) -> list[dict[str, Any]]:
    """Return poses in COCO's result format."""
    return [
        {
            "image_id": image_id,
            "category_id": 1,
            "keypoints": [round(float(value), 3) for value in keypoints.ravel()],
            "score": float(score),
        }
        for keypoints, score in zip(np.nan_to_num(poses.keypoints), poses.scores, strict=True)
    ]


def keypoint_ap(examples: list[Example], results: list[dict[str, Any]]) -> float:
    """Return COCO's keypoint AP, 0 to 1."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    if not results:
        return 0.0
    annotations = [
        {**person, "image_id": number} for number, example in enumerate(examples, 1) for person in example.annotations
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": number} for number in range(1, len(examples) + 1)],
            "annotations": [{**person, "id": number} for number, person in enumerate(annotations, 1)],
            "categories": [{"id": 1, "name": "person", "keypoints": list(bu.COCO17.parts)}],
        }
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return round(float(evaluation.stats[0]), 4)
