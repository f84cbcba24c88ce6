"""Time the decoder of one-stage networks on rotating scenes, beside the same steps in NumPy and OpenCV's NMS.

    python tests/bench/bench_boxes.py [--rounds 50]

Medians of many rounds; everything a caller of `decode` pays is in "decode", and "read" is `BoxFields.from_yolo` before
it. "NumPy" thresholds, sorts and gathers with array operations and drops overlaps in a Python loop, as most public
ports do; "cv2" lets `cv2.dnn.NMSBoxes` do that; "scan" finds the rows above the threshold, no more. Nothing is
asserted. Quote the ratios: absolute times are the machine's.
"""

import argparse
import platform
import time

import cv2
import numpy as np

import bottomup as bu

SIZES = [(320, 320), (640, 640)]
COUNTS = [2, 10, 30]
SCENES = 8
FORMS = ["(56, R)", "(R, 56)", "uint8 (56, R)", "heads", "uint8 heads"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args().rounds
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}; microseconds")
    columns = ["input", "tensors", "people", "threshold", "read", "decode", "scan", "NumPy", "cv2", "NumPy / decode"]
    print(f"| {' | '.join(columns)} |\n" + "|---" * len(columns) + "|")
    for size in SIZES:
        for form in FORMS:
            for count in COUNTS:
                for threshold in (0.25, 0.001):
                    print(f"| {' | '.join(row(size, form, count, threshold, rounds))} |", flush=True)


def row(size: tuple[int, int], form: str, count: int, threshold: float, rounds: int) -> list[str]:
    """Return one line of the table."""
    outputs = [scene(count, size, form, seed) for seed in range(SCENES)]
    read = median(lambda output: fields_of(output, size), outputs, rounds)
    decode = median(
        bu.BoxDecoder(score_threshold=threshold).decode, [fields_of(each, size) for each in outputs], rounds
    )
    times = [read, decode]
    if form == "(56, R)":
        times.append(median(lambda rows: np.flatnonzero(rows[4] > threshold), outputs, rounds))
        times += [median(lambda rows, way=way: way(rows, threshold), outputs, 3) for way in (in_numpy, in_cv2)]
        times.append(times[-2] / decode)
    return [f"{size[0]}x{size[1]}", form, str(count), str(threshold), *(f"{number:.0f}" for number in times)]


def fields_of(output, size: tuple[int, int]) -> bu.BoxFields:
    """Return the fields of a network's output, or of its two."""
    if isinstance(output, tuple):
        return bu.BoxFields.from_yolo_heads(*output, input_size=size)
    return bu.BoxFields.from_yolo(output, input_size=size)


def scene(count: int, size: tuple[int, int], form: str, seed: int):
    """Return the output of a network that sees made-up people, and noise of scores about .001 in floats."""
    people = bu.synthetic.random_poses(count, size, seed, overlapping=True)
    fields = bu.synthetic.box_fields(people, size, heads="heads" in form, quantized="uint8" in form)
    if "heads" in form:
        return fields.rows, fields.parts
    if "uint8" in form:
        return bu.Quantized(np.ascontiguousarray(fields.rows.values.T), fields.rows.scale, fields.rows.zero_point)
    rows = fields.rows.copy()
    rows[:, 2:4] += 20
    rows[:, 4] = np.maximum(rows[:, 4], np.random.default_rng(seed).exponential(0.001, len(rows)))
    return np.ascontiguousarray(rows.T) if form == "(56, R)" else rows


def in_numpy(rows, threshold: float, overlap: float = 0.7):
    """Decode (56, R) rows with array operations."""
    chosen = rows[:, rows[4] > threshold].T
    chosen = chosen[np.argsort(-chosen[:, 4], kind="stable")]
    corners = np.concatenate([chosen[:, :2] - chosen[:, 2:4] / 2, chosen[:, :2] + chosen[:, 2:4] / 2], axis=1)
    areas, kept, order = np.prod(corners[:, 2:] - corners[:, :2], axis=1), [], np.arange(len(corners))
    while order.size and len(kept) < 300:
        best, order = order[0], order[1:]
        kept.append(best)
        low, high = np.maximum(corners[best, :2], corners[order, :2]), np.minimum(corners[best, 2:], corners[order, 2:])
        common = np.prod(np.maximum(high - low, 0), axis=1)
        order = order[common / (areas[best] + areas[order] - common) <= overlap]
    return chosen[kept]


def in_cv2(rows, threshold: float, overlap: float = 0.7):
    """Decode (56, R) rows with OpenCV's suppression."""
    chosen = rows[:, rows[4] > threshold].T
    boxes = np.concatenate([chosen[:, :2] - chosen[:, 2:4] / 2, chosen[:, 2:4]], axis=1)
    return chosen[list(cv2.dnn.NMSBoxes(boxes, chosen[:, 4], threshold, overlap))]


def median(function, items, rounds: int) -> float:
    """Return the median time of one call, in microseconds, over rounds through all the items."""
    for item in items:
        function(item)
    times = []
    for _ in range(rounds):
        for item in items:
            start = time.perf_counter()
            function(item)
            times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e6


if __name__ == "__main__":
    main()
