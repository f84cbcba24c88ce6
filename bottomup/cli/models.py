"""`bottomup models`: the catalogue."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bottomup.cli.console import say
from bottomup.cli.parsing import add_command

if TYPE_CHECKING:
    from bottomup.catalogue.cards import Card


_FOR_PHOTOGRAPHS = "coral-posenet-641x481"  # what stands beside the figures of the model that ships


def add_parser(commands: Any) -> None:
    """Add this command and its own ones."""
    models = add_command(
        commands,
        "models",
        help="list, describe and download models",
        description="List, describe and download the models of the catalogue.",
        command=list_models,
    )
    of_models = models.add_subparsers(title="commands", metavar="COMMAND")
    of_models.add_parser("list", help="list all models (default)").set_defaults(command=list_models)
    show = of_models.add_parser("show", help="print everything known about a model")
    show.add_argument("model", metavar="MODEL", help="a name that bottomup models lists")
    show.set_defaults(command=show_model)
    pull = of_models.add_parser("pull", help="download a model, unless that was done before")
    pull.add_argument("model", metavar="MODEL", help="a name that bottomup models lists")
    pull.set_defaults(command=pull_model)


def list_models(asked: argparse.Namespace) -> int:
    """List the catalogue, a model a line."""
    from bottomup.catalogue import cards as catalogue

    rows = [("NAME", "AP", "INPUT", "FILE", "AP IS OF")]
    for card in map(catalogue.get, catalogue.names()):
        ap = _fraction(card.measured[0].ap) if card.measured else ""
        rows.append((card.name, ap, _size(card), _whereabouts(card), card.measured[0].decoder if ap else ""))
    for row in _aligned(rows):
        say(row)
    say("AP is COCO keypoint AP, measured as bottomup models show NAME says.")
    return 0


def show_model(asked: argparse.Namespace) -> int:
    """Show a model's card."""
    from bottomup.catalogue import cards as catalogue

    card = catalogue.get(asked.model)
    stride = " or ".join(map(str, card.output_strides))
    mean, divisor = (
        "/".join(f"{value:g}" for value in dict.fromkeys(values)) for values in (card.input.mean, card.input.divisor)
    )
    rows = [
        ("family", f"{card.family}, skeleton {card.skeleton}, output stride {stride}"),
        ("input", f"{_size(card)}, {card.input.dtype or 'any type'}, {card.input.channel_order}, "
                  f"(pixel - {mean}) / {divisor}"),
    ]  # fmt: skip
    rows += [(f"- {output.role}", f"{output.channels} channels, {output.pattern}") for output in card.outputs]
    if card.files:
        rows.append(("runtime", _runtime(card)))
    rows += [("measured", _measured(card, number)) for number in range(len(card.measured))]
    if card.file and not card.file.address:
        photographs = catalogue.get(_FOR_PHOTOGRAPHS)
        rows.append((_FOR_PHOTOGRAPHS, _measured(photographs, 0)))
    if card.delegate:
        rows.append(("delegate", card.delegate))
    rows += [("licence", card.licence or "that of your file"), ("file", _whereabouts(card))]
    for file in card.files:
        rows += [("- name", file.name), (f"- {file.pinned_by}", file.pin), ("- address", file.address)]
        rows.append(("- path", str(card.place(file))))
    rows.append(("note", card.note))
    say(f"{card.name}: {card.title}")
    for row in _aligned([row for row in rows if row[1]]):
        say(row)
    return 0


def pull_model(asked: argparse.Namespace) -> int:
    """Fetch a model's file and tell where it is."""
    say(str(fetch(asked.model)))
    return 0


def fetch(name: str) -> Path:
    """Fetch a model's file, with a bar on a terminal."""
    from tqdm import tqdm

    from bottomup.catalogue import cards as catalogue

    size = sum(file.size for file in catalogue.get(name).files)
    with tqdm(total=size, unit="B", unit_scale=True, desc=name, disable=not sys.stderr.isatty(), delay=0.5) as bar:
        return catalogue.fetch(name, progress=lambda there, _: bar.update(there - bar.n))


def _size(card: "Card") -> str:
    return "{}x{}".format(*card.input.size) if card.input.size else "any size"


def _whereabouts(card: "Card") -> str:
    """Say where a model's file is."""
    if card.file is None:
        return "yours to bring"
    if card.is_fetched:
        return "in the cache" if card.file.address else "in the package"
    size = sum(file.size for file in card.files)
    if not card.file.address:
        return "missing"
    return f"{size / 1e6:.1f} MB to fetch" if size else "to fetch"


def _runtime(card: "Card") -> str:
    """Say which runtime a model runs in by default here."""
    from bottomup.errors import BottomupError
    from bottomup.networks.opening import runtimes_for

    if card.path is None or not card.path.is_file():
        return f"known once it is fetched: bottomup models pull {card.name}"
    try:
        runtimes = runtimes_for(card.path)
    except BottomupError as error:
        return str(error)
    return f"{runtimes[0]} by default" + "".join(f", or --runtime {name}" for name in runtimes[1:])


def _measured(card: "Card", number: int) -> str:
    """Say how well a model does."""
    measured = card.measured[number]
    ap50 = "" if measured.ap50 is None else f", AP50 {_fraction(measured.ap50)}"
    return f"AP {_fraction(measured.ap)}{ap50}: {measured.decoder}, {measured.images}"


def _fraction(value: float) -> str:
    """Write a number between 0 and 1 as the tables of this field do."""
    return f"{value:.3f}".removeprefix("0")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Put what stands below one another there."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
