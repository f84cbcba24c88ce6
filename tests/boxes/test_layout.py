"""Which networks are recognised as one-stage ones, and where their files are cut."""

from types import SimpleNamespace

import numpy as np
import pytest

import bottomup as bu
from bottomup.boxes.cut import cut_heads
from bottomup.boxes.family import BOXES
from bottomup.boxes.layout import BoxLayout, recognise
from bottomup.family import Clues, Operator, Pixels
from bottomup.tensors import TensorInfo

SIZE = bu.ImageSize(64, 32)  # 42 rows
ARM = bu.Skeleton("arm", ("shoulder", "wrist"), ((0, 1),))
YOLO_FILE = "models/yolo-agpl/yolov8n_320_quant_pc_uf_pose_coco-st.tflite"


def clues(*shapes, size=SIZE, skeleton=None):
    outputs = tuple(TensorInfo(f"out{number}", shape, np.dtype("f4")) for number, shape in enumerate(shapes))
    return Clues(outputs, size, skeleton=skeleton)


GRIDS = [(4, 8), (2, 4), (1, 2)]


@pytest.mark.parametrize(
    ("shapes", "kind"),
    [
        ([(1, 56, 42)], "yolo"),
        ([(1, 42, 56)], "yolo"),
        ([(1, 300, 57)], "yolo"),
        ([(-1, 300, 57)], "yolo"),
        ([(1, 56, -1)], "yolo"),
        ([(-1, -1, 56)], "yolo"),
        ([(1, 65, 42), (1, 17, 3, 42)], "heads"),
        ([(1, 51, 42), (1, 65, 42)], "heads"),
        ([(1, 42, 51), (1, 42, 70)], "heads"),
        ([(1, 51, 42), (1, 1, 42), (1, 64, 42)], "heads"),
        ([(1, 42, 3), (1, 42, 64), (1, 42, 51)], "heads"),
        ([(1, *grid, channels) for grid in GRIDS for channels in (64, 1, 51)], "heads"),
        ([(1, channels, *grid) for grid in GRIDS for channels in (51, 65)], "heads"),
        ([(1, -1, 5), (1, -1, 17, 3)], "rtmo"),
        ([(1, 100, 17, 3), (1, 100, 5)], "rtmo"),
        ([(-1, 100, 17, 3), (-1, 100, 5)], "rtmo"),
    ],
)
def test_outputs_tell_by_their_shapes(shapes, kind):
    layout = recognise(clues(*shapes))
    assert layout.kind == kind
    assert layout.skeleton == bu.COCO17
    zeros = {f"out{number}": np.zeros([max(side, 1) for side in shape]) for number, shape in enumerate(shapes)}
    if not any(-1 in shape[1:] for shape in shapes) or kind == "rtmo":
        assert isinstance(layout.read(zeros, SIZE), bu.BoxFields)


@pytest.mark.parametrize(
    "shapes",
    [
        [(1, 6, 56)],
        [(1, 1, 17, 3)],
        [(1, 1000)],
        [(1, 31, 41, 17), (1, 31, 41, 34), (1, 31, 41, 64)],
        [(1, 19, 46, 54), (1, 38, 46, 54)],
        [(1, 34, 128, 128), (1, 17, 256, 256)],
        [(1, 55, -1)],
        [(1, 65, 42), (1, 51, 41)],
        [(1, 63, 42), (1, 51, 42)],
        [(1, 65, 42), (1, 1, 42), (1, 51, 42)],
        [(1, 51, 42), (1, 51, 42)],
        [(1, 4, 8, 17), (1, 4, 8, 34)],
        [(1, 10, 5), (1, 11, 17, 3)],
        [(1, *grid, channels) for grid in GRIDS for channels in (32, 51, 7)],
        [],
    ],
)
def test_outputs_of_other_networks_are_none(shapes):
    assert recognise(clues(*shapes)) is None


def test_a_yolo_that_gives_no_poses_is_told_so():
    with pytest.raises(bu.ModelError, match=r"output 'out0' has 84 values a row and not the 56 of a YOLO-pose of COCO"):
        recognise(clues((1, 84, 42)))


def test_57_values_a_row_are_asked_about():
    with pytest.raises(bu.ModelError, match=r"YOLO of two classes: pass outputs=\{'out0': \"yolox\"\} or outputs="):
        recognise(clues((1, 42, 57)))
    for name, kind, num_classes in (("yolox", "yolox", 1), ("yolo", "yolo", 2)):
        layout = recognise(Clues((TensorInfo(name, (1, 42, 57), np.dtype("f4")),), SIZE))
        assert layout.kind == kind
        fields = layout.read({name: np.zeros((1, 42, 57))}, SIZE)
        assert (fields.form.scoring.num_classes, fields.form.scoring.objectness >= 0) == (num_classes, kind == "yolox")


def test_a_skeleton_that_does_not_fit_is_told_when_the_network_is_loaded():
    with pytest.raises(bu.ModelError, match="out0 has 84 values a row, which are 29 classes"):
        recognise(clues((1, 84, 42), skeleton=bu.COCO17))
    with pytest.raises(bu.ModelError, match="pass the network's own skeleton="):
        recognise(clues((1, 30, 42), skeleton=bu.COCO17))


def test_a_skeleton_makes_other_numbers_known():
    layout = recognise(clues((1, 11, 42), skeleton=ARM))
    assert layout.skeleton == ARM
    fields = layout.read({"out0": np.zeros((1, 11, 42))}, SIZE)
    assert fields.form.parting.num_parts == 2
    assert recognise(clues((1, 65, 42), (1, 6, 42), skeleton=ARM)).kind == "heads"
    assert recognise(clues((1, 9, 12), skeleton=ARM)).kind == "yolo"
    assert recognise(clues((1, 9, 5), (1, 9, 2, 3), skeleton=ARM)).kind == "rtmo"


def test_without_an_input_size_coco_rows_are_known_and_nothing_is_read():
    layout = recognise(clues((1, 56, 8400), size=None))
    assert layout.kind == "yolo"
    with pytest.raises(bu.InputError, match="rows of boxes need the input's size"):
        layout.read({"out0": np.zeros((1, 56, 8400))}, None)
    dets, keypoints = np.zeros((1, 3, 5)), np.zeros((1, 3, 17, 3))
    assert recognise(clues((1, 3, 5), (1, 3, 17, 3), size=None)).read({"out0": dets, "out1": keypoints}, None)


def test_yolo_takes_rgb_in_0_to_1_and_mmdets_kin_bgr_pixels():
    assert recognise(clues((1, 56, 42))).pixels == Pixels("rgb", 1 / 255, (0, 0, 0), 114)
    assert recognise(clues((1, 3, 5), (1, 3, 17, 3))).pixels == Pixels("bgr", 1, (0, 0, 0), 114)


def test_inputs_are_whole_multiples_of_32():
    layout = BoxLayout("yolo", (("out0",),), bu.COCO17)
    sizes = [(640, 480), (641, 481), (15, 17), (1, 47)]
    assert [layout.legal_size(bu.ImageSize(*size)) for size in sizes] == [(640, 480), (640, 480), (32, 32), (32, 32)]
    assert layout.output_stride == 32


def test_a_network_is_decoded_with_the_best_settings_measured():
    layout = BoxLayout("yolo", (("out0",),), bu.COCO17)
    assert layout.best_decoder() == layout.file_decoder() == bu.BoxDecoder(0.001, 0.7, 300, 0.8, "parts", shift=-0.25)
    assert BoxLayout("rtmo", (("a",), ("b",)), bu.COCO17).file_decoder() is None


def test_the_family_warms_up_with_two_people():
    for quantized in (False, True):
        assert len(BOXES.decoders["best"]().decode(BOXES.example(quantized))) == 2
    assert BOXES.decoders["rtmlib"](score_threshold=0.3) == bu.BoxDecoder.rtmlib(score_threshold=0.3)
    assert isinstance(BOXES.decoders["best"](), BOXES.decoder_types)


def graph(*operators, tensors, output):
    """Return a graph with an input of 64 x 32 as tensor "image"; tensors are names and shapes."""
    tensors = {"image": (1, 32, 64, 3), **tensors}
    numbers = {name: number for number, name in enumerate(tensors)}
    made = [
        Operator(name, tuple(numbers[each] for each in inputs), (numbers[out],), b"") for name, inputs, out in operators
    ]
    infos = [TensorInfo(name, shape, np.dtype("i1"), 0.1, 0) for name, shape in tensors.items()]
    return SimpleNamespace(operators=made, tensors=infos, inputs=(0,), outputs=(numbers[output],)), numbers


def yolo(between="TRANSPOSE", joined="CONCATENATION", channels=65):
    """Return the end of a YOLO's graph, and numbers of its tensors."""
    operators, tensors = [], {"boxes": (1, channels, 42), "parts": (1, 42, 51), "rows": (1, 56, 42)}
    for level, count in enumerate((32, 8, 2)):
        tensors |= {
            f"conv{level}": (1, count, channels),
            f"box{level}": (1, channels, count),
            f"part{level}": (1, count, 51),
        }
        operators += [("CONV_2D", ["image"], f"conv{level}"), (between, [f"conv{level}"], f"box{level}")]
        operators += [("CONV_2D", ["image"], f"part{level}")]
    operators += [(joined, [f"box{level}" for level in range(3)], "boxes")]
    operators += [("CONCATENATION", [f"part{level}" for level in range(3)], "parts")]
    operators += [("CONCATENATION", ["boxes", "parts"], "rows")]
    return graph(*operators, tensors=tensors, output="rows")


def test_a_graph_is_cut_where_its_grids_are_joined():
    view, numbers = yolo()
    cut = cut_heads(view)
    assert cut.outputs == (numbers["boxes"], numbers["parts"])
    assert cut.names == ("boxes_and_classes", "keypoints")
    assert not cut.is_needed


def test_boxes_and_classes_may_be_joined_apart():
    operators, tensors = [], {"rows": (1, 56, 42)}
    for name, channels in (("boxes", 64), ("classes", 1), ("parts", 51)):
        tensors[name] = (1, channels, 42)
        for level, count in enumerate((32, 8, 2)):
            tensors[f"{name}{level}"] = (1, channels, count)
            operators.append(("CONV_2D", ["image"], f"{name}{level}"))
        operators.append(("CONCATENATION", [f"{name}{level}" for level in range(3)], name))
    operators.append(("CONCATENATION", ["boxes", "classes", "parts"], "rows"))
    view, numbers = graph(*operators, tensors=tensors, output="rows")
    cut = cut_heads(view)
    assert cut.outputs == tuple(numbers[name] for name in ("boxes", "classes", "parts"))
    assert cut.names == ("boxes", "classes", "keypoints")


@pytest.mark.parametrize("changed", [{"between": "LOGISTIC"}, {"joined": "ADD"}, {"channels": 5}, {"channels": 64}])
def test_a_graph_of_another_end_stays_whole(changed):
    assert cut_heads(yolo(**changed)[0]) is None


def test_graphs_of_other_networks_stay_whole():
    view, _ = graph(("CONV_2D", ["image"], "maps"), tensors={"maps": (1, 4, 8, 17)}, output="maps")
    assert cut_heads(view) is None
    view.outputs = ()
    assert cut_heads(view) is None


def test_a_real_file_gives_its_heads_and_whole_its_rows(shared):
    from bottomup.networks.opening import open_network

    image = np.zeros((1, 320, 320, 3), np.uint8)
    for cut, kind, count in ((cut_heads, "heads", 2), (lambda graph: None, "yolo", 1)):
        network = open_network(shared / YOLO_FILE, cut=cut)
        layout = recognise(Clues(network.outputs, network.input_size))
        assert (layout.kind, len(network.outputs)) == (kind, count)
        fields = layout.read(network.run(image), network.input_size)
        assert fields.rows.shape[0] == 2100
        assert len(bu.BoxDecoder().decode(fields)) == 0
