"""Small .onnx files of the kinds that these networks come in, from `load` to poses."""

import numpy as np
import pytest

import bottomup as bu

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SIZE = bu.ImageSize(96, 64)  # 126 rows


def write(path, outputs, channel_unit):
    """Write a network whose outputs are these arrays, of which some places are times the mean of channel 0."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, infos = [], [], []
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIZE.height, SIZE.width])
    for name, number in (("zero", [0]), ("one", [1]), ("axis", [1])):
        constants.append(numpy_helper.from_array(np.array(number, np.int64), name))
    constants.append(numpy_helper.from_array(np.array(channel_unit, np.float32), "unit"))
    nodes.append(helper.make_node("Slice", ["images", "zero", "one", "axis"], ["first"]))
    nodes.append(helper.make_node("ReduceMean", ["first"], ["mean"], keepdims=0))
    nodes.append(helper.make_node("Mul", ["mean", "unit"], ["brightness"]))
    for name, (rows, scores) in outputs.items():
        is_score = np.zeros(rows.shape, np.float32)
        is_score[scores] = 1
        for suffix, array in (("rest", rows * (1 - is_score)), ("scores", rows * is_score)):
            constants.append(numpy_helper.from_array(array.astype(np.float32), f"{name}_{suffix}"))
        nodes.append(helper.make_node("Mul", [f"{name}_scores", "brightness"], [f"{name}_bright"]))
        nodes.append(helper.make_node("Add", [f"{name}_bright", f"{name}_rest"], [name]))
        infos.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(rows.shape)))
    graph = helper.make_graph(nodes, "rows", [image], infos, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def picture(blue, green, red):
    return np.full((SIZE.height, SIZE.width, 3), (blue, green, red), np.uint8)


def rows_of_one(num_values, *values):
    rows = np.zeros((1, num_values, 126), np.float32)
    rows[0, :, 11] = [*values, *[30, 12, 0.81] * 17]
    return rows


def check(estimator, seen, unseen, score=0.8):
    """Hold poses to one person at (28, 12), 8 pixels wide and high, in one picture, and to nobody in the other."""
    assert estimator.resize == bu.Letterbox(pad_value=114)
    poses = estimator(seen)
    np.testing.assert_allclose(poses.boxes, [[27.75, 11.75, 8, 8]], atol=1e-4)
    np.testing.assert_allclose(poses.keypoints, [[[29.75, 11.75, 0.81]] * 17], atol=1e-4)
    np.testing.assert_allclose(poses.scores, [score * 0.9], atol=1e-4)
    assert len(estimator(unseen)) == 0
    assert len(estimator(np.ascontiguousarray(seen[..., ::-1]), channel_order="rgb")) == 1


def test_a_yolo_sees_red_first(tmp_path):
    rows = rows_of_one(56, 32, 16, 8, 8, 0.8)
    path = write(tmp_path / "yolo.onnx", {"output0": (rows, np.s_[:, 4])}, 1)
    check(bu.load(path), picture(0, 0, 255), picture(255, 255, 0))


def test_an_end_to_end_yolo_too(tmp_path):
    rows = np.zeros((1, 300, 57), np.float32)
    rows[0, 0] = [28, 12, 36, 20, 0.8, 0, *[30, 12, 0.81] * 17]
    path = write(tmp_path / "yolo26.onnx", {"output0": (rows, np.s_[..., 4])}, 1)
    check(bu.load(path), picture(0, 0, 255), picture(255, 255, 0))


def test_an_rtmo_sees_blue_first_and_whole_levels(tmp_path):
    dets, keypoints = np.zeros((1, 10, 5)), np.zeros((1, 10, 17, 3))
    dets[0, 0], keypoints[0, 0] = [28, 12, 36, 20, 0.8], [30, 12, 0.81]
    outputs = {"dets": (dets, np.s_[..., 4]), "keypoints": (keypoints, np.s_[:0])}
    check(bu.load(write(tmp_path / "rtmo.onnx", outputs, 1 / 255)), picture(255, 0, 0), picture(0, 255, 255))


def test_rows_of_a_yolox_are_told_by_name(tmp_path):
    rows = rows_of_one(57, 32, 16, 8, 8, 1, 0.8)
    path = write(tmp_path / "yolox.onnx", {"output": (rows, np.s_[:, 5])}, 1 / 255)
    with pytest.raises(bu.ModelError, match="output 'output' has 57 values a row"):
        bu.load(path)
    check(bu.load(path, outputs={"output": "yolox"}), picture(255, 0, 0), picture(0, 255, 255))


def test_flipping_changes_nothing_where_all_is_symmetric(tmp_path):
    one = bu.synthetic.random_poses(1, (32, 48))
    keypoints = np.concatenate([one.keypoints, one.mirrored(width=SIZE.width + 1, swap_sides=True).keypoints])
    fields = bu.synthetic.box_fields(bu.Poses(keypoints, [1, 1], one.skeleton), SIZE)
    path = write(tmp_path / "yolo.onnx", {"output0": (fields.rows.T[None], np.s_[:, 4])}, 1)
    plain = bu.load(path)(picture(0, 0, 255))
    flipped = bu.load(path, augmentation=bu.Augmentation(flip=True))(picture(0, 0, 255))
    assert len(plain) == len(flipped) == 2
    np.testing.assert_allclose(np.sort(flipped.xy, axis=0), np.sort(plain.xy, axis=0), atol=1e-3)


def test_a_network_that_detects_is_told_so(tmp_path):
    path = write(tmp_path / "detect.onnx", {"output0": (np.zeros((1, 84, 126), np.float32), np.s_[:, 4])}, 1)
    with pytest.raises(bu.ModelError, match="networks that detect, classify or segment give no poses"):
        bu.load(path)
