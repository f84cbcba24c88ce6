"""What the whole suite needs."""

import gc
import importlib.util
from pathlib import Path

import numba
import pytest

from bottomup import cli
from bottomup.networks.litert import RUNTIMES as TFLITE_RUNTIMES

SHARED = Path(__file__).parents[2] / "shared"
RUNTIMES = [name for name, module in TFLITE_RUNTIMES.items() if importlib.util.find_spec(module.split(".")[0])]


def pytest_configure(config):
    if numba.config.DISABLE_JIT:  # kernels then run as plain NumPy scalars, which warn where compiled code is silent
        config.addinivalue_line("filterwarnings", "ignore::RuntimeWarning")


@pytest.fixture(params=RUNTIMES)
def runtime(request):
    """Each TFLite runtime that is installed."""
    return request.param


@pytest.fixture
def command_line(capsys, tmp_path, monkeypatch):
    """The command line, run in an empty folder; gives status, output and complaints."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as exit:
            status = exit.code
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def no_collection():
    """Python loses an interrupt that comes while a hook of its garbage collector runs; Hypothesis has one."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def shared():
    """The folder with Coral's model files, which may stand beside a checkout."""
    if not (SHARED / "models").is_dir():
        pytest.skip("the original model files are not beside this checkout")
    return SHARED
