"""The model that the options ask for."""

import argparse
import dataclasses
import os
from typing import TYPE_CHECKING

from bottomup.cli.console import without_chatter
from bottomup.cli.models import fetch
from bottomup.cli.options import add_decoder_options, choose_decoder

if TYPE_CHECKING:
    from bottomup.estimation.estimator import PoseEstimator


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `load_estimator` reads."""
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="a name that bottomup models lists, or a .tflite, .onnx or .xml file (default: the model in the package)",
    )
    add_decoder_options(parser, default_help="best")
    parser.add_argument(
        "--input-size",
        type=size,
        metavar="WxH",
        help="width and height of the network's input, such as 641x481; auto fits each image (default: the file's)",
    )
    parser.add_argument("--flip", action="store_true", help="also run on the mirrored image: slower, more accurate")
    parser.add_argument(
        "--scales",
        type=scales,
        metavar="S,S",
        help="run at these multiples of the input size, such as 1,1.5: slower, more accurate",
    )
    parser.add_argument(
        "--skeleton", metavar="FILE", help="JSON file with the parts of a network trained on other parts"
    )
    parser.add_argument("--threads", type=int, metavar="N", default=1, help="threads for the network (default: 1)")
    parser.add_argument(
        "--runtime",
        metavar="NAME",
        help="litert, tflite_runtime, tensorflow, openvino or onnxruntime (default: the first that can run the file)",
    )
    parser.add_argument(
        "--delegate", metavar="LIBRARY", help="such as libedgetpu.so.1, for a model compiled for the Edge TPU"
    )


def load_estimator(asked: argparse.Namespace, *, min_score: float = 0.0) -> "PoseEstimator":
    """Load the model, with the decoder that was asked for or our best, and that one's settings."""
    from bottomup.catalogue import cards as catalogue
    from bottomup.estimation.augmentation import Augmentation
    from bottomup.estimation.loading import load
    from bottomup.skeletons import read_skeleton

    if asked.model in catalogue.names() and not os.path.isfile(asked.model):
        fetch(asked.model)  # with a bar, which would not be seen below
    augmentation = Augmentation(flip=asked.flip, scales=asked.scales or (1.0,)) if asked.flip or asked.scales else None
    with without_chatter():
        estimator = load(
            asked.model,
            decoder=asked.decoder if asked.decoder != "best" else None,
            threads=asked.threads,
            runtime=asked.runtime,
            delegate=asked.delegate,
            input_size=asked.input_size,
            augmentation=augmentation,
            skeleton=None if asked.skeleton is None else read_skeleton(asked.skeleton),
            min_score=min_score,
        )
    if asked.max_poses is None and asked.score_threshold is None and not asked.set:
        return estimator
    return dataclasses.replace(estimator, decoder=choose_decoder(estimator.family, estimator.decoder, asked_own(asked)))


def asked_own(asked: argparse.Namespace) -> argparse.Namespace:
    """Return the options without the decoder's name, which `load` has seen to."""
    return argparse.Namespace(**{**vars(asked), "decoder": None})


def size(text: str) -> "tuple[int, int] | str":
    """Return a width and height that were given, or "auto"."""
    if text == "auto":
        return text
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f"must be WIDTHxHEIGHT, such as 641x481, or auto, got {text}")
    return int(width), int(height)


def scales(text: str) -> tuple[float, ...]:
    """Return the scales that were given."""
    try:
        return tuple(float(piece) for piece in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers with commas, such as 1,1.5, got {text}") from None
