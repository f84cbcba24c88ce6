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
        help="a name that bottomup models lists, or a .tflite file (default: the model that ships with bottomup)",
    )
    add_decoder_options(parser, default_help="the model file's own, else best")
    parser.add_argument("--threads", type=int, metavar="N", default=1, help="threads of the network (default: 1)")
    parser.add_argument(
        "--runtime", metavar="NAME", help="litert, tflite_runtime or tensorflow (default: the first installed)"
    )
    parser.add_argument("--delegate", metavar="LIBRARY", help="as libedgetpu.so.1, for a model compiled for it")


def load_estimator(asked: argparse.Namespace) -> "PoseEstimator":
    """Load the model, with the decoder that was asked for or its own, and that one's settings."""
    from bottomup.catalogue import cards as catalogue
    from bottomup.estimation.loading import load

    if asked.model in catalogue.names() and not os.path.isfile(asked.model):
        fetch(asked.model)  # with a bar, which would not be seen below
    options = {"threads": asked.threads, "runtime": asked.runtime, "delegate": asked.delegate}
    with without_chatter():
        estimator = load(asked.model, **options)
    if asked.decoder is None and asked.max_poses is None and asked.score_threshold is None:
        return estimator
    return dataclasses.replace(estimator, decoder=choose_decoder(estimator.decoder, asked))
