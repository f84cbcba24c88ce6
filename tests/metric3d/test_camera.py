"""Cameras and crops: what is seen where."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric3d_scenes import IMAGE_SIZE, INTRINSICS, LENS, camera

from bottomup.errors import InputError
from bottomup.metric3d import Camera, Schedule, crops
from bottomup.metric3d.cameras.lens import distort, undistort

BOX = np.array([300.0, 200, 200, 500])


def turn(seed):
    """Return a random rotation and translation, 4 x 4."""
    random = np.random.default_rng(seed)
    matrix = np.eye(4)
    matrix[:3, :3] = cv2.Rodrigues(random.normal(0, 1, 3))[0]
    matrix[:3, 3] = random.normal(0, 2000, 3)
    return matrix


def points(seed, count=50):
    return np.random.default_rng(seed).uniform(-1, 1, (count, 3)) * (800, 600, 500) + (0, 0, 2500)


@pytest.mark.parametrize("count", [4, 5, 8, 12])
def test_projection_equals_opencv(count):
    coefficients = np.random.default_rng(count).normal(0, 0.05, count)
    world, extrinsics = points(count), turn(count)
    world = world @ extrinsics[:3, :3] - extrinsics[:3, 3] @ extrinsics[:3, :3]
    ours = Camera(INTRINSICS, coefficients, extrinsics)
    rotation = cv2.Rodrigues(extrinsics[:3, :3])[0]
    theirs, _ = cv2.projectPoints(world, rotation, extrinsics[:3, 3], INTRINSICS, coefficients)
    np.testing.assert_allclose(ours.project(ours.to_camera(world)), theirs[:, 0], atol=1e-9)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.floats(-0.3, 0.3), st.floats(-0.1, 0.1), st.floats(-0.01, 0.01))
def test_undistortion_undoes_distortion_or_says_nan(seed, k1, k2, tangential):
    coefficients = np.array([k1, k2, tangential, -tangential, 0.01, *np.zeros(7)])
    rays = np.random.default_rng(seed).uniform(-0.6, 0.6, (40, 2))
    found = undistort(distort(rays, coefficients), coefficients)
    met = np.isfinite(found).all(axis=1)
    np.testing.assert_allclose(distort(found[met], coefficients), distort(rays[met], coefficients), atol=1e-9)
    near = abs(rays).max(axis=1) < 0.3
    np.testing.assert_allclose(found[near], rays[near], atol=1e-9)


def test_a_place_that_no_ray_reaches_is_nan():
    barrel = np.array([-0.3, *np.zeros(11)])  # r - 0.3 r^3 never exceeds 0.703
    assert np.isnan(undistort([0.8, 0.0], barrel)).all()
    assert np.isfinite(undistort([0.69, 0.0], barrel)).all()


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_world_to_camera_and_back_is_identity(seed):
    eye = Camera(INTRINSICS, extrinsics=turn(seed))
    world = points(seed)
    np.testing.assert_allclose(eye.to_world(eye.to_camera(world)), world, atol=1e-8)


def test_the_guessed_focal_length_spans_the_larger_side():
    eye = Camera.from_fov((640, 480), 90)
    np.testing.assert_allclose(eye.project([[-1000, 0, 1000], [1000, 0, 1000]])[:, 0], [0, 640], atol=1e-9)
    assert Camera.from_fov((480, 640), 90).intrinsics[0, 0] == eye.intrinsics[0, 0]


def test_points_behind_the_camera_are_seen_nowhere():
    assert np.isnan(camera().project([[0, 0, -1000], [0, 0, 0]])).all()


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ({"intrinsics": np.diag([0, 0, 1])}, "focal length is zero"),
        ({"intrinsics": np.full((3, 3), np.nan)}, "not finite"),
        ({"intrinsics": INTRINSICS.T}, "last row"),
        ({"distortion": [np.inf, 0, 0, 0, 0]}, "lens"),
        ({"extrinsics": np.zeros((4, 4))}, "inverted"),
        ({"world_up": np.zeros(3)}, "up"),
    ],
)
def test_numbers_that_make_no_camera_are_a_problem_and_no_error(rest, said):
    assert said in Camera(**{"intrinsics": INTRINSICS, **rest}).problem


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ({"intrinsics": np.eye(4)}, "intrinsics must have shape"),
        ({"intrinsics": np.stack([INTRINSICS] * 2)}, "intrinsics must have shape"),
        ({"distortion": [0.1] * 14}, r"tilted sensor, tau = \[0.1, 0.1\]"),
        ({"distortion": [0.1] * 13}, "distortion must be 4 to 12 coefficients"),
        ({"distortion": [0.1] * 3}, "distortion must be 4 to 12 coefficients"),
        ({"distortion": [[0.1] * 5] * 2}, "distortion must be 4 to 12 coefficients"),
    ],
)
def test_shapes_that_make_no_camera_are_an_error(rest, said):
    with pytest.raises(InputError, match=said):
        Camera(**{"intrinsics": INTRINSICS, **rest})


@pytest.mark.parametrize("wrap", [np.array, lambda k: np.array([k]), lambda k: np.array([k]).T], ids=["K", "1K", "K1"])
@pytest.mark.parametrize("more", [[], [0.02, 0.03, 0.01, 0.001, 0.002, 0.003, 0.004, 0.0, 0.0]], ids=["5", "14"])
def test_coefficients_come_in_the_shapes_that_opencv_gives(wrap, more):
    coefficients = [*LENS, *more]
    eye = Camera(INTRINSICS[None], wrap(coefficients), np.eye(4)[None])
    expected = [*coefficients, *[0.0] * 12][:12]
    assert (eye.distortion.tolist(), eye.intrinsics.shape, eye.extrinsics.shape) == (expected, (3, 3), (4, 4))
    points = np.array([[100.0, -50, 900], [-300, 200, 1500]])
    seen, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), INTRINSICS, np.array(coefficients))
    np.testing.assert_allclose(eye.project(points), seen[:, 0], atol=1e-9)


def test_the_box_fills_the_crop_and_its_middle_is_the_crops():
    eye = camera()
    found = crops.crop_cameras(eye, BOX, IMAGE_SIZE, 256, Schedule.default(1))
    middles = [(400, 450), (400, 200), (400, 700)]
    rays = np.column_stack([eye.normalise(middles), np.ones(3)]) @ found.rotations[0].T
    inside = rays[:, :2] / rays[:, 2:] @ found.intrinsics[0, :2, :2].T + found.intrinsics[0, :2, 2]
    np.testing.assert_allclose(inside[0], (128, 128), atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(inside[1] - inside[2]), 256, atol=1e-9)


def test_crops_are_upright_in_the_world():
    rolled = turn(3)
    eye = camera(extrinsics=rolled, world_up=np.array([0, 0, 1.0]))
    found = crops.crop_cameras(eye, BOX, IMAGE_SIZE, 256, Schedule.default(1))
    assert found.rotations[0, 0] @ eye.up == pytest.approx(0, abs=1e-12)  # across, nothing of up
    assert found.rotations[0, 1] @ eye.up < 0


def test_looking_straight_up_still_makes_a_crop():
    eye = Camera(INTRINSICS, world_up=np.array([0, 0, 1.0]))
    found = crops.crop_cameras(eye, np.array([540, 380, 200, 200.0]), IMAGE_SIZE, 256, Schedule.default(1))
    assert found.problem is None
    np.testing.assert_allclose(found.rotations[0] @ found.rotations[0].T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("eye", [Camera(INTRINSICS), camera()], ids=["no lens", "lens"])
@pytest.mark.parametrize("factor", [1, 2])
def test_a_crop_shows_what_lies_there(eye, factor):
    across, down = np.meshgrid(np.arange(IMAGE_SIZE[0]), np.arange(IMAGE_SIZE[1]))
    ramp = np.stack([across / 5.1, down / 3.8, across * 0 + 100], axis=-1).round().astype(np.uint8)
    schedule = Schedule.default(5)
    found = crops.crop_cameras(eye, BOX, IMAGE_SIZE, 64, schedule)
    for crop in range(5):
        picture = crops.warp_crop(
            crops.LinearImage(ramp), eye, found.rotations[crop], found.intrinsics[crop], 64,
            scale=found.scales[crop], antialias_factor=factor,
        )  # fmt: skip
        places = np.array([[20.0, 20], [32, 32], [40, 25]])
        there = crops.crop_to_image(places, eye, found.rotations[crop], found.intrinsics[crop])
        for (column, row), (x, y) in zip(places.astype(int), there, strict=True):
            np.testing.assert_allclose(picture[row, column] * 255, (x / 5.1, y / 3.8, 100), atol=1.5)


def test_outside_the_image_crops_are_black():
    found = crops.crop_cameras(camera(), np.array([-300, 0, 400, 400.0]), IMAGE_SIZE, 64, Schedule.default(1))
    white = crops.LinearImage(np.full((IMAGE_SIZE[1], IMAGE_SIZE[0], 3), 255, np.uint8))
    picture = crops.warp_crop(white, camera(), found.rotations[0], found.intrinsics[0], 64, scale=found.scales[0])
    assert (picture[32, 5] == 0).all()
    np.testing.assert_allclose(picture[32, 60], 1, atol=1e-3)


def test_gamma_brightens_as_displays_do():
    grey = crops.LinearImage(np.full((IMAGE_SIZE[1], IMAGE_SIZE[0], 3), 128, np.uint8))
    found = crops.crop_cameras(Camera(INTRINSICS), BOX, IMAGE_SIZE, 16, Schedule.default(1))
    pictures = [
        crops.warp_crop(grey, Camera(INTRINSICS), found.rotations[0], found.intrinsics[0], 16, gamma=gamma)
        for gamma in (1.0, 0.6)
    ]
    np.testing.assert_allclose([picture[8, 8, 0] for picture in pictures], [128 / 255, (128 / 255) ** 0.6], atol=1e-4)


def test_the_homography_is_the_crop_without_a_lens():
    found = crops.crop_cameras(Camera(INTRINSICS), BOX, IMAGE_SIZE, 64, Schedule.default(3))
    matrix = crops.crop_homography(Camera(INTRINSICS), found.rotations[2], found.intrinsics[2])
    there = cv2.perspectiveTransform(np.array([[[10.0, 50.0]]]), matrix)[0, 0]
    wanted = crops.crop_to_image(np.array([10.0, 50.0]), Camera(INTRINSICS), found.rotations[2], found.intrinsics[2])
    np.testing.assert_allclose(there, wanted)


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ([np.nan, 0, 10, 10], "not finite"),
        ([10, 10, 0, 10], "empty"),
        ([5000, 10, 10, 10], "off the image"),
        ([-1e5, -1e5, 2e5, 2e5], "no camera sees"),
    ],
)
def test_a_box_that_cannot_be_looked_at_says_why(box, said):
    found = crops.crop_cameras(Camera(INTRINSICS, LENS), np.array(box, float), IMAGE_SIZE, 64, Schedule.default(2))
    assert said in found.problem
    assert np.isnan(found.rotations).all()


def test_one_augmentation_is_the_plain_crop_and_metrabs_has_its_own():
    plain, theirs, five = Schedule.default(1), Schedule.metrabs(1), Schedule.default(5)
    assert (plain.gammas[0], plain.angles[0], plain.scales[0], plain.flips[0]) == (1, 0, 1, False)
    assert (theirs.gammas[0], theirs.angles[0], theirs.flips[0]) == (0.8, 0, False)
    np.testing.assert_allclose(theirs.scales, 1.05)
    np.testing.assert_allclose(five.scales, [0.8, 0.9, 1.0, 1.05, 1.1])
    np.testing.assert_allclose(np.degrees(five.angles), [-25, -12.5, 0, 12.5, 25])
    assert five.flips.tolist() == [False, True, False, True, False]
    np.testing.assert_allclose(np.degrees(Schedule.metrabs(4, max_degrees=180).angles[-1]), 135)
    np.testing.assert_allclose(np.degrees(Schedule.metrabs(4, max_degrees=179).angles[-1]), 179)
    np.testing.assert_allclose(five.gammas, [0.6, 0.7, 0.8, 0.9, 1.0])
    four = Schedule.default(4)
    np.testing.assert_allclose(four.scales, [0.8, 0.9, 1.0, 1.1])
    assert four.flips.tolist() == [False, True, False, True]


@pytest.mark.parametrize("count", [0, True, 2.0])
def test_a_schedule_needs_a_whole_number(count):
    with pytest.raises(InputError, match="num_aug"):
        Schedule.default(count)


def test_crops_are_averaged_in_linear_light():
    """Columns of black and white seen from afar are as bright as half the light: 0.5 ** (1 / 2.2)."""
    image = np.zeros((200, 200, 3), np.uint8)
    image[:, ::2] = 255
    eye = Camera([[100, 0, 100], [0, 100, 100], [0, 0, 1]])
    nearer = np.array([[25.0, 0, 16], [0, 25, 16], [0, 0, 1]])
    seen = crops.warp_crop(crops.LinearImage(image), eye, np.eye(3), nearer, 32, scale=0.25)
    np.testing.assert_allclose(seen[8:24, 8:24], 0.5 ** (1 / 2.2), atol=0.01)


@pytest.mark.parametrize(("side", "is_seen"), [(1.1e-3, True), (0.9e-3, False)])
def test_boxes_must_be_seen_to_measure_a_thousandth_of_a_pixel(side, is_seen):
    box = np.array([640, 480, side, side])
    found = crops.crop_cameras(Camera(INTRINSICS), box, IMAGE_SIZE, 64, Schedule.default(1))
    assert (found.problem is None) == is_seen


@pytest.mark.parametrize(("side", "is_seen"), [(0.9e5, True), (1.2e5, False)])
def test_boxes_that_are_seen_to_reach_too_far_have_no_camera(side, is_seen):
    box = np.array([640 - side / 2, 480 - side / 2, side, side])
    found = crops.crop_cameras(Camera(INTRINSICS), box, IMAGE_SIZE, 64, Schedule.default(1))
    assert (found.problem is None) == is_seen


@pytest.mark.parametrize("times", [0.99, 1.01])
def test_numbers_beyond_a_billion_make_no_camera(times):
    """And so do a focal length, a rotation or an up vector that are as good as nothing."""
    large, tiny = 1e9 * times, 1e-12 * times
    turned = np.eye(4)
    turned[0, 3] = large
    for rest in (
        {"intrinsics": np.array([[large, 0, 0], [0, 1000, 0], [0, 0, 1]])},
        {"distortion": [large, 0, 0, 0]},
        {"extrinsics": turned},
        {"world_up": [0, large, 0]},
    ):
        assert (Camera(**{"intrinsics": INTRINSICS, **rest}).problem is None) == (times < 1)
    for rest in (
        {"intrinsics": np.diag([tiny, 1, 1])},
        {"extrinsics": np.diag([tiny, 1, 1, 1])},
        {"world_up": [0, 1e3 * tiny, 0]},
    ):
        assert (Camera(**{"intrinsics": INTRINSICS, **rest}).problem is None) == (times > 1)


def test_the_guessed_field_of_view_is_metrabs():
    np.testing.assert_allclose(Camera.from_fov((200, 100)).intrinsics[0, 0], 100 / np.tan(np.radians(27.5)))
    assert Camera.from_fov((200, 100), 179.9).problem is None
    with pytest.raises(InputError, match="fov_degrees must be above 0 and below 180"):
        Camera.from_fov((200, 100), 180)
