"""Which output is what: networks of part affinity fields, recognised by shapes and names."""

import numpy as np
import pytest
from paf_scenes import RING, SIZE, assert_same, crowd

import bottomup as bu
from bottomup.family import Clues
from bottomup.geometry import ImageSize
from bottomup.paf.family import PAF
from bottomup.paf.layout import TF_POSE_SHIFT, recognise, stride_of
from bottomup.tensors import TensorInfo

FLOAT = np.dtype(np.float32)


def clues(shapes, input_size=None, **more):
    """What is known of a network with outputs of these shapes."""
    outputs = tuple(TensorInfo(name, shape, FLOAT) for name, shape in shapes.items())
    return Clues(outputs, None if input_size is None else ImageSize(*input_size), **more)


@pytest.mark.parametrize(
    ("channels", "skeleton"),
    [
        ((19, 38), bu.OPENPOSE18),
        ((18, 38), bu.OPENPOSE18),
        ((26, 52), bu.BODY25),
        ((16, 28), bu.MPI15),
        ((18, 42), bu.TRTPOSE18),
        ((57,), bu.OPENPOSE18),
        ((56,), bu.OPENPOSE18),
        ((78,), bu.BODY25),
        ((44,), bu.MPI15),
    ],
)
@pytest.mark.parametrize("size", [SIZE, None], ids=str)
def test_the_numbers_of_channels_tell_the_skeleton(channels, skeleton, size):
    last = {f"out{count}": (1, 46, 54, count) for count in channels}
    first = {f"out{count}": (1, count, 46, 54) for count in channels}
    for shapes in (last, first, dict(reversed(last.items()))):
        layout = recognise(clues(shapes, size))
        assert layout.skeleton == skeleton
        assert layout.channels_first == (shapes is first)
        assert layout.output_stride == (8 if size else None)
        fields = layout.read({name: np.zeros(shape) for name, shape in shapes.items()}, ImageSize(*SIZE))
        assert (fields.skeleton, fields.grid, fields.output_stride) == (skeleton, (46, 54), 8)


@pytest.mark.parametrize("side", [43, 44, 56, 57, 77, 78])
@pytest.mark.parametrize("knows_size", [True, False])
def test_a_side_as_long_as_a_network_has_channels_is_no_channel(side, knows_size):
    shapes = {"cmap": (1, 18, side, side), "paf": (1, 42, side, side)}
    layout = recognise(clues(shapes, (4 * side, 4 * side) if knows_size else None))
    assert (layout.skeleton, layout.channels_first) == (bu.TRTPOSE18, True)
    shapes = {"heat": (1, 32, side, 19), "pafs": (1, 32, side, 38)}
    layout = recognise(clues(shapes, (8 * side, 256) if knows_size else None))
    assert (layout.skeleton, layout.channels_first) == (bu.OPENPOSE18, False)


@pytest.mark.parametrize("side", [43, 44, 56, 57, 77, 78])
@pytest.mark.parametrize("knows_size", [True, False])
def test_an_unknown_skeleton_is_said_to_be_unknown(side, knows_size):
    shapes = {"cmap": (1, 21, side, side), "paf": (1, 40, side, side)}
    with pytest.raises(bu.ModelError, match=r"unknown skeleton \(21 parts, 40 PAF channels\).*pass skeleton="):
        recognise(clues(shapes, (4 * side, 4 * side) if knows_size else None))


@pytest.mark.parametrize("side", [43, 44, 56, 57, 77, 78])
def test_fields_without_heatmaps_are_said_to_lack_them(side):
    for size in (ImageSize(8 * side, 256), None):
        with pytest.raises(bu.ModelError, match=r"'pafs'.*heatmaps are missing"):
            recognise(clues({"pafs": (1, 38, 32, side)}, size))


def test_the_last_stage_counts_whatever_its_names_begin_with():
    shapes = {}
    for stage in range(1, 7):
        for branch, count in ((1, 38), (2, 19)):
            name = f"conv5_5_CPM_L{branch}" if stage == 1 else f"Mconv7_stage{stage}_L{branch}"
            shapes[name] = (1, count, 46, 54)
    layout = recognise(clues(shapes))
    assert (layout.heatmaps, layout.pafs) == ("Mconv7_stage6_L2", "Mconv7_stage6_L1")
    shapes = {f"stage_{stage}_{kind}": (1, n, 46, 54) for stage in (2, 10, 1) for kind, n in (("h", 19), ("p", 38))}
    assert (recognise(clues(shapes)).heatmaps, recognise(clues(shapes)).pafs) == ("stage_10_h", "stage_10_p")


def test_bodyposenets_fields_are_four_times_as_fine_and_half_a_cell_off():
    shapes = {"heatmap_out/BiasAdd:0": (1, 36, 48, 19), "conv2d_transpose_1/BiasAdd:0": (1, 144, 192, 38)}
    layout = recognise(clues(shapes, (384, 288)))
    assert (layout.skeleton, layout.pixels.channel_order) == (bu.BODYPOSE18, "rgb")
    fields = layout.read({name: np.zeros(shape) for name, shape in shapes.items()}, ImageSize(384, 288))
    assert (fields.output_stride, fields.paf_shift) == (8, 0.4375)


@pytest.mark.parametrize("repeat", [2, 4])
def test_heatmaps_finer_than_their_fields_are_no_bodyposenets(repeat):
    shapes = {"heat": (1, 36 * repeat, 48 * repeat, 19), "pafs": (1, 36, 48, 38)}
    layout = recognise(clues(shapes, (384, 288)))
    fields = layout.read({name: np.zeros(shape) for name, shape in shapes.items()}, ImageSize(384, 288))
    assert (fields.skeleton, fields.output_stride, fields.paf_shift) == (bu.OPENPOSE18, 8 / repeat, 0)


def test_a_posenets_displacements_are_no_fields():
    skeleton = bu.Skeleton("chain", tuple(map(str, range(20))), tuple((part, part + 1) for part in range(19)))
    shapes = {"heat": (1, 31, 41, 20), "offsets": (1, 31, 41, 40), "fwd": (1, 31, 41, 38), "bwd": (1, 31, 41, 38)}
    assert recognise(clues(shapes, (641, 481), skeleton=skeleton)) is None
    shapes = {"heat": (1, 31, 41, 17), "short": (1, 31, 41, 34), "mid": (1, 31, 41, 64)}
    assert recognise(clues(shapes, (641, 481))) is None
    assert recognise(clues({"classes": (1, 1001)})) is None


def test_a_skeleton_of_ones_own():
    for shapes in ({"a": (1, 4, 20, 30), "b": (1, 6, 20, 30)}, {"both": (1, 20, 30, 10)}, {"both": (1, 9, 20, 30)}):
        layout = recognise(clues(shapes, (240, 160), skeleton=RING))
        fields = layout.read({name: np.zeros(shape) for name, shape in shapes.items()}, ImageSize(240, 160))
        assert (fields.skeleton, fields.grid) == (RING, (20, 30))
    with pytest.raises(bu.ModelError, match=r"skeleton 'ring' needs 3 heatmaps \(4 with background\) and 6 PAF"):
        recognise(clues({"cmap": (1, 5, 20, 30), "paf": (1, 6, 20, 30)}, (240, 160), skeleton=RING))


def test_what_was_read_decodes_to_the_people_in_it():
    _, fields = crowd(3)
    maps = np.concatenate([fields.heatmaps, fields.pafs], axis=2)[None]
    layout = recognise(clues({"Openpose/concat_stage7": maps.shape}, SIZE))
    read = layout.read({"Openpose/concat_stage7": maps}, ImageSize(*SIZE))
    assert_same(bu.PafDecoder().decode(read), bu.PafDecoder().decode(fields))
    assert layout.best_decoder() == bu.PafDecoder(shift=TF_POSE_SHIFT)
    assert layout.file_decoder() is None


@pytest.mark.parametrize(("stride", "grid"), [(8, (46, 54)), (4, (92, 108)), (2, (184, 216)), (1, (368, 432))])
def test_strides_of_maps_that_were_enlarged(stride, grid):
    assert stride_of(SIZE, grid) == stride


def test_a_grid_that_fits_no_stride_is_refused():
    with pytest.raises(bu.InputError, match="fit no stride of 1, 2, 4, 8, 16 or 32"):
        stride_of((400, 368), (46, 54))


def test_a_stride_that_is_given_needs_no_input_size():
    layout = recognise(clues({"maps": (46, 54, 57)}, output_stride=6))
    assert layout.read({"maps": np.zeros((46, 54, 57))}, None).output_stride == 6
    layout = recognise(clues({"maps": (46, 54, 57)}))
    with pytest.raises(bu.InputError, match="output_stride must be given"):
        layout.read({"maps": np.zeros((46, 54, 57))}, None)


@pytest.mark.parametrize(
    ("channels", "grid", "own", "asked", "legal"),
    [
        ((19, 38), (32, 57), (456, 256), (650, 475), (648, 472)),
        ((19, 38), (32, 57), (456, 256), (3, 700), (8, 704)),
        ((19, 38), (47, 55), (433, 370), (433, 370), (433, 370)),
        ((18, 42), (56, 56), (224, 224), (300, 225), (288, 224)),
        ((19, 38), (61, 81), (641, 481), (640, 480), (641, 481)),
        ((19, 38), (61, 81), (641, 481), (512, 384), (513, 385)),
        ((19, 38), (61, 81), (641, 481), (633, 489), (641, 497)),
        ((19, 38), (30, 40), (313, 233), (300, 225), (297, 225)),
    ],
)
def test_inputs_are_whole_strides(channels, grid, own, asked, legal):
    layout = recognise(clues({str(count): (1, count, *grid) for count in channels}, own))
    assert layout.legal_size(ImageSize(*asked)) == legal


def test_cells_move_with_sides_that_are_no_whole_strides():
    def cell_shift(name, size):
        return tuple(7.0 if side % 8 == 0 else 3.0 for side in size)

    layout = recognise(clues({"maps": (1, 46, 54, 57)}, SIZE, cell_shift=cell_shift))
    assert layout.read({"maps": np.zeros((1, 46, 54, 57))}, ImageSize(*SIZE)).shift == (0, 0)
    assert layout.read({"maps": np.zeros((1, 46, 54, 57))}, ImageSize(428, 368)).shift == (-4, 0)


@pytest.mark.parametrize(("size", "shift"), [((641, 481), (0, 0)), ((513, 385), (0, 0)), ((640, 480), (15, 15))])
def test_cells_lie_as_they_do_at_whole_strides_plus_1_where_the_network_is_made_for_those(size, shift):
    def cell_shift(name, size):
        return tuple(0.0 if side % 16 == 1 else 15.0 for side in size)

    layout = recognise(clues({"maps": (1, 61, 81, 57)}, (641, 481), cell_shift=cell_shift))
    grid = tuple(-(-side // 8) for side in size[::-1])
    assert layout.read({"maps": np.zeros((1, *grid, 57))}, ImageSize(*size)).shift == shift


def test_outputs_that_are_missing_or_of_other_ranks_are_named():
    layout = recognise(clues({"heat": (1, 19, 46, 54), "pafs": (1, 38, 46, 54)}, SIZE))
    with pytest.raises(bu.InputError, match="output 'pafs' is missing, got 'heat'"):
        layout.read({"heat": np.zeros((1, 19, 46, 54))}, ImageSize(*SIZE))
    with pytest.raises(bu.InputError, match="output 'heat' must be one image's tensor"):
        layout.read({"heat": np.zeros((19, 46)), "pafs": np.zeros((1, 38, 46, 54))}, ImageSize(*SIZE))


@pytest.mark.parametrize("quantized", [False, True])
def test_the_familys_example_is_somebody(quantized):
    fields = PAF.example(quantized)
    assert [len(make().decode(fields)) for make in PAF.decoders.values()] == [1] * 5
    assert len(PAF.layers(fields, bu.PafDecoder()).peaks) == 18


def test_fields_move_and_mirror_with_their_shift():
    _, fields = crowd(4, size=(384, 320))
    moved = bu.PafFields(fields.heatmaps, fields.pafs, shift=(3, -2))
    plain = bu.PafDecoder().decode(fields)
    np.testing.assert_allclose(bu.PafDecoder().decode(moved).xy, plain.xy + np.float32((3, -2)), atol=1e-4)
    there = PAF.mirrored(moved, ImageSize(384, 320))
    assert_same(bu.PafDecoder().decode(there), bu.PafDecoder().decode(moved).mirrored(width=384, swap_sides=True))
    back = PAF.mirrored(there, ImageSize(384, 320))
    assert_same(bu.PafDecoder().decode(back), bu.PafDecoder().decode(moved))


def test_the_mean_of_three_fields_is_theirs():
    _, fields = crowd(2, size=(64, 48), quantized=True)
    mean = PAF.averaged([fields, fields, fields])
    np.testing.assert_allclose(mean.heatmaps, fields.heatmaps.dequantize(), rtol=1e-6)
    with pytest.raises(bu.InputError, match="at least one"):
        PAF.averaged([])
    with pytest.raises(bu.InputError, match="have no mean"):
        PAF.averaged([fields, crowd(2, size=(64, 64))[1]])
