"""Which networks are recognised as ones of associative embedding, and how their outputs are read."""

import numpy as np
import pytest

import bottomup as bu
from bottomup.family import Clues, Pixels
from bottomup.tags.layout import recognise
from bottomup.tensors import TensorInfo

SIZE = bu.ImageSize(64, 32)
OMZ = {"heatmaps": (1, 17, 16, 32), "embeddings": (1, 17, 16, 32, 1)}


def clues(shapes, size=SIZE, **settings):
    outputs = tuple(TensorInfo(name, shape, np.dtype("f4")) for name, shape in shapes.items())
    return Clues(outputs, size, **settings)


def zeros(shapes):
    return {name: np.zeros([max(side, 1) for side in shape], np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize(
    ("shapes", "form", "stride"),
    [
        (OMZ, "apart", 2),
        ({"embeddings": (1, 17, 8, 16), "heatmaps": (1, 17, 8, 16)}, "apart", 4),
        ({**OMZ, "nms_heatmaps": (1, 17, 16, 32)}, "apart", 2),
        ({"heatmap": (1, 17, 8, 16), "tags": (1, 34, 8, 16)}, "apart", 4),
        ({"Conf_Heat": (-1, 8, 16, 17), "Assoc_Tags": (-1, 8, 16, 17)}, "apart", 4),
        ({"output": (1, 34, 8, 16), "output_1": (1, 17, 16, 32)}, "two sizes", 2),
        ({"b": (1, 17, 16, 32), "a": (1, 34, 8, 16)}, "two sizes", 2),
        ({"2887": (1, 16, 32, 17), "2880": (1, 8, 16, 34)}, "two sizes", 2),
        ({"heatmaps_and_tags": (1, 34, 8, 16)}, "in one", 4),
        ({"higher_hrnet_out": (1, 34, 32, 64)}, "in one", 1),
        ({"x": (1, 17, 8, 16), "tags": (1, 17, 8, 16)}, "apart", 4),
    ],
)
def test_outputs_tell_by_names_and_channels(shapes, form, stride):
    layout = recognise(clues(shapes))
    assert (layout.form, layout.output_stride, layout.skeleton) == (form, stride, bu.COCO17)
    fields = layout.read(zeros(shapes), SIZE)
    assert isinstance(fields, bu.TagFields)
    assert fields.output_stride == stride
    assert fields.grid == (32 // stride, 64 // stride)


@pytest.mark.parametrize(
    "shapes",
    [
        {"heatmap": (1, 17, 8, 16), "offset": (1, 34, 8, 16), "mid": (1, 64, 8, 16)},
        {"heatmaps": (1, 19, 8, 16), "pafs": (1, 38, 8, 16)},
        {"output": (1, 56, 42)},
        {"heat": (1, 17, 8, 16)},
        {"heat": (1, 17, 8, 16), "tags": (1, 17, 16, 32)},
        {"poses": (1, 6, 56)},
        {"logits": (1, 1000)},
    ],
)
def test_other_networks_are_left_alone(shapes):
    assert recognise(clues(shapes)) is None


@pytest.mark.parametrize(
    ("shapes", "question"),
    [
        ({"output": (1, 34, 8, 16)}, r"pass outputs={'output': 'heatmaps_and_tags'}"),
        ({"1": (1, 17, 8, 16), "2": (1, 17, 8, 16)}, r"pass outputs={'1': 'heatmaps', '2': 'tags'}, or the other way"),
    ],
)
def test_what_names_do_not_tell_is_asked(shapes, question):
    with pytest.raises(bu.ModelError, match=question):
        recognise(clues(shapes))


def test_suppressed_cells_are_negated_in_omzs_files_without_nms_heatmaps():
    assert recognise(clues(OMZ)).negated
    assert recognise(clues(OMZ)).pixels == Pixels("bgr", 1.0, (0.0, 0.0, 0.0), 0)
    old = recognise(clues({**OMZ, "nms_heatmaps": (1, 17, 16, 32)}))
    assert not old.negated
    assert old.pixels == recognise(clues(OMZ)).pixels
    assert old.heatmaps == "heatmaps"
    assert not recognise(clues({"heatmap": (1, 17, 8, 16), "tags": (1, 17, 8, 16)})).negated
    assert recognise(clues({"heatmap": (1, 17, 8, 16), "tags": (1, 17, 8, 16)})).pixels is None


def test_another_skeleton_has_other_channels():
    crowdpose = bu.Skeleton("crowdpose", tuple(f"part {number}" for number in range(14)))
    shapes = {"output": (1, 28, 8, 16), "output_1": (1, 14, 16, 32)}
    assert recognise(clues(shapes)) is None
    layout = recognise(clues(shapes, skeleton=crowdpose))
    assert layout.skeleton is crowdpose
    assert layout.read(zeros(shapes), SIZE).tags.shape == (16, 32, 14, 1)


def test_the_inputs_size_or_the_stride_must_be_known():
    layout = recognise(clues(OMZ, size=None))
    assert layout.output_stride is None
    with pytest.raises(bu.InputError, match="output_stride must be given where input_size is not"):
        layout.read(zeros(OMZ), None)
    assert recognise(clues(OMZ, size=None, output_stride=2)).read(zeros(OMZ), None).output_stride == 2
    with pytest.raises(bu.InputError, match=r"input_size=\(64, 48\) and a grid of 16 x 32 cells fit no stride"):
        layout.read(zeros(OMZ), bu.ImageSize(64, 48))


def test_a_missing_output_is_named():
    with pytest.raises(bu.InputError, match="output 'embeddings' is missing, got 'heatmaps'"):
        recognise(clues(OMZ)).read({"heatmaps": np.zeros((1, 17, 16, 32))}, SIZE)


def test_inputs_are_of_whole_32s_or_the_files_own_size():
    layout = recognise(clues(OMZ, size=bu.ImageSize(50, 30)))
    assert layout.legal_size(bu.ImageSize(50, 30)) == (50, 30)
    assert layout.legal_size(bu.ImageSize(100, 10)) == (96, 32)


def test_cells_that_padding_moves_are_where_they_are():
    def cell_shift(name, size):
        return (1.5, 1.5) if size.width % 32 == 0 else (0.5, 1.5)

    layout = recognise(clues(OMZ, size=bu.ImageSize(63, 32), cell_shift=cell_shift))
    assert layout.read(zeros(OMZ), bu.ImageSize(63, 32)).shift == (-1, 0)
    unknown = recognise(clues(OMZ, cell_shift=lambda name, size: None))
    assert unknown.read(zeros(OMZ), SIZE).shift == (0, 0)


def test_read_outputs_reads_them():
    fields = bu.read_outputs(zeros(OMZ), (64, 32))
    assert isinstance(fields, bu.TagFields)
    assert fields.negated


def test_decoders_of_the_family_are_ours_first():
    layout = recognise(clues(OMZ))
    assert layout.best_decoder() == bu.TagDecoder()
    assert layout.file_decoder() is None
