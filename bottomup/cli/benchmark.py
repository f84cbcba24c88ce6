"""`bottomup benchmark`: where the time goes."""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bottomup.cli.console import say
from bottomup.cli.loading import add_model_options, load_estimator
from bottomup.cli.parsing import add_command
from bottomup.cli.predict import DEMO


def add_parser(commands: Any) -> None:
    """Add this command."""
    parser = add_command(
        commands,
        "benchmark",
        help="measure where the time goes",
        description="Time each step from an image file to poses.",
        command=benchmark_model,
    )
    parser.add_argument(
        "photo", nargs="?", metavar="PHOTO", help="image (default: the demo scene that ships with bottomup)"
    )
    parser.add_argument(
        "--rounds",
        type=rounds,
        default=20,
        metavar="N",
        help="number of runs; medians are printed (default: 20)",
    )
    add_model_options(parser)


def benchmark_model(asked: argparse.Namespace) -> int:
    """Print the time that each step from a file to poses takes, and of all of them on a stream of images."""
    from bottomup.images import read_image

    photo = asked.photo or str(DEMO)
    estimator = load_estimator(asked)
    image = read_image(photo)
    prepared = estimator.prepare(image, "bgr")
    outputs = estimator.run(prepared)
    found = estimator.finish(outputs, prepared)  # compiles
    steps: dict[str, Callable[[], Any]] = {
        "read": lambda: read_image(photo),
        "resize": lambda: estimator.prepare(image, "bgr"),
        "network": lambda: estimator.run(prepared),
        "decode": lambda: estimator.finish(outputs, prepared),
    }
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(asked.rounds):
        for name, step in steps.items():
            times[name].append(_seconds(step))
    medians = {name: statistics.median(values) for name, values in times.items()}
    stream = itertools.repeat(photo, asked.rounds)
    each = _seconds(lambda: list(estimator.batch(stream))) / asked.rounds
    sizes = ["{}x{}".format(*size) for size in (prepared.image_size, estimator.input_size)]
    say(f"{Path(photo).name}, {sizes[0]}, {len(found)} poses; {estimator.path.name} at {sizes[1]}")
    threads = f"{asked.threads} network thread{'s' * (asked.threads != 1)}"
    say(f"runtime {estimator.network.runtime}, {threads}; medians of {asked.rounds} rounds")
    for name, seconds in medians.items():
        say(f"{name:>8} {seconds * 1e3:9.3f} ms {seconds / medians['network']:8.1%} of the network")
    total = sum(medians.values())
    say(f"{'sum':>8} {total * 1e3:9.3f} ms {1 / total:8.1f} frames a second, one image at a time")
    say(f"{'stream':>8} {each * 1e3:9.3f} ms {1 / each:8.1f} frames a second")
    say("stream: many images, as batch, videos and folders run them: the next is read and the last decoded")
    say("while the network runs, so that an image costs little more than the network")
    return 0


def rounds(text: str) -> int:
    """Return a number of rounds that was given."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return number


def _seconds(step: Callable[[], Any]) -> float:
    """Return how long a step takes."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start
