"""The first call in a new process: what it loads, where kernels are kept, two at once."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bottomup as bu

PACKAGE = Path(bu.__file__).parent
DECODE = """
import sys
import numpy as np
import bottomup as bu
known = bu.synthetic.random_poses(2, input_size=(257, 193), seed=1)
fields = bu.synthetic.posenet_fields(known, input_size=(257, 193), quantized=True)
np.save(sys.argv[1], np.asarray(bu.PoseNetDecoder.coral().decode(fields)))
"""


def start(answer, place, **environment):
    """Start a process that decodes, with the package found in `place`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_CACHE")}
    command = [sys.executable, "-c", DECODE, str(answer)]
    settings = {"PYTHONPATH": str(place), **environment}
    return subprocess.Popen(command, env={**inherited, **settings}, stderr=subprocess.PIPE, text=True)


def link_package(place):
    """Lay the package out in a folder whose __pycache__ folders are files, so that nothing can be kept there."""
    for source in PACKAGE.rglob("*"):
        target = place / "bottomup" / source.relative_to(PACKAGE)
        if source.is_dir() and source.name != "__pycache__":
            target.mkdir(parents=True, exist_ok=True)
            (target / "__pycache__").touch()
        elif source.is_file() and "__pycache__" not in source.parts:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source)
    (place / "bottomup" / "__pycache__").touch()


@pytest.mark.slow
def test_cold_processes_at_once_and_one_that_can_keep_nothing_are_all_right(tmp_path):
    blocked, home = tmp_path / "blocked", tmp_path / "home"
    link_package(blocked)
    home.touch()  # a file: no folder can be made in it
    together = {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    processes = [
        start(tmp_path / "one.npy", PACKAGE.parent, **together),
        start(tmp_path / "two.npy", PACKAGE.parent, **together),
        start(tmp_path / "kept_nowhere.npy", blocked, HOME=str(home), XDG_CACHE_HOME=str(home / "cache")),
    ]
    for process in processes:
        _, complaints = process.communicate(timeout=300)
        assert process.returncode == 0, complaints
    known = bu.synthetic.random_poses(2, input_size=(257, 193), seed=1)
    fields = bu.synthetic.posenet_fields(known, input_size=(257, 193), quantized=True)
    expected = np.asarray(bu.PoseNetDecoder.coral().decode(fields))
    assert len(expected) == 2
    for name in ("one", "two", "kept_nowhere"):
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), expected)
    assert list((tmp_path / "kernels").rglob("*.nbc"))


def test_a_part_of_a_kernel_cannot_be_called_from_python_and_says_so():
    from bottomup.paf.kernels.limbs import clamp

    if not hasattr(clamp, "py_func"):
        pytest.skip("nothing is compiled")
    with pytest.raises(TypeError, match="clamp runs inside kernels only"):
        clamp(1.0, 2.0)


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("number", [1, None], ids=["compiled", "refused"])
def test_garbage_is_collected_after_a_kernel_as_before(enabled, number):
    import numba

    from bottomup.kernels.compilers import KernelCompiler

    @numba.njit(pipeline_class=KernelCompiler)
    def add(other):
        return other + number

    if not hasattr(add, "py_func"):
        pytest.skip("nothing is compiled")
    was_enabled = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        if number is None:
            with pytest.raises(numba.TypingError):
                add(1)
        else:
            assert add(1) == 2
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()
