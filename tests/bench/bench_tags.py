"""Time the tag decoders on rotating crowds, and compare their accuracy on rendered labels.

    python tests/bench/bench_tags.py [--rounds 20] [--labels COCO.json] [--photos 240]

Times are medians of whole `decode` calls, people of all sizes over each other on 128 x 96 cells, a fifth of the parts
hidden; "NumPy" is the reference, once. With --labels (COCO keypoints; needs pycocotools), accuracy is that of fields
which `tag_scenes.render` makes of the labels: no network's. Nothing is asserted.
"""

import argparse
import contextlib
import io
import platform
import time
from pathlib import Path

import numpy as np
from tag_scenes import STRIDE, labelled, render

import bottomup as bu
from bottomup.tags import reference

SIZE = (512, 384)
SCENES = 8
MIDDLE = (STRIDE - 1) / 2 / STRIDE  # what cells of rendered fields are off by, in cells
DECODERS = {
    "ours": bu.TagDecoder(),
    "omz": bu.TagDecoder.omz(delta=MIDDLE),
    "omz, everybody": bu.TagDecoder.omz(delta=MIDDLE, min_score=0),
    "mmpose": bu.TagDecoder.mmpose(delta=MIDDLE),
    "mmpose, UDP": bu.TagDecoder.mmpose(udp=True),
    "higherhrnet": bu.TagDecoder.higherhrnet(),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--labels", type=Path, help="a COCO file of labelled people")
    parser.add_argument("--photos", type=int, default=240)
    asked = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print("| elements | people | " + " | ".join(f"{name}, ms" for name in DECODERS) + " | NumPy / ours |")
    print("|---" * (len(DECODERS) + 3) + "|")
    for quantized in (False, True):
        for count in (2, 10, 30):
            scenes = [crowd(count, seed, quantized) for seed in range(SCENES)]
            times = {name: median(decoder.decode, scenes, asked.rounds) for name, decoder in DECODERS.items()}
            start = time.perf_counter()
            reference.decode(scenes[0], DECODERS["ours"])
            ratio = (time.perf_counter() - start) * 1e3 / times["ours"]
            written = " | ".join(f"{each:.2f}" for each in times.values())
            print(f"| {'uint8' if quantized else 'float32'} | {count} | {written} | {ratio:.0f} |", flush=True)
    if asked.labels:
        compare(asked.labels, asked.photos)


def crowd(count, seed, quantized):
    """Return fields of people over each other."""
    poses = bu.synthetic.random_poses(count, SIZE, seed=seed, overlapping=True)
    generator = np.random.default_rng(seed)
    keypoints = poses.keypoints.copy()
    keypoints[generator.random(keypoints.shape[:2]) < 0.2] = np.nan
    fields = bu.synthetic.tag_fields(
        bu.Poses(keypoints, poses.scores, poses.skeleton), SIZE, tag_distance=1.0, quantized=quantized
    )
    if not quantized:
        noise = (generator.normal(0, spread, of.shape) for spread, of in ((0.01, fields.heatmaps), (0.1, fields.tags)))
        fields = bu.TagFields(*(of + wrong for of, wrong in zip((fields.heatmaps, fields.tags), noise, strict=True)))
    assert fields.tensors  # made once, not timed
    return fields


def median(decode, scenes, rounds):
    """Return the median time of a decode in milliseconds, scene after scene."""
    times = []
    for fields in scenes:
        decode(fields)
    for _ in range(rounds):
        for fields in scenes:
            start = time.perf_counter()
            decode(fields)
            times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e3


def compare(path, photos):
    """Print COCO keypoint AP of all decoders at three degrees of errors."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
    print("\n| errors | " + " | ".join(DECODERS) + " |\n" + "|---" * (len(DECODERS) + 1) + "|")
    for seed, errors in enumerate((0.6, 1.0, 1.5), start=1):
        generator = np.random.default_rng(seed)
        scenes = [(image["id"], *render(image, people, generator, errors)) for image, people in labelled(path, photos)]
        figures = []
        for decoder in DECODERS.values():
            results = []
            for image_id, fields, scale in scenes:
                poses = decoder.decode(fields)
                keypoints = poses.keypoints.astype(np.float64)
                keypoints[..., :2] = (keypoints[..., :2] + 0.5) / scale - 0.5
                for person, score in zip(np.nan_to_num(keypoints), poses.scores, strict=True):
                    row = {"image_id": image_id, "category_id": 1, "keypoints": person.ravel().tolist()}
                    results.append({**row, "score": float(score)})
            with contextlib.redirect_stdout(io.StringIO()):
                evaluation = COCOeval(truth, truth.loadRes(results), "keypoints")
                evaluation.params.imgIds = [image_id for image_id, _, _ in scenes]
                evaluation.evaluate()
                evaluation.accumulate()
                evaluation.summarize()
            figures.append(f"{evaluation.stats[0]:.3f}")
        print(f"| {errors} | {' | '.join(figures)} |", flush=True)


if __name__ == "__main__":
    main()
