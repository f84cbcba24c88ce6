"""Build guide and API reference: `python .ci/reference.py [FOLDER]` writes HTML pages into it, by default `reference`.

It opens with the README, whose links lead through the guide. Every public name has one place: in `bottomup` if it is
there, else in the first module that lists it.
"""

import importlib
import inspect
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

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
from bottomup.families import FAMILIES  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
#: What newcomers need first, in this order; the other names follow in theirs.
FIRST = [
    "load",
    "PoseEstimator",
    "Poses",
    "draw_poses",
    "Skeleton",
    "read_outputs",
    "PoseNetFields",
    "PoseNetDecoder",
    "PafFields",
    "PafDecoder",
    "CenterFields",
    "CenterDecoder",
    "TagFields",
    "TagDecoder",
    "BoxFields",
    "BoxDecoder",
    "Quantized",
    "Augmentation",
    "draw_masks",
    "draw_parts",
]
FIRST_MODULES = ["video", "tracking", "draw", "export", "evaluate", "inspection", "skeletons", "synthetic"]
MORE_PAGES = {"contributing": ".github/CONTRIBUTING.md", "security": ".github/SECURITY.md", "changes": "CHANGELOG.md"}


def main(folder: Path) -> None:
    """Write all pages."""
    bottomup.Skeleton.__repr__ = lambda skeleton: skeleton.name
    pages = {ROOT / "README.md": "guide"}
    pages |= {path: f"guide.{path.stem}" for path in in_order(sorted((ROOT / "bottomup" / "guide").glob("*.md")))}
    pages |= {ROOT / path: f"guide.{name}" for name, path in MORE_PAGES.items()}
    pages |= {ROOT / "bottomup" / family.name / "README.md": f"bottomup.{family.name}" for family in FAMILIES}
    modules = guide_pages(pages) | reference_pages(pages)
    modules["guide"].submodules.append(modules["bottomup"])
    pdoc.render.configure(docformat="numpy", show_source=False)
    for name, module in modules.items():
        path = folder / f"{name.replace('.', '/')}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(finished(pdoc.render.html_module(module, modules), name), encoding="utf-8")
    to_guide = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=guide.html">'
    (folder / "index.html").write_text(f'{to_guide}<a href="guide.html">Guide</a>', encoding="utf-8")
    (folder / "search.js").write_text(pdoc.render.search_index(modules), encoding="utf-8")
    check_links(folder)


def finished(page: str, name: str) -> str:
    """Return a page that fits its screen; one of the guide goes by its own heading."""
    style = ".pdoc img { max-width: 100%; height: auto; } .pdoc pre, .pdoc table { overflow-x: auto; }"
    page = page.replace("Module Index", "Guide")
    if name.startswith("guide"):
        heading = re.search(r"<h1[^>]*>((?!.*modulename).*?)</h1>", page)
        title = re.sub(r"<[^>]+>", "", heading[1]) if heading else name
        page = re.sub(r"<title>.*?</title>", f"<title>{title}</title>", page, count=1)
        page = page.replace("<h2>Submodules</h2>", "<h2>Pages</h2>")
        style += " h1.modulename { display: none; }"
    return page.replace("</head>", f"<style>{style}</style></head>", 1)


def in_order(paths: list[Path]) -> list[Path]:
    """Return the guide's pages as the README lists them."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return sorted(paths, key=lambda path: readme.rindex(f"](bottomup/guide/{path.name})"))


def guide_pages(pages: dict[Path, str]) -> dict[str, pdoc.doc.Module]:
    """Return the README and the guide as if they were modules, so that they share navigation and search."""
    modules = {}
    for path, name in pages.items():
        if not name.startswith("guide"):
            continue
        stand_in = ModuleType(name, text_of(path, pages))
        stand_in.__file__, stand_in.__docformat__, stand_in.__all__ = str(path), "markdown", []
        modules[name] = pdoc.doc.Module(stand_in)
        modules[name].submodules = []
    modules["guide"].submodules = [module for name, module in modules.items() if name != "guide"]
    return modules


def text_of(path: Path, pages: dict[Path, str]) -> str:
    """Return a Markdown file whose links lead to pages; what is no page keeps its text alone."""

    def linked(match: re.Match[str]) -> str:
        text, target = match.groups()
        file, _, place = target.partition("#")
        if re.match(r"https?:", target) or not file:
            return match[0]
        source = (path.parent / file).resolve()
        if not source.exists():
            raise SystemExit(f"{path}: there is no {target}")
        if source not in pages:
            return text
        start = Path(*pages[path].split(".")).parent
        page = os.path.relpath(f"{pages[source].replace('.', '/')}.html", start)
        return f"[{text}]({page}{'#' + place if place else ''})"

    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)]+)\)", linked, path.read_text(encoding="utf-8"))


def reference_pages(pages: dict[Path, str]) -> dict[str, pdoc.doc.Module]:
    """Return the public modules, each name in one of them."""
    for name in bottomup.__all__:  # they are lazy: pdoc only sees those that are loaded
        setattr(bottomup, name, getattr(bottomup, name))
    names = [name for name in bottomup.__all__ if not isinstance(getattr(bottomup, name), ModuleType)]
    public = [name for name in bottomup.__all__ if name not in names]
    bottomup.__all__ = [*FIRST, *(name for name in names if name not in FIRST)]
    homes = {id(getattr(bottomup, name)): f"bottomup.{name}" for name in names}
    modules = {"bottomup": pdoc.doc.Module(bottomup)}
    for family in FAMILIES:  # decoders of systems, which our own makes
        room = getattr(bottomup, family.name)
        room.__doc__ = text_of(ROOT / "bottomup" / family.name / "README.md", pages)
        room.__docformat__ = "markdown"
        kinds = [kind for kind in family.decoder_types if id(kind) not in homes]
        vars(room).update({kind.__name__: kind for kind in kinds})
        room.__all__ = [*(kind.__name__ for kind in kinds), *room.__all__]
    family_names = [family.name for family in FAMILIES]
    first = [*FIRST_MODULES, *family_names]
    modules["bottomup"].submodules = [
        page
        for name in [*first, *(name for name in public if name not in first)]
        for page in add_module(getattr(bottomup, name), homes, modules)
    ]
    document_classes()
    return modules


def add_module(module: Any, homes: dict[int, str], modules: dict[str, pdoc.doc.Module]) -> list[pdoc.doc.Module]:
    """Add a module and those that it lists; names that have a home already stay there, and are named in a sentence."""
    listed = getattr(module, "__all__", None)
    if listed is None:  # a package of definitions: what it defines, functions first
        listed = [name for name in vars(module) if not name.startswith("_") and is_own(module, name)]
    values = {
        name: getattr(module, name, None) or importlib.import_module(f"{module.__name__}.{name}") for name in listed
    }
    inner = [value for value in values.values() if isinstance(value, ModuleType)]
    names = [name for name, value in values.items() if not isinstance(value, ModuleType)]
    elsewhere = [homes[id(values[name])] for name in names if id(values[name]) in homes]
    module.__all__ = [name for name in names if id(values[name]) not in homes]
    homes.update({id(values[name]): f"{module.__name__}.{name}" for name in module.__all__})
    if elsewhere:
        module.__doc__ = f"{module.__doc__}\n\nSee also {', '.join(f'`{name}`' for name in elsewhere)}.\n"
    page = modules[module.__name__] = pdoc.doc.Module(module)
    new = [value for value in inner if value.__name__ not in modules]
    page.submodules = [each for value in new for each in add_module(value, homes, modules)]
    return [page]


def value_of(module: Any, name: str) -> Any:
    """Return what a module lists, which may be a module that is not loaded yet."""
    value = getattr(module, name, None)
    return importlib.import_module(f"{module.__name__}.{name}") if value is None else value


def is_own(module: Any, name: str) -> bool:
    """Tell whether a module defines a function or class itself."""
    return getattr(getattr(module, name), "__module__", "") == module.__name__


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


def check_links(folder: Path) -> None:
    """Refuse pages that link to none."""
    for page in folder.rglob("*.html"):
        for target in re.findall(r'href="([^"#:]+)(?:#[^"]*)?"', page.read_text(encoding="utf-8")):
            if "${" not in target and not (page.parent / target).exists():
                raise SystemExit(f"{page}: there is no {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "reference"))
