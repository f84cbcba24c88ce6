r"""Train the model that ships.

    python -m models.train --out DIR --windows DIR --dev DIR ANNOTATIONS.json

trains on the windows that `models.train.windows` made; a run that was stopped resumes. With
`--start models/bottomup-tiny.tflite` it trains that file's network further.
"""

import argparse
from pathlib import Path

import torch

from models.train.examples import photo_examples
from models.train.train import RATE, Training
from models.train.windows import Store


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoints, weights.pt and log.jsonl")
    parser.add_argument("--windows", type=Path, required=True, help="folder that `models.train.windows` filled")
    parser.add_argument("--dev", type=Path, nargs=2, metavar=("DIR", "ANNOTATIONS"), help="photos to measure AP on")
    parser.add_argument("--start", type=Path, help="a float .tflite file from an earlier training, to train further")
    parser.add_argument("--minutes", type=float, default=120, help="of training, including earlier runs")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rate", type=float, default=RATE, help="highest learning rate; lower for a short finish")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    dev = photo_examples(*arguments.dev) if arguments.dev else []
    training = Training(
        arguments.out, Store(arguments.windows), arguments.minutes, arguments.seed, arguments.start, arguments.rate
    )
    training.run(dev)


if __name__ == "__main__":
    main()
