"""Measure an exported file: AP of both heads, the person mask, and who owns each cell.

    python -m models.train.report MODEL.tflite --scenes 200
    python -m models.train.report MODEL.tflite --dev DIR --dev-annotations FILE

One line of JSON for the fresh rendered scenes, and one for the photos.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bottomup.geometry import ImageSize
from models.train.evaluate import INPUT_SIZE, measure
from models.train.examples import photo_examples, scene_examples
from models.train.runners import Runner


def main() -> None:
    """Read the command line, measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m models.train.report", description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--scenes", type=int, default=0, help="number of fresh scenes to render")
    parser.add_argument("--dev", type=Path, help="folder of photos")
    parser.add_argument("--dev-annotations", type=Path, help="their COCO keypoints")
    parser.add_argument("--input-size", type=int, nargs=2, default=INPUT_SIZE, metavar=("WIDTH", "HEIGHT"))
    arguments = parser.parse_args()
    size = ImageSize(*arguments.input_size)
    runner = Runner(arguments.model, size)
    sets: dict[str, Any] = {}
    if arguments.scenes:
        sets[f"{arguments.scenes} fresh scenes"] = scene_examples(arguments.scenes)
    if arguments.dev:
        sets[arguments.dev.name] = photo_examples(arguments.dev, arguments.dev_annotations)
    for name, examples in sets.items():
        figures = {"model": arguments.model.name, "images": name, "input_size": list(size), **measure(runner, examples)}
        sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
