"""Time masks on rotating scenes of rendered people, beside Coral's rule in plain NumPy.

    python tests/bench/bench_masks.py [--rounds 30]

Medians of many rounds; everything a caller of `masks` pays is in them.
Nothing is asserted. Quote the ratios: absolute times are the machine's.
"""

import argparse
import platform
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

import bottomup as bu
from bottomup.posenet.reference.masks import as_vectors
from models.train.scenes import render_scene

SIZES = [(641, 481), (1281, 721)]
COUNTS = [1, 10]
SCENES = 4
RULES = {
    "ours": bu.PoseNetMasks(),
    "personlab": bu.PoseNetMasks.personlab(),
    "coral": bu.PoseNetMasks.coral(),
    "tfjs": bu.PoseNetMasks.tfjs(),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}; milliseconds, median")
    print(f"| input, uint8 | people | masks | {' | '.join(RULES)} | parts | NumPy coral | NumPy coral / coral |")
    print("|---" * (6 + len(RULES)) + "|")
    for size in SIZES:
        for count in COUNTS:
            scenes = [scene(count, size, seed) for seed in range(SCENES)]
            plain = median(numpy_coral, scenes[:2], 1)
            for words, asked in (("a pixel a cell", None), (f"{size[0]}x{size[1]}", size)):
                times = {
                    name: median(lambda f, p, rule=rule, size=asked: rule.masks(f, p, size), scenes, rounds)
                    for name, rule in RULES.items()
                }
                parts = median(lambda f, p, size=asked: RULES["ours"].parts(f, size=size), scenes, rounds)
                told = " | ".join(f"{each:.2f}" for each in (*times.values(), parts))
                peer = "" if asked else f"{plain:.1f} | {plain / times['coral']:.0f}"
                print(f"| {size[0]}x{size[1]} | {count} | {words} | {told} | {peer or ' | '} |")


def scene(count: int, size: tuple[int, int], seed: int) -> tuple[bu.PoseNetFields, bu.Poses]:
    """Return the fields of rendered people, and the people."""
    rendered = render_scene(seed, size, count)
    body_parts = np.where(rendered.masks.any(axis=0), np.arange(size[0]) // 40 % 24, -1)
    fields = bu.synthetic.posenet_fields(
        rendered.poses, size, quantized=True, masks=rendered.masks, body_parts=body_parts
    )
    return fields, rendered.poses


def numpy_coral(fields: bu.PoseNetFields, poses: bu.Poses) -> np.ndarray:
    """Return Coral's masks as one would write them in NumPy: all cells at once, part by part."""
    vectors = as_vectors(fields.long_offsets, fields.output_stride)
    height, width = fields.grid
    last = np.array([height - 1, width - 1], np.float32)
    squared = np.zeros((len(poses), height, width), np.float32)
    for part in range(17):
        of_part = vectors[:, :, part]
        places = np.moveaxis(np.indices((height, width), np.float32), 0, 2)
        for _ in range(3):
            cells = places.astype(np.intp)
            down, right = np.moveaxis(places - cells, 2, 0)[..., None]
            (top, left), (bottom, far) = (
                np.moveaxis(cells, 2, 0),
                np.moveaxis(np.minimum(cells + 1, last), 2, 0).astype(np.intp),
            )
            upper = (1 - right) * of_part[top, left] + right * of_part[top, far]
            lower = (1 - right) * of_part[bottom, left] + right * of_part[bottom, far]
            places = np.clip(places + (1 - down) * upper + down * lower, 0, last)
        at = poses.xy[:, part, ::-1] / np.float32(fields.output_stride)
        squared += np.nan_to_num(np.square(places - at[:, None, None]).sum(axis=3))
    return squared.argmin(axis=0) == np.arange(len(poses))[:, None, None]


def median(function, items, rounds: int) -> float:
    """Return the median time of one call, in milliseconds, over rounds through all the items."""
    for item in items:
        function(*item)
    times = []
    for _ in range(rounds):
        for item in items:
            start = time.perf_counter()
            function(*item)
            times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e3


if __name__ == "__main__":
    main()
