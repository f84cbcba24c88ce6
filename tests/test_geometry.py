import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bottomup as bu
from bottomup.errors import InputError, MissingRuntimeError
from bottomup.geometry import (
    ImageSize,
    Letterbox,
    Stretch,
    cell_to_input,
    image_to_input,
    input_to_cell,
    input_to_image,
    lay_out,
)

POLICIES = [Letterbox(), Letterbox(centred=True), Stretch()]
policies = st.sampled_from(POLICIES)
sizes = st.builds(ImageSize, st.integers(1, 4000), st.integers(1, 4000))
positions = st.lists(st.tuples(st.floats(-5000, 5000), st.floats(-5000, 5000)), min_size=1, max_size=5)


def test_a_cell_of_row_2_and_column_5_is_input_pixel_80_32():
    assert cell_to_input((2, 5), 16).tolist() == [80, 32]


@given(positions, st.sampled_from([8, 16, 32, 2.5]))
def test_cells_survive_the_way_to_the_input_and_back(cells, stride):
    np.testing.assert_allclose(input_to_cell(cell_to_input(cells, stride), stride), cells, atol=1e-9)


@given(positions, sizes, sizes, policies)
def test_positions_survive_the_way_to_the_input_and_back(xy, image_size, input_size, policy):
    placement = policy.place(image_size, input_size)
    np.testing.assert_allclose(input_to_image(image_to_input(xy, placement), placement), xy, atol=1e-3)


@given(sizes, sizes, policies)
def test_the_edges_of_the_image_are_the_edges_of_its_place(image_size, input_size, policy):
    placement = policy.place(image_size, input_size)
    edges = image_to_input([(-0.5, -0.5), (image_size.width - 0.5, image_size.height - 0.5)], placement)
    corner = np.array([placement.left, placement.top])
    np.testing.assert_allclose(edges - corner + 0.5, [(0, 0), placement.resized], atol=1e-3)


@given(sizes, sizes, policies)
def test_the_image_lies_inside_the_input(image_size, input_size, policy):
    placement = policy.place(image_size, input_size)
    assert placement.left >= 0
    assert placement.top >= 0
    assert 1 <= placement.resized.width <= input_size.width - placement.left
    assert 1 <= placement.resized.height <= input_size.height - placement.top


@given(sizes, sizes, st.booleans())
def test_a_letterbox_keeps_the_aspect_to_half_a_pixel_and_fills_one_side(image_size, input_size, centred):
    placement = Letterbox(centred=centred).place(image_size, input_size)
    scale = min(input_size.width / image_size.width, input_size.height / image_size.height)
    for kept, side in zip(placement.resized, image_size, strict=True):
        assert abs(kept - max(side * scale, 1)) <= 0.5 + 1e-9
    assert placement.resized.width == input_size.width or placement.resized.height == input_size.height


def test_a_letterbox_starts_top_left_unless_it_is_centred():
    sizes = ImageSize(100, 50), ImageSize(101, 101)
    assert Letterbox().place(*sizes)[2:4] == (0, 0)
    assert Letterbox(centred=True).place(*sizes)[2:4] == (0, 25)


def test_stretching_fills_the_input():
    assert Stretch().place(ImageSize(100, 50), ImageSize(641, 481)) == (6.41, 9.62, 0, 0, (641, 481))


def test_no_placement_moves_a_missing_part():
    missing = [(np.nan, np.nan)]
    assert np.isnan(image_to_input(missing, Letterbox(centred=True).place(ImageSize(9, 5), ImageSize(50, 50)))).all()


@pytest.mark.parametrize("value", [256, -1, "grey", 0.5, None])
def test_padding_is_a_grey_level(value):
    with pytest.raises(InputError, match="pad_value must be a grey level, a whole number from 0 to 255, got"):
        Letterbox(pad_value=value)


def blob(size, centre, radius):
    """A grey image, black but for one soft bright spot."""
    x, y = np.arange(size.width), np.arange(size.height)[:, None]
    level = 255 * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * radius**2))
    return np.repeat(np.round(level).astype(np.uint8)[..., None], 3, axis=2)


def centre_of_light(image):
    light = image[..., 0].astype(float)
    rows, columns = np.indices(light.shape)
    return np.array([(light * columns).sum(), (light * rows).sum()]) / light.sum()


@settings(max_examples=60, deadline=None)
@given(
    st.builds(ImageSize, st.integers(60, 500), st.integers(60, 500)),
    st.builds(ImageSize, st.integers(60, 500), st.integers(60, 500)),
    st.tuples(st.floats(0.35, 0.65), st.floats(0.35, 0.65)),
    st.sampled_from([Letterbox(pad_value=0), Letterbox(centred=True, pad_value=0), Stretch()]),
)
def test_a_bright_spot_is_found_where_the_geometry_says(image_size, input_size, where, policy):
    centre = np.array(where) * image_size
    laid_out, placement = lay_out(blob(image_size, centre, min(image_size) / 15), policy, input_size)
    np.testing.assert_allclose(centre_of_light(laid_out), image_to_input(centre, placement), atol=0.15)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (40, 30), (640, 480)])
def test_what_is_laid_out_has_the_inputs_size(policy, size):
    laid_out, _ = lay_out(np.zeros((size[1], size[0], 3), np.uint8), policy, ImageSize(64, 48))
    assert laid_out.shape == (48, 64, 3)
    assert laid_out.dtype == np.uint8


def test_padding_is_below_or_around_and_of_its_grey_level():
    white = np.full((10, 20, 3), 255, np.uint8)
    below, _ = lay_out(white, Letterbox(pad_value=7), ImageSize(20, 20))
    around, _ = lay_out(white, Letterbox(centred=True, pad_value=7), ImageSize(20, 20))
    assert below[:, 0, 0].tolist() == [255] * 10 + [7] * 10
    assert around[:, 0, 0].tolist() == [7] * 5 + [255] * 10 + [7] * 5


@pytest.mark.parametrize("side", [66, 58, 50, 45, 40, 31, 25, 20, 14])
def test_every_pixel_counts_alike_where_an_image_shrinks(side):
    influence = []
    for column in range(30, 70):
        image = np.zeros((100, 100, 3), np.uint8)
        image[:, column] = 250
        influence.append(int(lay_out(image, Stretch(), ImageSize(side, side))[0].sum()))
    assert min(influence) > 0.8 * max(influence)


def test_an_image_of_the_inputs_size_is_passed_on_untouched():
    image = np.zeros((48, 64, 3), np.uint8)
    assert lay_out(image, Letterbox(), ImageSize(64, 48))[0] is image


def test_read_only_and_mirrored_views_are_laid_out_alike():
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    view = image[:, ::-1]
    view.flags.writeable = False
    expected, _ = lay_out(np.ascontiguousarray(view), Letterbox(), ImageSize(64, 64))
    np.testing.assert_array_equal(lay_out(view, Letterbox(), ImageSize(64, 64))[0], expected)


def test_without_opencv_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingRuntimeError, match="pip install opencv-python"):
        lay_out(np.zeros((4, 4, 3), np.uint8), Stretch(), ImageSize(8, 8))


@pytest.mark.parametrize("resize", [bu.Stretch(), bu.Letterbox()])
def test_sizes_may_be_plain_tuples_and_are_checked(resize):
    assert resize.place((1980, 1080), (224, 224)) == resize.place(bu.ImageSize(1980, 1080), bu.ImageSize(224, 224))
    with pytest.raises(bu.InputError, match=r"^image_size must be \(width, height\)"):
        resize.place((1980, 0), (224, 224))
    with pytest.raises(bu.InputError, match=r"^input_size must be \(width, height\)"):
        resize.place((1980, 1080), 224)
