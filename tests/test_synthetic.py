import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bottomup.errors import InputError
from bottomup.posenet.best import PoseNetDecoder
from bottomup.posenet.fields import EDGES
from bottomup.poses import Poses
from bottomup.skeletons import COCO17, get
from bottomup.synthetic import posenet_fields, random_poses

CORAL = PoseNetDecoder.coral(max_poses=20)


def people(*positions):
    """COCO people whose parts are all absent but those given as {part: (x, y)}."""
    keypoints = np.tile(np.array([np.nan, np.nan, 0], np.float32), (len(positions), 17, 1))
    for person, parts in enumerate(positions):
        for part, xy in parts.items():
            keypoints[person, part] = (*xy, 1)
    return Poses(keypoints, np.ones(len(positions)), COCO17)


def furthest(poses, decoded):
    """The largest distance of a keypoint from that of the same person, people matched by their mean distance."""
    distances = np.linalg.norm(poses.xy[:, None] - decoded.xy, axis=3)
    return distances[np.arange(len(poses)), distances.mean(axis=2).argmin(axis=1)].max()


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.integers(1, 10), st.integers(0, 1000), st.sampled_from([(641, 481), (1281, 721)]), st.sampled_from([8, 16]))
def test_decoding_gives_the_people_back(count, seed, input_size, stride):
    poses = random_poses(count, input_size, seed)
    decoded = CORAL.decode(posenet_fields(poses, input_size, stride))
    assert len(decoded) == count
    assert furthest(poses, decoded) < 0.01


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 10), st.integers(0, 1000))
def test_decoding_quantized_fields_gives_them_back_to_half_a_level(count, seed):
    poses = random_poses(count, seed=seed)
    fields = posenet_fields(poses, quantized=True)
    decoded = CORAL.decode(fields)
    assert len(decoded) == count
    assert furthest(poses, decoded) <= np.hypot(0.5, 0.5) * fields.offsets.scale + 1e-3


def test_people_at_the_borders_are_given_back():
    poses = random_poses(1)
    for corner in ("min", "max"):
        moved = poses.keypoints.copy()
        edge = np.array([0, 0]) if corner == "min" else np.array([640, 480])
        moved[..., :2] += edge - getattr(poses.xy, corner)(axis=(0, 1))
        at_border = Poses(moved, poses.scores, COCO17)
        assert furthest(at_border, CORAL.decode(posenet_fields(at_border))) < 0.01


def test_the_nearest_cell_is_the_highest_of_the_heatmap():
    fields = posenet_fields(people({0: (100, 75)}))
    assert np.unravel_index(fields.heatmaps[..., 0].argmax(), fields.grid) == (5, 6)


def test_the_heatmap_is_a_half_at_the_edge_of_the_disk_and_falls_from_the_keypoint_on():
    logits = posenet_fields(people({0: (320, 240)})).heatmaps[15, :, 0]
    assert logits[20] == 6
    assert logits[18] == logits[22] == 0
    assert (np.diff(logits[20:23]) < 0).all()
    assert logits[0] == logits[40] == -6


def test_offsets_lead_from_the_cell_to_the_keypoint():
    offsets = posenet_fields(people({3: (100, 75)})).offsets
    assert offsets[5, 6, [3, 17 + 3]].tolist() == [75 - 80, 100 - 96]


def test_displacements_lead_along_every_edge_both_ways():
    fields = posenet_fields(random_poses(1))
    (person,) = random_poses(1).xy
    for edge, (parent, child) in enumerate(EDGES):
        for field, source, target in (
            (fields.displacements_fwd, parent, child),
            (fields.displacements_bwd, child, parent),
        ):
            column, row = np.round(person[source] / 16).astype(int)
            expected = person[target] - (16 * column, 16 * row)
            np.testing.assert_allclose(field[row, column, [16 + edge, edge]], expected, atol=1e-3)


def test_offsets_are_exact_wherever_the_disk_is_sampled_and_0_beyond():
    offsets = posenet_fields(people({0: (328, 248)})).offsets[..., [17, 0]]
    rows, columns = np.indices(offsets.shape[:2])
    expected = np.stack([328 - 16 * columns, 248 - 16 * rows], axis=2)
    distance = np.linalg.norm(expected, axis=2)
    near = distance < 32 + 16 * np.sqrt(2)
    np.testing.assert_array_equal(offsets[near], expected[near])
    assert not offsets[~near].any()


def test_where_disks_overlap_the_nearest_person_wins():
    fields = posenet_fields(people({0: (304, 240)}, {0: (336, 240)}))
    assert fields.offsets[15, 19:22, 17].tolist() == [0, -16, 0]
    assert fields.heatmaps[15, 19:22, 0].tolist() == [6, 4.5, 6]


def test_parts_that_are_nan_or_outside_are_absent():
    fields = posenet_fields(people({0: (300, 200), 1: (641, 100), 2: (100, -1), 3: (np.inf, 5)}))
    assert fields.heatmaps[..., 0].max() > 0
    assert (fields.heatmaps[..., 1:] == -6).all()
    assert not fields.offsets[..., 1:17].any()
    assert not fields.displacements_fwd.any()


def test_absent_parts_are_decoded_with_next_to_no_score():
    poses = random_poses(1)
    poses.keypoints[0, 13:] = (np.nan, np.nan, 0)
    (decoded,) = CORAL.decode(posenet_fields(poses))
    assert (decoded.keypoint_scores[0, :13] > 0.9).all()
    assert (decoded.keypoint_scores[0, 13:] < 0.01).all()


def test_nobody_gives_quiet_fields_of_the_grids_size():
    fields = posenet_fields(Poses.empty(COCO17), (353, 481))
    assert fields.grid == (31, 23)
    assert (fields.heatmaps == -6).all()
    assert len(CORAL.decode(fields)) == 0


@pytest.mark.parametrize(
    ("size", "stride", "grid"), [((641, 481), 32, (16, 21)), ((512, 512), 16, (33, 33)), ((1, 1), 8, (1, 1))]
)
def test_grids_are_those_of_the_networks(size, stride, grid):
    assert posenet_fields(Poses.empty(COCO17), size, stride).grid == grid


def test_quantized_levels_lie_within_half_a_level_of_the_real_numbers():
    exact, rounded = posenet_fields(random_poses(3)), posenet_fields(random_poses(3), quantized=True)
    for name in ("heatmaps", "offsets", "displacements_fwd", "displacements_bwd"):
        field = getattr(rounded, name)
        assert field.values.dtype == np.uint8
        np.testing.assert_allclose(field.dequantize(), getattr(exact, name), atol=0.5 * field.scale + 1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_size": (0, 481)}, "input_size must be"),
        ({"input_size": 641}, "input_size must be"),
        ({"output_stride": 0}, "must be above 0 pixels"),
        ({"radius": float("nan")}, "must be above 0 pixels"),
        ({"poses": Poses.empty(get("body_25"))}, "skeleton 'body_25' must have 24 edges that join its 25 parts"),
    ],
)
def test_what_cannot_be_rendered_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        posenet_fields(**({"poses": random_poses(1)} | arguments))


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("size", [(641, 481), (200, 900)])
def test_made_up_people_are_inside_the_input(size, overlapping):
    poses = random_poses(12, size, overlapping=overlapping)
    assert (poses.xy >= 0).all()
    assert (poses.xy <= np.array(size) - 1).all()
    assert poses.image_size == size


def test_made_up_people_are_the_same_every_time_and_others_with_another_seed():
    np.testing.assert_array_equal(random_poses(4, seed=3).keypoints, random_poses(4, seed=3).keypoints)
    assert (random_poses(4, seed=3).xy != random_poses(4, seed=4).xy).any()


def test_people_who_do_not_overlap_have_a_tile_each():
    poses = random_poses(10)
    low, high = poses.xy.min(axis=1), poses.xy.max(axis=1)
    apart = (low[:, None] >= high).any(axis=2) | (high[:, None] <= low).any(axis=2)
    assert (apart | np.eye(10, dtype=bool)).all()


@pytest.mark.parametrize("number", [-1, 1.5, None, "2"])
def test_no_people_can_be_made_up_but_no_fewer(number):
    assert len(random_poses(0)) == 0
    with pytest.raises(InputError, match="count must be a whole number, 0 or more"):
        random_poses(number)
    with pytest.raises(InputError, match="seed must be a whole number, 0 or more"):
        random_poses(1, seed=number)
