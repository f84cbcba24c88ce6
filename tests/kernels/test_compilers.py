"""Compiling the shorter way: what it must not change, and what happens where numba is another."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numba
import numpy as np
import pytest

import bottomup as bu

PACKAGE = Path(bu.__file__).parent
# What this library overrides, sets or asks of numba without its documentation saying so.
# Those of one line have nothing to do with each other, and are renamed together.
INSIDES = [
    "CPUDispatcher",
    "JITCodeLibrary",
    "global_compiler_lock",
    "define_pipelines",
    "no_cpython_wrapper",
    "_optimize_final_module is_locked",
    "_finalize_final_module load_overload",
    "_finalize_dynamic_globals save_overload",
    "_finalized _reduce",
    "get_pointer_to_function magic_tuple",
    "set_env has_dynamic_globals",
    "no_cfunc_wrapper _rebuild",
]
TO_DECODE = ("_finalize_final_module load_overload", "no_cfunc_wrapper _rebuild")
RENAME = """
import sys
sys.path.insert(0, sys.argv[1])
from renaming import rename
rename(sys.argv[2].split())
"""
DECODE = """
import numpy as np
import bottomup as bu
known = bu.synthetic.random_poses(2, input_size=(129, 97), seed=1)
fields = bu.synthetic.posenet_fields(known, input_size=(129, 97))
np.save(sys.argv[3], np.asarray(bu.PoseNetDecoder.tfjs(max_poses=1).decode(fields)))
"""
COUNT = """
import numpy as np
from bottomup.kernels import jit, sampling
@jit.helper
def part(values, place):
    return sampling.clamp(values[place], 2.5)
@jit.kernel
def count(values):
    found = 0.0
    for place in range(len(values)):
        found += part(values, place)
    return found
np.save(sys.argv[3], count(np.arange(5.0)))
"""
compiled_only = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
unchecked_only = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT or numba.config.BOUNDSCHECK), reason="compiled as it is for users, once is enough"
)


def start(code, names, answer, folder):
    """Start a process that finds numba with these names changed, and keeps kernels in a folder of its own."""
    settings = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "NUMBA_CACHE_DIR": str(folder)}
    command = [sys.executable, "-c", RENAME + code, str(Path(__file__).parent), names, str(answer)]
    return subprocess.Popen(command, env=settings, stderr=subprocess.PIPE, text=True)


@unchecked_only
def test_a_numba_that_calls_its_insides_otherwise_decodes_as_plain_njit_does(tmp_path):
    known = bu.synthetic.random_poses(2, input_size=(129, 97), seed=1)
    fields = bu.synthetic.posenet_fields(known, input_size=(129, 97))
    expected = np.asarray(bu.PoseNetDecoder.tfjs(max_poses=1).decode(fields))
    together = os.cpu_count() or 1
    for first in range(0, len(INSIDES), together):
        names = INSIDES[first : first + together]
        processes = [
            start(DECODE if name in TO_DECODE else COUNT, name, tmp_path / f"{name}.npy", tmp_path / name)
            for name in names
        ]
        for name, process in zip(names, processes, strict=True):
            _, complaints = process.communicate(timeout=300)
            assert process.returncode == 0, f"{name}: {complaints}"
            answer = np.load(tmp_path / f"{name}.npy")
            np.testing.assert_array_equal(answer, expected if name in TO_DECODE else 8)


@compiled_only
def test_this_numba_is_one_that_compiles_the_shorter_way():
    from bottomup.kernels.compilers import saves_time

    assert saves_time()


@compiled_only
def test_a_trial_that_counts_otherwise_turns_the_shorter_way_off(monkeypatch):
    from bottomup.kernels import compilers

    for answer, expected in ((True, True), (False, False), (AttributeError, False)):

        def try_it(answer=answer):
            if answer is AttributeError:
                raise AttributeError
            return answer

        monkeypatch.setattr(compilers, "_answers", [])
        monkeypatch.setattr(compilers, "_try_it", try_it)
        assert compilers.saves_time() is expected


@compiled_only
def test_a_users_own_functions_are_compiled_as_ever():
    from numba.core.registry import CPUDispatcher

    @numba.njit
    def inner(value):
        return value + 1

    @numba.njit
    def outer(value):
        return inner(value)

    assert outer(1) == 2
    assert type(outer) is type(inner) is CPUDispatcher
    assert inner(1) == 2  # Python can call it
    assert type(outer.overloads[outer.signatures[0]].library).__module__ == "numba.core.codegen"


@compiled_only
def test_a_part_of_a_kernel_cannot_be_called_from_python_and_says_so():
    from bottomup.paf.kernels.limbs import clamp

    with pytest.raises(TypeError, match="clamp runs inside kernels only"):
        clamp(1.0, 2.0)


@compiled_only
@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("number", [1, None], ids=["compiled", "refused"])
def test_garbage_is_collected_during_and_after_a_compile_as_before(enabled, number):
    from bottomup.kernels.jit import kernel

    @kernel
    def add(other):
        return other + number

    seen = []
    thread = threading.Thread(target=lambda: [seen.append(gc.isenabled()) or time.sleep(0.005) for _ in range(20)])
    was_enabled = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        thread.start()
        if number is None:
            with pytest.raises(numba.TypingError):
                add(1)
        else:
            assert add(1) == 2
        assert gc.isenabled() == enabled
        thread.join()
        assert set(seen) == {enabled}
    finally:
        (gc.enable if was_enabled else gc.disable)()


@compiled_only
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer")
def test_an_interrupt_in_the_first_compile_leaves_it_working():
    from bottomup.kernels.jit import helper, kernel

    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for attempt in range(6):
            total = kernel(_summing(helper(lambda value: 2 * value)))
            signal.setitimer(signal.ITIMER_REAL, 0.002 + 0.015 * attempt)
            try:
                total(np.ones(3))
                time.sleep(1)
            except KeyboardInterrupt:
                pass
            assert total(np.ones(3)) == 6
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _summing(double):
    def total(values):
        found = 0.0
        for value in values:
            found += double(value)
        return found

    return total


@compiled_only
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_process_forked_while_another_thread_compiles_can_compile():
    from bottomup.kernels.jit import helper, kernel

    first, second = (kernel(_summing(helper(lambda value: 2 * value))) for _ in range(2))
    thread = threading.Thread(target=first, args=(np.ones(3),))
    thread.start()
    time.sleep(0.02)
    child = os.fork()
    if child == 0:
        os._exit(0 if second(np.ones(3)) == 6 else 1)
    thread.join()
    for _ in range(600):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.1)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("the forked process waits for a lock that nobody holds")
    assert status == 0


@compiled_only
def test_kernels_compile_where_no_thread_can_be_started(monkeypatch):
    from bottomup.kernels.jit import helper, kernel

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    total = kernel(_summing(helper(lambda value: 2 * value)))
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert total(np.ones(3)) == 6


@compiled_only
def test_a_users_function_may_call_a_kernel_that_is_not_compiled_yet():
    from bottomup.kernels.jit import helper, kernel

    total = kernel(_summing(helper(lambda value: 2 * value)))

    @numba.njit
    def theirs(values):
        return total(values) + 1

    done = []
    thread = threading.Thread(target=lambda: done.append(theirs(np.ones(3))))
    thread.start()
    assert theirs(np.ones(3)) == 7
    thread.join(timeout=60)
    assert done == [7]
