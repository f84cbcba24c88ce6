"""Average precision of a network on photos and on rendered scenes, with each family's decoder."""

from collections.abc import Iterable
from typing import Any

import numpy as np

import bottomup as bu
from bottomup.export import coco_results
from bottomup.geometry import ImageSize
from bottomup.paf.best import PafDecoder
from bottomup.paf.fields import PafFields
from bottomup.posenet.best import PoseNetDecoder
from bottomup.posenet.fields import PoseNetFields
from models.train.examples import Example
from models.train.masks import mask_figures
from models.train.targets import PAF_STRIDE, STRIDE

INPUT_SIZE = ImageSize(705, 529)


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
    """Return COCO's AP and AP50 of both heads and, if masks are known, their IoU and the share of owners found.

    `run` takes an image and returns its PoseNet fields, its PAF fields and its
    placement in the network's input.
    """
    examples = list(examples)
    found: dict[str, list[dict[str, Any]]] = {"posenet": [], "paf": []}
    overlaps, shares = [], []
    for number, example in enumerate(examples, 1):
        posenet, maps, placement = run(example.image)
        size = ImageSize(example.image.shape[1], example.image.shape[0])
        for head, poses in (("posenet", PoseNetDecoder().decode(posenet)), ("paf", PafDecoder().decode(maps))):
            found[head] += coco_results(poses.to_image(placement, size), number)
        if example.masks is not None:
            overlap, *owned = mask_figures(posenet, placement, example)
            overlaps.append(overlap)
            shares.append(owned)
    figures = {}
    for head, results in found.items():
        figures[f"ap_{head}"], figures[f"ap50_{head}"] = keypoint_ap(examples, results)
    if overlaps:
        figures["mask_iou"] = round(float(np.mean(overlaps)), 4)
        found_right, pixels = np.sum(shares, axis=0)
        figures["owners_found"] = round(float(found_right / max(pixels, 1)), 4)
    return figures


def keypoint_ap(examples: list[Example], results: list[dict[str, Any]]) -> tuple[float, float]:
    """Return COCO's keypoint AP and AP50, 0 to 1."""
    people = [
        {**person, "image_id": number, "category_id": 1}
        for number, example in enumerate(examples, 1)
        for person in example.annotations
    ]
    document = {"images": [{"id": number} for number in range(1, len(examples) + 1)], "annotations": people}
    figures = bu.evaluate.keypoint_ap(results, document)
    return round(figures.ap, 4), round(figures.ap50, 4)
