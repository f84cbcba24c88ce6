"""Build the API reference: `python .ci/reference.py [FOLDER]` writes HTML pages into it, by default `reference`."""

import inspect
import re
import sys
from pathlib import Path

import pdoc

import bottomup


def load_names() -> None:
    """Load the public names, which wait until they are used: pdoc shows those that are there."""
    for name in bottomup.__all__:
        setattr(bottomup, name, getattr(bottomup, name))


def document_fields() -> None:
    """Make the comments of named tuples' fields their docstrings, which pdoc shows."""
    modules = [module for name, module in sorted(sys.modules.items()) if name.startswith("bottomup.")]
    for kind in {kind for module in modules for kind in vars(module).values() if isinstance(kind, type)}:
        if issubclass(kind, tuple) and kind.__module__.startswith("bottomup."):
            for field, comment in re.findall(r"^    (\w+): .+?(?:  #:? (.*))?$", inspect.getsource(kind), re.MULTILINE):
                getattr(kind, field).__doc__ = comment


load_names()
document_fields()
pdoc.render.configure(docformat="numpy", show_source=False)
pdoc.pdoc("bottomup", output_directory=Path(sys.argv[1] if len(sys.argv) > 1 else "reference"))
