"""A few damaged files of each kind in each runtime; `python -m tests.fuzz` tries thousands."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from tiny_posenet import TinyPoseNet

import bottomup as bu
from bottomup.networks.opening import open_network
from bottomup.networks.tflite.operators import RULES
from tests.fuzz.__main__ import run
from tests.fuzz.tflite_files import file_with

PAIRS = [("litert", "tflite"), ("openvino", "tflite"), ("openvino", "xml"), ("onnxruntime", "onnx")]
PACKAGES = {"litert": "ai_edge_litert"}


@pytest.mark.parametrize(("runtime", "kind"), PAIRS)
def test_no_damaged_file_ends_the_process(runtime, kind):
    if not all(map(importlib.util.find_spec, {PACKAGES.get(runtime, runtime), "onnx"})):
        pytest.skip(f"{runtime} is not installed")
    counts, bad = run(runtime, kind, 0, 150 if kind != "tflite" else 2 * len(RULES), time.monotonic() + 60)
    assert bad == []
    assert counts["refused"] > 20
    assert counts["ran"] > 5


@pytest.mark.parametrize("seed", [3666, 19409])  # GATHER_ND with indices of hundreds of millions
def test_indices_far_beyond_a_tensor_do_not_end_the_process(seed):
    pytest.importorskip("openvino")
    command = [sys.executable, "-m", "tests.fuzz.child", "openvino", "tflite", str(seed), str(seed + 1)]
    assert subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True).returncode == 0


@pytest.mark.parametrize("name", ["CONV_2D", "SPLIT", "PAD", "STRIDED_SLICE", "TRANSPOSE_CONV", "TOPK_V2", "GATHER_ND"])
def test_whole_files_of_known_operators_run(tmp_path, runtime, name):
    path = tmp_path / "net.tflite"
    path.write_bytes(file_with(name, "float32", np.random.default_rng(3)).content())
    network = open_network(path, runtime=runtime)
    assert len(network.run(np.zeros(network.input.shape, np.float32))) > 3


def test_a_split_into_more_than_it_writes_is_refused(tmp_path):
    net = TinyPoseNet("uint8")
    source, axis = int(net.graph.outputs[0]), net.tensor("axis", [1], "int32", None, [0])
    outs = [net.tensor(f"o{i}", [1, *net.grid, 17], net.dtype, 0.05) for i in range(3)]
    operator = net.operator(schema.BuiltinOperator.SPLIT, [axis, source], outs)
    operator.builtinOptions, operator.builtinOptionsType = schema.SplitOptionsT(), schema.BuiltinOptions.SplitOptions
    operator.builtinOptions.numSplits = 2
    with pytest.raises(bu.ModelError, match=r"\(SPLIT\) has numSplits 2 but writes 3 tensors"):
        bu.load(net.write(tmp_path / "net.tflite"))


@pytest.mark.parametrize(
    ("name", "place", "values"),
    [("TRANSPOSE", 1, [0, 2, 0, 3]), ("SLICE", 2, [1, 2, 99, 17]), ("MEAN", 1, [1, 9]), ("PAD", 1, [0] * 7 + [-1])],
)
def test_constants_that_lead_out_of_a_tensor_are_refused(tmp_path, name, place, values):
    net = file_with(name, "float32", np.random.default_rng(3))
    tensor = net.graph.tensors[net.graph.operators[-1].inputs[place]]
    net.model.buffers[tensor.buffer].data = np.frombuffer(np.array(values, "i4").tobytes(), np.uint8)
    with pytest.raises(bu.ModelError, match=rf"\({name}\) cannot read tensors of shapes"):
        open_network(net.write(tmp_path / "net.tflite"))


def resized(size, times):
    """Return a network that enlarges its heatmaps, several times over, and declares it not."""
    net = TinyPoseNet("float32")
    for at in range(times):
        held = net.tensor("size", [2], "int32", None, [size, size])
        made = net.tensor(f"large_{at}", [1, 4, 5, 17], "float32")
        operator = net.operator(schema.BuiltinOperator.RESIZE_BILINEAR, [net.graph.outputs[0], held], [made])
        operator.builtinOptions = schema.ResizeBilinearOptionsT()
        operator.builtinOptionsType = schema.BuiltinOptions.ResizeBilinearOptions
        net.graph.outputs = [*net.graph.outputs, made]
    return net


@pytest.mark.parametrize(
    ("size", "times", "message"),
    [(100_000, 1, "more than 268435456 elements"), (3000, 10, "bytes together, more than")],
)
def test_small_files_that_take_much_memory_are_refused_before_a_runtime_sees_them(tmp_path, size, times, message):
    with pytest.raises(bu.ModelError, match=message):
        bu.load(resized(size, times).write(tmp_path / "net.tflite"))


def test_an_operator_that_is_not_known_is_named_with_the_way_out(tmp_path):
    net = TinyPoseNet("float32")
    made = net.tensor("found", [20, 4], "int32")
    net.operator(schema.BuiltinOperator.WHERE, [net.graph.outputs[0]], [made])
    path = net.write(tmp_path / "net.tflite")
    with pytest.raises(bu.ModelError, match=r"operator 3 is WHERE, which Bottomup does not know: pass trusted=True"):
        bu.load(path)


def test_trusted_files_may_hold_other_operators(tmp_path):
    net = TinyPoseNet("float32")
    made = net.tensor("sign", [1, 4, 5, 17], "float32")
    net.operator(schema.BuiltinOperator.SIGN, [net.graph.outputs[0]], [made])
    net.graph.outputs = [made, *net.graph.outputs[1:]]
    path = net.write(tmp_path / "net.tflite")
    with pytest.raises(bu.ModelError, match="is SIGN, which Bottomup does not know"):
        open_network(path)
    assert open_network(path, trusted=True).outputs[0].shape == (1, 4, 5, 17)


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[2].glob("models/*.tflite")), ids=lambda path: path.stem)
def test_the_files_that_ship_hold_known_operators_alone(path):
    assert open_network(path).outputs
