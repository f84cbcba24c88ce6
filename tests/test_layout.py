"""The architecture, as tests."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bottomup

PACKAGE = Path(bottomup.__file__).parent
# Imports point one way: a module knows modules of earlier rows, and files of its own folder.
ROWS = [
    ["errors", "workspaces"],
    ["files", "image_headers"],
    ["images", "tensors", "skeletons", "kernels"],
    ["parameters"],
    ["geometry"],
    ["similarity", "presentation"],
    ["poses"],
    ["batch"],
    ["layers"],
    ["family"],
    ["posenet", "paf", "centers", "tags", "boxes"],
    ["families"],
    ["networks", "catalogue"],
    ["synthetic"],
    ["estimation"],
    ["metric3d"],
    ["draw", "export", "tracking"],
    ["video"],
    ["evaluate", "inspection", "distributed", "serving"],
    ["cli"],
    ["__main__"],
]
ROW = {room: row for row, rooms in enumerate(ROWS) for room in rooms}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(module):
    return module.split(".")[1]


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "bottomup" else [node.module]
            )
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    relative = path.relative_to(PACKAGE)
    room = relative.parts[0].removesuffix(".py")
    assert room in ROW, f"{relative} has no place in the order of rooms"
    for module in imported_modules(path):
        if module.startswith("bottomup."):
            other = room_of(module)
            assert other == room or ROW[other] < ROW[room], f"{relative} imports {module}"


def test_kernels_know_nothing_of_the_library():
    how = {PACKAGE / "kernels" / f"{name}.py" for name in ("jit", "compilers", "caching")}  # not what is compiled
    paths = {path for path in PACKAGE.rglob("*.py") if path.parent.name == "kernels" or "_kernels" in path.stem} - how
    assert len(paths) > 4
    for path in paths:
        for module in imported_modules(path):
            is_kernel = module.startswith("bottomup.") and ".kernels" in module
            assert is_kernel or module.split(".")[0] in (
                "numpy",
                "numba",
                "math",
                "collections",
                "functools",
                "typing",
            ), f"{path.name} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_are_short_and_assert_nothing(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 350
    lines = [node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Assert)]
    assert not lines, f"line {lines[0]}: assert is for tests, raise one of our errors"


NAMELESS = {"centers/fields.py"}


def test_modules_say_what_they_give_to_others():
    modules = [path for path in FILES if not {"cli", "kernels", "__main__.py", "example.py"} & {*path.parts, path.name}]
    silent = {path.relative_to(PACKAGE).as_posix() for path in modules if "\n__all__" not in path.read_text("utf-8")}
    silent = {name for name in silent if not name.endswith("__init__.py")}
    assert silent <= NAMELESS


def test_importing_the_package_loads_no_compiler_no_opencv_no_runtime():
    heavy = "{'numba', 'cv2', 'ai_edge_litert', 'tflite_runtime', 'tensorflow', 'scipy', 'tqdm', 'numpy'}"
    code = f"import sys, bottomup; print(sorted({heavy} & set(sys.modules)))"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent, check=True
    )
    assert printed.stdout.strip() == "[]"


@pytest.mark.parametrize("name", bottomup.__all__)
def test_every_public_name_is_there(name):
    assert getattr(bottomup, name) is not None


def test_type_checkers_see_the_public_names():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    seen = {alias.asname for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert set(bottomup.__all__) <= seen


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'decode_everything'"):
        _ = bottomup.decode_everything
