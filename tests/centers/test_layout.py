import numpy as np
import pytest

from bottomup.centers.best import CenterDecoder
from bottomup.centers.family import CENTERS, find_cut
from bottomup.centers.fields import CenterFields
from bottomup.errors import InputError, ModelError
from bottomup.families import read_outputs
from bottomup.family import Clues, Operator
from bottomup.geometry import ImageSize
from bottomup.poses import Poses
from bottomup.tensors import Quantized, TensorInfo

SIZE = ImageSize(256, 192)
F32 = np.dtype(np.float32)
CHANNELS = {"center": 1, "heatmaps": 17, "regressions": 34, "offsets": 34, "box_sizes": 2, "box_offsets": 2}
GRAPH_NAMES = {
    "center": "center_0/conv2d_4/BiasAdd;center_0/conv2d_4/Conv2D;conv2d_4/bias1",
    "heatmaps": "kpt_heatmap_0/conv2d_7/BiasAdd;kpt_heatmap_0/conv2d_7/Conv2D",
    "regressions": "kpt_regress_0/conv2d_8/BiasAdd;kpt_regress_0/conv2d_8/Conv2D",
    "offsets": "kpt_offset_0/conv2d_9/BiasAdd;kpt_regress_0/conv2d_8/Conv2D;kpt_offset_0/conv2d_9/Conv2D",
    "box_sizes": "box_scale_0/conv2d_5/BiasAdd;box_scale_0/conv2d_5/Conv2D",
    "box_offsets": "box_offset_0/conv2d_6/BiasAdd;box_scale_0/conv2d_5/Conv2D",
}


def infos(shapes):
    return tuple(TensorInfo(name, shape, F32) for name, shape in shapes.items())


def recognise(shapes, **clues):
    return CENTERS.recognise(Clues(infos(shapes), SIZE, **clues))


def heads(names=None, *, first=False, boxes=True):
    """Return name -> random tensor, channels last or first."""
    generator = np.random.default_rng(0)
    count = len(CHANNELS) if boxes else 4
    return {
        (names or {}).get(what, what): generator.normal(
            size=(1, channels, 48, 64) if first else (1, 48, 64, channels)
        ).astype(np.float32)
        for what, channels in list(CHANNELS.items())[:count]
    }


def shapes_of(outputs):
    return {name: values.shape for name, values in outputs.items()}


@pytest.mark.parametrize("names", [None, GRAPH_NAMES], ids=["ours", "the graph's"])
@pytest.mark.parametrize("boxes", [True, False])
def test_heads_are_known_by_name_in_any_order(names, boxes):
    outputs = heads(names, boxes=boxes)
    layout = recognise(dict(reversed(shapes_of(outputs).items())))
    fields = layout.read(outputs, SIZE)
    assert isinstance(fields, CenterFields)
    assert (fields.output_stride, fields.has_boxes, fields.logits) == (4, boxes, True)
    for what, values in heads(boxes=boxes).items():
        np.testing.assert_array_equal(getattr(fields, what), values[0])


def test_a_port_in_channels_first_has_x_before_y_and_scores():
    outputs = heads({"center": "b", "heatmaps": "a", "regressions": "c", "offsets": "d"}, first=True, boxes=False)
    layout = recognise(shapes_of(outputs))
    fields = layout.read(outputs, SIZE)
    assert not fields.logits
    y_first = outputs["c"][0].transpose(1, 2, 0).reshape(48, 64, 17, 2)[..., ::-1].reshape(48, 64, 34)
    np.testing.assert_array_equal(fields.regressions, y_first)


def test_nameless_heads_in_channels_last_ask_for_names():
    with pytest.raises(
        ModelError, match="look like MoveNet's, but regressions and offsets have the same shape: name them"
    ):
        recognise(shapes_of(heads({what: f"Identity_{at}" for at, what in enumerate(CHANNELS)}, boxes=False)))


def test_centernets_heads_go_by_their_names():
    names = {"hm": 1, "hm_hp": 17, "hps": 34, "hp_offset": 2, "wh": 2, "reg": 2}
    outputs = {name: np.full((1, count, 48, 64), -3.0) for name, count in names.items()}
    fields = recognise(shapes_of(outputs)).read(outputs, SIZE)
    assert fields.offsets.shape == (48, 64, 2)
    with pytest.raises(ModelError, match='"hm", "hm_hp"'):
        recognise({f"output{at}": (1, count, 48, 64) for at, count in enumerate(names.values())})


@pytest.mark.parametrize(("name", "sign"), [("displacements", 1), ("offset", -1)])
def test_the_name_of_dekrs_second_head_says_which_way_it_leads(name, sign):
    outputs = {"heat": np.zeros((1, 18, 48, 64), np.float32), name: np.ones((1, 34, 48, 64), np.float32)}
    fields = recognise(shapes_of(outputs)).read(outputs, SIZE)
    assert not fields.logits
    assert (fields.regressions == sign).all()


def test_dekrs_second_head_without_such_a_name_asks():
    with pytest.raises(ModelError, match="leads from a person's centre to the parts"):
        recognise({"a": (1, 18, 48, 64), "b": (1, 34, 48, 64)})


@pytest.mark.parametrize(
    "shapes",
    [
        {"heat": (1, 23, 31, 17), "short": (1, 23, 31, 34), "mid": (1, 23, 31, 64)},
        {"heat": (1, 23, 31, 17), "short": (1, 23, 31, 34), "mid": (1, 23, 31, 64), "s": (1, 23, 31, 1)},
        {"heat": (1, 19, 46, 54), "paf": (1, 38, 46, 54)},
        {"output0": (1, 56, 8400)},
        {"output0": (1, 8400, 56)},
        {"heat": (1, 17, 48, 64), "tags": (1, 17, 48, 64)},
        {"logits": (1, 1000)},
        {},
    ],
)
def test_other_networks_are_none(shapes):
    assert recognise(shapes) is None


def test_a_known_logit_clue_counts():
    assert not recognise(shapes_of(heads()), logits=False).read(heads(), SIZE).logits


def test_heads_behind_a_sigmoid_are_scores():
    layout = recognise(shapes_of(heads()), producers={"center": "LOGISTIC"})
    assert not layout.logits


def test_raw_tensors_say_by_their_values_whether_they_are_scores():
    scores = {name: np.abs(values) % 1 if values.shape[3] in (1, 17) else values for name, values in heads().items()}
    assert not read_outputs(scores, SIZE).logits
    assert read_outputs(heads(), SIZE).logits


def test_a_missing_output_is_named():
    layout = recognise(shapes_of(heads()))
    with pytest.raises(InputError, match="output 'offsets' is missing"):
        layout.read({name: values for name, values in heads().items() if name != "offsets"}, SIZE)


def test_a_grid_of_another_input_is_refused():
    with pytest.raises(InputError, match="fit no stride"):
        recognise(shapes_of(heads())).read(heads(), ImageSize(300, 192))


@pytest.mark.parametrize(
    ("size", "legal"),
    [((256, 192), (256, 192)), ((640, 427), (640, 416)), ((1, 1), (32, 32)), ((500, 333), (512, 320))],
)
def test_legal_sizes_are_multiples_of_32(size, legal):
    for layout in (recognise(shapes_of(heads())), recognise({"out": (1, 6, 56)})):
        assert layout.legal_size(ImageSize(*size)) == legal


def finished_rows():
    rows = np.zeros((1, 6, 56), np.float32)
    rows[0, 0, :51] = np.tile([0.5, 0.25, 0.75], 17)
    rows[0, 0, 51:] = 0.25, 0.125, 0.75, 0.5, 0.9
    rows[0, 1, 55] = 0.01
    return rows


def test_finished_rows_become_poses_with_boxes():
    layout = recognise({"out": (1, 6, 56)})
    poses = layout.read({"out": finished_rows()}, SIZE)
    assert layout.best_decoder() is None
    assert len(poses) == 2  # rows that score 0 are nobodies
    assert poses.keypoints[0, 3].tolist() == [64, 96, 0.75]
    assert poses.boxes[0].tolist() == [32, 48, 96, 96]
    assert poses.scores[0] == np.float32(0.9)
    assert layout.pixels.scale == 1
    assert layout.pixels.pad_value == 0


def test_a_finished_person_scores_the_mean_of_what_is_above_a_fifth():
    rows = np.full((1, 1, 17, 3), 0.1, np.float32)
    rows[0, 0, :2, 2] = 0.5, 0.3
    poses = read_outputs({"StatefulPartitionedCall:0": rows}, ImageSize(192, 192))
    assert isinstance(poses, Poses)
    assert poses.scores.tolist() == pytest.approx([0.4])
    np.testing.assert_allclose(poses.xy, 19.2, rtol=1e-6)
    rows[0, 0, :, 2] = 0.1
    assert read_outputs({"a": rows}, ImageSize(192, 192)).scores.tolist() == [0]


def test_finished_places_that_are_nowhere_are_missing():
    rows = finished_rows()
    rows[0, 0, 3], rows[0, 0, 6] = np.nan, np.inf
    keypoints = recognise({"out": (1, 6, 56)}).read({"out": rows}, SIZE).keypoints
    assert np.isnan(keypoints[0, 1:3, :2]).all()
    assert (keypoints[0, 1:3, 2] == 0).all()


def test_fractions_need_an_input_size():
    with pytest.raises(InputError, match="input_size must be"):
        recognise({"out": (1, 6, 56)}).read({"out": finished_rows()}, None)


def test_quantised_heads_stay_quantised():
    outputs = {name: Quantized((values * 10).astype(np.int8), 0.1, 3) for name, values in heads().items()}
    assert recognise(shapes_of(outputs)).read(outputs, SIZE).is_quantized


class Graph:
    """A file whose convolutions are these tensors."""

    def __init__(self, tensors, ops):
        self.tensors = [TensorInfo(name, shape, F32) for name, shape in tensors]
        self.operators = [Operator(op, (0,), (number,), b"") for op, number in ops]
        self.inputs, self.outputs = (0,), (len(self.tensors) - 1,)


def movenet_graph(count):
    tensors, ops = [("image", (1, 192, 256, 3))], []
    for what, channels in list(CHANNELS.items())[:count]:
        head = GRAPH_NAMES[what]
        for name, op, depth in [
            (f"{head.split('/')[0]}/separable_conv2d/depthwise", "DEPTHWISE_CONV_2D", 24),
            (f"{head.split('/')[0]}/re_lu/Relu;{GRAPH_NAMES['center']}", "CONV_2D", 96),
            (head, "CONV_2D", channels),
            (f"{head.split('/')[0]}/after", "LOGISTIC", channels),
        ]:
            ops.append((op, len(tensors)))
            tensors.append((name, (1, 48, 64, depth)))
    return Graph([*tensors, ("StatefulPartitionedCall:0", (1, 6, 56))], ops)


@pytest.mark.parametrize("count", [4, 6])
def test_movenet_files_are_cut_at_the_last_convolution_of_each_head(count):
    cut = find_cut(movenet_graph(count))
    assert cut.names == tuple(CHANNELS)[:count]
    assert cut.outputs == tuple(range(3, 4 * count, 4))
    assert not cut.is_needed


def test_files_without_these_heads_stay_whole():
    assert find_cut(movenet_graph(3)) is None
    assert find_cut(Graph([("image", (1, 8, 8, 3)), ("a/center_0/conv", (1, 8, 8, 1))], [("CONV_2D", 1)])) is None


def test_the_best_decoder_is_ours():
    assert recognise(shapes_of(heads())).best_decoder() == CenterDecoder()
    assert recognise(shapes_of(heads())).file_decoder() is None
