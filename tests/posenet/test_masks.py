"""Whose pixel is it: Coral's own answers, the reference, rendered scenes, and what cannot be asked."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unchecked import with_tensors

import bottomup as bu
from bottomup.geometry import Letterbox
from bottomup.posenet.augment import average_fields, mirror_fields
from bottomup.posenet.masks import CoralMasks, TfjsMasks, segment
from bottomup.posenet.reference.masks import as_vectors, embed, find_masks, find_parts, measure
from models.train.scenes import render_scene

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("masks_*.npz"))
SHARED = Path(__file__).parents[3] / "shared"
OURS = bu.PoseNetMasks()
RULES = [OURS, bu.PoseNetMasks.personlab(), bu.PoseNetMasks.coral(), bu.PoseNetMasks.tfjs(segment_threshold=0.5)]
SIZE = (161, 129)


def named(rule):
    return f"{type(rule).__name__}{rule.long_steps}"


def poses_of(keypoints, scores=None):
    keypoints = np.asarray(keypoints, np.float32)
    return bu.Poses(keypoints, np.ones(len(keypoints)) if scores is None else scores, bu.COCO17)


def fields_of(long_offsets, segments=None, part_heatmaps=None, stride=16):
    """Fields without poses."""
    grid = (long_offsets if isinstance(long_offsets, np.ndarray) else long_offsets.values).shape[:2]
    nothing = (np.zeros((*grid, channels)) for channels in (17, 34, 64))
    more = {"long_offsets": long_offsets, "segments": segments, "part_heatmaps": part_heatmaps}
    return bu.PoseNetFields.from_mid_offsets(*nothing, output_stride=stride, **more)


def side_by_side(gap=0, size=SIZE):
    """Two people who stand side by side, and their masks: boxes."""
    width, height = size
    poses = bu.synthetic.random_poses(2, size, seed=3)
    masks = np.zeros((2, height, width), bool)
    middle = width // 2
    masks[0, 10:-10, 10 : middle - gap] = True
    masks[1, 10:-10, middle:-10] = True
    keypoints = poses.keypoints.copy()
    for person, (low, high) in enumerate([(14, middle - 6), (middle + 6, width - 14)]):
        x = keypoints[person, :, 0]
        keypoints[person, :, 0] = low + (x - x.min()) / np.ptp(x) * (high - low)
    return bu.Poses(keypoints, poses.scores, bu.COCO17), masks


def overlaps(found, true):
    return (found & true).sum(axis=(1, 2)) / np.maximum((found | true).sum(axis=(1, 2)), 1)


# Coral's own answers


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_coral_gives_cells_to_people_as_the_operator(path):
    golden = np.load(path)
    long_offsets = bu.Quantized(*(golden[f"long_offsets{unit}"] for unit in ("", "_scale", "_zero_point")))
    assert_equals_operator(fields_of(long_offsets), golden)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the full set of golden tensors is not beside this checkout")
def test_coral_equals_every_golden_mask():
    paths = sorted((SHARED / "goldens" / "posenet" / "coral").glob("bp512_*.npz"))
    assert len(paths) == 4
    for path in paths:
        golden = np.load(path)
        fields = fields_of(bu.Quantized(golden["long_q"], golden["long_scale"], golden["long_zp"]))
        assert_equals_operator(fields, {key.removeprefix("coral_"): golden[key] for key in golden})


def assert_equals_operator(fields, golden):
    keypoints = np.concatenate([golden["keypoints_yx"][..., ::-1], golden["keypoint_scores"][..., None]], axis=2)
    poses = bu.Poses(keypoints, golden["pose_scores"], bu.COCO17)
    expected = golden["masks"] if "masks" in golden else golden["instance_masks"]
    np.testing.assert_array_equal(bu.PoseNetDecoder.coral().masks(fields, poses), expected)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the original model files are not beside this checkout")
def test_coral_is_right_on_a_grid_that_is_not_square():
    estimator = bu.load(SHARED / "models" / "bodypix" / "bodypix_mobilenet_v1_075_640_480_16_quant_decoder.tflite")
    fields = estimator.fields(SHARED / "models" / "coral" / "test_couple.jpg")
    decoder = estimator.layout.file_decoder()
    poses = decoder.decode(fields)
    masks = decoder.masks(fields, poses)
    assert masks.shape == (2, 31, 41)
    assert (masks.sum(axis=0) == 1).all()
    long_offsets = as_vectors(fields.long_offsets, fields.output_stride)
    for cell in np.random.default_rng(0).choice(31 * 41, 100, replace=False):
        row, column = divmod(int(cell), 41)
        places = embed(long_offsets, long_offsets, np.float32(16), CoralMasks(), row, column)
        distances = [measure(places, poses[number], CoralMasks(), fields.output_stride) for number in range(2)]
        assert masks[:, row, column].argmax() == np.argmin(distances)


# The reference

LEVELS = st.integers(0, 255)


@st.composite
def scenes_of_noise(draw, is_quantized):
    """Tensors of any levels on a small grid, and poses anywhere, some keypoints missing."""
    height, width = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    noise = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def tensor(channels, scale):
        levels = noise.integers(0, 256, (height, width, channels)).astype(np.uint8)
        field = bu.Quantized(levels, scale, 128)
        if is_quantized:
            return field
        return field.dequantize()

    scales = {"heatmaps": (17, 0.1), "short_offsets": (34, 0.3), "mid_offsets": (64, 1.0), "long_offsets": (34, 0.5)}
    scales |= {"segments": (1, 0.1), "part_heatmaps": (24, 0.1)}
    stride = draw(st.sampled_from([8, 16, 32]))
    tensors = {name: tensor(*units) for name, units in scales.items()}
    shift = draw(st.sampled_from([(0, 0), (15, 7.5)]))
    fields = bu.PoseNetFields.from_mid_offsets(**tensors, output_stride=stride, logits=True, shift=shift)
    if not is_quantized:
        names = {"heatmaps", "offsets", "_mid_offsets", "long_offsets", "segments", "part_heatmaps"}
        hostile = {name: getattr(fields, name).copy() for name in names}
        for values in hostile.values():
            values[noise.random(values.shape) < 0.02] = noise.choice([np.nan, np.inf, -np.inf, 1e30])
        fields = with_tensors(fields, **hostile)
    count = draw(st.integers(0, 3))
    keypoints = noise.random((count, 17, 3)) * (width * stride, height * stride, 1)
    keypoints[noise.random((count, 17)) < draw(st.sampled_from([0.0, 0.2, 1.0]))] = np.nan, np.nan, 0
    size = draw(st.none() | st.tuples(st.integers(1, 40), st.integers(1, 40)))
    return fields, poses_of(keypoints, noise.random(count)), size


@pytest.mark.slow
@pytest.mark.parametrize("is_quantized", [True, False])
@pytest.mark.parametrize("rule", [bu.PoseNetMasks(max_distance=1.0), *RULES[1:]], ids=named)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_masks_are_those_of_the_definition(rule, is_quantized, data):
    fields, poses, size = data.draw(scenes_of_noise(is_quantized))
    np.testing.assert_array_equal(rule.masks(fields, poses, size), find_masks(fields, poses, rule, size))


@pytest.mark.slow
@pytest.mark.parametrize("is_quantized", [True, False])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_parts_are_those_of_the_definition(is_quantized, data):
    fields, _, size = data.draw(scenes_of_noise(is_quantized))
    parts = OURS.parts(fields, size=size)
    np.testing.assert_array_equal(parts, find_parts(fields, OURS, size))
    np.testing.assert_array_equal(OURS.people(fields, size) | (parts == -1), np.ones(parts.shape, bool))


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_a_small_scene_has_the_masks_of_the_definition(rule):
    poses, masks = side_by_side(size=(65, 49))
    fields = bu.synthetic.posenet_fields(poses, (65, 49), masks=masks, quantized=True)
    for size in (None, (22, 17)):
        np.testing.assert_array_equal(rule.masks(fields, poses, size), find_masks(fields, poses, rule, size))


# Rendered scenes


@pytest.mark.parametrize("num_people", [1, 3, 6])
def test_people_of_rendered_scenes_get_their_own_cells_however_they_overlap(num_people):
    checked = 0
    for seed in range(5):
        scene = render_scene(seed, (641, 481), num_people)
        fields = bu.synthetic.posenet_fields(scene.poses, (641, 481), masks=scene.masks)
        true = scene.masks[:, ::16, ::16]
        seen = true.any(axis=(1, 2)) & np.isfinite(scene.poses.xy).any(axis=(1, 2))
        assert (overlaps(OURS.masks(fields, scene.poses), true)[seen] > 0.95).all()
        checked += seen.sum()
    assert checked >= 4 * num_people


def test_fields_as_fine_as_the_picture_give_its_masks_to_the_pixel():
    scene = render_scene(1, (161, 121), 3)
    fields = bu.synthetic.posenet_fields(scene.poses, (161, 121), output_stride=2, masks=scene.masks)
    found = OURS.masks(fields, scene.poses, (161, 121))
    assert (overlaps(found, scene.masks) > 0.95).all()


@pytest.mark.parametrize("rule", RULES, ids=named)
@pytest.mark.parametrize("gap", [0, 20])
def test_people_who_touch_are_parted_where_they_touch(rule, gap):
    poses, masks = side_by_side(gap)
    fields = bu.synthetic.posenet_fields(poses, SIZE, masks=masks, output_stride=8)
    found = rule.masks(fields, poses, SIZE) & rule.people(fields, SIZE)
    assert (overlaps(found, masks) > 0.93).all()  # half a cell of 8 pixels is .06 of them
    assert (found.any(axis=0) == masks.any(axis=0)).mean() > 0.99


def test_somebody_whose_parts_are_hidden_keeps_their_pixels():
    front = bu.synthetic.random_poses(1, SIZE, seed=1).keypoints[0]
    behind = front.copy()
    behind[:, :2] += 6
    masks = np.zeros((2, SIZE[1], SIZE[0]), bool)
    masks[0, :, :120] = masks[1, :, 120:] = True  # all parts of both lie in the left mask
    poses = poses_of([front, behind])
    found = OURS.masks(bu.synthetic.posenet_fields(poses, SIZE, masks=masks), poses, SIZE)
    assert (overlaps(found, masks) > 0.9).all()


# Sizes


@pytest.mark.parametrize("rule", RULES, ids=named)
@pytest.mark.parametrize("input_size", [SIZE, (160, 128)])
def test_at_the_inputs_size_the_cells_pixels_have_the_cells_owners(rule, input_size):
    poses, masks = side_by_side(5)
    fields = bu.synthetic.posenet_fields(poses, SIZE, masks=masks)
    fine = rule.masks(fields, poses, input_size)
    assert fine.shape == (2, input_size[1], input_size[0])
    rows, columns = -(-input_size[1] // 16), -(-input_size[0] // 16)
    np.testing.assert_array_equal(fine[:, ::16, ::16], rule.masks(fields, poses, "grid")[:, :rows, :columns])


def test_any_other_size_is_the_same_picture():
    poses, masks = side_by_side(5)
    fields = bu.synthetic.posenet_fields(poses, SIZE, masks=masks)
    areas = [OURS.masks(fields, poses, size).mean(axis=(1, 2)) for size in (SIZE, (320, 260), (81, 40))]
    np.testing.assert_allclose(areas[1:], [areas[0]] * 2, atol=0.02)


@pytest.mark.parametrize("is_centred", [False, True])
def test_masks_of_a_letterboxed_image_have_its_pixels(is_centred):
    poses, masks = side_by_side(5)
    fields = bu.synthetic.posenet_fields(poses, SIZE, masks=masks)
    size = bu.ImageSize(200, 100)
    placement = Letterbox(centred=is_centred).place(size, bu.ImageSize(*SIZE))
    of_input, of_image = OURS.masks(fields, poses, SIZE), OURS.masks(fields, poses, size, placement=placement)
    rows, columns = (np.arange(99) + 0.5) * placement.scale_y, (np.arange(199) + 0.5) * placement.scale_x
    there = of_input[:, (placement.top + rows).astype(int)][:, :, (placement.left + columns).astype(int)]
    assert (there == of_image[:, :99, :199]).mean() > 0.99
    found = segment(fields, poses.to_image(placement, size), OURS, placement, size)
    np.testing.assert_array_equal(found.masks, of_image)
    assert found.people.shape == (100, 200)
    assert found.parts is None


def test_threads_agree_with_one_thread():
    poses, masks = side_by_side()
    fields = bu.synthetic.posenet_fields(poses, SIZE, masks=masks)
    expected = OURS.masks(fields, poses, SIZE)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: OURS.masks(fields, poses, SIZE), range(8)):
            np.testing.assert_array_equal(found, expected)


# Who there is


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_without_poses_there_are_no_masks(rule):
    poses, masks = side_by_side()
    fields = bu.synthetic.posenet_fields(poses, SIZE, masks=masks)
    assert rule.masks(fields, poses[:0]).shape == (0, 9, 11)
    assert rule.masks(fields, poses[:0], SIZE).shape == (0, 129, 161)


def test_without_people_all_masks_are_empty():
    poses, masks = side_by_side()
    fields = bu.synthetic.posenet_fields(poses, SIZE, masks=masks & False)
    assert not OURS.masks(fields, poses, SIZE).any()
    assert not OURS.people(fields, SIZE).any()


def test_one_pose_does_not_get_the_pixels_of_somebody_without_a_pose():
    poses, masks = side_by_side(20)
    fields = bu.synthetic.posenet_fields(poses, SIZE, masks=masks)
    (found,) = OURS.masks(fields, poses[:1])
    np.testing.assert_array_equal(found, masks[0, ::16, ::16])
    assert (OURS.people(fields) & ~found).any()
    coral = bu.PoseNetMasks.coral()
    assert coral.masks(fields, poses[:1]).all()


def test_a_pose_of_which_nothing_is_known_gets_nothing():
    poses, masks = side_by_side()
    fields = bu.synthetic.posenet_fields(poses, SIZE, masks=masks)
    for rule in RULES:
        keypoints = poses.keypoints.copy()
        keypoints[0] = np.nan, np.nan, 0
        found = rule.masks(fields, poses_of(keypoints))
        assert not found[0].any()
        assert found[1].any()


def test_tfjs_leaves_poor_poses_and_poor_keypoints_out():
    poses, masks = side_by_side()
    fields = bu.synthetic.posenet_fields(poses, SIZE, masks=masks)
    rule = TfjsMasks(segment_threshold=0.5)
    assert not rule.masks(fields, poses_of(poses.keypoints, [0.19, 1]))[0].any()
    keypoints = poses.keypoints.copy()
    keypoints[0, :, 2] = 0.3
    assert not rule.masks(fields, poses_of(keypoints))[0].any()


def test_every_decoder_has_its_own_rule():
    poses, masks = side_by_side(20)
    parts = np.where(masks.any(axis=0), 12, -1)
    fields = bu.synthetic.posenet_fields(poses, SIZE, masks=masks, body_parts=parts)
    decoders = bu.PoseNetDecoder(), bu.PoseNetDecoder.personlab(), bu.PoseNetDecoder.coral(), bu.PoseNetDecoder.tfjs()
    for decoder, rule in zip(decoders, [*RULES[:3], bu.PoseNetMasks.tfjs()], strict=True):
        np.testing.assert_array_equal(decoder.masks(fields, poses, SIZE), rule.masks(fields, poses, SIZE))
        np.testing.assert_array_equal(decoder.parts(fields, poses), rule.parts(fields, poses))


# Parts of the body


def test_parts_are_those_of_the_cells_and_minus_1_off_people():
    assert len(bu.BODY_PARTS) == len(set(bu.BODY_PARTS)) == 24
    poses, masks = side_by_side()
    body_parts = np.full(masks.shape[1:], -1)
    body_parts[masks[0]], body_parts[masks[1]] = bu.BODY_PARTS.index("torso_front"), bu.BODY_PARTS.index("left_hand")
    fields = bu.synthetic.posenet_fields(poses, SIZE, masks=masks, body_parts=body_parts, quantized=True)
    parts = OURS.parts(fields, size=SIZE)
    assert parts.dtype == np.int8
    assert (parts == body_parts).mean() > 0.95
    np.testing.assert_array_equal(OURS.parts(fields), body_parts[::16, ::16])
    of_each = OURS.parts(fields, poses)
    np.testing.assert_array_equal(of_each, np.where(masks, body_parts, -1)[:, ::16, ::16])


def test_a_mirrored_input_has_the_mirrored_masks_and_parts():
    poses, masks = side_by_side(20)
    size = (160, SIZE[1])  # a grid whose last cell lies beyond the input
    poses, masks = bu.Poses(poses.keypoints, poses.scores, bu.COCO17), masks[:, :, :160]
    left, right = bu.BODY_PARTS.index("left_hand"), bu.BODY_PARTS.index("right_hand")
    fields = bu.synthetic.posenet_fields(poses, size, masks=masks, body_parts=np.where(masks[0], left, -1))
    mirrored = mirror_fields(fields, 160)
    swapped = poses.mirrored(width=160, swap_sides=True)
    found = OURS.masks(mirrored, swapped, size)
    assert (overlaps(found, masks[:, :, ::-1]) > 0.85).all()
    assert set(np.unique(OURS.parts(mirrored, swapped)[0])) == {-1, right}
    both = average_fields(fields, mirrored)
    assert both.part_heatmaps.shape == (9, 11, 24)
    twice = mirror_fields(mirrored, 160)
    np.testing.assert_allclose(twice.long_offsets, fields.long_offsets, atol=1e-3)
    np.testing.assert_allclose(twice.part_heatmaps, fields.part_heatmaps)


# What cannot be asked


def all_fields():
    poses, masks = side_by_side()
    return bu.synthetic.posenet_fields(poses, SIZE, masks=masks), poses


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda f, p: OURS.masks(fields_of(f.long_offsets), p), "these fields have no segments: take a network"),
        (lambda f, p: OURS.masks(bu.synthetic.posenet_fields(p, SIZE), p), "have no segments"),
        (lambda f, p: RULES[2].masks(bu.synthetic.posenet_fields(p, SIZE), p), "have no long_offsets"),
        (lambda f, p: OURS.parts(f), "have no part_heatmaps"),
        (lambda f, p: OURS.people(fields_of(f.long_offsets)), "have no segments"),
        (lambda f, p: OURS.masks(f, p.keypoints), "poses must be Poses, got ndarray"),
        (lambda f, p: OURS.masks(f, bu.Poses.empty(bu.BODY25)), "need the 17 parts of coco_17"),
        (lambda f, p: OURS.masks(f.long_offsets, p), "fields must be PoseNetFields"),
        (lambda f, p: OURS.masks(f, p, "image"), "size must be"),
        (lambda f, p: OURS.masks(f, p, (0, 5)), "at least 1 pixel"),
        (lambda f, p: OURS.masks(f, p, 33), "size must be"),
        (
            lambda f, p: OURS.masks(f, p, placement=Letterbox().place(bu.ImageSize(9, 9), bu.ImageSize(9, 9))),
            "placement needs the image's size",
        ),
        (lambda f, p: fields_of(f.long_offsets, f.segments[1:]), r"segments has a grid of \(8, 11\) cells"),
        (lambda f, p: fields_of(f.long_offsets, f.segments * np.nan), "segments holds nothing but NaN"),
        (lambda f, p: fields_of(f.long_offsets, f.segments, np.zeros((9, 11, 23))), "part_heatmaps must have 24"),
        (lambda f, p: bu.PoseNetMasks(max_distance=0), "max_distance must be a finite number above 0"),
        (lambda f, p: bu.PoseNetMasks(segment_threshold=2), "segment_threshold must be a finite number"),
        (lambda f, p: bu.PoseNetMasks.tfjs(long_steps=-1), "long_steps must be a whole number"),
    ],
)
def test_what_cannot_be_is_refused(ask, message):
    with pytest.raises(bu.InputError, match=message):
        ask(*all_fields())


def test_nan_is_nobody():
    fields, poses = all_fields()
    segments = fields.segments.copy()
    segments[4] = np.nan
    found = OURS.masks(with_tensors(fields, segments=segments), poses)
    assert not found[:, 4].any()
    assert found[:, 3].any()


# Fields of masks


def test_segments_and_long_offsets_are_rendered():
    poses, masks = side_by_side(20)
    fields = bu.synthetic.posenet_fields(poses, SIZE, masks=masks)
    np.testing.assert_array_equal(fields.segments[..., 0] > 0, masks.any(axis=0)[::16, ::16])
    led_to = np.array([2 * 16, 4 * 16]) + fields.long_offsets[4, 2].reshape(2, 17)[::-1].T
    np.testing.assert_allclose(led_to, poses.xy[0], atol=1e-3)


@pytest.mark.parametrize(
    ("rendered", "message"),
    [
        ({"masks": np.zeros((2, 5, 5), bool)}, r"masks must be bool, one per pose, .* = \(2, 129, 161\), got bool"),
        ({"masks": np.zeros((2, 129, 161))}, "masks must be bool"),
        ({"body_parts": np.full((129, 161), 24)}, "body_parts must be whole numbers below 24"),
        ({"body_parts": np.zeros((129, 161))}, "body_parts must be whole numbers"),
    ],
)
def test_masks_that_cannot_be_rendered_are_refused(rendered, message):
    with pytest.raises(bu.InputError, match=message):
        bu.synthetic.posenet_fields(side_by_side()[0], SIZE, **rendered)


# Around it


def test_an_image_gets_masks_of_its_own_size():
    estimator = bu.load()
    image = render_scene(3, (400, 260), 2).image
    found = estimator.masks(image)
    assert found.masks.shape == (len(found.poses), 260, 400)
    assert found.people.shape == (260, 400)
    assert found.parts is None
    assert (found.poses.scores >= 0.2).all()
    np.testing.assert_array_equal(found.poses.keypoints, estimator(image)[: len(found.poses)].keypoints)
    assert (found.masks <= found.people).all()
    coral = estimator.masks(image, rule=bu.PoseNetMasks.coral())
    assert len(found.poses) == 0 or coral.masks.any(axis=0).all()


def test_estimators_without_masks_say_so():
    image = np.zeros((60, 80, 3), np.uint8)
    with pytest.raises(bu.ModelError, match="gives no masks"):
        bu.load(decoder=bu.PafDecoder()).masks(image)
    with pytest.raises(bu.InputError, match="rule must be a rule of masks"):
        bu.load().masks(image, rule="coral")


def test_the_guides_lines_hide_people(tmp_path, monkeypatch):
    import cv2

    monkeypatch.chdir(tmp_path)
    cv2.imwrite("street.jpg", render_scene(3, (400, 260), 2).image)
    guide = Path(bu.__file__).with_name("guide") / "masks.md"
    (lines,) = re.findall(r"To hide people.*?```python\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    exec(lines.replace('"coral-bodypix-640x480"', ""), {})
    assert (cv2.imread("hidden.jpg") != cv2.imread("street.jpg")).any()
