import cv2
import numpy as np
import pytest

import bottomup as bu
from bottomup.draw import draw_poses
from bottomup.draw.strokes import Stroke, blended, paint
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
    assert is_drawn(draw_poses(black(), poses, min_keypoint_score=0.1), LEFT_HAND)
    assert not is_drawn(draw_poses(black(), poses, min_keypoint_score=0.5), RIGHT_HAND)


def test_poses_below_the_threshold_are_left_out():
    poses = arms((*LEFT_HAND, 1), (*NECK, 1), (*RIGHT_HAND, 1), scores=[0.3])
    assert draw_poses(black(), poses).any()
    assert not draw_poses(black(), poses, min_score=0.4).any()


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
    written = draw_poses(black, Poses(keypoints, [1], COCO17, ids=[12]), colour="side")
    rows, columns = np.nonzero((without != written).any(axis=2))
    assert 110 < rows.min() < rows.max() < 150
    assert abs((columns.min() + columns.max()) / 2 - 100) < 4
    keypoints[0, 0] = 199, 0, 1
    changed = np.argwhere(
        (draw_poses(black, Poses(keypoints, [1], COCO17, ids=[12]), colour="side") == 245).all(axis=2)
    )
    assert len(changed) > 20  # white letters, none of them cut off


# Colours, weak and filled parts, sizes


def crowd(count, size=(1200, 300)):
    one = random_poses(1, (200, 300), seed=1)
    keypoints = np.concatenate([one.keypoints + (100 + 130 * number, 0, 0) for number in range(count)])
    return Poses(keypoints, np.linspace(0.9, 0.5, count), COCO17)


def colours_near(drawn, poses, person):
    """The strongest colours at a person's hips, knees and ankles."""
    places = np.round(poses.xy[person, 11:]).astype(int)
    return {tuple(drawn[y, x].tolist()) for x, y in places}


def test_from_five_people_on_each_has_a_colour():
    few, many = crowd(4), crowd(5)
    drawn_few, drawn_many = draw_poses(black(1200, 300), few), draw_poses(black(1200, 300), many)
    assert len(colours_near(drawn_few, few, 0)) == 2  # left and right
    each = [colours_near(drawn_many, many, person) for person in range(5)]
    assert [len(colours) for colours in each] == [1] * 5
    assert len(set.union(*each)) == 5


def test_an_id_has_the_same_colour_in_every_frame():
    poses = crowd(3)
    one = draw_poses(black(1200, 300), Poses(poses.keypoints, poses.scores, COCO17, ids=[7, 8, 9]))
    other = draw_poses(black(1200, 300), Poses(poses.keypoints[::-1], poses.scores, COCO17, ids=[9, 8, 7]))
    assert colours_near(one, poses, 0) == colours_near(other, poses, 0)
    assert colours_near(one, poses, 0) != colours_near(one, poses, 1)


def test_a_thousand_people_have_a_thousand_colours_none_too_dark():
    from bottomup.draw.colours import lighter, of_person

    assert len({of_person(number) for number in range(200)}) == 200
    assert min(max(of_person(number)) for number in range(1000)) > 140
    assert lighter((245, 245, 245)) == (245, 245, 245)
    assert 0.587 * lighter((120, 0, 0))[1] > 80


@pytest.mark.parametrize("colour", ["side", "person"])
def test_colours_can_be_chosen(colour):
    poses = crowd(6)
    assert len(colours_near(draw_poses(black(1200, 300), poses, colour=colour), poses, 0)) == (
        2 if colour == "side" else 1
    )


def test_colouring_by_id_needs_ids_and_unknown_ways_are_refused():
    with pytest.raises(InputError, match="colour='id' needs poses with ids"):
        draw_poses(black(), with_scores(1, 1, 1), colour="id")
    with pytest.raises(InputError, match="colour must be one of side, person, id, got 'rainbow'"):
        draw_poses(black(), with_scores(1, 1, 1), colour="rainbow")


def test_worse_duplicates_are_not_drawn_unless_everything_is():
    person = random_poses(1, (100, 100), seed=1).keypoints
    poses = Poses(np.concatenate([person, person + (2, 0, 0)]), [0.9, 0.8], COCO17)
    alone = draw_poses(black(), poses[0])
    np.testing.assert_array_equal(draw_poses(black(), poses), alone)
    assert (draw_poses(black(), poses, min_score=0) != alone).any()


def test_weak_parts_are_faint():
    strong, weak = (draw_poses(black(), with_scores(*[score] * 3)).max() for score in (0.9, 0.25))
    assert 60 < weak < 0.6 * strong


def test_filled_parts_are_dashed():
    def lit(filled):
        poses = Poses([[(100, 10, 1), (100, 190, 1), (10, 100, 1)]], [1], ARMS, filled=[filled])
        along = draw_poses(black(200, 200), poses, point_radius=0, line_width=4)[30:170, 100].max(axis=1) > 60
        return along.mean(), int(np.diff(along.astype(int)).clip(0).sum())

    share, gaps = lit([False, False, False])
    assert (share, gaps) == (1, 0)
    share, gaps = lit([True, False, False])
    assert 0.3 < share < 0.8
    assert gaps > 4


def test_there_is_no_line_from_ear_to_shoulder_nor_from_eye_to_eye():
    keypoints = np.full((1, 17, 3), (np.nan, np.nan, 0))
    for part, place in (
        ("left_ear", (20, 20)),
        ("left_shoulder", (20, 80)),
        ("left_eye", (40, 20)),
        ("right_eye", (90, 20)),
    ):
        keypoints[0, COCO17.index(part)] = *place, 1
    drawn = draw_poses(black(), Poses(keypoints, [1], COCO17))
    assert is_drawn(drawn, (30, 20))  # eye to ear
    assert not is_drawn(drawn, (20, 50))
    assert not is_drawn(drawn, (65, 20))


def test_outlines_stay_thinner_than_bones():
    for size in (60, 160, 400, 1600):
        poses = arms((size / 2, size * 0.1, 1), (size / 2, size * 0.9, 1), (np.nan, np.nan, 0))
        row = draw_poses(np.full((size, size, 3), 255, np.uint8), poses)[size // 2].astype(int)
        of_colour = (row.max(axis=1) - row.min(axis=1) > 100).sum()
        of_outline = (row.max(axis=1) < 100).sum() / 2
        assert of_colour >= 1
        assert of_outline < of_colour


def test_sizes_can_be_chosen():
    poses = arms((100, 20, 1), (100, 180, 1), (np.nan, np.nan, 0))

    def widths(**sizes):
        drawn = draw_poses(black(200, 200), poses, **sizes).max(axis=2) > 100
        return int(drawn[100].sum()), int(drawn[20].sum())

    assert widths(line_width=9, point_radius=0)[0] in (9, 10, 11)
    assert widths(line_width=0, point_radius=6) == (0, 13)
    assert widths(line_width=1)[0] < widths(line_width=3)[0] < widths(line_width=7)[0]
    for name in ("line_width", "point_radius"):
        with pytest.raises(InputError, match=f"{name} must be from 0 to 1000 pixels"):
            widths(**{name: -1})


def test_boxes_and_scores_are_drawn_on_request():
    poses = Poses([[(60, 60, 1), (140, 60, 1), (100, 140, 1)]], [0.87], ARMS)
    plain, boxed, told = (
        draw_poses(black(200, 200), poses, **settings) for settings in ({}, {"boxes": True}, {"scores": True})
    )
    assert not is_drawn(plain, (60, 120))
    assert is_drawn(boxed, (60, 120))
    assert (told != plain).any(axis=2)[20:60].sum() > 50
    far = Poses([[(-1e6, 60, 1), (1e30, 60, 1), (100, 140, 1)]], [0.87], ARMS)
    assert draw_poses(black(200, 200), far, boxes=True, scores=True).any()


def test_skeletons_can_stand_on_black():
    drawn = draw_poses(np.full((100, 100, 3), 200, np.uint8), with_scores(1, 1, 1), black=True)
    assert drawn[90, 90].tolist() == [0, 0, 0]
    assert is_drawn(drawn, NECK)


def test_a_pillow_image_gives_a_pillow_image_with_the_same_colours():
    pil = pytest.importorskip("PIL.Image")
    array = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    drawn = draw_poses(pil.fromarray(array), with_scores(1, 1, 1))
    assert isinstance(drawn, pil.Image)
    np.testing.assert_array_equal(np.asarray(drawn), draw_poses(array, with_scores(1, 1, 1), channel_order="rgb"))
    masks = np.zeros((1, 100, 100), bool)
    masks[0, 20:50] = True
    tinted = bu.draw_masks(pil.fromarray(array), masks)
    np.testing.assert_array_equal(np.asarray(tinted), bu.draw_masks(array, masks, channel_order="rgb"))


# Trails


def walker(x, number=1):
    return Poses([[(x, 40, 1), (x + 10, 50, 1), (x, 60, 1)]], [1], ARMS, ids=[number])


def test_trails_show_where_each_id_came_from_and_fade_after_a_while():
    trails = bu.draw.Trails(seconds=1.0)
    for number in range(11):
        trails.add(walker(20 + 10 * number), number / 10)
    drawn = trails.draw(black(200, 100))
    assert drawn[45:56, 40:120].any()
    assert not drawn[:30].any()
    for number in range(20, 23):
        trails.add(walker(180), number / 10)
    assert not trails.draw(black(200, 100)).any()
    with pytest.raises(InputError, match="trails need poses with ids"):
        trails.add(with_scores(1, 1, 1), 1.0)
    with pytest.raises(InputError, match="seconds must be"):
        bu.draw.Trails(seconds=0)


@pytest.mark.parametrize("place", [(60, 40), (2, 3), (158, 118), (-3, 60), (80, 130), (-90, -90)])
@pytest.mark.parametrize("width", [0, 1, 7])
def test_faint_strokes_mix_as_if_the_whole_image_were_mixed(place, width):
    image = np.random.default_rng(1).integers(0, 256, (120, 160, 3), np.uint8)
    strokes = [
        Stroke(place, (place[0] + 30.5, place[1] - 20.25), (10, 200, 90), width, True),
        Stroke(place, place, (200, 20, 90), width + 3, True),
    ]
    solid, faint = image.copy(), image.copy()
    paint(solid, strokes, 2)
    with blended(faint, strokes, 2, 0.45):
        paint(faint, strokes, 2)
    assert (faint == cv2.addWeighted(solid, 0.45, image, 0.55, 0)).all()
