"""Which runtime runs which file, and that they agree."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_posenet import TinyPoseNet

import bottomup as bu
from bottomup.errors import InputError, MissingRuntimeError, ModelError
from bottomup.geometry import ImageSize
from bottomup.networks.network import image_axes
from bottomup.networks.opening import MODULES, open_network
from bottomup.posenet.operator import coral_cut

needs_openvino = pytest.mark.skipif(not importlib.util.find_spec("openvino"), reason="openvino is not installed")
needs_onnx = pytest.mark.skipif(
    not (importlib.util.find_spec("onnx") and importlib.util.find_spec("onnxruntime")), reason="onnx is not installed"
)


def without(monkeypatch, *names):
    for name in names:
        monkeypatch.setitem(sys.modules, MODULES[name], None)


@pytest.fixture
def chain(tmp_path):
    """A file of plain uint8 convolutions."""
    return TinyPoseNet().write(tmp_path / "chain.tflite")


@pytest.fixture
def floats(tmp_path):
    return TinyPoseNet("float32").write(tmp_path / "floats.tflite")


# --- which runs what


@needs_openvino
def test_a_chain_of_8_bit_convolutions_goes_to_openvino_first(chain):
    assert open_network(chain).runtime == "openvino"


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_other_tflite_files_go_to_tflite(tmp_path, dtype):
    assert open_network(TinyPoseNet(dtype).write(tmp_path / "net.tflite")).runtime != "openvino"


def test_without_openvino_tflite_runs_everything(chain, monkeypatch):
    without(monkeypatch, "openvino")
    assert open_network(chain).runtime in ("litert", "tflite_runtime", "tensorflow")


@pytest.mark.parametrize("runtime", ["litert", pytest.param("openvino", marks=needs_openvino)])
def test_fractions_are_not_made_levels(chain, floats, runtime):
    image = np.full((1, 49, 65, 3), 0.7, np.float32)
    with pytest.raises(InputError, match=r"chain\.tflite takes uint8 levels, got float32: pass those, not fractions"):
        open_network(chain, runtime=runtime).run(image)
    assert open_network(chain, runtime=runtime).run(image.astype(np.uint8))
    assert open_network(floats, runtime=runtime).run(image)


def test_reference_kernels_are_tflites(chain):
    assert open_network(chain, reference_kernels=True).runtime in ("litert", "tflite_runtime", "tensorflow")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"runtime": "onnxruntime"}, "runtime 'onnxruntime' does not run chain.tflite: pass 'litert' or"),
        ({"runtime": "torch"}, "runtime must be one of litert, tflite_runtime, tensorflow, openvino, onnxruntime"),
        ({"providers": ["CPUExecutionProvider"]}, "providers is for runtime 'onnxruntime'"),
        ({"device": "GPU", "runtime": "litert"}, "device is for runtime 'openvino'"),
        (
            {"runtime": "openvino", "delegate": "libedgetpu.so.1"},
            "delegate and reference_kernels are for TFLite's runtimes",
        ),
    ],
)
def test_arguments_that_no_runtime_of_the_file_takes_are_refused(chain, arguments, message):
    with pytest.raises(InputError, match=message):
        open_network(chain, **arguments)


def test_a_missing_openvino_is_named_with_its_extra(chain, monkeypatch):
    without(monkeypatch, "openvino")
    with pytest.raises(MissingRuntimeError, match=r"runtime openvino .*pip install 'bottomup\[openvino\]'"):
        open_network(chain, runtime="openvino")


def test_without_a_runtime_for_a_kind_of_file_the_extra_is_named(tmp_path, monkeypatch):
    without(monkeypatch, "openvino")
    (tmp_path / "net.xml").write_text("<net name='x' version='11'><layers/><edges/></net>")
    with pytest.raises(MissingRuntimeError, match=r"net\.xml is installed: pip install 'bottomup\[openvino\]'"):
        open_network(tmp_path / "net.xml")


def test_without_the_package_onnx_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    (tmp_path / "net.onnx").write_bytes(b"\x08\x09")
    with pytest.raises(MissingRuntimeError, match=r"pip install 'bottomup\[onnx\]'"):
        open_network(tmp_path / "net.onnx")


# --- OpenVINO reads .tflite files as TFLite does


@needs_openvino
@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
def test_openvino_gives_what_tflite_gives(tmp_path, dtype):
    path = TinyPoseNet(dtype, decoder_op=True).write(tmp_path / "net.tflite")
    ours, theirs = (open_network(path, runtime=runtime, cut=coral_cut) for runtime in ("openvino", "litert"))
    assert (ours.outputs, ours.input, ours.options) == (theirs.outputs, theirs.input, theirs.options)
    image = np.random.default_rng(0).integers(0, 100, ours.input.shape).astype(ours.input.dtype)
    for name, values in theirs.run(image).items():
        found = ours.run(image)[name]
        if dtype == "float32":
            np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-4)
        else:
            assert (found.scale, found.zero_point, found.values.dtype) == (values.scale, values.zero_point, dtype)
            assert np.abs(found.values.astype(int) - values.values).max() <= 1


@needs_openvino
def test_openvino_takes_other_sizes(chain):
    network = open_network(chain, runtime="openvino")
    network.resize_input(ImageSize(129, 97))
    assert (network.input_size, network.outputs[0].shape) == ((129, 97), (1, 7, 9, 17))
    at_its_own = network.run(np.zeros((1, 49, 65, 3), np.uint8))
    assert {values.shape[1:3] for values in at_its_own.values()} == {(4, 5)}
    assert network.input_size == (129, 97)


@pytest.mark.parametrize("runtime", ["litert", pytest.param("openvino", marks=needs_openvino)])
@pytest.mark.parametrize("size", [(513, 385), (641, 481), "auto"])
def test_the_network_that_ships_runs_at_other_sizes(runtime, size):
    estimator = bu.load(runtime=runtime, input_size=size)
    assert estimator.card.name == "bottomup-tiny-uint8"
    assert len(estimator(Path(bu.__file__).parent / "demo.jpg")) == 3


@needs_openvino
def test_openvino_opens_a_size_that_is_left_open_at_641_x_481(tmp_path):
    network = open_network(TinyPoseNet(open_size=True).write(tmp_path / "open.tflite"), runtime="openvino")
    assert network.input_size == (641, 481)


@needs_openvino
def test_openvino_says_what_size_a_network_is_bound_to(shared):
    network = open_network(shared / "models/movenet/movenet_single_pose_lightning_ptq.tflite", runtime="openvino")
    with pytest.raises(ModelError, match=r"cannot be run at input_size=\(257, 257\), leave input_size out"):
        network.resize_input(ImageSize(257, 257))


@needs_openvino
@pytest.mark.parametrize("device", ["QUANTUM", 3])
def test_a_device_that_is_not_there_is_refused(chain, device):
    with pytest.raises(InputError, match="device"):
        open_network(chain, device=device)


@needs_openvino
def test_outputs_of_openvino_are_copies(chain):
    network = open_network(chain, runtime="openvino")
    image = np.zeros(network.input.shape, np.uint8)
    first = network.run(image)["float_heatmaps"].values
    before = first.copy()
    network.run(image + 200)
    np.testing.assert_array_equal(first, before)


@needs_openvino
def test_equal_names_of_tensors_do_not_confuse_openvino():
    network = open_network(bu.load().path, runtime="openvino")
    assert [output.name for output in network.outputs] == [output.name for output in bu.load().network.outputs]


@needs_openvino
def test_coral_in_openvino_finds_the_couple_where_tflite_does(shared):
    path = shared / "models/coral/posenet_mobilenet_v1_075_481_641_quant_decoder.tflite"
    photo = shared / "models/coral/test_couple.jpg"
    ours, theirs = (bu.load(path, runtime=runtime)(photo) for runtime in ("openvino", "litert"))
    ours, theirs = (poses[poses.scores > 0.5] for poses in (ours, theirs))
    assert len(ours) == len(theirs) == 2
    surely = np.minimum(ours.keypoint_scores, theirs.keypoint_scores) > 0.5
    scale = ours.image_size.width / 641
    assert np.median(np.abs(ours.xy - theirs.xy)[surely]) < scale


# --- OpenVINO's own files


@needs_openvino
def test_open_model_zoos_network_is_laid_out_as_images_are(shared):
    network = open_network(shared / "models/omz-0001/human-pose-estimation-0001-FP16-INT8.xml")
    assert network.input[1:3] == ((1, 256, 456, 3), np.float32)
    assert [(output.name, output.shape) for output in network.outputs] == [
        ("Mconv7_stage2_L1", (1, 38, 32, 57)),
        ("Mconv7_stage2_L2", (1, 19, 32, 57)),
    ]
    assert network.cell_shift("Mconv7_stage2_L2", ImageSize(456, 256)) == (0, 0)
    network.resize_input(ImageSize(656, 368))
    assert network.outputs[1].shape == (1, 19, 46, 82)


@needs_openvino
def test_open_model_zoos_tensors_are_those_of_the_goldens(shared):
    from bottomup.geometry import Letterbox, lay_out
    from bottomup.images import read_image

    network = open_network(shared / "models/omz-0001/human-pose-estimation-0001-FP16-INT8.xml")
    photo = read_image(shared / "models/coral/test_couple.jpg")
    laid_out, _ = lay_out(photo, Letterbox(), network.input_size)
    outputs = network.run(laid_out[None].astype(np.float32))
    heatmaps = outputs["Mconv7_stage2_L2"][0]
    assert heatmaps[:18].max() > 0.7
    assert heatmaps.shape == (19, 32, 57)


# --- ONNX


ONNX_RUNTIMES = [
    pytest.param("onnxruntime", marks=needs_onnx),
    pytest.param("openvino", marks=[needs_openvino, needs_onnx]),
]


@pytest.fixture(params=ONNX_RUNTIMES)
def onnx_runtime(request):
    return request.param


@needs_onnx
def test_onnx_files_go_to_onnxruntime_first(tmp_path):
    from tiny_onnx import TRT_POSE, write_onnx

    assert open_network(write_onnx(tmp_path / "net.onnx", TRT_POSE)).runtime == "onnxruntime"


@pytest.mark.parametrize("kind", ["TRT_POSE", "LIGHTWEIGHT", "OPENPOSE", "BODYPOSENET"])
def test_exports_keep_their_names_and_layouts(tmp_path, onnx_runtime, kind):
    import tiny_onnx

    heads = getattr(tiny_onnx, kind)
    network = open_network(tiny_onnx.write_onnx(tmp_path / "net.onnx", heads), runtime=onnx_runtime)
    assert (network.input.shape, network.input.dtype) == ((1, 48, 64, 3), np.float32)
    assert {output.name: output.shape[1:] for output in network.outputs} == {
        name: (channels, 6, 8) for name, channels in heads.items()
    }


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_an_image_comes_into_an_onnx_network_as_it_lies(tmp_path, onnx_runtime, channels_last, dtype):
    from tiny_onnx import TRT_POSE, write_onnx

    path = write_onnx(tmp_path / "net.onnx", TRT_POSE, channels_last=channels_last, dtype=dtype)
    network = open_network(path, runtime=onnx_runtime)
    image = np.zeros(network.input.shape, np.float32)
    image[0, 15:18, 23:26, 0] = 9  # the window of cell (2, 3), first channel
    heatmaps = network.run(image)["cmap"]
    assert heatmaps.dtype == np.float32
    assert heatmaps[0, 0, 2, 3] == pytest.approx(9, rel=1e-3)
    assert heatmaps.sum() == pytest.approx(9, rel=1e-3)


@pytest.mark.parametrize("is_open", [False, True])
def test_onnx_networks_take_other_sizes(tmp_path, onnx_runtime, is_open):
    from tiny_onnx import TRT_POSE, write_onnx

    network = open_network(write_onnx(tmp_path / "net.onnx", TRT_POSE, is_open=is_open), runtime=onnx_runtime)
    assert network.input_size == ((641, 481) if is_open else (64, 48))
    network.resize_input(ImageSize(80, 96))
    assert network.outputs[0].shape == (1, 18, 12, 10)
    assert network.run(np.zeros((1, 56, 72, 3), np.float32))["paf"].shape == (1, 42, 7, 9)


def test_what_computes_an_output_is_known(tmp_path, onnx_runtime):
    from tiny_onnx import TRT_POSE, write_onnx

    network = open_network(write_onnx(tmp_path / "net.onnx", TRT_POSE, sigmoid=True), runtime=onnx_runtime)
    assert network.producers == {"cmap": "LOGISTIC", "paf": "CONV"}


def test_cells_of_a_network_that_is_padded_as_pytorch_does_begin_at_the_first_pixel(tmp_path, onnx_runtime):
    from tiny_onnx import TRT_POSE, write_onnx

    network = open_network(write_onnx(tmp_path / "net.onnx", TRT_POSE), runtime=onnx_runtime)
    assert network.cell_shift("cmap", ImageSize(64, 48)) == (0, 0)


@needs_onnx
def test_a_model_that_lies_in_several_files_is_refused(tmp_path):
    import onnx
    from tiny_onnx import TRT_POSE, tiny_onnx

    model = tiny_onnx(TRT_POSE)
    onnx.save_model(model, tmp_path / "net.onnx", save_as_external_data=True, location="secret", size_threshold=0)
    with pytest.raises(ModelError, match="is stored in another file: save the model in one"):
        open_network(tmp_path / "net.onnx")


@needs_onnx
def test_operators_of_others_are_refused_by_name(tmp_path):
    import onnx
    from tiny_onnx import TRT_POSE, tiny_onnx

    model = tiny_onnx(TRT_POSE)
    model.graph.node[0].domain = "org.example"
    onnx.save_model(model, tmp_path / "net.onnx")
    with pytest.raises(ModelError, match=r"operator Conv comes from 'org\.example'"):
        open_network(tmp_path / "net.onnx")


@needs_onnx
def test_providers_that_are_not_there_are_named(tmp_path):
    from tiny_onnx import TRT_POSE, write_onnx

    path = write_onnx(tmp_path / "net.onnx", TRT_POSE)
    with pytest.raises(MissingRuntimeError, match=r"providers \['Quantum'\] are not installed"):
        open_network(path, providers=["Quantum"])
    assert open_network(path, providers=["CPUExecutionProvider"]).runtime == "onnxruntime"


@pytest.mark.parametrize("shapes", [[], [(1, 3, 48, 64)] * 2, [(1, 4, 48, 64)], [(2, 48, 64, 3)], [(1, 3)]])
def test_what_takes_no_one_image_is_refused(shapes):
    with pytest.raises(ModelError, match=r"net must take one image, \(1, height, width, 3\)"):
        image_axes(shapes, Path("net"))


def test_8_bit_outputs_of_onnx_files_keep_their_units(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from tiny_onnx import TRT_POSE, tiny_onnx

    model = tiny_onnx(TRT_POSE)
    units = {"scale": np.float32(0.05), "zero": np.uint8(7)}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(np.array(v), n) for n, v in units.items())
    model.graph.node.append(onnx.helper.make_node("QuantizeLinear", ["cmap", "scale", "zero"], ["levels"]))
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("levels", onnx.TensorProto.UINT8, [1, 18, 6, 8]))
    onnx.save_model(model, tmp_path / "net.onnx")
    network = open_network(tmp_path / "net.onnx")
    image = np.zeros(network.input.shape, np.float32)
    image[0, 15:18, 23:26, 0] = 9
    found = network.run(image)["levels"]
    assert (found.scale, found.zero_point) == (pytest.approx(0.05), 7)
    assert found.values[0, 0, 2, 3] == round(9 / 0.05) + 7
