"""Time the PAF decoder on maps that somebody enlarged, beside their own cells and one pass over the maps.

    python tests/bench/bench_enlarged.py [--rounds 20]

Medians over made-up scenes with noise, a new `PafFields` and new maps for each call, as after a network: what is kept
from call to call is kept by nobody who enlarges maps. The last column is the time by three times that of the own cells
and a pass. Nothing is asserted.
"""

import argparse
import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

import bottomup as bu

SIZE, PEOPLE, SCENES = (456, 256), 4, 4
HOW = {"cubic": cv2.INTER_CUBIC, "linear": cv2.INTER_LINEAR, "nearest": cv2.INTER_NEAREST}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    scenes, decoder = [scene(seed) for seed in range(SCENES)], bu.PafDecoder()
    own = median(decoder.decode, [(maps, 8.0) for maps in scenes], rounds)
    print(f"own cells, 57x32: {own:.0f} microseconds")
    print("| enlarged | how | a pass | time | by three times own cells and a pass |\n|---|---|---|---|---|")
    for factor in (2, 4, 8, 16):
        for how in HOW:
            large = [([enlarged(field, factor, how) for field in maps], 8 / factor) for maps in scenes]
            floor = median(lambda fields: (fields.heatmaps.max(), fields.pafs.max()), large, rounds)
            spent = median(decoder.decode, large, rounds)
            print(f"| x{factor} | {how} | {floor:.0f} | {spent:.0f} | {spent / (3 * own + floor):.2f} |")


def scene(seed: int) -> list[NDArray[np.float32]]:
    """Return the heatmaps and the fields of made-up people, with noise."""
    fields = bu.synthetic.paf_fields(bu.synthetic.random_poses(PEOPLE, SIZE, seed), SIZE)
    noise = np.random.default_rng(seed)
    return [
        field + noise.normal(0, 0.003, field.shape).astype(np.float32)
        for field in (np.asarray(fields.heatmaps), np.asarray(fields.pafs))
    ]


def enlarged(maps: NDArray[np.float32], factor: int, how: str) -> NDArray[np.float32]:
    """Return maps of more cells, as OpenCV resizes."""
    size = (maps.shape[1] * factor, maps.shape[0] * factor)
    channels = (np.ascontiguousarray(channel) for channel in np.moveaxis(maps, 2, 0))
    return np.dstack([cv2.resize(channel, size, interpolation=HOW[how]) for channel in channels])


def median(
    function: Callable[[bu.PafFields], object], given: list[tuple[list[NDArray[np.float32]], float]], rounds: int
) -> float:
    """Return the median time of a call with new fields, in microseconds."""
    times = []
    for _ in range(rounds + 1):
        for (heatmaps, pafs), stride in given:
            fields = bu.PafFields(heatmaps.copy(), pafs.copy(), output_stride=stride)
            start = time.perf_counter()
            function(fields)
            times.append(time.perf_counter() - start)
    return float(np.median(times[len(given) :])) * 1e6


if __name__ == "__main__":
    main()
