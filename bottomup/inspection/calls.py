"""A decoder as one writes it: in Python, and as options of the command line."""

import dataclasses
import inspect
import shlex
from typing import Any

from bottomup.family import Family

__all__ = ["Call", "call_of"]


@dataclasses.dataclass(frozen=True)
class Call:
    """How to make a decoder.

    Attributes
    ----------
    python : str
        What to call, such as "PoseNetDecoder.coral"; None if the decoder can only be shown.
    option : str
        The name that `--decoder` takes.
    defaults : dict
        What each parameter is unless it is given.
    given : dict
        Those parameters that differ.
    """

    python: str | None
    option: str
    defaults: dict[str, Any]
    given: dict[str, Any]

    def shown(self) -> dict[str, Any]:
        """Return what the page's script reads: values as Python writes them, and as the shell takes them."""
        return {
            "python": self.python,
            "option": self.option,
            "defaults": {name: repr(value) for name, value in self.defaults.items()},
            "given": {name: repr(value) for name, value in self.given.items()},
            "quoted": {name: shlex.quote(f"{name}={value!r}") for name, value in self.given.items()},
        }


def call_of(decoder: Any, family: Family) -> Call:
    """Return the shortest way to make a decoder: from our best, or from one of the family's flavours."""
    best = family.decoders["best"]
    calls = []
    for option, make in family.decoders.items():
        usual: Any = make()
        if type(usual) is not type(decoder) or not (option == "best" or hasattr(best, option)):
            continue
        names = [field.name for field in dataclasses.fields(usual)]
        defaults = {name: getattr(usual, name) for name in names}
        given = {name: getattr(decoder, name) for name in names if getattr(decoder, name) != defaults[name]}
        if _takes(make, given):
            title = getattr(best, "__name__", "")
            calls.append(Call(title if option == "best" else f"{title}.{option}", option, defaults, given))
    return min(calls, key=lambda call: len(call.given), default=Call(None, "", {}, {}))


def _takes(make: Any, given: dict[str, Any]) -> bool:
    """Tell whether these parameters can be given by name."""
    known = inspect.signature(make).parameters
    return any(each.kind is each.VAR_KEYWORD for each in known.values()) or given.keys() <= known.keys()
