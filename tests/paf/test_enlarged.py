"""Maps that were enlarged before they came here are read as the network gave them."""

import cv2
import numpy as np
import pytest
from paf_scenes import SIZE, assert_same, crowd

import bottomup as bu
from bottomup.paf import enlarged, running
from bottomup.paf.kernels import peaks as kernels

HOW = {"cubic": cv2.INTER_CUBIC, "linear": cv2.INTER_LINEAR, "nearest": cv2.INTER_NEAREST}


def resized(maps, size, how):
    """Return maps of another size, as OpenCV resizes, a few channels at a time."""
    pieces = [np.ascontiguousarray(maps[..., first : first + 4]) for first in range(0, maps.shape[2], 4)]
    return np.concatenate(
        [cv2.resize(piece, size, interpolation=HOW[how]).reshape(*size[::-1], -1) for piece in pieces], 2
    )


def times_as_large(fields, factor, how, **changes):
    """Return fields that somebody enlarged."""
    rows, columns = fields.grid
    size = (columns * factor, rows * factor)
    maps = (resized(tensor, size, how) for tensor in (fields.heatmaps, fields.pafs))
    return bu.PafFields(*maps, **{"output_stride": 8 / factor, **changes})


def in_order(poses):
    return poses.xy[np.argsort(poses.xy[:, 1, 0])]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_what_was_enlarged_is_found_as_before(factor, how):
    _, fields = crowd(4, seed=2)
    expected = bu.PafDecoder().decode(fields)
    large = times_as_large(fields, factor, how)
    assert large.raw.output_stride == 8
    assert large.raw.grid == fields.grid
    found = bu.PafDecoder().decode(large)
    np.testing.assert_allclose(found.scores, expected.scores, atol=0.01 if how == "nearest" else 0.02)
    np.testing.assert_allclose(in_order(found), in_order(expected), atol=1.5)
    if how == "nearest":
        assert_same(found, expected)


@pytest.mark.parametrize("how", HOW)
def test_the_factor_is_in_the_maps_whatever_the_stride_says(how):
    _, fields = crowd(4, seed=2)
    large = times_as_large(fields, 8, how, output_stride=8)
    assert large.raw.grid == fields.grid
    found = bu.PafDecoder().decode(large)
    assert len(found) == 4


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("size", [(640, 545), (500, 426), (1000, 852)])
def test_maps_of_the_photos_size_are_read_too(size, how):
    expected, fields = crowd(3, seed=4)
    maps = [resized(tensor, size, how) for tensor in (fields.heatmaps, fields.pafs)]
    large = bu.PafFields(*maps, output_stride=1)
    assert large.raw is not large
    found = bu.PafDecoder().decode(large)
    assert len(found) == 3
    scale = np.array([size[0] / SIZE[0], size[1] / SIZE[1]])
    by_x = expected[np.argsort(expected[:, 1, 0])]
    wrong = np.linalg.norm((in_order(found) + 0.5) / scale - 0.5 - by_x, axis=-1)
    assert np.nanmedian(wrong) < 2


def test_heatmaps_alone_may_be_enlarged():
    _, fields = crowd(3, seed=1)
    large = bu.PafFields(resized(fields.heatmaps, (216, 184), "linear"), fields.pafs, output_stride=2)
    assert large.raw.pafs is fields.pafs
    np.testing.assert_allclose(
        in_order(bu.PafDecoder().decode(large)), in_order(bu.PafDecoder().decode(fields)), atol=1.5
    )


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("options", [{}, {"output_stride": 4, "sigma": 3.5}, {"size": (1280, 960)}])
def test_a_networks_own_cells_stay(quantized, options):
    _, fields = crowd(5, seed=3, quantized=quantized, **options)
    assert fields.raw is fields


def test_levels_that_were_repeated_become_real_numbers():
    _, fields = crowd(3, seed=5, quantized=True)
    tensors = [
        bu.Quantized(tensor.values.repeat(4, axis=0).repeat(4, axis=1), tensor.scale, tensor.zero_point)
        for tensor in (fields.heatmaps, fields.pafs)
    ]
    large = bu.PafFields(*tensors, output_stride=2, shift=(3, -2))
    assert_same(bu.PafDecoder(shift=(-3, 2)).decode(large), bu.PafDecoder().decode(fields))


def test_kernels_equal_the_definition_on_enlarged_maps():
    for how in HOW:
        large = times_as_large(crowd(2, seed=6, size=(96, 80))[1], 2, how)
        assert large.raw is not large
        assert_same(bu.PafDecoder().decode(large), bu.paf.reference.decode(large, bu.PafDecoder()))


def test_large_maps_are_decoded_in_the_workspace_of_their_cells(monkeypatch):
    _, fields = crowd(2, seed=6)
    large = times_as_large(fields, 4, "linear")
    expected = bu.PafDecoder().decode(large)
    monkeypatch.setattr(running, "make_workspace", None)  # none is made
    assert_same(bu.PafDecoder().decode(large), expected)


@pytest.mark.parametrize("factor", [1.6, 2.0, 3.0, 3.9, 4.0, 5.0, 6.5, 8.0])
def test_what_is_read_is_the_middle_of_each_block(factor):
    maps = np.random.default_rng(7).random((40, 48, 3), np.float32)
    found = enlarged._middles(maps, factor)
    for row, column in np.ndindex(*found.shape[:2]):
        y, x = (min((place + 0.5) * factor - 0.5, side - 1) for place, side in ((row, 40), (column, 48)))
        top, left = int(y), int(x)
        bottom, right, below, beside = min(top + 1, 39), min(left + 1, 47), y - top, x - left
        if factor >= 4 and below == beside == 0.5:
            expected = (maps[top, left] + maps[bottom, right]) / 2
        else:
            upper, lower = ((1 - beside) * maps[line, left] + beside * maps[line, right] for line in (top, bottom))
            expected = (1 - below) * upper + below * lower
        np.testing.assert_allclose(found[row, column], expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(6, 5, 3), (1, 4, 2), (3, 1, 2), (1, 1, 1)])
def test_the_difference_from_each_neighbour_is_put_back(shape):
    cells = np.random.default_rng(9).random(shape, np.float32)
    found = np.empty_like(cells)
    enlarged._kernels().sharpen(cells, np.float32(0.13), found)
    padded = np.pad(cells, ((1, 1), (1, 1), (0, 0)), "edge")
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    expected = cells + 0.13 * sum(cells - each for each in neighbours)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("factor", "is_sharper"), [(2.0, True), (2.4, True), (2.5, False), (3.0, False)])
def test_only_blocks_that_blur_are_sharpened(factor, is_sharper):
    maps = np.random.default_rng(7).random((40, 48, 3), np.float32)
    middles = enlarged._middles(maps, factor)
    assert np.array_equal(enlarged._cells(maps, factor, repeats=False), middles) != is_sharper
    np.testing.assert_array_equal(enlarged._cells(maps, factor, repeats=True), middles)


@pytest.mark.parametrize(("how", "most", "share"), [("linear", 0.11, 0.2), ("cubic", 0.085, 1.3)])
def test_what_was_enlarged_twice_is_what_the_network_gave(how, most, share):
    _, fields = crowd(4, seed=2)
    large = times_as_large(fields, 2, how)
    wrong = np.abs(large.raw.heatmaps - fields.heatmaps)
    blurred = np.abs(enlarged._middles(large.heatmaps, 2.0) - fields.heatmaps)
    assert wrong.max() < min(most, blurred.max())
    assert np.square(wrong).sum() < share * np.square(blurred).sum()


def test_what_is_seen_along_rows_and_columns():
    maps = np.random.default_rng(8).uniform(-0.2, 1, (12, 10, 2)).astype(np.float32)
    maps[:, 4], maps[6] = maps[:, 3], maps[5]  # nothing changes there
    maps[3, 3, 1] = np.nan
    fields = bu.PafFields(np.zeros((12, 10, 19), np.float32), np.zeros((12, 10, 38), np.float32))
    heat = (np.ascontiguousarray(maps).ravel(), *fields.bundles[0][1:3], 2, 12, 10, 2)
    for is_down, lines in ((False, maps[1::3]), (True, maps[:, 1::3].swapaxes(0, 1))):
        sums, changed = np.zeros(4), np.zeros(lines.shape[1], np.uint8)
        enlarged._kernels().look_along(heat, is_down, 3, sums, changed)
        expected, places = np.zeros(4), set()
        for line, place, part in np.ndindex(*lines.shape):
            if place == 0 or not np.isfinite(lines[line, place - 1 : place + 1, part]).all():
                continue
            before, value = (float(score) for score in lines[line, place - 1 : place + 1, part])
            step = max(value, 0) - max(before, 0)
            expected[:2] += max(value, 0) ** 2, step**2
            places |= {place} if step else set()
            after = float(lines[line, place + 1, part]) if place < lines.shape[1] - 1 else np.inf
            if value > 0.1 and value >= before and value > after:
                expected[2:] += 2 * value - before - after, value
        np.testing.assert_allclose(sums, expected, rtol=1e-9)
        assert set(np.flatnonzero(changed)) == places


def test_somebody_whom_the_first_rows_miss_is_looked_for_on_more(monkeypatch):
    keypoints = bu.synthetic.random_poses(1, SIZE, seed=3).keypoints.copy()
    keypoints[..., :2] = keypoints[..., :2] * 0.02 + (200, 88)
    fields = bu.synthetic.paf_fields(bu.Poses(keypoints, np.ones(1, np.float32), bu.COCO17), SIZE)
    large = times_as_large(fields, 8, "cubic")
    assert large.raw is not large
    monkeypatch.setattr(enlarged, "_MANY", enlarged._FEW)
    assert enlarged.as_raw(large) is large


@pytest.mark.parametrize("axis", [0, 1])
def test_cells_that_repeat_one_way_alone_are_not_taken_for_a_repetition(axis):
    _, fields = crowd(3, seed=1)
    noise = np.random.default_rng(0).normal(0, 1e-4, fields.heatmaps.shape).astype(np.float32)
    heatmaps, pafs = (field.repeat(2, axis=axis) for field in (fields.heatmaps + noise, fields.pafs))
    stretched = bu.PafFields(heatmaps, pafs)
    assert stretched.raw is stretched


def test_the_kernel_and_the_wrapper_agree_on_what_is_flat():
    assert kernels._FLAT == enlarged.FLAT


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, -np.inf])
def test_broken_cells_do_not_hinder(value):
    _, fields = crowd(3, seed=1)
    large = times_as_large(fields, 4, "cubic")
    heatmaps = large.heatmaps.copy()
    heatmaps[5, 7] = value
    assert len(bu.PafDecoder().decode(bu.PafFields(heatmaps, large.pafs, output_stride=2))) >= 3
