"""Networks with heads of associative embedding, written here, from file to poses; none of the real ones is at hand."""

import numpy as np
import pytest
from tiny_posenet import TinyPoseNet

import bottomup as bu

onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.slow
SIZE = (128, 96)


def scene_onnx(path, tensors, size=SIZE):
    """Write a network that gives these tensors whatever it sees."""
    width, height = size
    zero = onnx.numpy_helper.from_array(np.zeros((1, 3, 1, 1), np.float32), "zero")
    initializers, nodes, outputs = [zero], [], []
    nodes.append(onnx.helper.make_node("Conv", ["input", "zero"], ["nothing"]))
    nodes.append(onnx.helper.make_node("ReduceMean", ["nothing"], ["none"], axes=[0, 1, 2, 3], keepdims=0))
    for name, values in tensors.items():
        initializers.append(onnx.numpy_helper.from_array(np.ascontiguousarray(values, np.float32), f"{name}_known"))
        nodes.append(onnx.helper.make_node("Add", [f"{name}_known", "none"], [name]))
        outputs.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, list(values.shape)))
    image = onnx.helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, [1, 3, height, width])
    graph = onnx.helper.make_graph(nodes, "scene", [image], outputs, initializers)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.save_model(model, path)
    return path


@pytest.fixture
def people():
    poses = bu.synthetic.random_poses(2, (SIZE[0] - 32, SIZE[1] - 32), seed=4)
    return bu.Poses(poses.keypoints + (16, 16, 0), poses.scores, poses.skeleton)


def first(values):
    """Return channels first, with a batch of one."""
    return np.moveaxis(np.asarray(values), 2, 0)[None]


def assert_found(estimator, people, within=1.5):
    """Look at a grey photo of the input's size, so that its pixels are the input's."""
    found = estimator(np.full((SIZE[1], SIZE[0], 3), 128, np.uint8))
    assert len(found) == len(people)
    distances = np.linalg.norm(found.xy[:, None] - people.xy[None], axis=3)
    assert (distances.max(axis=2).min(axis=1) < within).all()


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_omz_0005_and_its_kin(people, tmp_path, runtime):
    pytest.importorskip(runtime)
    fields = bu.synthetic.tag_fields(people, SIZE, 2, negated=True)
    tensors = {"heatmaps": first(fields.heatmaps), "embeddings": np.moveaxis(fields.tags, 2, 0)[None]}
    estimator = bu.load(scene_onnx(tmp_path / "omz.onnx", tensors), runtime=runtime)
    given = estimator.fields(np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    assert (given.negated, given.output_stride, given.grid) == (True, 2, (48, 64))
    assert_found(estimator, people)
    follows = bu.load(tmp_path / "omz.onnx", runtime=runtime, decoder=bu.TagDecoder.omz(delta=0.25))
    assert_found(follows, people)


def test_a_higherhrnet_of_two_sizes(people, tmp_path):
    pytest.importorskip("onnxruntime")
    coarse = bu.synthetic.tag_fields(people, SIZE, 4, sigma=1.0)
    fine = bu.synthetic.tag_fields(people, SIZE, 2)
    tensors = {
        "output_0": first(np.concatenate([coarse.heatmaps, coarse.tags[..., 0]], axis=2)),
        "output_1": first(fine.heatmaps),
    }
    estimator = bu.load(scene_onnx(tmp_path / "higher.onnx", tensors))
    given = estimator.fields(np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    assert (given.output_stride, given.grid) == (2, (48, 64))
    assert_found(estimator, people, 2.5)
    assert_found(bu.load(tmp_path / "higher.onnx", decoder=bu.TagDecoder.higherhrnet()), people, 5)


def test_an_mmpose_network_whose_output_has_no_name_is_asked_for_and_told(people, tmp_path):
    pytest.importorskip("onnxruntime")
    fields = bu.synthetic.tag_fields(people, SIZE, 4, sigma=1.0)
    both = first(np.concatenate([fields.heatmaps, fields.tags[..., 0]], axis=2))
    path = scene_onnx(tmp_path / "mmpose.onnx", {"output": both})
    with pytest.raises(bu.ModelError, match=r"pass outputs={'output': 'heatmaps_and_tags'}"):
        bu.load(path)
    assert_found(bu.load(path, outputs={"output": "heatmaps_and_tags"}), people, 2.5)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_a_tflite_file(tmp_path, dtype):
    net = TinyPoseNet(dtype, (64, 32), channels={"heatmaps": 17, "embeddings": 16 + 1})
    path = net.write(tmp_path / "tags.tflite")
    estimator = bu.load(path, outputs={"heatmaps": "heatmaps", "embeddings": "tags"})
    fields = estimator.fields(np.full((32, 64, 3), 255, np.uint8))
    assert isinstance(fields, bu.TagFields)
    assert isinstance(fields.heatmaps, bu.Quantized) == (dtype == "uint8")
    assert len(estimator(np.zeros((32, 64, 3), np.uint8))) == 0


def test_raw_tensors_in_a_file_are_decoded_by_the_command_line(command_line, people, tmp_path):
    fields = bu.synthetic.tag_fields(people, SIZE, 2, negated=True)
    np.savez(tmp_path / "raw.npz", heatmaps=first(fields.heatmaps), embeddings=np.moveaxis(fields.tags, 2, 0)[None])
    for decoder in ("best", "omz", "mmpose", "higherhrnet"):
        status, out, err = command_line("decode", tmp_path / "raw.npz", "--input-size", "128x96", "--decoder", decoder)
        assert status == 0, err
        assert out
