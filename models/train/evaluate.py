"""Average precision of a network on photos and on rendered scenes, with each family's decoder."""

import contextlib
import io
from collections.abc import Iterable
from typing import Any

import numpy as np

import bottomup as bu
from bottomup.geometry import ImageSize
from bottomup.paf.best import PafDecoder
from bottomup.paf.fields import PafFields
from bottomup.posenet.best import PoseNetDecoder
from bottomup.posenet.fields import PoseNetFields
from models.train.examples import Example
from models.train.masks import owners_found, person_mask
from models.train.targets import PAF_STRIDE, STRIDE

INPUT_SIZE = ImageSize(641, 481)


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
    """Return COCO's AP and AP50 of both heads; where masks are known, IoU and the share of owners found.

    `run` takes an image and returns its PoseNet fields, its PAF fields and
    where it was laid in the network's input.
    """
    examples = list(examples)
    found: dict[str, list[dict[str, Any]]] = {"posenet": [], "paf": []}
    overlaps, shares = [], []
    for number, example in enumerate(examples, 1):
        posenet, maps, placement = run(example.image)
        size = ImageSize(example.image.shape[1], example.image.shape[0])
        for head, poses in (("posenet", PoseNetDecoder().decode(posenet)), ("paf", PafDecoder().decode(maps))):
            found[head] += coco_results(poses.to_image(placement, size).to_coco17(), number)
        if example.masks is not None:
            mask, covered = person_mask(posenet, placement, size), example.masks.any(axis=0)
            overlaps.append((mask & covered).sum() / max((mask | covered).sum(), 1))
            shares.append(owners_found(posenet, placement, example))
    figures = {}
    for head, results in found.items():
        figures[f"ap_{head}"], figures[f"ap50_{head}"] = keypoint_ap(examples, results)
    if overlaps:
        figures["mask_iou"] = round(float(np.mean(overlaps)), 4)
        found_right, cells = np.sum(shares, axis=0)
        figures["owners_found"] = round(float(found_right / max(cells, 1)), 4)
    return figures


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


def keypoint_ap(examples: list[Example], results: list[dict[str, Any]]) -> tuple[float, float]:
    """Return COCO's keypoint AP and AP50, 0 to 1."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    if not results:
        return 0.0, 0.0
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
    return round(float(evaluation.stats[0]), 4), round(float(evaluation.stats[1]), 4)
