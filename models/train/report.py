"""Measure an exported file: AP of both heads and IoU of the person mask.

    python -m models.train.report MODEL.tflite --scenes 200
    python -m models.train.report MODEL.tflite --dev DIR --dev-annotations FILE

One line of JSON for the fresh rendered scenes, and one for the photos.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.geometry import ImageSize, Letterbox, Placement, lay_out
from bottomup.paf.fields import PafFields
from bottomup.posenet.fields import PoseNetFields
from bottomup.tflite.inputs import INPUT_RULES, input_tensor
from bottomup.tflite.runtime import Network
from models.train.evaluate import INPUT_SIZE, fields_of, measure, photo_examples, scene_examples


class Runner:
    """An exported file as `measure` wants it: image in, fields and placement out."""

    def __init__(self, path: Path, input_size: ImageSize) -> None:
        self._network, self._size = Network(path), input_size
        self._network.resize_input(input_size)

    def __call__(self, image: NDArray[np.uint8]) -> tuple[PoseNetFields, PafFields, Placement]:
        """Run the network on an image laid into its input."""
        laid_out, placement = lay_out(image, Letterbox(), self._size)
        arrays = self._network.run(input_tensor(laid_out, "bgr", INPUT_RULES["signed"], self._network.input))
        return *fields_of(arrays), placement


def main() -> None:
    """Read the command line, measure, and say what was found."""
    parser = argparse.ArgumentParser(prog="python -m models.train.report", description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--scenes", type=int, default=0, help="how many fresh scenes to render")
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
