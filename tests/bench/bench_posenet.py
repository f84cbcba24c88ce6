"""Time the PoseNet decoders on rotating scenes, beside one `max` over the heatmaps and the NumPy reference.

    python tests/bench/bench_posenet.py [--rounds 50]

Medians of many rounds; everything a caller of `decode` pays is in them.
Nothing is asserted. Quote the ratios: absolute times are the machine's.
"""

import argparse
import platform
import time

import numpy as np

import bottomup as bu
from bottomup.posenet import reference

SIZES = [(481, 353), (641, 481), (1281, 721)]
COUNTS = [1, 2, 5, 10, 30]
SCENES = 8
P = bu.PoseNetDecoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args().rounds
    decoders = {"coral": P.coral(max_poses=30), "tfjs": P.tfjs(max_poses=30), "best": P(max_poses=30)}
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}; microseconds, median")
    print("| input | elements | people | max | coral | tfjs | best | best / coral | NumPy coral / coral |")
    print("|---" * 9 + "|")
    for size in SIZES:
        for quantized in (True, False):
            for count in COUNTS:
                scenes = [scene(count, size, quantized, seed) for seed in range(SCENES)]
                levels = [np.asarray(getattr(fields.heatmaps, "values", fields.heatmaps)) for fields in scenes]
                floor = median(np.max, levels, rounds)
                coral, tfjs, best = (median(decoder.decode, scenes, rounds) for decoder in decoders.values())
                plain = median(lambda fields: reference.decode(fields, decoders["coral"]), scenes[:2], 1)
                scene_words = f"{size[0]}x{size[1]} | {'uint8' if quantized else 'float32'} | {count}"
                times = (
                    f"{floor:.0f} | {coral:.0f} | {tfjs:.0f} | {best:.0f} | {best / coral:.1f} | {plain / coral:.0f}"
                )
                print(f"| {scene_words} | {times} |")


def scene(count: int, size: tuple[int, int], quantized: bool, seed: int) -> bu.PoseNetFields:
    """Return the fields of made-up people."""
    return bu.synthetic.posenet_fields(
        bu.synthetic.random_poses(count, input_size=size, seed=seed), input_size=size, quantized=quantized
    )


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
