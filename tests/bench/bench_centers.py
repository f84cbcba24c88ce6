"""Time the decoders of centres on rotating scenes, beside one `max` over the heatmaps.

    python tests/bench/bench_centers.py [--rounds 50] [--model FILE]

Medians of many rounds; everything that a caller of `decode` pays is in them. Each scene's tensors are written just
before they are decoded, as by a network, so that they come from the cache and not from memory; "cold" cycles through
the tensors of all scenes instead, which no cache holds. "people" are found by `CenterDecoder()`; "best / (30 + 8 n)"
compares its time with 30 us and 8 us a person. "NumPy" is the reference decoder. --model takes
MoveNet's MultiPose file and times the graph's own decoder, the network with it less the network cut before it, at the
same input. Nothing is asserted. Quote the ratios: absolute times are the machine's.
"""

import argparse
import platform
import time

import numpy as np

import bottomup as bu
from bottomup.centers import reference

SIZE = (512, 384)
COUNTS = [1, 2, 5, 10, 30]
SCENES = 8
C = bu.CenterDecoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--model", metavar="FILE", help="movenet_multipose_lightning_float16_1.tflite")
    asked = parser.parse_args()
    rounds = asked.rounds
    decoders = {"best": C(), "movenet": C.movenet(), "movenet_single": C.movenet_single()}
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, input {SIZE}")
    columns = ["elements", "people", "max", *decoders, "best, cold", "best / (30 + 8 n)", "NumPy / best"]
    print(f"| {' | '.join(columns)} |\n" + "|---" * len(columns) + "|")
    for quantized in (True, False):
        for count in COUNTS:
            scenes = [scene(count, quantized, seed) for seed in range(SCENES)]
            floor = median(np.max, [fields.tensors[1][0] for fields in scenes], rounds)
            times = [median_of_written(decoder, scenes, rounds) for decoder in decoders.values()]
            times.append(median(decoders["best"].decode, scenes, rounds))
            people = np.mean([len(decoders["best"].decode(fields)) for fields in scenes])
            plain = median(lambda fields: reference.decode(fields, decoders["best"]), scenes[:2], 1)
            row = ["int8" if quantized else "float32", f"{people:.1f}", *(f"{each:.0f}" for each in (floor, *times))]
            row += [f"{times[0] / (30 + 8 * people):.1f}", f"{plain / times[0]:.0f}"]
            print(f"| {' | '.join(row)} |", flush=True)
    if asked.model:
        image = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
        whole, cut = (bu.load(asked.model, decoder=decoder, input_size=SIZE, min_score=0) for decoder in ("file", C()))
        both = [median(one, [image], rounds) for one in (whole, cut.fields)]
        print(f"network with its decoder {both[0]:.0f} us, cut before it {both[1]:.0f} us: {both[0] - both[1]:.0f} us")


def scene(count: int, quantized: bool, seed: int) -> bu.CenterFields:
    """Return fields of known people under noise, which gives a few false centres and weak parts."""
    poses = bu.synthetic.random_poses(count, SIZE, seed)
    fields = bu.synthetic.center_fields(poses, SIZE)
    generator = np.random.default_rng(seed)
    tensors = {
        name: values + generator.normal(scale=0.3, size=values.shape) for name, values in fields.as_floats.items()
    }
    if quantized:
        tensors = {
            name: bu.Quantized(np.clip(np.round(values * 4), -128, 127).astype(np.int8), 0.25, 0)
            for name, values in tensors.items()
        }
    return bu.CenterFields(**tensors)


def median_of_written(decoder, scenes, rounds: int) -> float:
    """Return the microseconds of one decode of tensors that were just written, median of rounds."""
    tensors = scenes[0].present
    copies = {name: np.array(elements(tensor)) for name, tensor in tensors.items()}
    given = {
        name: bu.Quantized(copies[name], tensor.scale, tensor.zero_point)
        if isinstance(tensor, bu.Quantized)
        else copies[name]
        for name, tensor in tensors.items()
    }
    fields = bu.CenterFields(**given)
    times = []
    decoder.decode(fields)
    for _ in range(rounds):
        for scene in scenes:
            for name, tensor in scene.present.items():
                np.copyto(elements(getattr(fields, name)), elements(tensor))
            start = time.perf_counter()
            decoder.decode(fields)
            times.append(time.perf_counter() - start)
    return 1e6 * float(np.median(times))


def elements(tensor):
    """Return the array of a tensor, float or quantised."""
    return tensor.values if isinstance(tensor, bu.Quantized) else tensor


def median(function, arguments, rounds: int) -> float:
    """Return the microseconds of one call, median of rounds over rotating arguments."""
    for argument in arguments:
        function(argument)
    times = []
    for _ in range(rounds):
        for argument in arguments:
            start = time.perf_counter()
            function(argument)
            times.append(time.perf_counter() - start)
    return 1e6 * float(np.median(times))


if __name__ == "__main__":
    main()
