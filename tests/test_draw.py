import numpy as np
import pytest

import bottomup as bu
from bottomup.draw import draw_poses
from bottomup.errors import InputError, MissingRuntimeError
from bottomup.poses import Poses
from bottomup.skeletons import COCO17, Skeleton
from bottomup.synthetic import random_poses

ARMS = Skeleton("arms", ("left_hand", "neck", "right_hand"), ((1, 0), (1, 2)), (2, 1, 0))
LEFT_HAND, NECK, RIGHT_HAND = (60, 10), (50, 50), (10, 90)


def black(width=100, height=100):
    return np.zeros((height, width, 3), np.uint8)


def arms(*keypoints, scores=(1,)):
    return Poses([keypoints], scores, ARMS)


def with_scores(*scores):
    return arms(*[(*xy, score) for xy, score in zip((LEFT_HAND, NECK, RIGHT_HAND), scores, strict=True)])


def is_drawn(image, position):
    x, y = position
    return bool(image[y - 2 : y + 3, x - 2 : x + 3].any())


def test_parts_and_the_edges_between_them_are_drawn():
    drawn = draw_poses(black(), with_scores(1, 1, 1))
    assert all(is_drawn(drawn, place) for place in (LEFT_HAND, NECK, RIGHT_HAND, (55, 30), (30, 70)))
    assert not is_drawn(drawn, (90, 90))


def test_left_is_orange_right_is_blue_and_the_middle_white():
    drawn = draw_poses(black(), with_scores(1, 1, 1)).astype(int)
    (left, middle, right) = (drawn[y, x] for x, y in (LEFT_HAND, NECK, RIGHT_HAND))
    assert left[2] > left[1] > left[0]
    assert right[0] > right[1] > right[2]
    assert middle.min() > 200


def test_rgb_images_get_the_same_colours():
    bgr, rgb = (draw_poses(black(), with_scores(1, 1, 1), channel_order=order) for order in ("bgr", "rgb"))
    np.testing.assert_array_equal(bgr[..., ::-1], rgb)


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_every_ground_lets_it_show(ground):
    image = np.full((200, 200, 3), ground, np.uint8)
    drawn = draw_poses(image, random_poses(1, (200, 200)))
    assert (np.abs(drawn.astype(int) - ground).max(axis=2) > 60).sum() > 200


def test_the_image_is_not_written_to_and_may_be_read_only_or_a_view():
    image = np.random.default_rng(0).integers(0, 256, (120, 80, 3), np.uint8)
    kept, view = image.copy(), image[::-1, ::2]
    view.flags.writeable = False
    drawn = draw_poses(view, random_poses(2, (40, 120)))
    assert (drawn != view).any()
    assert not np.shares_memory(drawn, image)
    np.testing.assert_array_equal(image, kept)


def test_no_poses_give_a_plain_copy():
    image = black()
    drawn = draw_poses(image, Poses.empty(COCO17))
    assert drawn is not image
    np.testing.assert_array_equal(drawn, image)


def test_parts_that_were_not_found_are_left_out_with_their_edges():
    drawn = draw_poses(black(), arms((np.nan, np.nan, 0), (*NECK, 1), (*RIGHT_HAND, 1)))
    assert not is_drawn(drawn, LEFT_HAND)
    assert not is_drawn(drawn, (55, 30))
    assert is_drawn(drawn, (30, 70))


def test_a_pose_without_any_part_draws_nothing():
    missing = (np.nan, np.nan, 0)
    assert not draw_poses(black(), arms(missing, missing, missing)).any()


def test_parts_outside_the_image_draw_nothing_in_it():
    assert not draw_poses(black(), arms((500, 10, 1), (500, 50, 1), (500, 90, 1))).any()
    assert not draw_poses(black(), arms((-500, -500, 1), (-400, -500, 1), (50, -500, 1))).any()


def test_keypoints_below_the_threshold_are_left_out_with_their_edges():
    poses = with_scores(0.1, 1, 0.3)
    assert not is_drawn(draw_poses(black(), poses), LEFT_HAND)
    assert not is_drawn(draw_poses(black(), poses), (55, 30))
    assert is_drawn(draw_poses(black(), poses, keypoint_threshold=0.1), LEFT_HAND)
    assert not is_drawn(draw_poses(black(), poses, keypoint_threshold=0.5), RIGHT_HAND)


def test_poses_below_the_threshold_are_left_out():
    poses = arms((*LEFT_HAND, 1), (*NECK, 1), (*RIGHT_HAND, 1), scores=[0.3])
    assert draw_poses(black(), poses).any()
    assert not draw_poses(black(), poses, score_threshold=0.4).any()


def test_better_poses_are_drawn_over_worse_ones():
    dot = Skeleton("dot", ("left", "right"), (), (1, 0))
    missing = (np.nan, np.nan, 0)
    left, right = [(50, 50, 1), missing], [missing, (50, 50, 1)]
    blue_of_orange, blue_of_blue = (draw_poses(black(), Poses([pose], [1], dot))[50, 50, 0] for pose in (left, right))
    assert draw_poses(black(), Poses([left, right], [0.9, 0.1], dot))[50, 50, 0] == blue_of_orange
    assert draw_poses(black(), Poses([left, right], [0.1, 0.9], dot))[50, 50, 0] == blue_of_blue != blue_of_orange


@pytest.mark.parametrize("far", [1e3, 1e5, 2.0**31, 1e12, 1e38, np.inf])
@pytest.mark.parametrize("sign", [1, -1])
def test_keypoints_however_far_outside_are_no_trouble(far, sign):
    drawn = draw_poses(black(), arms((sign * far, sign * far, 1), (*NECK, 1), (*RIGHT_HAND, 1)))
    assert is_drawn(drawn, NECK)
    on_the_way = (70, 70) if sign == 1 else (30, 30)
    assert is_drawn(drawn, on_the_way) == np.isfinite(far)


def test_an_edge_between_two_parts_far_outside_crosses_the_image():
    drawn = draw_poses(black(), arms((-1e9, 30, 1), (1e9, 30, 1), (np.nan, np.nan, 0)))
    assert all(is_drawn(drawn, (x, 30)) for x in (5, 50, 95))
    assert not is_drawn(drawn, (50, 50))


def test_lines_grow_with_the_image():
    def width_of_a_line(size):
        poses = arms((size / 2, size * 0.1, 1), (size / 2, size * 0.9, 1), (np.nan, np.nan, 0))
        return int(draw_poses(black(size, size), poses)[size // 2].any(axis=1).sum())

    assert width_of_a_line(200) < width_of_a_line(800) < width_of_a_line(3200)


def test_lines_shrink_with_the_person():
    def width_of_a_line(length):
        poses = arms((500, 500, 1), (500, 500 + length, 1), (np.nan, np.nan, 0))
        return int(draw_poses(black(1000, 1000), poses)[500 + length // 2].any(axis=1).sum())

    assert width_of_a_line(60) < width_of_a_line(400)


def test_an_image_of_one_pixel_is_drawn_on():
    assert draw_poses(black(1, 1), arms((0, 0, 1), (0, 0, 1), (0, 0, 1))).shape == (1, 1, 3)


@pytest.mark.parametrize(
    ("image", "way_out"),
    [
        (np.zeros((9, 9), np.uint8), "cv2.COLOR_GRAY2BGR"),
        (np.zeros((9, 9, 1), np.uint8), "cv2.COLOR_GRAY2BGR"),
        (np.zeros((9, 9, 4), np.uint8), r"pass image\[..., :3\]"),
        (np.zeros((9, 9, 3)), r"pass \(image \* 255\).astype\(np.uint8\)"),
        (np.zeros((9, 9, 3), np.int64), r"pass image.astype\(np.uint8\)"),
        (np.zeros((0, 9, 3), np.uint8), "cv2.imread"),
        (np.zeros((1, 9, 9, 3), np.uint8), "cv2.imread"),
        (None, "cv2.imread"),
    ],
)
def test_what_is_no_colour_picture_is_refused_with_the_way_out(image, way_out):
    with pytest.raises(
        InputError, match=rf"image must be a uint8 array of shape \(height, width, 3\), got .*{way_out}"
    ):
        draw_poses(image, with_scores(1, 1, 1))


def test_bare_keypoints_are_refused():
    with pytest.raises(InputError, match="poses must be Poses, got ndarray"):
        draw_poses(black(), np.zeros((1, 3, 3)))


def test_an_unknown_channel_order_is_refused():
    with pytest.raises(InputError, match="channel_order must be 'bgr' or 'rgb', got 'hsv'"):
        draw_poses(black(), with_scores(1, 1, 1), channel_order="hsv")


def test_without_opencv_the_way_out_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingRuntimeError, match="pip install opencv-python"):
        draw_poses(black(), with_scores(1, 1, 1))


def test_the_package_offers_it():
    assert bu.draw_poses is draw_poses


def test_ids_stand_above_the_head_and_inside_the_picture():
    black = np.zeros((300, 200, 3), np.uint8)
    keypoints = np.full((1, 17, 3), (np.nan, np.nan, 0), np.float32)
    keypoints[0, 0] = 100, 150, 1
    without = draw_poses(black, Poses(keypoints, [1], COCO17))
    written = draw_poses(black, Poses(keypoints, [1], COCO17, ids=[12]))
    rows, columns = np.nonzero((without != written).any(axis=2))
    assert 110 < rows.min() < rows.max() < 150
    assert abs((columns.min() + columns.max()) / 2 - 100) < 4
    keypoints[0, 0] = 199, 0, 1
    changed = np.argwhere((draw_poses(black, Poses(keypoints, [1], COCO17, ids=[12])) == 245).all(axis=2))
    assert len(changed) > 20  # white letters, none of them cut off
