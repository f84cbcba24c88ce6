"""Arguments: one parser class, whose complaints are one line and name what is near."""

import argparse
import difflib
import os
import re
from collections.abc import Sequence
from typing import Any, NoReturn

#: The default of every --min-score; the command line must not load NumPy to say so, and a test compares it.
MIN_SCORE = 0.2

_FAILED = 2
# What other programs call our options.
_ELSEWHERE = {
    "--conf": "--min-score",
    "--confidence": "--min-score",
    "--threshold": "--min-score",
    "--source": "SOURCE, without an option",
    "--input": "SOURCE, without an option",
    "--image": "SOURCE, without an option",
    "--video": "SOURCE, without an option",
    "--weights": "--model",
    "--imgsz": "--input-size",
    "--img-size": "--input-size",
    "--device": "--runtime",
    "--output": "--out",
    "--save": "--out",
    "--project": "--out",
    "--max-det": "--max-poses",
    "--classes": "--skeleton",
    "--color": "--colour",
    "--vis": "--show",
    "--view-img": "--show",
    "--nosave": "--no-pictures",
    "--save-json": "--json",
    "--write-json": "--openpose",
    "--tta": "--flip",
    "--augment": "--flip",
}


class Parser(argparse.ArgumentParser):
    """A parser that complains in one line, as everything else here does."""

    def parse(self, arguments: Sequence[str] | None) -> argparse.Namespace:
        """Return what was asked, or end with one line about what was not understood."""
        asked, unknown = self.parse_known_args(arguments)
        if unknown:
            parser: Parser = getattr(asked, "parser", None) or self
            parser.error(f"unrecognized arguments: {' '.join(unknown)}{parser.near(unknown[0])}")
        return asked

    def near(self, option: str) -> str:
        """Return a hint at the option that was meant, if there is one."""
        name = option.split("=")[0]
        if not name.startswith("-"):
            return ""
        options = [text for action in self._actions for text in action.option_strings if text.startswith("--")]
        if _ELSEWHERE.get(name, "").split(",")[0] in (*options, "SOURCE"):
            return f": did you mean {_ELSEWHERE[name]}?"
        close = difflib.get_close_matches(name, options, n=2, cutoff=0.6)
        return f": did you mean {' or '.join(close)}?" if close else f": there are {', '.join(options)}"

    def error(self, message: str) -> NoReturn:
        """End with one line and status 2."""
        chosen = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        if chosen is not None:
            given, known = chosen.group(1), [word.strip("' ") for word in chosen.group(2).split(",")]
            close = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
            if os.path.exists(given) and "predict" in known:
                message = f"there is no command {given!r}: did you mean bottomup predict {given}?"
            elif close:
                message = message[: chosen.start()] + f"invalid choice: {given!r}: did you mean {close[0]}?"
        self.exit(_FAILED, f"bottomup: {' '.join(message.split())} (see {self.prog} --help)\n")


def add_command(commands: Any, name: str, *, help: str, description: str, command: Any) -> Parser:
    """Add a command's parser, and what it calls."""
    parser: Parser = commands.add_parser(name, help=help, description=description)
    parser.set_defaults(command=command, parser=parser)
    return parser


def score(text: str) -> float:
    """Parse a score."""
    return _number(text, 1, "a score from 0 to 1")


def width(text: str) -> float:
    """Parse a width in pixels."""
    return _number(text, 1000, "from 0 to 1000 pixels")


def _number(text: str, highest: float, expected: str) -> float:
    """Parse a number from 0 to `highest`."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= highest:
        raise argparse.ArgumentTypeError(f"must be {expected}, got {text}")
    return value
