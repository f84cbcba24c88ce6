"""Model files: what is refused, what is taken out, what goes in and what comes out."""

import ctypes.util
import json
import random
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from tiny_posenet import CHANNELS, SEGMENTS, TinyPoseNet

from bottomup.errors import InputError, MissingRuntimeError, ModelError
from bottomup.geometry import ImageSize
from bottomup.networks.litert import RUNTIMES, import_runtime
from bottomup.networks.opening import open_network
from bottomup.networks.pixels import INPUT_RULES, InputRule, as_input_rule, input_tensor
from bottomup.networks.tflite.graph import read_graph
from bottomup.posenet.operator import coral_cut
from bottomup.tensors import Quantized, TensorInfo

DTYPES = ["uint8", "int8", "float32"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tiny.tflite"


def image_with_one_red_pixel(network, row, column):
    image = np.zeros(network.input.shape, network.input.dtype)
    image[0, row, column, 0] = 127
    return image


# --- files


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"", "not a TFLite model"),
        (b"\x1c\0\0\0TFL3", "damaged"),
        (b"PK\3\4 a zip file", "download it again"),
        (b"<!DOCTYPE html>", "download the raw file"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
    ],
)
def test_what_is_no_model_is_refused_with_what_it_seems_to_be(path, content, hint):
    path.write_bytes(content)
    with pytest.raises(ModelError, match=hint):
        read_graph(path)


def test_a_missing_file_is_named(path):
    with pytest.raises(ModelError, match=r"there is no model file .*tiny\.tflite"):
        read_graph(path)


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(ModelError, match="cannot be opened"):
        read_graph(tmp_path)


def test_a_model_is_asked_for_by_path():
    with pytest.raises(InputError, match="must be the path of a"):
        read_graph(7)


def spoil_buffer_length(net):
    net.model.buffers[1].data = net.model.buffers[1].data[:-1]


def spoil_cycle(net):
    net.graph.operators[0].inputs = net.graph.operators[2].outputs


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_buffer_length, "bytes of data"),
        (spoil_cycle, "some before they are computed"),
        (lambda net: net.model.subgraphs.append(net.graph), "2 subgraphs"),
        (lambda net: setattr(net.model, "version", 4), "schema version 4"),
        (lambda net: setattr(net.graph.operators[0], "opcodeIndex", 9), "no known code"),
        (lambda net: setattr(net.graph.operators[0], "inputs", [0, 99, 2]), "operator 0 reads"),
        (lambda net: setattr(net.graph.operators[0], "inputs", [0, -1, 2]), "has input 1 left out"),
        (lambda net: setattr(net.graph.operators[0], "outputs", [0]), "operator 0 writes"),
        (lambda net: setattr(net.graph.operators[1], "outputs", [3]), "operator 1 writes"),
        (lambda net: setattr(net.graph, "outputs", [3, 99]), "outputs"),
        (lambda net: setattr(net.graph, "inputs", []), "inputs"),
        (lambda net: setattr(net.graph, "inputs", [1]), "constants"),
        (lambda net: setattr(net.graph.tensors[3], "shape", [1, -4, 5, 17]), "has shape"),
        (lambda net: setattr(net.graph.tensors[3], "shape", [1, 1 << 20, 1 << 20, 17]), "more than 268435456 elements"),
        (lambda net: setattr(net.graph.tensors[0], "shapeSignature", [1, -1, -1]), "signature"),
        (lambda net: setattr(net.graph.tensors[3], "buffer", 99), "buffer 99"),
        (lambda net: setattr(net.graph.tensors[3], "type", 5), "type 5"),
        (lambda net: setattr(net.graph.tensors[3], "isVariable", True), "variable"),
        (lambda net: setattr(net.graph.tensors[3].quantization, "scale", [float("nan")]), "scale"),
        (lambda net: setattr(net.graph.tensors[3].quantization, "scale", [0.0]), "scale"),
        (lambda net: setattr(net.graph.tensors[3].quantization, "zeroPoint", [256]), "zero point"),
        (
            lambda net: setattr(net.graph.tensors[1].quantization, "scale", [2000.0]),
            "multiplies by 312",
        ),
        (
            lambda net: setattr(net.graph.operators[0].builtinOptions, "padding", 17),
            "has padding 17",
        ),
        (
            lambda net: setattr(net.graph.operators[0].builtinOptions, "strideW", 0),
            "has strideW 0",
        ),
        (
            lambda net: setattr(net.graph.operators[0], "builtinOptionsType", 0),
            "lacks its options",
        ),
        (lambda net: setattr(net.graph.operators[0], "inputs", [0, 1]), "too few or too many"),
        (lambda net: setattr(net.graph.tensors[3].quantization, "scale", [1.0, 2.0]), "2 scales"),
        (lambda net: setattr(net.model.operatorCodes[0], "version", 0), "operator code 0"),
    ],
)
def test_a_model_that_contradicts_itself_is_refused(path, spoil, reason):
    net = TinyPoseNet()
    spoil(net)
    with pytest.raises(ModelError, match=reason):
        read_graph(net.write(path))


LOAD_AND_RUN = """
import sys, numpy as np
from pathlib import Path
from bottomup.errors import ModelError
from bottomup.networks.opening import open_network
from bottomup.posenet.operator import coral_cut
for path in sorted(Path(sys.argv[2]).iterdir()):
    try:
        network = open_network(path, runtime=sys.argv[1], cut=coral_cut)
        network.run(np.zeros(network.input.shape, network.input.dtype))
        print(path.name, "ran")
    except ModelError:
        print(path.name, "refused")
"""


def places_beside_weights(content):
    """Return which bytes of a model are not weights: a flip among those only makes another model."""
    everywhere = np.frombuffer(content, np.uint8)
    beside = np.ones(len(content), bool)
    for buffer in schema.ModelT.InitFromPackedBuf(content, 0).buffers:
        if buffer.data is not None and len(buffer.data) > 64:
            start = buffer.data.ctypes.data - everywhere.ctypes.data
            beside[start : start + len(buffer.data)] = False
    return np.flatnonzero(beside).tolist()


def damaged(content, places, seed):
    """Cut the file short, or flip bits or whole words of it."""
    source, content = random.Random(seed), bytearray(content)
    if seed % 6 == 0:
        return content[: source.randrange(8, len(content))]
    for _ in range(source.choice([1, 1, 4])):
        place = source.choice(places) if seed % 6 > 1 else source.randrange(len(content))
        if seed % 2:
            content[place] ^= 1 << source.randrange(8)
        else:
            content[place : place + 4] = source.choice([0, 1, 2**31 - 1, 2**32 - 1]).to_bytes(4, "little")
    return content


def outcomes_of_damage(content, runtime, folder):
    """Load 60 damaged copies in a process of its own, and return what became of each."""
    folder.mkdir()
    places = places_beside_weights(content)
    for seed in range(60):
        (folder / f"{seed:02}.tflite").write_bytes(damaged(content, places, seed))
    command = [sys.executable, "-c", LOAD_AND_RUN, runtime, str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert ended.returncode == 0, f"the process died after {ended.stdout[-20:]}: {ended.stderr[-300:]}"
    return [line.split()[1] for line in ended.stdout.splitlines()]


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_damaged_model_ends_the_process(tmp_path, runtime, dtype):
    outcomes = outcomes_of_damage(TinyPoseNet(dtype, decoder_op=True).content(), runtime, tmp_path / "damaged")
    assert len(outcomes) == 60
    assert outcomes.count("refused") > 20


def test_no_damaged_coral_model_ends_the_process(tmp_path, runtime, shared):
    model = shared / "models/coral/posenet_mobilenet_v1_075_353_481_quant_decoder.tflite"
    outcomes = outcomes_of_damage(model.read_bytes(), runtime, tmp_path / "damaged")
    assert len(outcomes) == 60
    assert outcomes.count("refused") > 20


# --- operators that no runtime has


@pytest.mark.parametrize("dtype", DTYPES)
def test_corals_decoder_is_taken_out_and_its_options_are_kept(path, runtime, dtype):
    network = open_network(TinyPoseNet(dtype, decoder_op=True).write(path), runtime=runtime, cut=coral_cut)
    assert [output.name for output in network.outputs] == list(CHANNELS)
    assert network.options == dict(output_stride=16, max_poses=7, score_threshold=0.25, nms_radius=12.0)


def test_outputs_that_are_not_the_decoders_stay(path):
    graph = read_graph(TinyPoseNet(channels=CHANNELS | SEGMENTS, decoder_op=True).write(path), coral_cut)
    assert graph.output_names == (*CHANNELS, "float_segments")


def test_a_model_without_decoder_has_no_options(path):
    assert read_graph(TinyPoseNet().write(path), coral_cut).options == {}


def test_a_decoder_without_network_is_refused(path):
    net = TinyPoseNet(decoder_op=True)
    net.graph.operators = net.graph.operators[-1:]
    net.graph.inputs = net.graph.operators[0].inputs
    with pytest.raises(ModelError, match=r"without a network: load the \*_quant_decoder\.tflite file"):
        read_graph(net.write(path), coral_cut)


@pytest.mark.parametrize("options", [b"", b"\0\1\2\3", b"garbage that is no flexbuffer"])
def test_unreadable_decoder_options_are_damage(path, options):
    net = TinyPoseNet(decoder_op=True)
    net.graph.operators[-1].customOptions = np.frombuffer(options, np.uint8)
    with pytest.raises(ModelError, match="options of its PosenetDecoderOp cannot be"):
        read_graph(net.write(path), coral_cut)


@pytest.mark.parametrize(
    ("custom", "way_out"),
    [
        (b"edgetpu-custom-op", r'compiled for the Edge TPU: pass delegate="libedgetpu\.so\.1", or use the CPU file'),
        (b"FlexErf", "needs operators that no TFLite runtime has, FlexErf: convert the model without them"),
    ],
)
def test_other_custom_operators_need_a_delegate(path, custom, way_out):
    net = TinyPoseNet()
    net.model.operatorCodes[0].builtinCode = net.model.operatorCodes[0].deprecatedBuiltinCode = 32
    net.model.operatorCodes[0].customCode = custom
    with pytest.raises(ModelError, match=way_out):
        open_network(net.write(path))


# --- runtimes


def block_runtimes(monkeypatch, *names):
    for name in names:
        for module in (name, RUNTIMES[name].rpartition(".")[0], RUNTIMES[name]):
            monkeypatch.setitem(sys.modules, module, None)


def test_the_first_runtime_that_is_installed_is_taken(monkeypatch):
    stand_in = types.ModuleType("tflite_runtime.interpreter")
    block_runtimes(monkeypatch, "litert")
    monkeypatch.setitem(sys.modules, "tflite_runtime", types.ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", stand_in)
    assert import_runtime() == ("tflite_runtime", stand_in)


def test_without_any_runtime_the_pip_line_is_named(monkeypatch):
    block_runtimes(monkeypatch, "litert", "tflite_runtime", "tensorflow")
    with pytest.raises(MissingRuntimeError, match=r"litert.*tflite_runtime.*tensorflow.*pip install ai-edge-litert"):
        import_runtime()


def test_a_runtime_that_was_asked_for_is_not_replaced(monkeypatch):
    block_runtimes(monkeypatch, "tensorflow")
    with pytest.raises(MissingRuntimeError, match=r"tried tensorflow .*pip install 'bottomup\[tensorflow\]'"):
        import_runtime("tensorflow")


def test_an_unknown_runtime_is_refused():
    with pytest.raises(InputError, match="runtime must be one of litert, tflite_runtime, tensorflow"):
        import_runtime("onnx")


def test_without_the_schema_the_pip_line_is_named(path, monkeypatch):
    TinyPoseNet().write(path)
    block_runtimes(monkeypatch, "litert", "tensorflow")
    with pytest.raises(MissingRuntimeError, match="pip install ai-edge-litert, even beside tflite-runtime"):
        read_graph(path)


def stand_in_runtime(monkeypatch, interpreter):
    module = types.ModuleType("tflite_runtime.interpreter")
    module.Interpreter, module.OpResolverType = interpreter, types.SimpleNamespace(AUTO=0, BUILTIN_REF=2)
    monkeypatch.setitem(sys.modules, "tflite_runtime", types.ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", module)


def test_a_runtime_built_for_numpy_1_says_so(path, monkeypatch):
    def interpreter(**_):
        raise SystemError("initialization of _interpreter failed")

    stand_in_runtime(monkeypatch, interpreter)
    with pytest.raises(MissingRuntimeError, match="tflite_runtime needs numpy<2"):
        open_network(TinyPoseNet().write(path), runtime="tflite_runtime")


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2", 100_000])
def test_threads_are_counted(path, threads):
    with pytest.raises(InputError, match="threads must be a whole number from 1 to 1024"):
        open_network(TinyPoseNet().write(path), threads=threads)


# --- delegates


def test_a_delegate_that_is_not_installed_is_named(path, runtime):
    with pytest.raises(MissingRuntimeError, match=r"delegate 'libabsent\.so\.1' cannot be loaded"):
        open_network(TinyPoseNet().write(path), runtime=runtime, delegate="libabsent.so.1")


@pytest.mark.skipif(not ctypes.util.find_library("m"), reason="there is no library to load")
def test_a_library_that_is_no_delegate_is_refused(path, runtime):
    with pytest.raises(ModelError, match="is a library but not a TFLite delegate"):
        open_network(TinyPoseNet().write(path), runtime=runtime, delegate=ctypes.util.find_library("m"))


def test_a_loaded_delegate_is_handed_to_the_interpreter(path, monkeypatch):
    handed = {}

    def interpreter(**arguments):
        handed.update(arguments)
        raise RuntimeError("enough")

    stand_in_runtime(monkeypatch, interpreter)
    delegate = object()
    with pytest.raises(ModelError, match="enough"):
        open_network(TinyPoseNet().write(path), runtime="tflite_runtime", delegate=delegate)
    assert handed["experimental_delegates"] == [delegate]


# --- running


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reference_kernels", [False, True])
def test_outputs_carry_their_units(path, runtime, dtype, reference_kernels):
    network = open_network(TinyPoseNet(dtype).write(path), runtime=runtime, reference_kernels=reference_kernels)
    dark = network.run(np.zeros(network.input.shape, network.input.dtype))["float_heatmaps"]
    assert isinstance(dark, Quantized) is (dtype != "float32")
    real = dark.dequantize() if dtype != "float32" else dark
    assert np.allclose(real, -6.4 if dtype == "uint8" else -2.5, atol=0.05)


def test_outputs_are_copies(path, runtime):
    network = open_network(TinyPoseNet().write(path), runtime=runtime)
    first = network.run(image_with_one_red_pixel(network, 16, 32))["float_heatmaps"]
    before = first.values.copy()
    network.run(np.zeros(network.input.shape, np.uint8))
    np.testing.assert_array_equal(first.values, before)
    assert before[0, 1, 2, 0] != before[0, 0, 0, 0]


def test_threads_take_turns_and_each_gets_its_own_outputs(path, runtime):
    network = open_network(TinyPoseNet().write(path), runtime=runtime)
    places = [(row, column) for row in range(4) for column in range(5)] * 5
    images = [image_with_one_red_pixel(network, 16 * row, 16 * column) for row, column in places]
    with ThreadPoolExecutor(4) as pool:
        heatmaps = [outputs["float_heatmaps"].values[0, ..., 0] for outputs in pool.map(network.run, images)]
    assert [np.unravel_index(heatmap.argmax(), heatmap.shape) for heatmap in heatmaps] == places


def test_another_input_size_gives_another_grid(path, runtime):
    network = open_network(TinyPoseNet().write(path), runtime=runtime)
    network.resize_input(ImageSize(129, 97))
    assert network.input_size == (129, 97)
    assert network.run(np.zeros((1, 97, 129, 3), np.uint8))["float_heatmaps"].shape == (1, 7, 9, 17)


def test_a_size_that_is_left_open_becomes_641_x_481(path, runtime):
    network = open_network(TinyPoseNet(open_size=True).write(path), runtime=runtime)
    assert network.input_size == (641, 481)
    assert network.outputs[0].shape == (1, 31, 41, 17)


def test_a_batch_that_is_left_open_leaves_the_size_alone(path):
    net = TinyPoseNet()
    net.graph.tensors[0].shapeSignature = [-1, 49, 65, 3]
    assert open_network(net.write(path)).input_size == (65, 49)


def test_a_model_bound_to_its_size_says_so(runtime, shared):
    network = open_network(shared / "models/movenet/movenet_single_pose_lightning_ptq.tflite", runtime=runtime)
    with pytest.raises(ModelError, match=r"cannot be run at input_size=\(257, 257\), leave input_size out"):
        network.resize_input(ImageSize(257, 257))


def test_names_of_the_signature_come_before_names_of_tensors(runtime, shared):
    network = open_network(shared / "models/movenet/movenet_single_pose_lightning_ptq.tflite", runtime=runtime)
    assert [output.name for output in network.outputs] == ["output_0"]


def test_an_image_is_what_a_network_takes(path):
    net = TinyPoseNet()
    net = TinyPoseNet(size=(65, 49))
    net.graph.tensors[0].shape = [3, 49, 65, 3]
    with pytest.raises(ModelError, match=r"must take one image, .*, but takes \[\(3, 49, 65, 3\)\]"):
        open_network(net.write(path))


# --- pixels to input tensors

PIXELS = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)


def tensor_of(dtype, scale=0.0, zero_point=0):
    return TensorInfo("input", (1, 16, 16, 3), np.dtype(dtype), scale, zero_point)


def test_corals_uint8_input_gets_the_pixels_untouched():
    given = input_tensor(PIXELS, "rgb", INPUT_RULES["signed"], tensor_of("uint8", 1 / 128, 128))
    np.testing.assert_array_equal(given[0], PIXELS)


def test_the_same_input_as_int8_is_moved_by_128():
    given = input_tensor(PIXELS, "rgb", INPUT_RULES["signed"], tensor_of("int8", 1 / 128, 0))
    np.testing.assert_array_equal(given[0], PIXELS.astype(int) - 128)


def test_an_8_bit_input_without_units_gets_pixels():
    np.testing.assert_array_equal(input_tensor(PIXELS, "rgb", INPUT_RULES["signed"], tensor_of("uint8"))[0], PIXELS)


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point"), [("uint8", 1 / 50, 100), ("int8", 1 / 30, -7), ("int8", 1 / 300, 5)]
)
def test_other_units_get_the_nearest_level(dtype, scale, zero_point):
    given = input_tensor(PIXELS, "rgb", INPUT_RULES["signed"], tensor_of(dtype, scale, zero_point))[0]
    limits = np.iinfo(dtype)
    real = np.clip(PIXELS / 127.5 - 1, (limits.min - zero_point) * scale, (limits.max - zero_point) * scale)
    assert np.abs((given.astype(float) - zero_point) * scale - real).max() <= scale / 2 + 1e-9


def test_a_float_input_gets_minus_1_to_1():
    given = input_tensor(PIXELS, "rgb", INPUT_RULES["signed"], tensor_of("float32"))
    assert given.dtype == np.float32
    np.testing.assert_allclose(given[0], PIXELS / 127.5 - 1, atol=1e-6)


def test_resnets_input_is_less_the_mean():
    given = input_tensor(np.zeros((1, 1, 3), np.uint8), "rgb", INPUT_RULES["mean"], tensor_of("float32"))
    np.testing.assert_allclose(given.ravel(), [-123.15, -115.90, -103.06], rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_channels_come_in_the_rules_order(dtype):
    bgr = np.array([[[10, 20, 30]]], np.uint8)
    tensor, rule = tensor_of(dtype, 1 / 40, 0), INPUT_RULES["signed"]
    np.testing.assert_array_equal(
        input_tensor(bgr, "bgr", rule, tensor), input_tensor(bgr[..., ::-1], "rgb", rule, tensor)
    )
    raw = InputRule("bgr", 1.0, (0.0, 0.0, 0.0))
    assert input_tensor(bgr, "bgr", raw, tensor_of("float32")).tolist() == [[[[10, 20, 30]]]]


def test_an_input_of_another_type_is_refused():
    with pytest.raises(ModelError, match="only float, uint8 and int8 inputs are supported"):
        input_tensor(PIXELS, "rgb", INPUT_RULES["signed"], tensor_of("int32"))


@pytest.mark.parametrize("scaling", ["greyscale", None, ["signed"]])
def test_an_unknown_scaling_is_refused(scaling):
    with pytest.raises(InputError, match=r"scaling must be one of signed, mean, .* or an InputRule"):
        as_input_rule(scaling)


# --- Coral's own files


@pytest.mark.parametrize(("golden", "size"), [("353", "353_481"), ("481", "481_641"), ("721", "721_1281")])
def test_raw_tensors_equal_those_stored_with_the_goldens(runtime, shared, golden, size):
    image = pytest.importorskip("PIL.Image")
    path = shared / f"models/coral/posenet_mobilenet_v1_075_{size}_quant_decoder.tflite"
    network = open_network(path, runtime=runtime, reference_kernels=True, cut=coral_cut)
    photo = image.open(shared / "models/coral/test_couple.jpg").convert("RGB").resize(network.input_size, image.NEAREST)
    outputs = network.run(input_tensor(np.asarray(photo), "rgb", INPUT_RULES["signed"], network.input))
    expected = np.load(shared / f"goldens/posenet/coral/pp{golden}_couple.npz")
    for name, output in zip(("heatmap", "short", "mid"), outputs.values(), strict=True):
        np.testing.assert_array_equal(output.values[0], expected[f"{name}_q"])
        assert output.scale == pytest.approx(float(expected[f"{name}_scale"]))
        assert output.zero_point == expected[f"{name}_zp"]


def test_decoder_options_equal_those_stored_with_the_goldens(shared):
    stored = json.loads((shared / "goldens/posenet/decoder_options.json").read_text())
    by_name = {Path(name).name: options for name, options in stored.items()}
    paths = sorted(shared.glob("models/*/*_quant_decoder.tflite"))
    assert len(paths) >= 4
    for path in paths:
        options, found = by_name.get(path.name), read_graph(path, coral_cut).options
        if options is not None:
            wanted = [options[key] for key in ("stride", "max_detections", "score_threshold", "nms_radius")]
            assert list(found.values()) == pytest.approx(wanted)
