"""Public functions document their parameters and what they raise."""

import ast
import importlib
import inspect
import textwrap

import pytest

MODULES = [
    "batch",
    "evaluate",
    "metric3d",
    "metric3d.boxes",
    "metric3d.cameras.crops",
    "metric3d.cameras.lens",
    "metric3d.evaluation",
    "metric3d.heads.synthetic",
    "metric3d.plausibility",
    "metric3d.reference",
    "similarity",
    "skeletons",
    "workspaces",
]


def public_functions(module):
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value) and value.__module__.startswith("bottomup"):
            for method, function in vars(value).items():
                function = getattr(function, "__func__", function)
                is_own = inspect.isfunction(function) and function.__module__ == value.__module__
                if is_own and not method.startswith("_"):
                    yield f"{name}.{method}", function


def raises_itself(function):
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return any(isinstance(node, ast.Raise) and node.exc is not None for node in ast.walk(tree))


@pytest.mark.parametrize("name", MODULES)
def test_public_functions_name_their_parameters_and_errors(name):
    module = importlib.import_module(f"bottomup.{name}")
    silent = []
    for title, function in public_functions(module):
        text = inspect.getdoc(function) or ""
        parameters = [each for each in inspect.signature(function).parameters if each not in ("self", "cls")]
        if parameters and "\nParameters\n---" not in text and "Arguments as for" not in text and len(parameters) > 1:
            silent.append(f"{title}: Parameters")
        if raises_itself(function) and "\nRaises\n---" not in text:
            silent.append(f"{title}: Raises")
    assert not silent
