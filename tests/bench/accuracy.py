"""COCO keypoint accuracy of every decoder on the same tensors of one model.

    python tests/bench/accuracy.py MODEL.tflite IMAGES_FOLDER ANNOTATIONS.json [--resamples 100] [--plot FILE.png]
        [--cache DIR]

needs pycocotools. The network runs once an image; its outputs are kept in
--cache, a folder outside the repository, for the next time. One row a decoder:
AP, AP50, AP75, AP of medium and large people, AR; best F1 and recall at
precision 0.9, both at OKS 0.5; expected calibration error of the pose scores;
AP of the photos of even and of odd rank; median decode time; and the gain over
the row above it with a 95 % interval, by resampling photos. `--plot` draws reliability diagrams.
"""

import argparse
import contextlib
import hashlib
import io
import json
import pickle
import time
from pathlib import Path

import cv2
import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import bottomup as bu
from bottomup.geometry import ImageSize

P, F = bu.PoseNetDecoder, bu.PafDecoder
POSENET = {
    "PoseNetDecoder.tfjs(max_poses=20)": P.tfjs(max_poses=20),
    "PoseNetDecoder.coral()": P.coral(),
    "PoseNetDecoder.coral(max_poses=20, score_threshold=0.05, nms_radius=20)": P.coral(
        max_poses=20, score_threshold=0.05, nms_radius=20
    ),
    "PoseNetDecoder.personlab()": P.personlab(),
    "PoseNetDecoder()": P(),
}
PAF = {
    "PafDecoder.trt_pose()": F.trt_pose,
    "PafDecoder.bodyposenet()": F.bodyposenet,
    "PafDecoder.openpose()": F.openpose,
    "PafDecoder(fill=False)": lambda **shift: F(fill=False, **shift),
    "PafDecoder.strict()": F.strict,
    "PafDecoder()": F,
}
COLUMNS = ["AP", "AP50", "AP75", "medium", "large", "AR", "F1", "R@P.9", "ECE", "even", "odd", "us", "gain"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("images", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--resamples", type=int, default=0)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--cache", type=Path)
    arguments = parser.parse_args()
    estimator = bu.load(arguments.model)
    images = json.loads(arguments.annotations.read_text())["images"]
    scenes = cached_scenes(arguments.cache, estimator, arguments.images, images)
    with quiet():
        truth = COCO(str(arguments.annotations))
    shift = getattr(estimator.decoder, "shift", 0)  # what the estimator adds for this network
    is_paf = isinstance(scenes[0][1], bu.PafFields)
    decoders = {name: make(shift=shift) for name, make in PAF.items()} if is_paf else POSENET
    print(f"{len(scenes)} photos, {Path(arguments.model).name}")
    print(f"| decoder | {' | '.join(COLUMNS)} |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    previous, curves = None, {}
    for name, decoder in decoders.items():
        results, microseconds = decode_all(decoder, scenes)
        evaluation = evaluate(truth, results)
        scores, hits = matched(evaluation)
        error, curves[name] = calibration(scores, hits)
        people = sum(int((~np.array(image["gtIgnore"], bool)).sum()) for image in images_of(evaluation))
        f1, recall = best_f1(scores, hits, people)
        halves = [summary(resampled(evaluation, np.arange(len(scenes))[half::2]))[0] for half in (0, 1)]
        figures = [*summary(evaluation)[:6], f1, recall, error, *halves]
        gain = interval(evaluation, previous, arguments.resamples) if previous and arguments.resamples else ""
        written = [f"{figure:.3f}".replace("0.", ".", 1) for figure in figures]
        print(f"| `{name}` | {' | '.join(written)} | {microseconds:.0f} | {gain} |", flush=True)
        previous = evaluation
    if arguments.plot:
        cv2.imwrite(str(arguments.plot), draw_reliability(curves))


def cached_scenes(cache, estimator, folder, images):
    """Return `read_scenes`, from a file of an earlier run with this model on these photos if there is one."""
    if cache is None:
        return read_scenes(estimator, folder, images)
    what = [str(folder.resolve()), [image["file_name"] for image in images], list(estimator.input_size)]
    key = hashlib.sha256(estimator.path.read_bytes() + json.dumps(what).encode()).hexdigest()[:16]
    path = cache / f"{estimator.path.stem}-{key}.pickle"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_bytes(pickle.dumps(read_scenes(estimator, folder, images)))
        partial.replace(path)
    return pickle.loads(path.read_bytes())


def read_scenes(estimator, folder, images):
    """Run the network on all photos: (image id, fields, placement, size) of each."""
    scenes = []
    for image in images:
        size = ImageSize(image["width"], image["height"])
        placement = estimator.resize.place(size, estimator.input_size)
        scenes.append((image["id"], estimator.fields(folder / image["file_name"]), placement, size))
    return scenes


def decode_all(decoder, scenes):
    """Return COCO results of all scenes and the median time of one decode, in microseconds."""
    results, times = [], []
    for image_id, fields, placement, size in scenes:
        decoder.decode(fields)
        start = time.perf_counter()
        poses = decoder.decode(fields)
        times.append(time.perf_counter() - start)
        poses = poses.to_image(placement, size)
        poses = poses if poses.skeleton.parts == bu.COCO17.parts else poses.to_coco17()
        for keypoints, score in zip(np.nan_to_num(poses.keypoints), poses.scores, strict=True):
            flat = [float(value) for value in keypoints.ravel()]
            results.append({"image_id": image_id, "category_id": 1, "keypoints": flat, "score": float(score)})
    return results, float(np.median(times)) * 1e6


def evaluate(truth, results):
    """Match results with the truth, for every photo."""
    with quiet():
        evaluation = COCOeval(truth, truth.loadRes(results), "keypoints")
        evaluation.evaluate()
    return evaluation


def summary(evaluation):
    """Return COCO's ten keypoint figures."""
    with quiet():
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


def resampled(evaluation, chosen):
    """Return the evaluation over a choice of its photos, by rank, repeats allowed."""
    part = COCOeval.__new__(COCOeval)
    part.__dict__.update(evaluation.__dict__)
    count = len(evaluation.params.imgIds)
    areas = len(evaluation.params.areaRng)
    part.evalImgs = [evaluation.evalImgs[area * count + rank] for area in range(areas) for rank in chosen]
    part.params, part._paramsEval = (copy_of(evaluation.params, len(chosen)) for _ in range(2))
    return part


def copy_of(params, count):
    """Return COCO's parameters for so many photos."""
    part = type(params)(iouType="keypoints")
    part.__dict__.update(params.__dict__)
    part.imgIds = list(range(count))
    return part


def images_of(evaluation):
    """Return the photos' matches over people of all sizes."""
    return [image for image in evaluation.evalImgs[: len(evaluation.params.imgIds)] if image]


def matched(evaluation):
    """Return the scores of all detections that count, and whether each is right at OKS 0.5."""
    scores, hits = [], []
    for image in images_of(evaluation):
        counts = ~np.array(image["dtIgnore"][0], bool)
        scores += list(np.array(image["dtScores"])[counts])
        hits += list(np.array(image["dtMatches"][0])[counts] > 0)
    order = np.argsort(-np.array(scores), kind="stable")
    return np.array(scores)[order], np.array(hits, float)[order]


def best_f1(scores, hits, people):
    """Return the best F1 over all score thresholds, and the recall at precision 0.9."""
    found = np.cumsum(hits)
    precision, recall = found / np.arange(1, len(hits) + 1), found / people
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    return f1.max(initial=0), recall[precision >= 0.9].max(initial=0)


def calibration(scores, hits, bins=10):
    """Return the expected calibration error, and (mean score, share of right ones, count) of each bin of scores."""
    which = np.minimum((scores * bins).astype(int), bins - 1)
    rows = [
        (scores[which == b].mean(), hits[which == b].mean(), (which == b).sum())
        for b in range(bins)
        if (which == b).any()
    ]
    return sum(abs(score - share) * count for score, share, count in rows) / len(scores), rows


def interval(evaluation, other, resamples):
    """Return the gain in AP over another decoder, with its 95 % interval over resampled photos."""
    random = np.random.default_rng(0)
    count = len(evaluation.params.imgIds)
    gains = []
    for _ in range(resamples):
        chosen = random.integers(0, count, count)
        gains.append(summary(resampled(evaluation, chosen))[0] - summary(resampled(other, chosen))[0])
    low, high = np.quantile(gains, [0.025, 0.975])
    return f"{np.mean(gains):+.3f} [{low:+.3f}, {high:+.3f}]"


def draw_reliability(curves, side=320):
    """Draw, for each decoder, the share of right poses over their score; the diagonal is perfect."""
    panels = []
    for name, rows in curves.items():
        panel = np.full((side + 40, side, 3), 255, np.uint8)
        cv2.line(panel, (0, side), (side, 0), (200, 200, 200), 1, cv2.LINE_AA)
        points = [(round(score * side), round(side - share * side)) for score, share, _ in rows]
        for (x, y), (_, _, count) in zip(points, rows, strict=True):
            cv2.circle(panel, (x, y), 3 + round(np.log10(count) * 2), (200, 100, 0), -1, cv2.LINE_AA)
        cv2.polylines(panel, [np.array(points, np.int32)], False, (200, 100, 0), 1, cv2.LINE_AA)
        cv2.rectangle(panel, (0, 0), (side - 1, side), (0, 0, 0), 1)
        cv2.putText(panel, name[:44], (4, side + 24), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
        panels.append(panel)
    return np.hstack(panels)


def quiet():
    """Keep pycocotools from printing."""
    return contextlib.redirect_stdout(io.StringIO())


if __name__ == "__main__":
    main()
