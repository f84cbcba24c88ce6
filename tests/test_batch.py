"""Several items on threads that stay: order, errors, calls inside calls, calls at once, forks."""

import multiprocessing
import os
import sys
import threading
import time

import pytest

import bottomup as bu
from bottomup.batch import map_on_threads


def test_results_come_in_order_and_no_more_threads_work_than_were_asked_for():
    seen = set()

    def double(number):
        seen.add(threading.current_thread().name)
        time.sleep(0.002)
        return 2 * number

    for _ in range(5):
        seen.clear()
        assert map_on_threads(double, range(30), 3) == [2 * number for number in range(30)]
        assert 1 < len(seen) <= 3


def test_an_error_reaches_the_caller_and_the_next_call_works():
    done = []

    def fail_at_three(number):
        if number == 3:
            raise bu.InputError("three")
        time.sleep(0.001)
        done.append(number)
        return number

    with pytest.raises(bu.InputError, match="three"):
        map_on_threads(fail_at_three, range(1000), 2)
    assert len(done) < 10
    assert map_on_threads(abs, range(10), 2) == list(range(10))


def test_calls_inside_calls_and_calls_at_once_end():
    def inner(number):
        return sum(map_on_threads(abs, range(number), 2))

    expected = [sum(range(number)) for number in range(40)]
    answers = []
    callers = [threading.Thread(target=lambda: answers.append(map_on_threads(inner, range(40), 2))) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=60)
    assert answers == [expected] * 4


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    assert map_on_threads(abs, range(50), 2) == list(range(50))
    context = multiprocessing.get_context("fork")
    pipe, end = context.Pipe(duplex=False)
    process = context.Process(target=answer, args=(end,))
    process.start()
    assert pipe.poll(60), "the forked process waits for threads that it does not have"
    assert pipe.recv() == (list(range(50)), 2)
    process.join()


def answer(pipe):
    """Send what `map_on_threads` returns, and on how many threads that was, both of which must work to end."""
    together = threading.Barrier(2, timeout=30)

    def meet(number):
        if number < 2:
            together.wait()
        names.add(threading.current_thread().name)
        return number

    names = set()
    pipe.send((map_on_threads(meet, range(50), 2), len(names)))


def batch_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("bottomup-batch")]


def test_there_are_never_more_threads_than_one_call_asked_for():
    for threads in (*range(1, 12), 5, 3, 11):
        assert map_on_threads(abs, range(50), threads) == list(range(50))
    deadline = time.monotonic() + 10
    while len(batch_threads()) > 10 and time.monotonic() < deadline:
        time.sleep(0.01)  # those of smaller pools end
    assert len(batch_threads()) <= 10


def test_no_more_threads_are_made_than_there_are_items():
    before = len(batch_threads())
    assert map_on_threads(abs, range(2), 10000) == [0, 1]
    assert len(batch_threads()) <= max(before, 1) + 1


def test_calls_that_outgrow_each_other_end():
    def inner(number):
        return sum(map_on_threads(abs, range(number), 2 + number % 5))

    expected = [sum(range(number)) for number in range(40)]
    answers = []
    callers = [
        threading.Thread(target=lambda count=count: answers.append(map_on_threads(inner, range(40), count)))
        for count in (2, 3, 5, 9)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=60)
    assert answers == [expected] * 4
