"""Time the PoseNet decoders on rotating scenes, beside one `max` over the heatmaps and whichever peers are there.

    python tests/bench/bench_posenet.py [--rounds 50] [--tfjs NODE_MODULES] [--coral LIBRARY]

Medians of many rounds; everything a caller of `decode` pays is in them. "kernel" is the compiled loop of `.coral()`
alone, "NumPy" the reference decoder, "peaks" what scipy's maximum filter needs to find the roots and nothing else.
After `npm install @tensorflow-models/posenet @tensorflow/tfjs-core @tensorflow/tfjs-converter`, --tfjs takes the folder
node_modules; --coral takes a shared library with libcoral's decoder. Nothing is asserted. Quote the ratios: absolute
times are the machine's, of which the first line tells what a call of an empty compiled function costs.
"""

import argparse
import platform
import time

import numba
import numpy as np
from peers import CoralLibrary, time_tfjs
from scipy.ndimage import maximum_filter

import bottomup as bu
from bottomup.posenet import reference, roots
from bottomup.posenet.kernels import coral

SIZES = [(481, 353), (641, 481), (1281, 721)]
COUNTS = [1, 2, 5, 10, 30]
SCENES = 8
P = bu.PoseNetDecoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--tfjs", metavar="NODE_MODULES", help="folder with @tensorflow-models/posenet")
    parser.add_argument("--coral", metavar="LIBRARY", help="shared library with libcoral's DecodeAllPoses")
    asked = parser.parse_args()
    rounds = asked.rounds
    decoders = {"coral": P.coral(max_poses=30), "tfjs": P.tfjs(max_poses=30), "best": P(max_poses=30)}
    library = CoralLibrary(asked.coral, 30) if asked.coral else None
    machine = platform.processor() or platform.machine()
    print(f"{machine}, Python {platform.python_version()}; an empty call of 17 arguments: {empty_call():.2f} us")
    columns = ["input", "elements", "people", "max", "kernel", "coral", "tfjs", "best", "best / coral", "peaks / coral"]
    columns += ["NumPy / coral", *["npm tfjs / tfjs"] * bool(asked.tfjs), *["libcoral / coral"] * bool(library)]
    print(f"| {' | '.join(columns)} |\n" + "|---" * len(columns) + "|")
    for size in SIZES:
        for quantized in (True, False):
            for count in COUNTS:
                scenes = [scene(count, size, quantized, seed) for seed in range(SCENES)]
                levels = [np.asarray(getattr(fields.heatmaps, "values", fields.heatmaps)) for fields in scenes]
                floor = median(np.max, levels, rounds)
                coral, tfjs, best = (median(decoder.decode, scenes, rounds) for decoder in decoders.values())
                kernel = median(bare_coral, [arguments(fields, decoders["coral"]) for fields in scenes], rounds)
                peaks = median(lambda values: values == maximum_filter(values, (3, 3, 1)), levels, 3)
                plain = median(lambda fields: reference.decode(fields, decoders["coral"]), scenes[:2], 1)
                row = ["{}x{}".format(*size), "uint8" if quantized else "float32", str(count)]
                row += [f"{number:.0f}" for number in (floor, kernel, coral, tfjs, best)]
                row += [f"{best / coral:.1f}", f"{peaks / coral:.0f}", f"{plain / coral:.0f}"]
                if asked.tfjs:
                    row.append(f"{time_tfjs(asked.tfjs, scenes, 30, 10) / tfjs:.0f}")
                if library:
                    prepared = [library.prepare(fields) for fields in scenes]
                    row.append(f"{median(library.decode, prepared, rounds) / coral:.1f}")
                print(f"| {' | '.join(row)} |", flush=True)


def arguments(fields: bu.PoseNetFields, decoder) -> tuple:
    """Return what the compiled loop of `.coral()` takes for one image."""
    lowest = roots.lowest_value(fields.tensors, -np.log(1 / decoder.score_threshold - 1))
    room = roots.take_room(17, fields.grid[1], 1024, decoder.max_poses)
    answer = room.keypoints, room.scores
    return (fields.in_cells, fields.tree, room.workspace, decoder._rules, decoder.max_poses, lowest, *answer)


def bare_coral(prepared: tuple) -> int:
    """Run the compiled loop of `.coral()`."""
    return coral.decode_coral(*prepared)


@numba.njit
def empty(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q):  # noqa: E741
    """Do nothing, with as many arguments as Coral's decoder has tensors and settings."""


def empty_call() -> float:
    """Return the median microseconds of a call that does nothing."""
    return median(lambda number: empty(*[number] * 17), [1], 2000)


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
