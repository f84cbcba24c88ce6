"""Where compiled kernels are kept, and what happens when that is damaged, full, old, or others can write there."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numba
import numpy as np
import pytest

import bottomup as bu
from bottomup.kernels import caching, jit

PACKAGE = Path(bu.__file__).parent
NOT_AS_FOR_USERS = bool(numba.config.DISABLE_JIT or numba.config.BOUNDSCHECK)
compiled_only = pytest.mark.skipif(NOT_AS_FOR_USERS, reason="compiled as it is for users, once is enough")
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs another user")
forking = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
COUNT = """
import json
import numpy as np
from bottomup.kernels import caching, jit, sampling
def count(value):
    return sampling.clamp(value, 2.5) * 4
caching.KernelCache._is_known = property(lambda self: True, lambda self, known: None)
kernel = jit.kernel(count)
answer = kernel(2.0)
print(json.dumps([answer, sum(kernel.stats.cache_hits.values()), kernel.stats.cache_path]))
"""


def count_anew(place, **environment):
    """Return, from a new process: what a kernel answered, how often it was found on disk, and the folder."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    settings = {**inherited, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    done = subprocess.run([sys.executable, "-c", COUNT], env=settings, capture_output=True, text=True, cwd=place)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder where kernels, and functions of this file, are kept."""
    if NOT_AS_FOR_USERS:
        pytest.skip("compiled as it is for users, once is enough")
    folder = tmp_path / "kept"
    folder.mkdir()
    monkeypatch.setattr(caching, "kernel_folder", lambda: folder)
    monkeypatch.setattr(caching, "_sources", lambda: {Path(__file__)})
    return folder


def double(value):
    return 2 * value


def found_again(value=4.0):
    """Call a function as a new process would; tell whether it was found on disk."""
    kernel = jit.kernel(double)
    assert kernel(value) == 2 * value
    return bool(kernel.stats.cache_hits)


def kept(folder):
    return sorted(Path(folder).rglob("*.nbc"))


def test_what_was_compiled_is_found_again(folder):
    assert [found_again(), found_again(), found_again(4), found_again(4)] == [False, True, False, True]
    assert len(kept(folder)) == len(list(folder.iterdir())) == 2


def test_functions_that_are_no_kernels_of_this_package_are_not_kept(folder, monkeypatch):
    monkeypatch.setattr(caching, "_sources", frozenset)
    assert [found_again(), found_again()] == [False, False]
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content[:3000] + bytes([content[3000] ^ 255]) + content[3001:],
        lambda content: b"\x80\x04garbage",
    ],
    ids=["empty", "cut", "last bit", "a byte", "garbage"],
)
def test_a_damaged_file_is_compiled_again(folder, damage):
    found_again()
    [file] = kept(folder)
    file.write_bytes(damage(file.read_bytes()))
    assert [found_again(), found_again()] == [False, True]
    assert kept(folder) == [file]


def test_code_for_other_types_under_a_files_name_is_compiled_again(folder):
    found_again(4)
    [of_whole] = kept(folder)
    found_again(4.0)
    [of_real] = set(kept(folder)) - {of_whole}
    shutil.copy(of_whole, of_real)
    assert [found_again(4.5), found_again(4.5)] == [False, True]


def test_a_folder_in_the_place_of_a_file_does_no_harm(folder):
    found_again()
    [file] = kept(folder)
    file.unlink()
    file.mkdir()
    assert [found_again(), found_again()] == [False, False]
    assert list(folder.iterdir()) == [file]


def test_a_folder_that_was_removed_does_no_harm(folder):
    folder.rmdir()
    assert [found_again(), found_again()] == [False, False]


def test_a_full_disk_does_no_harm(folder):
    resource = pytest.importorskip("resource")
    before, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        assert not found_again()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert not list(folder.iterdir())
    assert [found_again(), found_again()] == [False, True]


@as_root
@forking
def test_a_folder_that_became_read_only_does_no_harm(folder):
    child = os.fork()
    if child == 0:
        try:
            os.setuid(65534)
            os._exit(0 if not found_again() else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not list(folder.iterdir())


@pytest.fixture
def copy(tmp_path):
    """The kernels that families share, copied: a package of their own."""
    if NOT_AS_FOR_USERS:
        pytest.skip("compiled as it is for users, once is enough")
    place = tmp_path / "copy"
    shutil.copytree(PACKAGE / "kernels", place / "bottomup" / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    (place / "bottomup" / "__init__.py").touch()
    return place


def test_kernels_lie_beside_their_sources_or_where_they_are_asked_to(copy, tmp_path):
    beside = copy / "bottomup" / "kernels" / "__pycache__"
    answer, hits, place = count_anew(copy)
    assert (answer, hits, Path(place).parent) == (8, 0, beside)
    assert count_anew(copy) == [8, 1, place]
    asked = tmp_path / "asked"
    answer, hits, place = count_anew(copy, NUMBA_CACHE_DIR=str(asked))
    assert (answer, hits, Path(place).parent) == (8, 0, asked)
    assert Path(place).stat().st_mode & 0o777 == 0o700


def test_a_change_in_a_shared_helper_is_seen(copy):
    helpers = copy / "bottomup" / "kernels" / "sampling.py"
    text = helpers.read_text()
    assert count_anew(copy)[:2] == [8, 0]
    helpers.write_text(text + "\n\n@helper\ndef clamp(value, last):\n    return value + 100\n")
    assert count_anew(copy)[:2] == [408, 0]
    helpers.write_text(text)
    assert count_anew(copy)[:2] == [8, 1]


@pytest.fixture
def unsettled():
    """What was found out about folders and settings is forgotten, before and after."""
    every = (caching.kernel_folder, caching._digest, caching._sources)
    for each in every:
        each.cache_clear()
    yield
    for each in every:
        each.cache_clear()


def test_each_setting_that_changes_code_has_its_own_folder(unsettled, tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    folders = {caching.kernel_folder()}
    for name, value in (("BOUNDSCHECK", int(not numba.config.BOUNDSCHECK)), ("OPT", 1), ("SLP_VECTORIZE", 1)):
        caching.kernel_folder.cache_clear()
        caching._digest.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(numba.config, name, value)
            folders.add(caching.kernel_folder())
    assert len(folders) == 4
    assert {folder.parent for folder in folders} == {tmp_path}


def test_all_kernels_of_the_package_go_into_the_digest():
    compiled = {path for path in PACKAGE.rglob("*.py") if "kernels.jit import" in path.read_text("utf-8")}
    assert len(compiled) > 10
    assert compiled <= caching._sources()


@as_root
@pytest.mark.parametrize(
    ("change", "is_safe"),
    [
        (lambda folder: folder.chmod(0o777), False),
        (lambda folder: folder.chmod(0o1777), False),
        (lambda folder: folder.chmod(0o755), True),
        (lambda folder: os.chown(folder, 65534, -1), False),
        (lambda folder: folder.parent.chmod(0o777), False),
        (lambda folder: folder.parent.chmod(0o1777), True),
        (lambda folder: os.chown(folder.parent, 65534, -1), False),
        (lambda folder: (os.chown(folder, -1, 65534), folder.chmod(0o775)), False),
    ],
)
def test_a_folder_is_private_if_nobody_else_can_write_or_replace_it(tmp_path, change, is_safe):
    folder = tmp_path / "parent" / "kernels"
    folder.mkdir(parents=True)
    assert caching.is_private(folder)
    change(folder)
    assert caching.is_private(folder) is is_safe


@as_root
def test_a_folder_where_others_can_write_is_not_used(unsettled, tmp_path, monkeypatch):
    tmp_path.chmod(0o777)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert caching.kernel_folder().parent == PACKAGE / "kernels" / "__pycache__"


def test_a_link_to_where_others_can_write_is_not_used(unsettled, tmp_path, monkeypatch):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "link"))
    assert caching.kernel_folder().parent == PACKAGE / "kernels" / "__pycache__"


def test_old_folders_of_other_versions_are_removed(unsettled, tmp_path, monkeypatch):
    old, recent, foreign = (tmp_path / name for name in ("bottomup-" + "0" * 24, "bottomup-" + "1" * 24, "other"))
    for folder, days in ((old, 31), (recent, 29), (foreign, 400)):
        folder.mkdir()
        os.utime(folder, 2 * (time.time() - days * 86400,))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert caching.kernel_folder().parent == tmp_path
    assert [folder.exists() for folder in (old, recent, foreign)] == [False, True, True]


@compiled_only
def test_kernels_run_where_nothing_can_be_kept(unsettled, monkeypatch):
    monkeypatch.setattr(caching, "_parents", lambda: iter([(Path(__file__), 0o700)]))
    assert caching.kernel_folder() is None
    assert not found_again()
    assert jit.kernel(double).stats.cache_path is None


def test_who_has_no_home_keeps_kernels_in_none(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    assert [parent for parent, _ in caching._parents()] == [PACKAGE / "kernels" / "__pycache__"]


def test_settings_of_numba_that_another_lacks_do_no_harm(unsettled, monkeypatch):
    monkeypatch.setattr(caching, "_SETTINGS", ("OPT", "NONE_OF_NUMBAS"))
    assert np.char.isalnum(caching._digest())
