"""Indices that a damaged or hostile model computes stay within its tensors."""

import numpy as np
import pytest

openvino = pytest.importorskip("openvino")

from openvino import opset8 as ops  # noqa: E402

from bottomup.networks.openvino_bounds import bound_indices  # noqa: E402

DATA = np.arange(20, dtype=np.float32).reshape(4, 5)


def run(kind, index):
    data = ops.parameter(DATA.shape, np.float32)
    shape, dtype = {"rows": ((3, 1), np.int32), "cells": ((3, 2), np.int64), "batch": ((4, 1), np.int32)}.get(
        kind, (DATA.shape, np.int32)
    )
    indices = ops.parameter(shape, dtype)
    if kind == "scatter":
        result = ops.scatter_elements_update(data, indices, ops.constant(np.full(DATA.shape, -1, np.float32)), 1)
    else:
        result = ops.gather_nd(data, indices, 1 if kind == "batch" else 0)
    model = openvino.Model([result], [data, indices], "net")
    bound_indices(model)
    compiled = openvino.Core().compile_model(model, "CPU")
    return next(iter(compiled([DATA, np.full(shape, index, dtype)]).values()))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("rows", lambda i: DATA[[i] * 3]), ("batch", lambda i: DATA[:, i]), ("cells", lambda i: DATA[[i] * 3, [i] * 3])],
)
@pytest.mark.parametrize("index", [0, 3, -1, -4])
def test_indices_within_a_tensor_are_left_alone(kind, index, expected):
    np.testing.assert_array_equal(run(kind, index), expected(index))


@pytest.mark.parametrize("far", [10, 10**8])
def test_indices_beyond_a_tensor_are_those_of_its_ends(far):
    for index, row, column in ((far, 3, 4), (-far, 0, 0)):
        np.testing.assert_array_equal(run("rows", index), DATA[[row] * 3])
        np.testing.assert_array_equal(run("batch", index), DATA[:, column])
        np.testing.assert_array_equal(run("cells", index), DATA[[row] * 3, [column] * 3])


@pytest.mark.parametrize(("index", "column"), [(4, 4), (-5, 0), (10**8, 4), (-(10**8), 0)])
def test_what_is_scattered_beyond_a_tensor_goes_to_its_ends(index, column):
    expected = DATA.copy()
    expected[:, column] = -1
    np.testing.assert_array_equal(run("scatter", index), expected)
