import dataclasses
import json

import numpy as np
import pytest

from bottomup.errors import InputError, MissingRuntimeError
from bottomup.geometry import ImageSize, Letterbox, image_to_input
from bottomup.images import read_image
from bottomup.poses import Poses
from bottomup.similarity import pose_similarities
from bottomup.skeletons import COCO17, Skeleton, get
from bottomup.synthetic import random_poses

ARM = Skeleton("arms", ("left_hand", "right_hand"), ((0, 1),), (1, 0))


def three_people(image_size=None):
    keypoints = [[(x, 10 * x, 0.5), (x + 1, 10 * x + 1, 0.25)] for x in (1, 2, 3)]
    return Poses(keypoints, [0.9, 0.5, 0.2], ARM, image_size)


def first_x(poses):
    return poses.keypoints[:, 0, 0].tolist()


def test_lists_become_float32_arrays():
    poses = three_people()
    assert poses.keypoints.dtype == poses.scores.dtype == np.float32


@pytest.mark.parametrize(
    ("index", "chosen"),
    [
        (0, [1]),
        (-1, [3]),
        (np.int64(1), [2]),
        (slice(None, None, 2), [1, 3]),
        ([2, 0], [3, 1]),
        (np.array([False, True, True]), [2, 3]),
        ([], []),
    ],
)
def test_selecting_gives_poses(index, chosen):
    selected = three_people(ImageSize(100, 80))[index]
    assert first_x(selected) == chosen
    assert len(selected) == len(selected.scores) == len(chosen)
    assert (selected.skeleton, selected.image_size) == (ARM, (100, 80))


def test_a_score_mask_selects():
    poses = three_people()
    assert first_x(poses[poses.scores > 0.4]) == [1, 2]


def test_there_is_no_pose_past_the_last():
    with pytest.raises(IndexError):
        three_people()[3]


def test_iterating_gives_one_pose_at_a_time():
    assert [first_x(pose) for pose in three_people()] == [[1], [2], [3]]


def test_numpy_sees_the_keypoints():
    poses = three_people()
    assert np.asarray(poses) is poses.keypoints
    assert np.asarray(poses, dtype=np.float64).shape == (3, 2, 3)
    copied = np.array(poses)
    copied[:] = 0
    assert first_x(poses) == [1, 2, 3]


def test_no_poses_are_still_n_parts_wide():
    nobody = Poses.empty(COCO17)
    assert len(nobody) == 0
    assert nobody.keypoints.shape == (0, 17, 3)
    assert list(nobody) == []


def test_positions_and_keypoint_scores_are_views():
    poses = three_people()
    assert np.shares_memory(poses.xy, poses.keypoints)
    assert poses.xy[0].tolist() == [[1, 10], [2, 11]]
    assert poses.keypoint_scores[0].tolist() == [0.5, 0.25]


@pytest.mark.parametrize("shape", [(2, 17, 3), (1, 16, 3), (1, 17, 2), (17, 3), (1, 1, 17, 3)])
def test_keypoints_that_do_not_fit_are_refused(shape):
    with pytest.raises(InputError, match=r"keypoints must have shape \(M, N, 3\) = \(1, 17, 3\) for 1 scores"):
        Poses(np.zeros(shape), [1.0], COCO17)


def test_scores_are_one_a_pose():
    with pytest.raises(InputError, match=r"scores must have shape \(M,\), one per pose, got \(1, 1\)"):
        Poses(np.zeros((1, 17, 3)), [[1.0]], COCO17)


def test_words_and_ragged_lists_are_refused():
    with pytest.raises(InputError, match="keypoints must be"):
        Poses([["left", "right"]], [1.0], ARM)
    with pytest.raises(InputError, match="scores must be"):
        Poses(np.zeros((2, 2, 3)), [1.0, [2.0]], ARM)


def test_poses_cannot_be_reassigned():
    with pytest.raises(AttributeError):
        three_people().scores = None


def test_poses_of_the_input_move_to_the_image_and_missing_parts_stay_missing():
    image_size = ImageSize(1280, 720)
    placement = Letterbox(centred=True).place(image_size, ImageSize(641, 481))
    in_image = Poses([[(100, 50, 0.5), (np.nan, np.nan, 0)]], [0.5], ARM)
    in_input = in_image.keypoints.copy()
    in_input[..., :2] = image_to_input(in_image.xy, placement)
    moved = Poses(in_input, [0.5], ARM).to_image(placement, image_size)
    np.testing.assert_allclose(moved.keypoints, in_image.keypoints, atol=1e-3)
    assert moved.image_size == image_size


def test_mirroring_turns_the_first_column_into_the_last():
    mirrored = Poses([[(0, 5, 1), (99, 6, 1)]], [1], ARM).mirrored(width=100)
    assert mirrored.keypoints[0].tolist() == [[99, 5, 1], [0, 6, 1]]


def test_mirroring_can_exchange_left_and_right():
    mirrored = Poses([[(0, 5, 1), (99, 6, 1)]], [1], ARM).mirrored(width=100, swap_sides=True)
    assert mirrored.keypoints[0].tolist() == [[0, 6, 1], [99, 5, 1]]


@pytest.mark.parametrize("swap_sides", [False, True])
def test_mirroring_twice_changes_nothing(swap_sides):
    poses = three_people(ImageSize(100, 80))
    twice = poses.mirrored(swap_sides=swap_sides).mirrored(swap_sides=swap_sides)
    np.testing.assert_array_equal(twice.keypoints, poses.keypoints)
    assert first_x(poses) == [1, 2, 3]


def test_mirroring_needs_a_width():
    with pytest.raises(InputError, match=r"pass mirrored\(width=...\), in pixels"):
        three_people().mirrored()


def with_a_guess():
    return Poses([[(1, 2, 0.5), (3, 4, 0.25)]], [0.5], ARM, ImageSize(100, 80), [[False, True]])


def test_guessed_keypoints_can_be_dropped():
    certain = with_a_guess().without_filled()
    np.testing.assert_array_equal(certain.keypoints[0], [(1, 2, 0.5), (np.nan, np.nan, 0)])
    assert with_a_guess().keypoints[0, 1].tolist() == [3, 4, 0.25]


def test_without_guesses_there_is_nothing_to_drop():
    poses = three_people()
    assert poses.without_filled() is poses


def test_which_keypoints_are_guessed_follows_selections_and_mirrors():
    assert with_a_guess()[0].filled.tolist() == [[False, True]]
    assert with_a_guess().mirrored().filled.tolist() == [[False, True]]
    assert with_a_guess().mirrored(swap_sides=True).filled.tolist() == [[True, False]]


def test_guesses_are_marked_one_a_keypoint():
    with pytest.raises(InputError, match="filled"):
        Poses(np.zeros((1, 2, 3)), [1], ARM, None, [[True]])


def test_cocos_parts_are_found_by_name():
    body = get("body_25")
    keypoints = np.ones((1, 25, 3))
    keypoints[0, :, 0] = np.arange(25)
    coco = Poses(keypoints, [1], body).to_coco17()
    assert coco.skeleton is COCO17
    assert [body.parts[int(x)] for x in coco.keypoints[0, :, 0]] == list(COCO17.parts)


def test_coco_poses_are_their_own_coco_view():
    posenet = Poses(np.ones((1, 17, 3)), [1], get("posenet_17"))
    assert posenet.to_coco17().skeleton is COCO17
    np.testing.assert_array_equal(posenet.to_coco17().keypoints, posenet.keypoints)


def test_poses_without_cocos_parts_have_no_coco_view():
    with pytest.raises(InputError, match="skeleton 'arms' has no part 'nose'"):
        three_people().to_coco17()


def test_ids_follow_whatever_is_done_to_the_poses():
    poses = dataclasses.replace(three_people(ImageSize(100, 80)), ids=[7, 8, 9])
    assert poses.ids.dtype == np.int32
    assert poses[[2, 0]].ids.tolist() == [9, 7]
    assert poses[poses.scores > 0.4].ids.tolist() == [7, 8]
    assert poses.mirrored(swap_sides=True).ids.tolist() == poses.without_filled().ids.tolist() == [7, 8, 9]
    tracked = Poses(np.zeros((1, 17, 3)), [1], COCO17, ids=[3])
    assert tracked.to_coco17().ids.tolist() == [3]
    assert three_people()[0].ids is None


@pytest.mark.parametrize("ids", [[1, 2], [[1], [2], [3]], [0.5, 1.5, 2.5], ["a", "b", "c"]])
def test_ids_are_one_whole_number_a_pose(ids):
    with pytest.raises(InputError, match="ids must be 3 whole numbers, one per pose"):
        dataclasses.replace(three_people(), ids=ids)
    with pytest.raises(InputError, match="ids must fit into 32 bits, got 1 to 2147483648"):
        dataclasses.replace(three_people(), ids=[1, 2, 2**31])


def two_in_boxes():
    return Poses(np.ones((2, 2, 3)), [0.9, 0.5], ARM, own_boxes=[(10, 20, 30, 40), (1, 2, 3, 4)])


def test_boxes_around_wild_keypoints_are_finite():
    poses = Poses([[(-3e38, 5, 1), (3e38, 8, 1)]], [0.9], ARM)
    left, top, width, height = poses.boxes[0].tolist()
    assert (left, top, height) == (np.float32(-3e38), 5, 3)
    assert width == np.finfo(np.float32).max


def test_boxes_follow_their_poses():
    assert two_in_boxes()[[1]].boxes.tolist() == [[1, 2, 3, 4]]


def test_boxes_are_mirrored_with_their_poses():
    assert two_in_boxes().mirrored(width=101).boxes.tolist() == [[60, 20, 30, 40], [96, 2, 3, 4]]


def test_boxes_move_into_the_image_with_their_poses():
    image, size = ImageSize(200, 100), ImageSize(100, 100)
    placement = Letterbox(centred=True).place(image, size)
    boxes = two_in_boxes().to_image(placement, image).boxes
    corner = image_to_input(boxes[:, :2], placement)
    opposite = image_to_input(boxes[:, :2] + boxes[:, 2:], placement)
    np.testing.assert_allclose(np.hstack([corner, opposite - corner]), two_in_boxes().boxes, atol=1e-5)


def test_boxes_of_other_shapes_are_refused():
    with pytest.raises(InputError, match=r"own_boxes must have shape \(M, 4\) = \(1, 4\), got \(2, 4\)"):
        Poses(np.zeros((1, 2, 3)), [1.0], ARM, own_boxes=np.zeros((2, 4)))


def test_boxes_are_those_around_the_keypoints_found_unless_the_network_gives_its_own():
    poses = Poses(
        [[(10, 20, 1), (40, 25, 1)], [(5, 6, 1), (np.nan, np.nan, 0)], [(np.nan, np.nan, 0)] * 2], [3, 2, 1], ARM
    )
    np.testing.assert_array_equal(poses.boxes, [(10, 20, 30, 5), (5, 6, 0, 0), [np.nan] * 4])
    assert poses.boxes.dtype == np.float32
    moved = dataclasses.replace(poses, keypoints=poses.keypoints + (1, 0, 0))
    assert moved.boxes[0].tolist() == [11, 20, 30, 5]
    assert two_in_boxes().boxes.tolist() == [[10, 20, 30, 40], [1, 2, 3, 4]]
    assert Poses.empty(ARM).boxes.shape == (0, 4)


def test_filled_marks_are_always_there():
    for poses in (three_people(), Poses.of_decoder(*map(np.float32, (np.zeros((3, 2, 3)), np.zeros(3))), ARM)):
        assert poses.filled.shape == (3, 2)
        assert not poses.filled.any()
        assert poses[[0, 1]].filled.shape == (2, 2)


def test_the_representation_is_one_short_line():
    assert repr(three_people(ImageSize(100, 80))) == "Poses(3 people, arms, scores 0.90 to 0.20, in 100 x 80)"
    assert repr(three_people()[0]) == "Poses(1 person, arms, score 0.90)"
    assert repr(Poses.empty(COCO17)) == "Poses(0 people, coco_17)"


def test_notebooks_get_a_table_whose_names_are_text():
    evil = Skeleton("<script>alert(1)</script>", ("a", "b"))
    shown = Poses(np.ones((30, 2, 3)), np.ones(30), evil)._repr_html_()
    assert "<script>" not in shown
    assert shown.count("<tr>") == 21
    assert "and 10 more" in shown
    assert "<th>id</th>" in dataclasses.replace(three_people(), ids=[4, 5, 6])._repr_html_()


def test_above_keeps_poses_of_that_score():
    assert first_x(three_people().above(0.5)) == [1, 2]
    with pytest.raises(InputError, match="score must be one number"):
        three_people().above("high")


def test_angles_are_those_of_three_parts():
    arm = Skeleton("arm", ("shoulder", "elbow", "wrist"))
    missing = (np.nan, np.nan, 0)
    poses = Poses(
        [
            [(0, 0, 1), (10, 0, 1), (20, 0, 1)],
            [(0, 0, 1), (10, 0, 1), (0, 0, 1)],
            [(10, 10, 1), (10, 0, 1), (15, 0, 1)],
            [(0, 0, 1), (10, 0, 1), missing],
            [(10, 0, 1), (10, 0, 1), (20, 0, 1)],
        ],
        np.ones(5),
        arm,
    )
    np.testing.assert_allclose(poses.angle("shoulder", "elbow", "wrist"), [180, 0, 90, np.nan, np.nan], atol=1e-4)
    with pytest.raises(InputError, match="has no part 'knee'"):
        poses.angle("shoulder", "knee", "wrist")


def test_flipping_is_mirroring_with_sides_exchanged():
    poses = three_people(ImageSize(100, 80))
    np.testing.assert_array_equal(poses.flipped().keypoints, poses.mirrored(swap_sides=True).keypoints)


def test_pictures_are_arrays_that_notebooks_show(tmp_path):
    image = np.zeros((80, 100, 3), np.uint8)
    drawn = three_people().plot(image)
    assert drawn.any()
    assert not image.any()
    assert drawn._repr_png_()[:4] == b"\x89PNG"
    assert drawn[0, 0]._repr_png_() is None
    three_people().save(tmp_path / "a.png", image)
    assert np.array_equal(read_image(tmp_path / "a.png"), drawn)
    three_people().save(tmp_path / "b.png", tmp_path / "a.png", channel_order="bgr")


def test_without_a_screen_showing_says_so(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(MissingRuntimeError, match="there is no screen"):
        three_people().show(np.zeros((80, 100, 3), np.uint8))


def test_json_is_strict_and_tells_the_skeleton_and_the_size():
    told = json.loads(three_people(ImageSize(100, 80)).to_json())
    assert (told["width"], told["height"], told["skeleton"]["parts"]) == (100, 80, list(ARM.parts))
    assert told["poses"][0]["keypoints"][0] == [1, 10, 0.5]


def test_frames_have_a_row_a_keypoint():
    pytest.importorskip("pandas")
    assert len(three_people().to_frame(frame=7)) == 6


def test_of_duplicates_the_better_pose_stays_and_neighbours_stay():
    person = random_poses(1, seed=2).keypoints
    keypoints = np.concatenate([person + (shift, 0, 0) for shift in (0, 3, 400, 398, 800)])
    poses = Poses(keypoints, [0.5, 0.9, 0.8, 0.3, 0.1], COCO17, ids=[1, 2, 3, 4, 5])
    assert poses.without_duplicates().ids.tolist() == [2, 3, 5]
    assert poses.sure().ids.tolist() == [2, 3]
    assert poses.sure(0.05).ids.tolist() == [2, 3, 5]
    assert poses.sure(0).ids.tolist() == [1, 2, 3, 4, 5]
    apart = poses[[0, 2]]
    assert apart.without_duplicates() is apart


def test_poses_without_keypoints_are_nobodys_duplicates():
    missing = Poses(np.full((3, 2, 3), (np.nan, np.nan, 0)), [1, 1, 1], ARM)
    assert len(missing.without_duplicates()) == 3
    assert len(Poses.empty(ARM).without_duplicates()) == 0


def test_who_is_dropped_drops_nobody():
    person = random_poses(1, seed=2).keypoints
    alike = [pose_similarities(person[..., :2], (person + (x, 0, 0))[..., :2], COCO17)[0, 0] for x in (20, 40)]
    assert alike[0] > 0.5 > alike[1]
    chain = Poses(np.concatenate([person, person + (20, 0, 0), person + (40, 0, 0)]), [0.9, 0.8, 0.7], COCO17)
    assert chain.without_duplicates().scores.tolist() == pytest.approx([0.9, 0.7])
