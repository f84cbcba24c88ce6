"""COCO keypoint AP of every PoseNet decoder on the same tensors of one model.

    python tests/bench/accuracy.py MODEL.tflite IMAGES_FOLDER ANNOTATIONS.json

needs faster-coco-eval. One row a decoder: AP, AP50, AP75, AP of medium and
large people, AR, and AP of the photos of even and of odd rank.
"""

import argparse
import contextlib
import io
import json
from pathlib import Path

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

import bottomup as bu
from bottomup.geometry import ImageSize

P = bu.PoseNetDecoder
DECODERS = {
    "PoseNetDecoder.coral()": P.coral(),
    "PoseNetDecoder.coral(max_poses=20, score_threshold=0.05, nms_radius=20)": P.coral(
        max_poses=20, score_threshold=0.05, nms_radius=20
    ),
    "PoseNetDecoder.tfjs(max_poses=20)": P.tfjs(max_poses=20),
    "PoseNetDecoder()": P(),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("images", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--resize", choices=["letterbox", "stretch"], default="letterbox")
    arguments = parser.parse_args()
    estimator = bu.load(arguments.model, resize=bu.Stretch() if arguments.resize == "stretch" else bu.Letterbox())
    images = json.loads(arguments.annotations.read_text())["images"]
    scenes = []
    for image in images:
        size = ImageSize(image["width"], image["height"])
        fields = estimator.fields(arguments.images / image["file_name"])
        scenes.append((image["id"], fields, estimator.resize.place(size, estimator.input_size), size))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(arguments.annotations))
    ids = sorted(truth.getImgIds())
    print(f"{len(ids)} photos, {Path(arguments.model).name}, {arguments.resize}")
    print("| decoder | AP | AP50 | AP75 | AP medium | AP large | AR | AP even | AP odd |\n" + "|---" * 9 + "|")
    for name, decoder in DECODERS.items():
        results = []
        for image_id, fields, placement, size in scenes:
            poses = decoder.decode(fields).to_image(placement, size)
            for keypoints, score in zip(np.nan_to_num(poses.keypoints), poses.scores, strict=True):
                flat = [round(float(value), 3) for value in keypoints.ravel()]
                results.append({"image_id": image_id, "category_id": 1, "keypoints": flat, "score": float(score)})
        whole, even, odd = (measure(truth, results, chosen) for chosen in (ids, ids[::2], ids[1::2]))
        figures = [*whole[:6], even[0], odd[0]]
        print(f"| `{name}` | " + " | ".join(f"{figure:.3f}".lstrip("0") for figure in figures) + " |")


def measure(truth: COCO, results: list[dict], ids: list[int]) -> np.ndarray:
    """Return COCO's ten keypoint figures over some of the photos."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval_faster(truth, truth.loadRes(results), "keypoints")
        evaluation.params.imgIds = ids
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


if __name__ == "__main__":
    main()
