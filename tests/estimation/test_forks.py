"""Processes that are forked while the estimator runs in another thread."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import bottomup as bu

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("runtime", ["litert", "openvino"])
def test_a_process_forked_while_another_thread_estimates_can_estimate(runtime, threads):
    if runtime == "openvino":
        pytest.importorskip("openvino")
    estimator = bu.load(threads=threads, runtime=runtime)
    image = np.random.default_rng(1).integers(0, 256, (120, 160, 3), np.uint8)
    expected = estimator(image)
    is_over = threading.Event()

    def work():
        while not is_over.is_set():
            estimator(image)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(4):
            time.sleep(0.01)
            assert answer_of_child(estimator, image, expected) == 0
    finally:
        is_over.set()
        thread.join()


def answer_of_child(estimator, image, expected):
    """Fork; return 0 if the child finds the same poses, and None if it does not come back."""
    child = os.fork()
    if child == 0:
        try:
            np.testing.assert_array_equal(estimator(image).keypoints, expected.keypoints)
            os._exit(0)
        finally:
            os._exit(1)
    for _ in range(600):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None
