"""Where an output's cells lie: what padding does at each input size."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_posenet import TinyPoseNet

from bottomup.family import Cut
from bottomup.geometry import ImageSize
from bottomup.networks.cells import Axis, Resample, Step, Window, first_cells, scaled_side
from bottomup.networks.opening import open_network
from bottomup.posenet.operator import coral_cut

PIXELS = Axis(0.0, 1.0, 40)


def shift_by_halving(side, stride):
    """Return what an input side does to the cells of a network of 3x3 convolutions with stride 2."""
    shift = 0
    for halving in range(int(math.log2(stride))):
        shift += 2**halving * (side % 2 == 0)
        side = math.ceil(side / 2)
    return shift


def test_a_convolution_of_stride_2_takes_an_odd_side_from_its_first_pixel_and_an_even_side_from_its_second():
    halving = Window(size=3, stride=2, same=True)
    assert halving.along(Axis(0, 1, 41)) == (0, 2, 21)
    assert halving.along(Axis(0, 1, 40)) == (1, 2, 20)


def test_a_pad_moves_what_a_valid_convolution_sees():
    padded = Window(before=1, after=1).along(PIXELS)
    assert padded == (-1, 1, 42)
    assert Window(size=3, stride=2).along(padded) == (0, 2, 20)


def test_explicit_padding_is_a_pad():
    assert Window(size=7, stride=2, before=3, after=3).along(PIXELS) == (0, 2, 20)


def test_a_pool_of_2_lies_between_its_pixels():
    assert Window(size=2, stride=2).along(PIXELS) == (0.5, 2, 20)


def test_dilation_widens_a_window():
    assert Window(size=3, dilation=4).along(PIXELS) == (4, 1, 32)


@given(st.integers(2, 40), st.integers(1, 5), st.integers(1, 3), st.booleans())
def test_a_transposed_convolution_puts_cells_back(cells, size, stride, same):
    down = Window(size, stride, same=same).along(Axis(0, 1, cells * stride if same else (cells - 1) * stride + size))
    up = Window(size, stride, same=same, transposed=True).along(down)
    assert up == pytest.approx((0, 1, up.cells)) or (same and size < stride)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ({"half_pixel": True}, (-0.25, 0.5, 80)),
        ({"half_pixel": False}, (0, 0.5, 80)),
        ({"half_pixel": False, "align_corners": True}, (0, 39 / 79, 80)),
    ],
)
def test_resizes_put_cells_as_their_kind_says(kind, wanted):
    assert Resample(10, 20, **kind).along(PIXELS) == pytest.approx(wanted)


@given(st.integers(1, 60), st.integers(1, 6))
def test_sides_of_whole_strides_and_those_plus_1_stay_so(cells, stride):
    assert scaled_side(12, 12 * stride, cells * stride) == cells
    assert scaled_side(13, 12 * stride + 1, 2 * cells * stride + 1) == 2 * cells + 1


def test_only_what_the_image_reaches_has_cells():
    steps = [
        Step(("image",), ("a",), Window(3, 2, same=True), None),
        Step(("weights",), ("b",)),
        Step(("b", "a"), ("c",)),
        Step(("a",), ("d",), Window(1000), None),
    ]
    found = first_cells(steps, "image", ImageSize(40, 40))
    assert found == {"image": (0, 0), "a": (0, 1), "c": (0, 1)}


# --- real graphs


def test_a_1x1_convolution_sees_the_middle_that_same_padding_gives_it(tmp_path):
    network = open_network(TinyPoseNet().write(tmp_path / "tiny.tflite"))
    assert network.cell_shift("float_heatmaps", ImageSize(65, 49)) == (0, 0)
    assert network.cell_shift("no such output", ImageSize(65, 49)) is None


SIZES = [(641, 481), (640, 480), (512, 512), (224, 224), (256, 256), (505, 377), (488, 344)]


@pytest.mark.parametrize("size", SIZES)
def test_corals_networks_shift_by_their_halvings(shared, size):
    network = open_network(shared / "models/coral/posenet_mobilenet_v1_075_481_641_quant_decoder.tflite", cut=coral_cut)
    wanted = tuple(shift_by_halving(side, 16) for side in size)
    assert {network.cell_shift(output.name, ImageSize(*size)) for output in network.outputs} == {wanted}


def test_a_graph_that_pads_itself_stays_at_the_first_pixel(shared):
    network = open_network(
        shared / "models/bodypix/bodypix_mobilenet_v1_075_512_512_16_quant_decoder.tflite", cut=coral_cut
    )
    assert network.cell_shift("float_segments", network.input_size) == (0, 0)


def test_the_shipped_networks_finer_maps_begin_at_the_first_pixel():
    import bottomup as bu

    network = bu.load().network
    for output in network.outputs:
        assert network.cell_shift(output.name, ImageSize(641, 481)) == (0, 0)
        assert network.cell_shift(output.name, ImageSize(640, 480)) == (15, 15)


# --- sizes of resized maps that are constants


def heads(graph):
    """Cut a single-pose MoveNet before it decodes: at its last convolutions."""
    last = [op.outputs[0] for op in graph.operators if op.name == "CONV_2D"]
    wanted = [number for number in last if graph.tensors[number].shape[3] in (1, 17, 34)]
    return Cut(tuple(wanted), names=tuple(f"head_{at}" for at in range(len(wanted))))


def test_a_graph_with_fixed_resizes_runs_at_other_sizes(shared, runtime):
    path = shared / "models/movenet/movenet_single_pose_lightning_ptq.tflite"
    network = open_network(path, runtime=runtime, cut=heads)
    assert {output.shape[1:3] for output in network.outputs} == {(48, 48)}
    network.resize_input(ImageSize(384, 256))
    assert {output.shape[1:3] for output in network.outputs} == {(64, 96)}
    given = np.zeros((1, 256, 384, 3), network.input.dtype)
    assert {output.shape[1:3] for output in network.run(given).values()} == {(64, 96)}
    network.resize_input(ImageSize(192, 192))
    own = open_network(path, runtime=runtime, cut=heads)
    image = np.random.default_rng(0).integers(0, 256, (1, 192, 192, 3)).astype(network.input.dtype)
    for name, values in own.run(image).items():
        np.testing.assert_array_equal(network.run(image)[name].values, values.values)
