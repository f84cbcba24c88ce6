"""Build the API reference: `python .ci/reference.py [FOLDER]` writes HTML pages into it, by default `reference`."""

import inspect
import re
import sys
from pathlib import Path
from typing import Generic, TypeVar

import numpy.typing
import pdoc

Element = TypeVar("Element")


class ArrayLike:
    """Replaces numpy's, which pdoc would spell out as a long union."""


class NDArray(Generic[Element]):
    """Replaces numpy's, for the same reason."""


for stand_in in (ArrayLike, NDArray):
    stand_in.__module__ = "numpy.typing"
    setattr(numpy.typing, stand_in.__name__, stand_in)

import bottomup  # noqa: E402


def load_names() -> None:
    """Load the public names, which are lazy: pdoc only sees those that are loaded."""
    for name in bottomup.__all__:
        setattr(bottomup, name, getattr(bottomup, name))


def document_classes() -> None:
    """Have pdoc show what it leaves out: the comments of named tuples' fields, and `__call__`."""
    modules = [module for name, module in sorted(sys.modules.items()) if name.startswith("bottomup.")]
    kinds = {kind for module in modules for kind in vars(module).values() if isinstance(kind, type)}
    for kind in kinds:
        if not kind.__module__.startswith("bottomup."):
            continue
        if issubclass(kind, tuple):
            for field, comment in re.findall(r"^    (\w+): .+?(?:  #:? (.*))?$", inspect.getsource(kind), re.MULTILINE):
                getattr(kind, field).__doc__ = comment
        if call := vars(kind).get("__call__"):
            call.__doc__ = f"@public {call.__doc__}"


bottomup.Skeleton.__repr__ = lambda skeleton: skeleton.name
load_names()
document_classes()
pdoc.render.configure(docformat="numpy", show_source=False)
pdoc.pdoc("bottomup", output_directory=Path(sys.argv[1] if len(sys.argv) > 1 else "reference"))
