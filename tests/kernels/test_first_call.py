"""The first call in a new process: what it loads, where kernels are kept, two at once."""

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
        if "__pycache__" in source.parts:
            continue
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            (target / "__pycache__").touch()
        else:
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
