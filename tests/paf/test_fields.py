"""Tensors of any layout are taken for what they plainly are, or refused with the way out."""

import numpy as np
import pytest
from paf_scenes import SIZE, assert_same, crowd, errors, truth

import bottomup as bu
from bottomup.paf.augment import averaged, mirrored


@pytest.fixture
def scene():
    _, fields = crowd(3)
    return fields


def same(fields, scene):
    assert_same(bu.PafDecoder().decode(fields), bu.PafDecoder().decode(scene))


def test_two_tensors_in_either_order(scene):
    same(bu.PafFields(scene.pafs, scene.heatmaps), scene)


def test_channels_first_and_batches_of_one(scene):
    heatmaps, pafs = np.moveaxis(scene.heatmaps, 2, 0), np.moveaxis(scene.pafs, 2, 0)
    same(bu.PafFields(heatmaps, pafs), scene)
    same(bu.PafFields(pafs[None], heatmaps[None]), scene)
    same(bu.PafFields(scene.heatmaps[None], scene.pafs[None]), scene)
    same(bu.PafFields.from_concatenated(np.concatenate([heatmaps, pafs])[None]), scene)


@pytest.mark.parametrize(
    ("skeleton", "channels"), [(bu.OPENPOSE18, 57), (bu.BODYPOSE18, 57), (bu.BODY25, 78), (bu.MPI15, 44)]
)
def test_one_tensor_with_heatmaps_first(skeleton, channels):
    poses = bu.Poses(
        np.pad(bu.synthetic.random_poses(2).keypoints, ((0, 0), (0, 8), (0, 0)))[:, : len(skeleton.parts)],
        [1, 1],
        skeleton,
    )
    fields = bu.synthetic.paf_fields(poses, SIZE)
    maps = np.concatenate([fields.heatmaps, fields.pafs], axis=2)
    assert maps.shape[2] == channels
    same(bu.PafFields.from_concatenated(maps, skeleton=skeleton), fields)
    without_background = np.delete(maps, len(skeleton.parts), axis=2)
    same(bu.PafFields.from_concatenated(without_background, skeleton=skeleton), fields)


def test_one_tensor_is_not_copied(scene):
    maps = np.concatenate([scene.heatmaps, scene.pafs], axis=2)
    fields = bu.PafFields.from_concatenated(maps)
    assert np.shares_memory(fields.tensors[0].heatmaps, maps)
    assert np.shares_memory(fields.tensors[1].pafs, maps)


def test_background_changes_nothing(scene):
    same(bu.PafFields(scene.heatmaps[..., :18], scene.pafs), scene)


def test_where_channels_do_not_decide_the_heatmaps_come_first():
    skeleton = bu.Skeleton("two limbs", ("a", "b", "c"), ((0, 1), (1, 2)))
    heatmaps, pafs = np.zeros((5, 6, 4)), np.ones((5, 6, 4))
    assert bu.PafFields(heatmaps, pafs, skeleton).pafs.min() == 1


def test_a_square_grid_of_as_many_cells_as_channels_is_channels_last():
    fields = bu.PafFields(np.zeros((19, 38, 19)), np.zeros((19, 38, 38)))
    assert fields.grid == (19, 38)


def test_levels_are_decoded_as_the_numbers_they_stand_for():
    _, fields = crowd(5, quantized=True)
    floats = bu.PafFields(fields.heatmaps.dequantize(), fields.pafs.dequantize())
    same(fields, floats)
    mixed = bu.PafFields(fields.heatmaps, floats.pafs)
    same(mixed, floats)


def test_int8_and_concatenated_levels():
    _, fields = crowd(4, quantized=True)
    scale, zero = 1 / 120, 125
    maps = np.concatenate([fields.heatmaps.dequantize(), fields.pafs.dequantize()], axis=2)
    levels = np.clip(np.round(maps / scale) + zero, 0, 255)
    unsigned = bu.Quantized(levels.astype(np.uint8), scale, zero)
    signed = bu.Quantized((levels - 128).astype(np.int8), scale, zero - 128)
    same(bu.PafFields.from_concatenated(signed), bu.PafFields.from_concatenated(unsigned))
    assert bu.PafFields.from_concatenated(signed).tensors[0].heatmaps.dtype == np.uint8


def test_every_fourth_cell_of_bodyposenets_pafs_is_the_field():
    _expected, fields = crowd(6, size=(384, 288), paf_repeat=4)
    assert (fields.heatmaps.shape, fields.pafs.shape) == ((36, 48, 19), (144, 192, 38))
    assert fields.paf_repeat == 4
    same(fields, bu.PafFields(fields.heatmaps, fields.pafs[::4, ::4]))


def test_a_truly_finer_grid_is_read_at_its_own_places():
    poses = bu.synthetic.random_poses(3, SIZE, 1)
    coarse = bu.synthetic.paf_fields(poses, SIZE)
    fine = bu.synthetic.paf_fields(poses, SIZE, 4)
    fields = bu.PafFields(coarse.heatmaps, fine.pafs)
    assert fields.paf_repeat == 1
    assert errors(truth(poses), bu.PafDecoder().decode(fields)).mean() < 0.3


def test_fields_labelled_at_a_cells_corner_are_read_half_a_cell_on():
    poses = bu.synthetic.random_poses(10, (384, 288), 2)
    labelled = bu.synthetic.paf_fields(poses, (384, 288), paf_shift=0.4375, paf_repeat=4)
    assert errors(truth(poses), bu.PafDecoder().decode(labelled)).mean() < 0.3
    unaware = bu.PafFields(labelled.heatmaps, labelled.pafs)
    ranked = [bu.PafDecoder(ranking="mean").decode(fields).scores.sum() for fields in (labelled, unaware)]
    assert ranked[0] > 1.01 * ranked[1]


def test_views_and_other_floats_decode_alike(scene):
    wide = np.repeat(scene.heatmaps, 2, axis=1)[:, ::2]
    same(bu.PafFields(wide, np.asfortranarray(scene.pafs)), scene)
    same(bu.PafFields(scene.heatmaps.astype(np.float64), scene.pafs.tolist()), scene)


@pytest.mark.parametrize(
    ("heatmaps", "pafs", "message"),
    [
        ((46, 54, 17), (46, 54, 38), "needs heatmaps of 18 channels .19 with background. and pafs of 38"),
        ((46, 54, 19), (46, 54, 36), "needs heatmaps of 18 channels"),
        ((46, 54, 19), (54, 46, 38), "grids of one picture"),
        ((46, 54, 19), (38, 46, 54), r"both \(H, W, C\) or both \(C, H, W\)"),
        ((0, 54, 19), (46, 54, 38), "grids of one picture"),
        ((2, 46, 54, 19), (2, 46, 54, 38), r"got a batch of shape \(2, 46, 54, 19\): pass heatmaps\[0\]"),
        ((46, 54), (46, 54, 38), r"heatmaps must have shape \(H, W, C\)"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(heatmaps, pafs, message):
    with pytest.raises(bu.InputError, match=message):
        bu.PafFields(np.zeros(heatmaps), np.zeros(pafs))


def test_other_refusals():
    with pytest.raises(bu.InputError, match=r"maps must have 57 channels"):
        bu.PafFields.from_concatenated(np.zeros((46, 54, 60)))
    with pytest.raises(bu.InputError, match="heatmaps is uint8, whose levels mean nothing alone"):
        bu.PafFields(np.zeros((4, 4, 19), np.uint8), np.zeros((4, 4, 38)))
    with pytest.raises(bu.InputError, match="output_stride must be above 0"):
        bu.PafFields(np.zeros((4, 4, 19)), np.zeros((4, 4, 38)), output_stride=0)
    with pytest.raises(bu.InputError, match="paf_shift must be at most a cell"):
        bu.PafFields(np.zeros((4, 4, 19)), np.zeros((4, 4, 38)), paf_shift=3)
    with pytest.raises(bu.InputError, match="has no edges"):
        bu.PafFields(np.zeros((4, 4, 2)), np.zeros((4, 4, 2)), bu.Skeleton("dots", ("a", "b")))


def test_paf_channels_that_do_not_fit_the_edges_are_refused():
    with pytest.raises(bu.InputError, match="each of its 1 edges two channels of its own"):
        bu.Skeleton("pair", ("a", "b"), ((0, 1),), paf_channels=((0, 0),))
    with pytest.raises(bu.InputError, match="redundant_edges"):
        bu.Skeleton("pair", ("a", "b"), ((0, 1),), redundant_edges=(1,))


def test_openpose_and_bodyposenet_agree_on_the_channels_of_every_edge():
    def by_edge(skeleton):
        pairs = skeleton.paf_channels
        return dict(zip(skeleton.edges, pairs, strict=True))

    assert by_edge(bu.OPENPOSE18) == by_edge(bu.BODYPOSE18)


def test_the_coco_view_drops_the_neck(scene):
    poses = bu.PafDecoder().decode(scene)
    view = poses.to_coco17()
    assert view.skeleton is bu.COCO17
    for part in ("nose", "left_wrist", "right_ankle"):
        np.testing.assert_array_equal(
            view.keypoints[:, bu.COCO17.index(part)], poses.keypoints[:, poses.skeleton.index(part)]
        )
    with pytest.raises(bu.InputError, match="has no part 'nose'"):
        bu.Poses.empty(bu.MPI15).to_coco17()


def as_wide_as_its_channels():
    """Return fields of three people whose grid, 32 x 57, is as wide as heatmaps and PAFs have channels, and one map."""
    fields = bu.synthetic.paf_fields(bu.synthetic.random_poses(3, (456, 256)), (456, 256))
    return fields, np.concatenate([fields.heatmaps, fields.pafs], axis=2)


def test_one_tensor_that_fits_both_layouts_is_refused_with_the_way_out():
    _, maps = as_wide_as_its_channels()
    assert bu.PafFields.from_concatenated(maps).grid == (32, 57)
    with pytest.raises(bu.InputError, match=r"may be \(H, W, C\) or \(C, H, W\): .* PafFields\(maps\[..., :19\]"):
        bu.PafFields.from_concatenated(np.moveaxis(maps, 2, 0))


@pytest.mark.parametrize("is_quantized", [False, True])
def test_a_networks_one_tensor_has_the_layout_that_fits_its_input(is_quantized):
    _, maps = as_wide_as_its_channels()
    if is_quantized:
        maps = np.clip(maps * 100 + 128, 0, 255).astype(np.uint8)
    for tensor in (maps, maps[None], np.moveaxis(maps, 2, 0), np.moveaxis(maps, 2, 0)[None]):
        given = bu.Quantized(tensor, 0.01, 128) if is_quantized else tensor
        read = bu.read_outputs({"maps": given}, (456, 256))
        assert read.grid == (32, 57)
        assert len(bu.PafDecoder().decode(read)) == 3


def test_two_tensors_channels_first_are_told_apart_on_a_grid_as_wide_as_their_channels():
    fields, _ = as_wide_as_its_channels()
    first = {name: np.moveaxis(maps, 2, 0)[None] for name, maps in (("a", fields.heatmaps), ("b", fields.pafs))}
    assert len(bu.PafDecoder().decode(bu.read_outputs(first, (456, 256)))) == 3
    trt = bu.read_outputs({"cmap": np.zeros((1, 18, 56, 56)), "paf": np.zeros((1, 42, 56, 56))}, (224, 224))
    assert (trt.skeleton, trt.grid) == (bu.TRTPOSE18, (56, 56))


@pytest.mark.parametrize("skeleton", ["body_25", None])
def test_a_skeletons_name_is_no_skeleton(skeleton):
    poses = bu.synthetic.random_poses(1)
    for build in (
        lambda: bu.PafFields(np.zeros((4, 5, 19)), np.zeros((4, 5, 38)), skeleton),
        lambda: bu.PafFields.from_concatenated(np.zeros((4, 5, 57)), skeleton=skeleton),
        lambda: bu.Poses(poses.keypoints, poses.scores, skeleton),
        lambda: bu.Poses.empty(skeleton),
    ):
        with pytest.raises(bu.InputError, match=r"skeleton must be a Skeleton, got .*skeletons.get\(name\)"):
            build()


def test_fields_of_pairs_are_blamed_themselves():
    with pytest.raises(
        bu.InputError, match=r"pafs must have shape \(H, W, 2E\), got \(46, 54, 19, 2\): pass pafs.reshape"
    ):
        bu.PafFields(np.zeros((46, 54, 19)), np.zeros((46, 54, 19, 2)))
    with pytest.raises(bu.InputError, match="pafs must be one image's tensor"):
        bu.PafFields(np.zeros((46, 54, 19)), np.zeros((2, 38, 46, 54)))


@pytest.mark.parametrize("as_levels", [False, True])
def test_fields_in_another_scale_are_refused_with_the_way_out(as_levels):
    _, fields = crowd(2)
    moved = 0.5 + 0.5 * fields.pafs
    if as_levels:
        moved = bu.Quantized(np.round(255 * moved).astype(np.uint8), 1 / 255, 0)
    with pytest.raises(bu.InputError, match=r"pafs lie around 0.50, not 0 .*: pass 2 \* pafs - 1"):
        bu.PafFields(fields.heatmaps, moved)
    with pytest.raises(bu.InputError, match=r"pafs lie around 128, not 0 .*: pass pafs / 127.5 - 1"):
        bu.PafFields(255 * fields.heatmaps, np.round(127.5 + 127.5 * fields.pafs + 0.1))


def test_a_skeleton_of_two_parts_has_people():
    heatmaps, pafs = np.zeros((9, 9, 2)), np.zeros((9, 9, 2))
    heatmaps[4, 2, 0] = heatmaps[4, 6, 1] = 0.9
    pafs[..., 0] = 1
    fields = bu.PafFields(heatmaps, pafs, bu.Skeleton("pair", ("a", "b"), ((0, 1),)))
    assert len(bu.PafDecoder().decode(fields)) == 1
    same(fields, fields)


@pytest.mark.parametrize(("shift", "message"), [((1, 2, 3), "one number or two"), (np.nan, "must be finite")])
def test_shifts_that_cannot_be_are_refused(shift, message):
    with pytest.raises(bu.InputError, match=message):
        bu.PafFields(np.zeros((4, 5, 19)), np.zeros((4, 5, 38)), shift=shift)


def test_fields_that_were_taken_are_decoded_mirrored_and_averaged_whatever_their_values():
    pafs = np.full((8, 8, 38), 0.5, np.float32)
    pafs[0, 0] = 0.0  # this corner keeps them from being taken for OpenPose's scaled fields, and refused
    heatmaps = np.ones((8, 8, 19), np.float32)
    heatmaps[2, 3] = heatmaps[5, 1] = 0.75
    fields = bu.PafFields(heatmaps, pafs)
    enlarged = bu.PafFields(*(maps.repeat(4, axis=0).repeat(4, axis=1) for maps in (heatmaps, pafs)), output_stride=2)
    for given in (fields, enlarged, mirrored(fields), averaged([fields, fields])):
        assert isinstance(bu.PafDecoder().decode(given), bu.Poses)
    assert averaged([fields]).output_stride == mirrored(fields).output_stride == fields.output_stride == 8
