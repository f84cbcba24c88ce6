"""Ctrl-C after an OpenVINO network is gone."""

import ctypes

import numpy as np
import pytest

import bottomup as bu
from bottomup.networks.signal_stack import _sigaltstack, _Stack, kept_signal_stack


def own_stack():
    stack = _Stack()
    assert _sigaltstack()(None, ctypes.byref(stack)) == 0
    return stack.address, stack.flags, stack.size


needs_linux = pytest.mark.skipif(_sigaltstack() is None, reason="signal stacks are looked after on Linux alone")


@needs_linux
def test_a_stack_that_a_call_leaves_behind_is_taken_back():
    before = own_stack()
    space = ctypes.create_string_buffer(1 << 16)
    with kept_signal_stack():
        _sigaltstack()(ctypes.byref(_Stack(ctypes.addressof(space), 0, 1 << 16)), None)
        assert own_stack() != before
    assert own_stack() == before


@needs_linux
def test_openvino_leaves_the_threads_signal_stack_alone():
    pytest.importorskip("openvino")
    before = own_stack()
    estimator = bu.load(runtime="openvino")
    assert own_stack() == before
    estimator(np.zeros((48, 64, 3), np.uint8))
    assert own_stack() == before
