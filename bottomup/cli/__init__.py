"""The command line: `bottomup predict`, `decode`, `eval`, `inspect`, `benchmark`, `models`, `warmup`.

Exit status 0, 2 with one line on standard error that says what was wrong, or
130 where Ctrl-C ended it before its end; a camera has no other end, and gives 0.
Heavy imports stand inside the commands, so that help is quick.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

import bottomup
from bottomup.cli.benchmark import benchmark_model, rounds
from bottomup.cli.console import complain, forget_output
from bottomup.cli.decode import decode_tensors
from bottomup.cli.eval import evaluate_model
from bottomup.cli.inspect import inspect_photo
from bottomup.cli.loading import add_model_options, size
from bottomup.cli.masks import add_mask_options
from bottomup.cli.models import list_models, pull_model, show_model
from bottomup.cli.options import add_decoder_options
from bottomup.cli.predict import predict_sources
from bottomup.cli.warmup import warm_up
from bottomup.errors import BottomupError

_FAILED, _INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = _parser()
    try:
        asked = parser.parse_args(arguments)
        if asked.command is None:
            parser.print_help()
            return _FAILED
        status: int = asked.command(asked)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # whoever reads our output has seen enough
        forget_output()
        return _FAILED
    except (BottomupError, OSError, MemoryError) as error:
        complain(error)
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        complain(f"a defect, please report it (python -X dev shows where): {type(error).__name__}: {error}")
    forget_output()
    return _FAILED


class _Parser(argparse.ArgumentParser):
    """A parser that complains in one line, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        self.exit(_FAILED, f"bottomup: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="bottomup", description="Find people and their keypoints in images.")
    parser.add_argument("--version", action="version", version=f"bottomup {bottomup.__version__}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    predicting = commands.add_parser(
        "predict",
        help="images and videos to poses",
        description="Find the people in images, videos and what cameras see. "
        "Ctrl-C ends a video after the frame at hand; what was written plays.",
    )
    predicting.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="image, video, folder of them, quoted glob pattern, number of a camera, or URL of a stream "
        "(default: the demo scene that ships with bottomup)",
    )
    predicting.add_argument(
        "--out", metavar="DIR", default="poses", help="folder of the drawn pictures and videos (default: poses)"
    )
    predicting.add_argument(
        "--json",
        metavar="FILE",
        help="where the poses go: one JSON object, or a line an image or frame if there are videos or FILE ends with "
        ".jsonl (default: DIR/poses.json for images, DIR/NAME.jsonl for each video)",
    )
    predicting.add_argument(
        "--openpose", metavar="DIR", help="also write OpenPose's JSON, one file an image or frame, into this folder"
    )
    predicting.add_argument(
        "--codec",
        choices=["h264", "mp4v", "gif"],
        help="of the drawn videos: h264 plays everywhere, keeps the sound and needs pip install 'bottomup[video]'; mp4v "
        "is silent and does not play in browsers (default: h264 if that is installed, else mp4v)",
    )
    predicting.add_argument("--track", action="store_true", help="give people in videos ids that they keep")
    predicting.add_argument("--smooth", action="store_true", help="calm their movements as well; implies --track")
    add_mask_options(predicting)
    add_model_options(predicting)
    predicting.add_argument(
        "--min-score",
        type=score,
        metavar="S",
        default=0.2,
        help="leave poses below this score out; with --track, half of it will do "
        "for people already known (default: 0.2)",
    )
    predicting.set_defaults(command=predict_sources)

    decoding = commands.add_parser("decode", help="raw tensors to poses", description="Decode a network's raw outputs.")
    decoding.add_argument(
        "raw",
        metavar="RAW.npz",
        help="named tensors of one image; 8-bit ones with NAME_scale and NAME_zero_point beside them",
    )
    decoding.add_argument("--json", metavar="FILE", help="where the poses go (default: standard output)")
    decoding.add_argument(
        "--stride",
        type=float,
        metavar="N",
        help="input pixels per cell (default: what --input-size or the file tells, else what most such networks have)",
    )
    decoding.add_argument(
        "--input-size", type=size, metavar="WxH", help="width and height of the network's input, such as 641x481"
    )
    decoding.add_argument(
        "--skeleton", metavar="FILE", help="JSON of the parts of a network that was trained on its own"
    )
    add_decoder_options(decoding, default_help="best")
    decoding.set_defaults(command=decode_tensors)

    models = commands.add_parser("models", help="the models that exist", description="Models by name, and their files.")
    models.set_defaults(command=list_models)
    of_models = models.add_subparsers(title="commands", metavar="COMMAND")
    of_models.add_parser("list", help="all of them (default)").set_defaults(command=list_models)
    show = of_models.add_parser("show", help="all that is known of one")
    show.add_argument("model", metavar="MODEL")
    show.set_defaults(command=show_model)
    pull = of_models.add_parser("pull", help="fetch its file, unless it is there already")
    pull.add_argument("model", metavar="MODEL")
    pull.set_defaults(command=pull_model)

    evaluating = commands.add_parser(
        "eval", help="COCO keypoint accuracy", description="Measure a model on images with labelled people."
    )
    evaluating.add_argument("--images", required=True, metavar="DIR", help="folder of the annotations' images")
    evaluating.add_argument(
        "--annotations", required=True, metavar="FILE.json", help="COCO keypoints, as person_keypoints_val2017.json"
    )
    evaluating.add_argument(
        "--out", metavar="DIR", default="evaluation", help="folder of results, plot and pictures (default: evaluation)"
    )
    add_model_options(evaluating)
    evaluating.add_argument(
        "--min-score",
        type=score,
        metavar="S",
        default=0.2,
        help="lowest score of poses in the table of errors and in the pictures; AP counts all (default: 0.2)",
    )
    evaluating.set_defaults(command=evaluate_model)

    inspecting = commands.add_parser(
        "inspect", help="why poses are as they are", description="Show how a model comes to its poses, on one page."
    )
    inspecting.add_argument(
        "photo", nargs="?", metavar="PHOTO", help="image (default: the demo scene that ships with bottomup)"
    )
    inspecting.add_argument("--out", metavar="FILE.html", help="where the page goes (default: PHOTO's name with .html)")
    add_model_options(inspecting)
    inspecting.set_defaults(command=inspect_photo)

    timing = commands.add_parser(
        "benchmark", help="where the time goes", description="Time each step from an image file to poses."
    )
    timing.add_argument(
        "photo", nargs="?", metavar="PHOTO", help="image (default: the demo scene that ships with bottomup)"
    )
    timing.add_argument(
        "--rounds", type=rounds, default=20, metavar="N", help="of which medians are told (default: 20)"
    )
    add_model_options(timing)
    timing.set_defaults(command=benchmark_model)

    warming = commands.add_parser(
        "warmup", help="compile ahead of time", description="Compile the decoders once, so that later runs need not."
    )
    warming.set_defaults(command=warm_up)
    return parser


def score(text: str) -> float:
    """Return a score that was given."""
    lowest = float(text)
    if not 0 <= lowest <= 1:
        raise argparse.ArgumentTypeError(f"must be a score from 0 to 1, got {text}")
    return lowest
