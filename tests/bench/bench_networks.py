"""What a user gets: networks by runtime and input size, with their accuracy and their speed, in one table.

    python tests/bench/bench_networks.py MODELS_FOLDER IMAGES_FOLDER ANNOTATIONS.json [--photos 240] [--only TEXT]
        [--no-ap]

MODELS_FOLDER holds the files of `ROWS` (the catalogue's, under their makers' names); rows whose file is not there are
left out. AP is pycocotools' keypoint AP of `bu.load` as it is, with `min_score=0`. Milliseconds are the median of a
stream of photos, all steps included, with one network thread and with two, and in brackets how many times the
network's own that is; rows are timed in turns, so that a slow minute of the machine meets all of them. The demo decoder
is lightweight-openpose's, in Python: it is run photo after photo, as its makers do.
"""

import argparse
import contextlib
import io
import json
import statistics
import time
from pathlib import Path

import cv2
import lightweight
import numpy as np

import bottomup as bu

FLOAT = Path(__file__).parents[2] / "models" / "bottomup-tiny.tflite"
CORAL = "coral/posenet_mobilenet_v1_075_481_641_quant_decoder.tflite"
OMZ = "omz-0001/human-pose-estimation-0001-FP16-INT8.xml"
MOVENET = "movenet/movenet_multipose_lightning_float16_1.tflite"
FLIP = bu.Augmentation(flip=True)
#: name, file under MODELS_FOLDER (None: what ships), options of `bu.load`.
ROWS = [
    ("bottomup-tiny-uint8", None, {"runtime": "litert"}),
    ("bottomup-tiny", FLOAT, {"runtime": "litert"}),
    ("coral-posenet-641x481", CORAL, {"runtime": "litert"}),
    ("coral-posenet-641x481", CORAL, {"runtime": "openvino"}),
    ("coral-posenet-641x481, flip", CORAL, {"runtime": "openvino", "augmentation": FLIP}),
    ("movenet-multipose", MOVENET, {"runtime": "litert", "input_size": (384, 384)}),
    ("movenet-multipose", MOVENET, {"runtime": "litert", "input_size": (512, 512)}),
    ("movenet-multipose", MOVENET, {"runtime": "openvino", "input_size": (512, 512)}),
    ("movenet-multipose, its own decoder", MOVENET, {"runtime": "litert", "input_size": (512, 512), "decoder": "file"}),
    ("omz-human-pose-0001, INT8", OMZ, {"input_size": (456, 256)}),
    ("omz-human-pose-0001, INT8", OMZ, {"input_size": (656, 480)}),
    ("omz-human-pose-0001, INT8, OpenPose's rules", OMZ, {"input_size": (656, 480), "decoder": "openpose"}),
    ("omz-human-pose-0001, INT8, flip", OMZ, {"input_size": (656, 480), "augmentation": FLIP}),
    ("omz-human-pose-0001, INT8, its demo's decoder", OMZ, {"input_size": (656, 480), "decoder": "demo"}),
    (
        "omz-human-pose-0001, INT8, flip, two scales",
        OMZ,
        {"input_size": (656, 480), "augmentation": bu.Augmentation(flip=True, scales=(1, 1.5))},
    ),
    (
        "omz-human-pose-0001, INT8, flip, three scales",
        OMZ,
        {"input_size": (656, 480), "augmentation": bu.Augmentation(flip=True, scales=(1, 1.5, 0.7))},
    ),
]


class Demo:
    """A network with the decoder that its makers' Python demo has."""

    def __init__(self, estimator) -> None:
        self.estimator, self.network, self.input_size = estimator, estimator.network, estimator.input_size
        self.prepare, self.run = estimator.prepare, estimator.run

    def batch(self, images):
        for image in images:
            fields, placement = self.estimator.look(image)
            keypoints, scores = lightweight.decode(fields.heatmaps, fields.pafs)
            keypoints[..., :2] = (keypoints[..., :2] + 0.5) * (fields.output_stride / lightweight.UPSAMPLE) - 0.5
            keypoints = np.where(np.isnan(keypoints), (np.nan, np.nan, 0), keypoints).astype(np.float32)
            yield bu.Poses(keypoints, np.clip(scores / 700, 0, 1), bu.OPENPOSE18).to_image(placement, None)


def load(file, *, decoder=None, **options):
    """Load a row's network."""
    return Demo(bu.load(file, **options)) if decoder == "demo" else bu.load(file, decoder=decoder, **options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--photos", type=int, default=240)
    parser.add_argument("--timed", type=int, default=24, help="photos in a round of timing")
    parser.add_argument("--only", default="", help="rows with this text in their name")
    parser.add_argument("--no-ap", action="store_true")
    arguments = parser.parse_args()
    images = json.loads(arguments.annotations.read_text())["images"][: arguments.photos]
    rows = [
        (name, arguments.models / file if file else None, options)
        for name, file, options in ROWS
        if arguments.only in name and (file is None or (arguments.models / file).exists())
    ]
    figures = ["-"] * len(rows)
    if not arguments.no_ap:
        figures = [f"{accuracy(file, options, images, arguments):.3f}"[1:] for _, file, options in rows]
    times = timings(
        rows, [cv2.imread(str(arguments.images / image["file_name"])) for image in images[: arguments.timed]]
    )
    print(f"{len(images)} photos; milliseconds an image, and images a second")
    print("| network | runtime | input | AP | ms, 1 thread | a second | ms, 2 threads | a second |")
    print("|---|---|---|---|---|---|---|---|")
    for (name, file, options), ap, (one, two) in zip(rows, figures, times, strict=True):
        estimator = load(file, **options)
        width, height = estimator.input_size
        speeds = " | ".join(f"{ms:.1f} ({ms / alone:.2f}) | {1000 / ms:.0f}" for ms, alone in (one, two))
        print(f"| {name} | {estimator.network.runtime} | {width}x{height} | {ap} | {speeds} |")


def accuracy(file, options, images, arguments):
    """Return a model's AP."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    estimator = load(file, min_score=0, threads=2, **options)
    paths = [arguments.images / image["file_name"] for image in images]
    found = zip(images, estimator.batch(paths), strict=True)
    results = [row for image, poses in found for row in bu.export.coco_results(poses, image["id"])]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(arguments.annotations))
        evaluation = COCOeval(truth, truth.loadRes(results), "keypoints")
        evaluation.params.imgIds = [image["id"] for image in images]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[0]


def timings(rows, pictures, rounds=3):
    """Return each row's milliseconds an image, as a stream and in the network alone, with one thread and two."""
    estimators = [[load(file, threads=threads, **options) for threads in (1, 2)] for _, file, options in rows]
    taken = [[([], []), ([], [])] for _ in rows]
    for _ in range(rounds):
        for pair, kept in zip(estimators, taken, strict=True):
            for estimator, (streams, networks) in zip(pair, kept, strict=True):
                list(estimator.batch(pictures[:2]))
                streams.append(milliseconds(lambda e=estimator: list(e.batch(pictures)), len(pictures)))
                prepared = [estimator.prepare(picture, "bgr") for picture in pictures]
                networks.append(milliseconds(lambda e=estimator, p=prepared: [e.run(one) for one in p], len(pictures)))
    return [[[statistics.median(times) for times in both] for both in pair] for pair in taken]


def milliseconds(work, count):
    """Return how long each of many takes."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) / count * 1e3


if __name__ == "__main__":
    main()
