"""Time the part affinity field decoders on rotating scenes, beside `max` over the maps and two NumPy baselines.

    python tests/bench/bench_paf.py [--rounds 50]

Medians of many rounds; everything a caller of `decode` pays is in them. "kernels" are the two calls of compiled loops
inside it. "max" runs over heatmaps and PAFs, "max heat" over heatmaps alone. "NumPy" finds peaks with scipy's maximum
filter and scores limbs with array arithmetic, no assembly; "lightweight" is lightweight-openpose's decoder in Python.
The second table is a crowd on a larger grid, in the thread's own time, for a busy machine interrupts calls that take
milliseconds. Nothing is asserted. Quote the ratios: absolute times are the machine's.
"""

import argparse
import platform
import time

import lightweight
import numpy as np
from scipy.ndimage import maximum_filter

import bottomup as bu
from bottomup.paf import running

GRIDS = {"46x54": ((432, 368), 1), "36x48 + 144x192": ((384, 288), 4)}
COUNTS = [2, 10, 30]
SCENES = 8
CROWD = (1280, 960)
CROWDS = [1, 2, 5, 10, 20, 30, 50, 70, 100]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args().rounds
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}; microseconds, median")
    compare(rounds)
    print()
    grow(rounds)


def compare(rounds: int) -> None:
    """Print the table of decoders and baselines."""
    decoders = [bu.PafDecoder(), bu.PafDecoder.openpose(), bu.PafDecoder.trt_pose()]
    columns = ["grid", "elements", "people", "max heat", "max", "kernels", "default", "openpose", "trt_pose"]
    columns += ["default / max heat", "default / max", "NumPy / default", "lightweight / default"]
    print(f"| {' | '.join(columns)} |\n" + "|---" * len(columns) + "|")
    for grid, (size, repeat) in GRIDS.items():
        for quantized in (False, True):
            for count in COUNTS:
                scenes = [scene(count, size, repeat, quantized, seed) for seed in range(SCENES)]
                levels = [(values(fields.heatmaps), values(fields.pafs)) for fields in scenes]
                heat_floor = median(lambda maps: maps[0].max(), levels, rounds)
                floor = median(lambda maps: (maps[0].max(), maps[1].max()), levels, rounds)
                default, openpose, trt_pose = (median(decoder.decode, scenes, rounds) for decoder in decoders)
                bare = median_of_kernels(decoders[0], scenes, rounds)
                plain = median(score_limbs, scenes[:2], 3)
                peer = median(lambda fields: lightweight.decode(*real(fields)), scenes[:2], 1)
                print(
                    f"| {grid} | {'uint8' if quantized else 'float32'} | {count} | {heat_floor:.0f} | {floor:.0f} "
                    f"| {bare:.0f} | {default:.0f} | {openpose:.0f} | {trt_pose:.0f} | {default / heat_floor:.1f} "
                    f"| {default / floor:.1f} | {plain / default:.0f} | {peer / default:.0f} |"
                )


def grow(rounds: int) -> None:
    """Print how the time of the default decoder grows with the number of people."""
    print(
        f"| people in {CROWD[1] // 8}x{CROWD[0] // 8} | max | default | a person more | default / max |\n"
        + "|---" * 5
        + "|"
    )
    decoder, nobody = bu.PafDecoder(), 0.0
    for count in [0, *CROWDS]:
        scenes = [scene(count, CROWD, 1, False, seed) for seed in range(2)]
        levels = [(fields.heatmaps, fields.pafs) for fields in scenes]
        floor = median(lambda maps: (maps[0].max(), maps[1].max()), levels, rounds)
        default = median(decoder.decode, scenes, rounds, time.thread_time)
        nobody = nobody or default
        more = f"{(default - nobody) / count:.1f}" if count else ""
        print(f"| {count} | {floor:.0f} | {default:.0f} | {more} | {default / floor:.1f} |")


def median_of_kernels(decoder: bu.PafDecoder, scenes: list[bu.PafFields], rounds: int) -> float:
    """Return the median time that one decode spends in compiled loops."""
    kernels, spent = running._kernels(), [0.0]

    def timed(kernel):
        def call(*arguments):
            start = time.perf_counter()
            answer = kernel(*arguments)
            spent[0] += time.perf_counter() - start
            return answer

        return call

    replaced, running._kernels = running._kernels, lambda: tuple(timed(kernel) for kernel in kernels)
    times = []
    try:
        for _ in range(rounds):
            for fields in scenes:
                spent[0] = 0.0
                decoder.decode(fields)
                times.append(spent[0])
    finally:
        running._kernels = replaced
    return float(np.median(times)) * 1e6


def scene(count: int, size: tuple[int, int], repeat: int, quantized: bool, seed: int) -> bu.PafFields:
    """Return the fields of made-up people."""
    poses = bu.synthetic.random_poses(count, size, seed)
    return bu.synthetic.paf_fields(poses, size, paf_repeat=repeat, quantized=quantized)


def values(field) -> np.ndarray:
    """Return a field's elements."""
    return field.values if isinstance(field, bu.Quantized) else field


def real(fields: bu.PafFields) -> tuple[np.ndarray, np.ndarray]:
    """Return a scene's real numbers on one grid."""
    heatmaps, pafs = (
        field.dequantize() if isinstance(field, bu.Quantized) else field for field in (fields.heatmaps, fields.pafs)
    )
    return heatmaps, np.ascontiguousarray(pafs[:: fields.paf_repeat, :: fields.paf_repeat])


def score_limbs(fields: bu.PafFields) -> list[np.ndarray]:
    """Find peaks, and the mean of the field along every pair, with arrays."""
    heatmaps, pafs = real(fields)
    heatmaps = heatmaps[..., : len(fields.skeleton.parts)]
    rows, columns, parts = np.nonzero((heatmaps > 0.05) & (heatmaps == maximum_filter(heatmaps, (3, 3, 1))))
    scores = []
    for (parent, child), pair in zip(fields.skeleton.edges, fields.skeleton.paf_channels, strict=True):
        starts, ends = (np.stack([rows, columns], axis=1)[parts == part][:, None] for part in (parent, child))
        vectors = ends[None, :, 0] - starts
        places = starts[..., None] + vectors[..., None] * np.linspace(0, 1, 10)
        along = pafs[(*np.round(places).astype(int).transpose(2, 0, 1, 3), slice(None))][..., list(pair)]
        lengths = np.maximum(np.linalg.norm(vectors, axis=-1), 1e-6)[..., None]
        scores.append((along * (vectors[..., ::-1] / lengths)[:, :, None]).sum(axis=-1).mean(axis=-1))
    return scores


def median(function, items, rounds: int, clock=time.perf_counter) -> float:
    """Return the median time of one call, in microseconds, over rounds through all the items."""
    for item in items:
        function(item)
    times = []
    for _ in range(rounds):
        for item in items:
            start = clock()
            function(item)
            times.append(clock() - start)
    return float(np.median(times)) * 1e6


if __name__ == "__main__":
    main()
