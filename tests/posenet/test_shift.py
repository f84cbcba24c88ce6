"""Inputs that are not whole strides plus 1: where cells lie, in everything that is made of them."""

import dataclasses

import numpy as np
import pytest

import bottomup as bu
from bottomup.posenet.augment import average_fields, mirror_fields
from bottomup.posenet.family import POSENET
from bottomup.posenet.layers import posenet_layers
from bottomup.posenet.masks import CoralMasks, PoseNetMasks, TfjsMasks
from bottomup.posenet.rendering import posenet_fields, same_padding_shift

SIZES = [((640, 480), 16), ((512, 512), 16), ((505, 377), 16), ((488, 344), 8), ((256, 256), 32), ((224, 224), 8)]
of_sizes = pytest.mark.parametrize(("size", "stride"), SIZES, ids=str)


def shift_of(size, stride):
    return tuple(same_padding_shift(side, stride) for side in size)


def rendered(poses, size, stride, **rest):
    return posenet_fields(poses, size, stride, shift=shift_of(size, stride), **rest)


@of_sizes
@pytest.mark.parametrize("name", ["best", "coral"])
def test_people_are_found_where_they_are(size, stride, name):
    known = bu.synthetic.random_poses(1, size, seed=3)
    fields = rendered(known, size, stride)
    assert fields.grid == (-(-size[1] // stride), -(-size[0] // stride))
    poses = POSENET.decoders[name]().decode(fields)
    inside = np.all((known.xy[0] > stride) & (known.xy[0] < np.array(size) - stride), axis=1)
    np.testing.assert_allclose(poses.xy[0][inside], known.xy[0][inside], atol=2.5)
    assert np.abs(poses.xy[0][inside] - known.xy[0][inside]).mean() < 0.7


@of_sizes
def test_flips_of_any_size_are_averaged_cell_by_cell(size, stride):
    known = bu.synthetic.random_poses(1, size, seed=3)
    inside = np.all((known.xy[0] > 2 * stride) & (known.xy[0] < np.array(size) - 2 * stride), axis=1)
    fields = rendered(known, size, stride)
    seen = rendered(known.mirrored(width=size[0], swap_sides=True), size, stride)  # in the flipped input
    back = mirror_fields(seen, size[0])
    right = size[0] - 1 - (fields.grid[1] - 1) * stride - fields.shift[0]
    assert back.shift == (right, fields.shift[1])
    mean = average_fields(fields, back)
    assert mean.shift == fields.shift
    for made in (back, mean):
        poses = bu.PoseNetDecoder().decode(made)
        np.testing.assert_allclose(poses.xy[0][inside], known.xy[0][inside], atol=2.5)
    assert np.abs(mean.heatmaps - fields.heatmaps).max() < 6  # a cell is averaged with that of the same place


def test_the_average_of_three_weighs_each_alike():
    fields = [POSENET.example(False)] * 2 + [posenet_fields(bu.Poses.empty(bu.COCO17), (129, 129))]
    mean = POSENET.averaged(fields)
    np.testing.assert_allclose(mean.heatmaps, sum(each.heatmaps for each in fields) / 3, rtol=1e-5)


@pytest.mark.parametrize("rule", [PoseNetMasks(), CoralMasks(), TfjsMasks()], ids=lambda rule: type(rule).__name__)
def test_masks_and_people_lie_where_cells_do(rule):
    size = (160, 128)
    known = bu.synthetic.random_poses(2, size, seed=3)
    masks = np.zeros((2, 128, 160), bool)
    masks[0, :, :50] = masks[1, :, 100:] = True
    fields = rendered(known, size, 16, masks=masks)
    assert fields.shift == (15, 15)
    found = rule.people(fields, size)
    assert (found == masks.any(axis=0)).mean() > 0.93
    unmoved = dataclasses.replace(fields, shift=(0, 0))
    assert (rule.people(unmoved, size) == masks.any(axis=0)).mean() < 0.9
    owned = rule.masks(fields, known, size) & found
    overlap = (owned & masks).sum() / (owned | masks).sum()
    assert overlap > 0.85


def test_layers_begin_where_the_first_cell_does():
    size = (160, 128)
    known = bu.synthetic.random_poses(1, size, seed=3)
    layers = posenet_layers(rendered(known, size, 16), bu.PoseNetDecoder())
    assert layers.map_origin == (15, 15)
    assert all(field.origin == (15, 15) for field in layers.vectors)
    best = max(layers.peaks, key=lambda peak: peak[3])
    assert np.linalg.norm(np.array(best[1:3]) - known.xy[0, best[0]]) < 3
