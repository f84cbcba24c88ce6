"""Time decoding and reconstruction of crops, beside plain NumPy, on rotating batches.

    python tests/bench/bench_metric3d.py [--people 64] [--rounds 10]

64 people in 5 augmentations, 24 parts, 8 x 8 x 8 volumes, one thread. "plain" is a softmax over all cells, one einsum
an axis, normal equations by einsum and `numpy.linalg.solve`: in NumPy's own float64, as `bottomup.metric3d.reference`,
and with the softmax in the tensors' float32. Ratios are of whole passes, decoding and reconstruction, taken round by
round, side by side; quote them: absolute times are the machine's.
"""

import argparse
import time

import numpy as np

import bottomup as bu
from bottomup.metric3d import Heads, reconstruct_absolute, reference, synthetic

PARTS, CROP = 24, 256
INTRINSICS = np.array([[700.0, 0, CROP / 2], [0, 700, CROP / 2], [0, 0, 1]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=64)
    parser.add_argument("--augmentations", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    heads, count = Heads(PARTS), arguments.people * arguments.augmentations
    print(f"{arguments.people} people x {arguments.augmentations} augmentations x {PARTS} parts; milliseconds, median")
    print("| tensors | decode | reconstruct | plain float32 | plain | plain float32 / ours | plain / ours |")
    print("|---" * 7 + "|")
    for name, batches in {
        "float32, splats": [splats(heads, count, seed) for seed in range(3)],
        "float32, noise of 3": [noise(count, seed, 3) for seed in range(3)],
        "float32, noise of 30": [noise(count, seed, 30) for seed in range(3)],
        "uint8, noise": [quantised(count, seed) for seed in range(3)],
    }.items():
        times = np.array([one_round(heads, batch) for _ in range(arguments.rounds + 1) for batch in batches][3:])
        decode, reconstruct, single, double = np.median(times, axis=0) * 1e3
        ours = times[:, 0] + times[:, 1]
        ratios = np.median(times[:, 2] / ours), np.median(times[:, 3] / ours)
        print(f"| {name} | {decode:.1f} | {reconstruct:.1f} | {single:.1f} | {double:.1f} | ", end="")
        print(f"{ratios[0]:.1f} | {ratios[1]:.1f} |")


def one_round(heads: Heads, outputs: list) -> list[float]:
    """Return how long our decoding, our reconstruction, and the plain versions of both together take."""
    start = time.perf_counter()
    decoded = heads.decode(outputs)
    between = time.perf_counter()
    in_view = heads.in_view(decoded.keypoints)
    reconstruct_absolute(decoded.keypoints, decoded.relative, INTRINSICS, in_view=in_view)
    end = time.perf_counter()
    plain = [seconds_of_plain(heads, outputs, dtype) for dtype in (np.float32, np.float64)]
    return [between - start, end - between, *plain]


def seconds_of_plain(heads: Heads, outputs: list, dtype: type) -> float:
    """Return how long it takes to decode and reconstruct in plain NumPy."""
    start = time.perf_counter()
    real = [each.dequantize() if isinstance(each, bu.Quantized) else each for each in outputs]
    keypoints, relative = plain_decode(heads, *(each.astype(dtype, copy=False) for each in real))
    rays = (keypoints - INTRINSICS[:2, 2]) / np.diag(INTRINSICS)[:2]
    in_view = heads.in_view(keypoints)
    reference.merge(rays, relative, in_view, reference.fit_roots(rays, relative, in_view))
    return time.perf_counter() - start


def plain_decode(heads: Heads, heatmaps: np.ndarray, volumes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return keypoints and relative poses by softmax and einsum."""
    flat = soft_argmax(heatmaps[:, :, :, None])
    cube = soft_argmax(volumes.reshape(*volumes.shape[:3], heads.depth, PARTS))
    stride, half = heads.output_stride, heads.output_stride // 2
    relative = np.empty(cube.shape)
    relative[..., :2] = (cube[..., :2] * stride + half) * (heads.box_size / heads.crop_size)
    relative[..., 2] = cube[..., 2] * (heads.box_size / (heads.depth - 1))
    return (flat[..., :2] * stride + half).astype(np.float64), relative


def soft_argmax(logits: np.ndarray) -> np.ndarray:
    """Return mean column, row and depth of (B, H, W, D, N) logits."""
    exponentials = np.exp(logits - logits.max(axis=(1, 2, 3), keepdims=True))
    shares = exponentials / exponentials.sum(axis=(1, 2, 3), keepdims=True)
    places = [np.arange(size, dtype=logits.dtype) for size in logits.shape[1:4]]
    return np.stack(
        [
            np.einsum("bhwdp,w->bp", shares, places[1]),
            np.einsum("bhwdp,h->bp", shares, places[0]),
            np.einsum("bhwdp,d->bp", shares, places[2]),
        ],
        axis=-1,
    )


def splats(heads: Heads, count: int, seed: int) -> list[np.ndarray]:
    """Return the tensors of a perfect network."""
    random = np.random.default_rng(seed)
    relative = random.uniform(-600, 600, (count, PARTS, 3))
    seen = relative[..., :2] / (relative[..., 2:] + 5000) * 700 + CROP / 2
    return [tensor.clip(-40) for tensor in synthetic.encode(heads, seen, relative)]  # no denormals, slow for NumPy


def noise(count: int, seed: int, deviation: float) -> list[np.ndarray]:
    """Return logits that mean nothing."""
    random = np.random.default_rng(seed)
    shapes = [(count, 8, 8, PARTS), (count, 8, 8, 8 * PARTS)]
    return [random.normal(0, deviation, shape).astype(np.float32) for shape in shapes]


def quantised(count: int, seed: int) -> list[bu.Quantized]:
    """Return 8-bit logits that mean nothing."""
    return [bu.Quantized((each * 8 + 128).clip(0, 255).astype(np.uint8), 0.125, 128) for each in noise(count, seed, 3)]


if __name__ == "__main__":
    main()
