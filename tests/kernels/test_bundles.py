"""What compiled functions take: few arguments, of which the long ones are bundles whose order has a name.

A *bundle* is a plain tuple: numba takes a NamedTuple too, but a call then costs twice as much. Its order is written
down once, as a `NamedTuple` class beside the wrapper that builds it, and read once, in the first lines of the kernel:

    class Cells(NamedTuple):                        # posenet/fields.py
        heatmaps: NDArray[Any]  #: (H * W * 17,) uint8 or float32
        offsets: NDArray[Any]
        width: int

    found = decode(tuple(Cells(heatmaps=..., offsets=..., width=...)), rules)      # the wrapper

    @kernel
    def decode(cells, rules):                       # posenet/kernels/best.py
        (heatmaps, offsets, width) = cells
        (max_poses, radius) = rules

A parameter's name is its class's: `cells` is `Cells`, `mask_rules` is `MaskRules`. The class is looked up in the
wrapper of the same file name (`rules` of posenet/kernels/best.py is `Rules` of posenet/best.py), and if that has none,
in the other files of the family, of which one alone may have it. Names that a kernel does not need may begin with an
underscore. Tuples that kernels make for one another, as `corners`, need no class.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

import bottomup

PACKAGE = Path(bottomup.__file__).parent
MOST_PARAMETERS = 12
MADE_BY_KERNELS = {"corners", "line", "sampling", "units"}


def compiled_functions(tree):
    """Return the functions that `kernel`, `helper` or another decorator of jit.py compiles."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names = [ast.unparse(decorator).split("(")[0] for decorator in node.decorator_list]
            if any(name.endswith(("kernel", "helper")) for name in names):
                yield node


@cache
def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if next(compiled_functions(parse(path)), None)]
of_every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())


@cache
def named_tuples(path):
    """Return class name -> field names."""
    return {
        node.name: [line.target.id for line in node.body if isinstance(line, ast.AnnAssign)]
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ClassDef) and [ast.unparse(base) for base in node.bases] == ["NamedTuple"]
    }


def fields_of(bundle, path):
    """Return the field names of a bundle that a kernel of the file at `path` takes; None if no class names it."""
    name = bundle.title().replace("_", "")
    folder = path.parent.parent if path.parent.name == "kernels" else path.parent
    own = folder / path.name
    if own != path and own.exists() and name in named_tuples(own):
        return named_tuples(own)[name]
    found = [tuples[name] for tuples in map(named_tuples, folder.rglob("*.py")) if name in tuples]
    assert len(found) < 2, f"{name} is the name of {len(found)} classes in {folder.name}: which one is `{bundle}`?"
    return found[0] if found else None


def parameters_of(function):
    assert not [*function.args.kwonlyargs, *filter(None, [function.args.vararg, function.args.kwarg])], function.name
    return [argument.arg for argument in function.args.args]


def unpacked(function):
    """Return bundle -> names that its parameter is unpacked to, for each parameter that is, and the last such line."""
    names, last = {}, 0
    for place, line in enumerate(function.body):
        is_unpacking = isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Tuple)
        if is_unpacking and isinstance(line.value, ast.Name) and line.value.id in parameters_of(function):
            names[line.value.id] = [target.id for target in line.targets[0].elts]
            last = place
    return names, last


@of_every_file
def test_no_compiled_function_has_more_than_twelve_parameters(path):
    for function in compiled_functions(parse(path)):
        assert len(parameters_of(function)) <= MOST_PARAMETERS, f"{function.name} of {path.name}"


@of_every_file
def test_bundles_are_unpacked_in_the_order_of_their_class(path):
    for function in compiled_functions(parse(path)):
        for bundle, names in unpacked(function)[0].items():
            if bundle in MADE_BY_KERNELS:
                continue
            fields = fields_of(bundle, path)
            assert fields is not None, f"{function.name} of {path.name} takes {bundle}, which no NamedTuple names"
            assert [name.removeprefix("_") for name in names] == fields, f"{bundle} in {function.name} of {path.name}"


@of_every_file
def test_bundles_are_unpacked_before_anything_else_and_read_by_name_alone(path):
    for function in compiled_functions(parse(path)):
        bundles, last = unpacked(function)
        unpackings = [line for line in function.body[1 : last + 1] if not isinstance(line, ast.Assign)]
        assert not unpackings, f"{function.name} of {path.name} does other things before it unpacks"
        for node in ast.walk(function):
            if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
                assert node.value.id not in bundles, f"{function.name} of {path.name} reads {ast.unparse(node)}"


def test_some_bundle_is_compared():
    """Else the tests above hold whatever kernels do."""
    best = PACKAGE / "posenet" / "kernels" / "best.py"
    [function] = [function for function in compiled_functions(parse(best)) if function.name == "decode_best"]
    assert len(unpacked(function)[0]) >= 3
