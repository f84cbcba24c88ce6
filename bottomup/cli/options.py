"""Which decoder the options ask for."""

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

from bottomup.errors import InputError

STRIDES = (4, 8, 16, 32)
_POSENET, _PAF = ("best", "coral", "tfjs", "personlab"), ("best", "strict", "openpose", "bodyposenet", "trt_pose")


def add_decoder_options(parser: argparse.ArgumentParser, default_help: str) -> None:
    """Add the options that `choose_decoder` reads."""
    parser.add_argument(
        "--decoder",
        choices=list(dict.fromkeys(_POSENET + _PAF)),
        help=f"whose answers: {', '.join(_POSENET)} of PoseNets, {', '.join(_PAF)} of part affinity fields "
        f"(default: {default_help})",
    )
    parser.add_argument("--max-poses", type=int, metavar="N", help="most people in an image, of PoseNets")
    parser.add_argument(
        "--score-threshold", type=float, metavar="S", help="lowest score of a peak to start a pose from, 0 to 1"
    )


def choose_decoder(own: Any, asked: argparse.Namespace) -> Any:
    """Return the decoder that was asked for, or `own` with the settings that were."""
    from bottomup.paf.best import PafDecoder

    if isinstance(own, PafDecoder):
        if asked.max_poses is not None:
            raise InputError("--max-poses is for PoseNets: part affinity fields give everybody at once, leave it out")
        settings = {"peak_threshold": asked.score_threshold}
    else:
        settings = {"max_poses": asked.max_poses, "score_threshold": asked.score_threshold}
    given: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    if own is None:
        if asked.decoder or given:
            raise InputError("the model decodes by itself: leave --decoder, --max-poses and --score-threshold out")
        return None
    if asked.decoder is None:
        return dataclasses.replace(own, **given)
    if isinstance(own, PafDecoder):
        return _maker(asked.decoder, PafDecoder, _PAF, "part affinity fields")(shift=own.shift, **given)
    from bottomup.posenet.best import PoseNetDecoder

    return _maker(asked.decoder, PoseNetDecoder, _POSENET, "a PoseNet")(**given)


def _maker(name: str, family: Any, names: tuple[str, ...], kind: str) -> Callable[..., Any]:
    """Return what makes the decoder of that name."""
    if name not in names:
        raise InputError(f"--decoder {name} cannot read the outputs of {kind}: choose {', '.join(names)}")
    maker: Callable[..., Any] = family if name == "best" else getattr(family, name)
    return maker
