"""Time decoding, tracking and drawing of 20 walking people, beside the network that such a video would need.

    python tests/bench/bench_crowd.py [--people 20] [--frames 60] [--model NAME_OR_FILE ...]

Fields are rendered from people who walk, each at their own speed, so that every frame has all of them. The network runs
on frames of noise: its time does not depend on what it sees. Medians over the frames; every column after "network" is
a ratio to it, and "all" is what one thread pays for a frame beyond the network. Nothing is asserted.
"""

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

import bottomup as bu
from bottomup.draw import Trails
from bottomup.poses import Poses
from bottomup.synthetic import paf_fields, posenet_fields, random_poses

INPUT = (641, 481)
FPS = 25
FRAMES = [(640, 480), (1920, 1080)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--model", nargs="*", default=["bottomup-tiny-uint8"])
    asked = parser.parse_args()
    walks = walking(asked.people, asked.frames)
    makers = {"PoseNet": (posenet_fields, bu.PoseNetDecoder()), "PAF": (paf_fields, bu.PafDecoder())}
    networks = {model: network_time(model) for model in asked.model}
    scene = cv2.imread(str(Path(bu.__file__).parent / "demo.jpg"))
    columns = ["fields", "frame", "ids", "network, ms", "decode", "track", "smooth", "draw", "trail", "write", "all"]
    print(f"| {' | '.join(columns)} |\n" + "|---" * len(columns) + "|")
    for name, (render, decoder) in makers.items():
        fields = [render(poses, INPUT) for poses in walks]
        decode, found = timed(decoder.decode, fields)
        for size in FRAMES:
            scaled = [to_frame(poses, size) for poses in found]
            track, ids = timed(Steps(bu.tracking.Tracker()), scaled)
            smooth, _ = timed(Steps(bu.tracking.Tracker(smoothing=bu.tracking.OneEuro())), scaled)
            image = cv2.resize(scene, size)
            draw, drawn = timed(lambda poses, image=image: bu.draw_poses(image, poses, min_score=0), ids)
            trail, _ = timed(Painter(image), ids)
            write = writing_time(drawn)
            steps = [decode, track, smooth, draw, trail, write]
            for model, network in networks.items():
                count = len({number for poses in ids for number in poses.ids.tolist()})
                ratios = [f"{step / network:.3f}" for step in (*steps, decode + track + draw + write)]
                row = [name, "{}x{}".format(*size), str(count), f"{network:.1f} ({Path(model).name})", *ratios]
                print(f"| {' | '.join(row)} |", flush=True)


def walking(people: int, frames: int) -> list[Poses]:
    """Return frames of people who walk to and fro, each from their own place at their own speed."""
    generator = np.random.default_rng(3)
    start = random_poses(people, INPUT, seed=3)
    speeds = generator.uniform(-3, 3, (people, 1, 2)) * (1, 0.2)
    phases = generator.uniform(0, 6, (people, 1, 1))
    sway = generator.normal(0, 1.5, start.xy.shape)
    walks = []
    for number in range(frames):
        keypoints = start.keypoints.copy()
        keypoints[..., :2] += 15 * speeds * np.sin(number / 15) + sway * np.sin(number / 4 + phases)
        walks.append(replace(start, keypoints=keypoints))
    return walks


def network_time(model: str) -> float:
    """Return the milliseconds that reading a frame into a network and running it takes."""
    estimator = bu.load(model)
    frames = np.random.default_rng(0).integers(0, 256, (8, 480, 640, 3), np.uint8)
    return timed(lambda image: estimator.run(estimator.prepare(image, "bgr")), [*frames] * 4)[0]


class Steps:
    """A tracker that is given the time of each frame."""

    def __init__(self, tracker: bu.tracking.Tracker) -> None:
        self.tracker, self.number = tracker, 0

    def __call__(self, poses: Poses) -> Poses:
        self.number += 1
        return self.tracker.update(poses, self.number / FPS)


class Painter:
    """Trails that are drawn on one image."""

    def __init__(self, image: np.ndarray) -> None:
        self.trails, self.image, self.number = Trails(), image, 0

    def __call__(self, poses: Poses) -> np.ndarray:
        self.number += 1
        self.trails.add(poses, self.number / FPS)
        return self.trails.draw(self.image)


def to_frame(poses: Poses, size: tuple[int, int]) -> Poses:
    """Return poses in pixels of a frame."""
    keypoints = poses.keypoints.copy()
    keypoints[..., 0] *= size[0] / INPUT[0]
    keypoints[..., 1] *= size[1] / INPUT[1]
    return replace(poses, keypoints=keypoints)


def writing_time(frames: list[np.ndarray]) -> float:
    """Return the milliseconds that a frame takes to be written to a video."""
    with TemporaryDirectory() as folder, bu.video.Writer(Path(folder) / "crowd.mp4", fps=FPS) as writer:
        return timed(writer.write, frames)[0]


def timed(step: Callable[[Any], Any], items: Iterable[Any]) -> tuple[float, list[Any]]:
    """Return the median milliseconds of a step, and its results; the first one, which may compile, is left out."""
    times, results = [], []
    for item in items:
        started = time.perf_counter()
        results.append(step(item))
        times.append(time.perf_counter() - started)
    return 1e3 * float(np.median(times[1:])), results


if __name__ == "__main__":
    main()
