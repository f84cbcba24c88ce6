"""Which decoder the options ask for."""

import argparse
import ast
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bottomup.errors import InputError

if TYPE_CHECKING:
    from bottomup.family import Decoder, Family


def add_decoder_options(parser: argparse.ArgumentParser, default_help: str) -> None:
    """Add the options that `choose_decoder` reads."""
    parser.add_argument(
        "--decoder",
        metavar="NAME",
        help="best (ours), file (what the model file asks for), or the decoder of a system, such as coral, tfjs, "
        f"openpose or movenet (default: {default_help})",
    )
    parser.add_argument("--max-poses", type=int, metavar="N", help="maximum number of people in an image")
    parser.add_argument(
        "--score-threshold", type=float, metavar="S", help="lowest score of a peak that can start a person, 0 to 1"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=parameter,
        metavar="NAME=VALUE",
        help="set another parameter of the decoder, such as nms_radius=15; can be repeated",
    )


def choose_decoder(family: "Family", own: "Decoder | None", asked: argparse.Namespace) -> "Decoder | None":
    """Return the decoder that was asked for, or `own`, with the settings that were."""
    settings = {"max_poses": asked.max_poses, family.threshold: asked.score_threshold}
    given: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    more: dict[str, Any] = dict(asked.set)
    if own is None:
        if asked.decoder not in (None, "file") or given or more:
            raise InputError(
                "the model decodes by itself: leave --decoder, --max-poses, --score-threshold and --set out"
            )
        return None
    decoder = own if asked.decoder in (None, "best", "file") else _named(asked.decoder, family)()
    known: set[str] = (
        {field.name for field in dataclasses.fields(decoder)} if dataclasses.is_dataclass(decoder) else set()
    )
    if "max_poses" in given and "max_poses" not in known:
        raise InputError(f"--max-poses: {_title(decoder)} finds everybody at once, leave it out")
    if family.threshold in given and family.threshold not in known:
        raise InputError(f"--score-threshold: {_title(decoder)} has none, leave it out")
    for name in more.keys() - known:
        raise InputError(f"--set {name}: {_title(decoder)} has {', '.join(sorted(known)) or 'no parameters'}")
    given |= more
    return dataclasses.replace(decoder, **given) if given else decoder  # type: ignore[type-var]


def parameter(text: str) -> tuple[str, Any]:
    """Return the name and value of a parameter that was given; the decoder checks the value."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, such as nms_radius=15, got {text}")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return name, value


def _named(name: str, family: "Family") -> "Callable[..., Decoder]":
    """Return what makes the decoder of that name."""
    if name not in family.decoders:
        known = ", ".join(family.decoders)
        raise InputError(f"--decoder {name} cannot read the outputs of {family.title} networks: choose {known}")
    return family.decoders[name]


def _title(decoder: Any) -> str:
    return type(decoder).__name__
