"""The 3D estimator: from images and boxes to absolute poses."""

import numpy as np
import pytest
from metric3d_scenes import (
    HEADS,
    IMAGE_SIZE,
    INTRINSICS,
    LENS,
    SKELETON,
    PerfectNetwork,
    blank,
    box_around,
    camera,
    people,
)

import bottomup as bu
from bottomup.errors import InputError, ModelError
from bottomup.metric3d import Heads, PoseEstimator3D, RootFit, Schedule, Settings, bone_lengths_of, mpjpe
from models.tflite_writer import TfliteWriter

#: A crop network of few cells, quick without a compiler too.
TINY = Heads(17, crop_size=32, output_stride=16, depth=2)


def perfect(poses, boxes, num_aug=5, eye=None, fit=None, heads=HEADS, **rest):
    network = PerfectNetwork(eye or camera(), poses, boxes, num_aug, heads=heads)
    return PoseEstimator3D(network, heads, SKELETON, fit=fit or RootFit(), **rest)


def off(result, poses, eye=None):
    """Return errors in mm and px."""
    eye = eye or camera()
    return np.linalg.norm(result.poses3d - eye.to_world(poses), axis=-1), np.linalg.norm(
        result.poses2d - eye.project(poses), axis=-1
    )


@pytest.mark.slow
def test_known_people_are_found_where_they_are():
    """200 people, five augmentations, flips, a lens, a quarter of the boxes truncated."""
    poses, boxes = people(200)
    result = perfect(poses, boxes).estimate_poses(blank(), boxes, INTRINSICS, LENS)
    millimetres, pixels = off(result, poses)
    assert millimetres.mean() < 1e-4
    assert millimetres.max() < 5e-3
    assert pixels.mean() < 1e-5
    assert set(result.problems) == {None}


def test_a_few_known_people_are_found_where_they_are():
    poses, boxes = people(2)
    result = perfect(poses, boxes, 3).estimate_poses(blank(), boxes, INTRINSICS, LENS, num_aug=3)
    millimetres, pixels = off(result, poses)
    assert millimetres.max() < 5e-3
    assert pixels.max() < 1e-4


@pytest.mark.slow
def test_metrabs_settings_have_its_bias():
    """The specification measured a mean of 7.0 mm, a median of 3.6 and 2.2 px at most."""
    poses, boxes = people(200)
    result = perfect(poses, boxes, fit=RootFit.metrabs()).estimate_poses(
        blank(), boxes, INTRINSICS, LENS, internal_batch_size=0
    )
    millimetres, pixels = off(result, poses)
    assert 5 < millimetres.mean() < 9
    assert 2.5 < np.median(millimetres) < 5
    assert pixels.max() < 4


def test_a_world_with_its_own_axes():
    turned = np.array([[1, 0, 0, 100.0], [0, 0, -1, 1500], [0, 1, 0, 200], [0, 0, 0, 1]])
    eye = camera(extrinsics=turned, world_up=np.array([0, 0, 1.0]))
    poses, boxes = people(3, eye=eye)
    result = perfect(poses, boxes, 2, eye).estimate_poses(
        blank(), boxes, INTRINSICS, LENS, turned, (0, 0, 1), num_aug=2
    )
    assert off(result, poses, eye)[0].max() < 0.01
    upright = result.poses3d[..., 2]
    assert np.ptp(upright) < 10000


def test_twice_the_scene_is_twice_the_answer():
    poses, boxes = people(3)
    once = perfect(poses, boxes, 2).estimate_poses(blank(), boxes, INTRINSICS, LENS, num_aug=2)
    heads = Heads(17, crop_size=64, output_stride=8, box_size=4400)
    twice = perfect(2 * poses, boxes, 2, heads=heads).estimate_poses(blank(), boxes, INTRINSICS, LENS, num_aug=2)
    np.testing.assert_allclose(twice.poses3d, 2 * once.poses3d, rtol=1e-6)


def test_a_mirrored_crop_with_mirrored_parts_is_the_same_pose():
    poses, boxes = people(3)

    def schedule(flips):
        return lambda count: Schedule([1.0], [0.2], [1.0], [flips])

    every = []
    for flips in (False, True):
        network = PerfectNetwork(camera(), poses, boxes, 1, schedule=schedule(flips))
        estimator = PoseEstimator3D(network, HEADS, SKELETON, schedule=schedule(flips))
        every.append(estimator.estimate_poses(blank(), boxes, INTRINSICS, LENS, num_aug=1).poses3d)
    np.testing.assert_allclose(every[0], every[1], atol=0.01)


def bright(crops):
    """Give tensors that depend on each crop's pixels alone."""
    cells = crops.reshape(len(crops), 2, 16, 2, 16, 3).mean(axis=(2, 4))
    weights = np.random.default_rng(0).normal(0, 4, (3, 17 * 3))
    return (cells - 0.5) @ weights


def noisy(seed, size=(120, 160)):
    """Return an image of soft random colours."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    return np.kron(small, np.ones((size[0] // 6, size[1] // 8, 1), np.uint8))


BOXES = np.array([[20, 20, 60, 80], [60, 10, 50, 90], [100, 60, 80, 90.0]])


def test_order_batches_and_companions_change_nothing():
    estimator, images = PoseEstimator3D(bright, TINY, SKELETON), [noisy(0), noisy(1)]
    together = estimator.estimate_poses_batched(images, [BOXES, BOXES[1:]], num_aug=3, average_aug=False)
    assert np.isfinite(together.poses3d[0]).any()
    backwards = estimator.estimate_poses_batched(
        images[::-1], [BOXES[:0:-1], BOXES[::-1]], num_aug=3, average_aug=False
    )
    small = estimator.estimate_poses_batched(
        images, [BOXES, BOXES[1:]], num_aug=3, average_aug=False, internal_batch_size=2
    )
    alone = estimator.estimate_poses(images[1], BOXES[[2]], num_aug=3, average_aug=False)
    assert np.array_equal(together.poses3d[0], backwards.poses3d[1][::-1], equal_nan=True)
    assert np.array_equal(together.poses3d[1], small.poses3d[1], equal_nan=True)
    assert np.array_equal(together.poses3d[1][[1]], alone.poses3d, equal_nan=True)
    assert together.problems[0] == backwards.problems[1][::-1]


def test_results_are_metrabs_dictionary_too():
    estimator = PoseEstimator3D(bright, TINY, SKELETON)
    batch = estimator.estimate_poses_batched([noisy(0)] * 2, [BOXES, []], num_aug=2)
    assert [each.shape for each in batch["poses3d"]] == [(3, 17, 3), (0, 17, 3)]
    assert [each.shape for each in batch["poses2d"]] == [(3, 17, 2), (0, 17, 2)]
    assert set(dict(batch)) == {"boxes", "poses3d", "poses2d", "problems"}
    assert [len(each) for each in batch] == [3, 0]
    assert next(iter(batch)).found.shape == (3,)
    one = estimator.estimate_poses(noisy(0), [], num_aug=2, average_aug=False)
    assert one["poses3d"].shape == (0, 2, 17, 3)
    assert one.found.shape == (0,)
    assert estimator.estimate_poses_batched([], []).poses3d == []
    with pytest.raises(InputError, match="entries are"):
        batch["joints"]


def test_images_of_all_sizes_channels_and_cameras():
    estimator = PoseEstimator3D(bright, TINY, SKELETON)
    images = [noisy(0), noisy(1, (240, 320))]
    matrices = np.array([np.full((3, 3), -1), [[300, 0, 160], [0, 300, 120], [0, 0, 1]]], float)
    both = estimator.estimate_poses_batched(images, [BOXES, BOXES], matrices, [[0.1, 0, 0, 0, 0]], num_aug=1)
    guessed = estimator.estimate_poses(images[0], BOXES, None, [0.1, 0, 0, 0, 0], num_aug=1)
    known = estimator.estimate_poses(
        images[1][..., ::-1], BOXES, matrices[1], [0.1, 0, 0, 0, 0], num_aug=1, channel_order="rgb"
    )
    assert np.array_equal(both.poses3d[0], guessed.poses3d, equal_nan=True)
    assert np.array_equal(both.poses3d[1], known.poses3d, equal_nan=True)


def test_what_is_wrong_stays_with_whom_it_is_wrong():
    poses, boxes = people(4, truncated=99)
    wrong = np.array([[np.nan, 0, 10, 10], [5000, 0, 10, 10], [0, 0, 0, 0.0]])
    network = PerfectNetwork(camera(), poses, boxes, 2)

    def spoilt(crops):
        heatmaps, volumes = network(crops)
        volumes[2:4] = np.nan  # the second person, both crops
        heatmaps[4, :, :, 1:] = np.nan  # the third, all but one part of one crop
        volumes[6, :, :, 5::17] = np.nan  # the fourth, one part of one crop
        return heatmaps, volumes

    estimator = PoseEstimator3D(spoilt, HEADS, SKELETON)
    result = estimator.estimate_poses(blank(), [*boxes[:1], *wrong, *boxes[1:]], INTRINSICS, LENS, num_aug=2)
    assert result.problems == (
        None,
        "the box is not finite",
        "the box lies off the image",
        "the box is empty",
        "fewer than two parts are in view",
        "in 1 of 2 crops: 16 of 17 parts have no finite logits",
        "in 1 of 2 crops: 1 of 17 parts have no relative position",
    )
    assert result.found.tolist() == [True, False, False, False, False, True, True]
    good = result.poses3d[[0, 5, 6]]
    assert np.linalg.norm(good - poses[[0, 2, 3]], axis=-1).max() < 0.01


def test_a_bad_camera_is_the_problem_of_its_own_image():
    estimator = PoseEstimator3D(bright, TINY, SKELETON)
    matrices = np.array([np.diag([0, 0, 1.0]), [[150, 0, 80], [0, 150, 60], [0, 0, 1]]])
    places = np.array([np.eye(4), np.eye(4)])
    result = estimator.estimate_poses_batched([noisy(0)] * 2, [BOXES, BOXES], matrices, None, places, num_aug=1)
    assert result.problems[0] == ("the focal length is zero",) * 3
    assert np.isnan(result.poses3d[0]).all()
    assert np.isfinite(result.poses3d[1][0]).all()
    assert result.problems[1][0] is None
    places[0] = 0
    result = estimator.estimate_poses_batched([noisy(0)] * 2, [BOXES, BOXES], None, None, places, num_aug=1)
    assert "inverted" in result.problems[0][0]


def test_crops_come_as_the_network_was_trained():
    seen = []

    def network(crops):
        seen.append(crops)
        return bright(crops * 0)

    red = np.zeros((120, 160, 3), np.uint8)
    red[..., 2] = 255
    for scaling in (bu.metric3d.network.UNIT, "signed", "pixels"):
        PoseEstimator3D(network, TINY, SKELETON, scaling=scaling).estimate_poses(red, BOXES[:1], num_aug=1)
    assert [crops.dtype == np.float32 and crops.shape == (1, 32, 32, 3) for crops in seen] == [True] * 3
    for crops, colour in zip(seen, [(1, 0, 0), (1, -1, -1), (0, 0, 255)], strict=True):
        np.testing.assert_allclose(crops[0, 16, 16], colour, atol=1e-3)


@pytest.mark.parametrize("kind", ["float32", "uint8"])
def test_a_tflite_file_with_random_weights_runs_end_to_end(tmp_path, kind):
    random = np.random.default_rng(0)
    net = TfliteWriter((32, 32))
    x = net.conv(net.image, random.normal(0, 0.5, (8, 3, 3, 3)), stride=4, activation="relu6")
    x = net.conv(x, random.normal(0, 0.5, (8, 3, 3, 8)), stride=4, activation="relu6")
    net.output("volumes", net.conv(x, random.normal(0, 2, (17 * 2, 1, 1, 8))))
    net.output("heatmaps", net.conv(x, random.normal(0, 2, (17, 1, 1, 8))))
    calibration = [
        (noisy(seed, (96, 96))[None, ::3, ::3] / np.float32(127.5) - 1).astype(np.float32) for seed in (0, 1)
    ]
    path = tmp_path / "crops.tflite"
    path.write_bytes(net.float32() if kind == "float32" else net.uint8(net.ranges(calibration)))
    estimator = PoseEstimator3D(str(path), TINY, SKELETON, scaling="signed", fit=RootFit(fallback=True))
    result = estimator.estimate_poses_batched(
        [noisy(2), noisy(3)], [BOXES, BOXES[:1]], num_aug=3, internal_batch_size=4
    )
    assert [each.shape for each in result.poses3d] == [(3, 17, 3), (1, 17, 3)]
    assert np.isfinite(result.poses3d[0][result.poses3d[0] == result.poses3d[0]]).all()
    said = [problem for image in result.problems for problem in image]
    for person, found in zip(said, np.concatenate([each.found for each in result]), strict=True):
        assert found or person
    alone = estimator.estimate_poses(noisy(3), BOXES[:1], num_aug=3)
    assert np.array_equal(alone.poses3d, result.poses3d[1], equal_nan=True)


def test_a_tflite_file_of_another_size_is_refused(tmp_path):
    net = TfliteWriter((33, 33), open_size=False)
    net.output("volumes", net.conv(net.image, np.ones((4, 1, 1, 3))))
    path = tmp_path / "other.tflite"
    path.write_bytes(net.float32())
    with pytest.raises((InputError, ModelError)):
        PoseEstimator3D(path, TINY, SKELETON).estimate_poses(noisy(0), BOXES)
    with pytest.raises(ModelError):
        PoseEstimator3D(tmp_path / "absent.tflite", TINY, SKELETON)


def test_skeletons_are_parts_of_the_whole():
    whole = PoseEstimator3D(bright, TINY, SKELETON, skeletons={"arm": [11, 12, 13]})
    assert whole.per_skeleton_joint_names["arm"] == ("lsho", "lelb", "lwri")
    assert whole.per_skeleton_edges["arm"].tolist() == [[0, 1], [1, 2]]
    assert whole.per_skeleton_joint_names[""] == whole.per_skeleton_joint_names["h36m_17"] == SKELETON.parts
    assert whole.per_skeleton_edges[""].tolist() == [list(edge) for edge in SKELETON.edges]
    every = whole.estimate_poses(noisy(0), BOXES, num_aug=1)
    arm = whole.estimate_poses(noisy(0), BOXES, num_aug=1, skeleton="arm")
    assert np.array_equal(arm.poses3d, every.poses3d[:, 11:14], equal_nan=True)
    with pytest.raises(InputError, match="skeleton must be one of"):
        whole.estimate_poses(noisy(0), BOXES, skeleton="leg")


def test_latent_points_are_recombined():
    poses, boxes = people(2)
    weights = np.eye(17)[::-1]
    network = PerfectNetwork(
        camera(), poses[:, ::-1], boxes, 2, schedule=lambda count: Schedule([1] * 2, [0] * 2, [1] * 2, [0] * 2)
    )
    estimator = PoseEstimator3D(
        network,
        HEADS,
        SKELETON,
        recombination=weights,
        schedule=lambda count: Schedule([1] * 2, [0] * 2, [1] * 2, [0] * 2),
    )
    assert off(estimator.estimate_poses(blank(), boxes, INTRINSICS, LENS, num_aug=2), poses)[0].max() < 0.01


def test_2_5d_volumes_find_their_distance_by_bones():
    poses, boxes = people(1, truncated=99)
    heads = Heads(17, crop_size=64, output_stride=8, volume_xy="image")
    lengths = bone_lengths_of(poses[0], SKELETON.edges)
    estimator = perfect(poses, boxes, 2, heads=heads, bone_lengths=lengths)
    result = estimator.estimate_poses(blank(), boxes, INTRINSICS, LENS, num_aug=2)
    seen = np.isfinite(result.poses3d).all(axis=-1)
    assert seen.mean() > 0.9
    assert mpjpe(result.poses3d, poses) < 20  # parts at the border are clipped
    with pytest.raises(InputError, match="bone_lengths"):
        PoseEstimator3D(bright, heads, SKELETON)


def test_people_are_detected_filtered_and_put_in_order():
    poses, _ = people(3, truncated=99, shape=(150, 450, 100), seed=2)
    eye = camera()
    boxes = np.array([box_around(eye.project(pose)) for pose in poses])
    scored = np.column_stack([boxes, [0.5, 0.9, 0.1]])
    order = [1, 0]
    network = PerfectNetwork(eye, poses[order], boxes[order], 2)
    asked = []

    def detector(image):
        asked.append(image)
        return scored

    lengths = np.median(bone_lengths_of(poses, SKELETON.edges), axis=0)
    estimator = PoseEstimator3D(network, HEADS, SKELETON, detector=detector, bone_lengths=lengths)
    result = estimator.detect_poses(blank(), INTRINSICS, LENS, num_aug=2, detector_nms_iou_threshold=1.0)
    np.testing.assert_allclose(result.boxes, scored[order])
    assert np.linalg.norm(result.poses3d - poses[order], axis=-1).max() < 0.05
    assert asked[0].shape == (IMAGE_SIZE[1], IMAGE_SIZE[0], 3)
    network.next = 0
    odd = PoseEstimator3D(network, HEADS, SKELETON, detector=detector, bone_lengths=lengths * 20)
    assert len(odd.detect_poses(blank(), INTRINSICS, LENS, num_aug=2, detector_nms_iou_threshold=1.0)) == 0
    network.next = 0
    kept = odd.detect_poses_batched(
        [blank(), blank()], [INTRINSICS], [LENS], num_aug=2, max_detections=1, suppress_implausible_poses=False
    )
    assert [len(each) for each in kept] == [1, 1]


def test_a_2d_estimator_is_a_detector():
    found = bu.synthetic.random_poses(2, input_size=(160, 120), seed=0)
    estimator = PoseEstimator3D(bright, TINY, SKELETON, detector=lambda image: found)
    result = estimator.detect_poses(noisy(0), num_aug=1, suppress_implausible_poses=False)
    assert result.boxes.shape[1] == 5
    assert 1 <= len(result) <= 2
    nobody = PoseEstimator3D(bright, TINY, SKELETON, detector=lambda image: bu.Poses.empty(bu.COCO17))
    assert nobody.detect_poses(noisy(0)).poses3d.shape == (0, 17, 3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"boxes": [[1, 2, 3]]}, "boxes"),
        ({"intrinsic_matrix": np.eye(4)}, "intrinsic_matrix"),
        ({"extrinsic_matrix": np.eye(3)}, "extrinsic_matrix"),
        ({"distortion_coeffs": [0.1] * 14}, "distortion"),
        ({"num_aug": 0}, "num_aug"),
        ({"antialias_factor": 0}, "antialias_factor"),
        ({"internal_batch_size": 2.5}, "internal_batch_size"),
        ({"default_fov_degrees": 180}, "fov"),
        ({"image": np.zeros((2, 8, 8, 3), np.uint8)}, "_batched"),
        ({"image": "absent.jpg"}, "absent"),
        ({"channel_order": "grey"}, "channel_order"),
    ],
)
def test_arguments_of_no_sense_are_refused(arguments, said):
    estimator = PoseEstimator3D(bright, TINY, SKELETON)
    with pytest.raises(InputError, match=said):
        estimator.estimate_poses(**{"image": noisy(0), "boxes": BOXES, **arguments})


def test_a_camera_may_come_as_opencv_calibrated_it():
    poses, boxes = people(2)
    once = perfect(poses, boxes, 1).estimate_poses(blank(), boxes, INTRINSICS, LENS, num_aug=1)
    for matrix, lens in (
        (INTRINSICS[None], [LENS]),
        (INTRINSICS, np.array([LENS]).T),
        (INTRINSICS, [*LENS, *[0.0] * 7]),  # as `Camera.distortion`
        (INTRINSICS, [*LENS, *[0.0] * 9]),
    ):
        again = perfect(poses, boxes, 1).estimate_poses(blank(), boxes, matrix, lens, num_aug=1)
        np.testing.assert_array_equal(once.poses3d, again.poses3d)
    batch = perfect(poses, boxes, 1).estimate_poses_batched(
        [blank()], [boxes], [INTRINSICS], np.array([[LENS]]), num_aug=1
    )
    np.testing.assert_array_equal(batch.poses3d[0], once.poses3d)


def test_the_four_methods_are_one_estimate_underneath():
    poses, boxes = people(2)
    named = perfect(poses, boxes, 2).estimate_poses(blank(), boxes, INTRINSICS, LENS, num_aug=2, average_aug=False)
    asked = Settings(num_aug=2, average_aug=False)
    plain = perfect(poses, boxes, 2).estimate([blank()], [boxes], [camera()], asked)
    np.testing.assert_array_equal(plain.poses3d[0], named.poses3d)
    np.testing.assert_array_equal(plain.poses2d[0], named.poses2d)
    guessed = PoseEstimator3D(bright, TINY, SKELETON).estimate([noisy(0)], [BOXES])
    same = PoseEstimator3D(bright, TINY, SKELETON).estimate_poses(noisy(0), BOXES)
    np.testing.assert_array_equal(guessed.poses3d[0], same.poses3d)
    with pytest.raises(InputError, match="cameras must have one"):
        PoseEstimator3D(bright, TINY, SKELETON).estimate([noisy(0)], [BOXES], [])


def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="17 parts"):
        PoseEstimator3D(bright, Heads(24), SKELETON)
    with pytest.raises(InputError, match="bone_lengths"):
        PoseEstimator3D(bright, TINY, SKELETON, bone_lengths=[1, 2])
    with pytest.raises(InputError, match="skeletons"):
        PoseEstimator3D(bright, TINY, SKELETON, skeletons={"arm": [99]})
    with pytest.raises(InputError, match="as many entries"):
        PoseEstimator3D(lambda crops: bright(crops)[:1], TINY, SKELETON).estimate_poses(noisy(0), BOXES)
    with pytest.raises(InputError, match="one entry per image"):
        PoseEstimator3D(bright, TINY, SKELETON).estimate_poses_batched([noisy(0)], [BOXES, BOXES])


@pytest.mark.parametrize("seed", range(5))
def test_absurd_numbers_are_problems_and_nothing_else(seed):
    random = np.random.default_rng(seed)
    absurd = [np.nan, np.inf, -np.inf, 1e30, -1e30, 0, 1e-30, 3.4e38]

    def network(crops):
        logits = random.normal(0, 3, (len(crops), 2, 2, 17 * 3)).astype(np.float32)
        logits[random.random(logits.shape) < 0.05] = random.choice(absurd)
        return logits

    estimator = PoseEstimator3D(network, TINY, SKELETON)
    for _ in range(4):
        matrix, lens, place, boxes = INTRINSICS / 8, np.array(LENS), np.eye(4), BOXES.copy()
        matrix[2, 2] = 1
        for array in random.choice(np.array([0, 1, 2, 3]), 2):
            chosen = (matrix, lens, place, boxes)[array].reshape(-1)
            chosen[random.integers(len(chosen))] = random.choice(absurd)
        result = estimator.estimate_poses(noisy(0), boxes, matrix, lens, place, num_aug=2)
        assert all(found or problem for found, problem in zip(result.found, result.problems, strict=True))
        assert not np.isinf(result.poses3d).any()
