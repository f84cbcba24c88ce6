"""On rendered scenes of thirteen labelled people, the decoders give what the original ones gave.

Those were Open Model Zoo 7ef5b91, mmpose 759b39c and HigherHRNet aa23881, unmodified. Where they are wrong, ours
differ, and the tests say in what.
"""

import numpy as np
import pytest

import bottomup as bu
from bottomup.similarity import pose_similarities

pytestmark = pytest.mark.slow  # grids of 96 x 128 cells
SCENES = ["ae_L1_000000005001", "ae_L1_000000122962", "ae_L2_000000005001"]
STRIDE = 4


@pytest.fixture
def read(shared):
    return lambda name: read_scene(shared / "goldens" / "ae" / f"{name}.npz")


@pytest.fixture(params=SCENES)
def scene(request, read):
    return read(request.param)


def read_scene(path):
    if not path.is_file():
        pytest.skip("the tensors of associative embedding are not beside this checkout")
    with np.load(path) as arrays:
        return dict(arrays)


def golden(scene, name):
    """Return (M, 17, 3) keypoints in input pixels and (M,) scores, best first, and the order they had."""
    if name.startswith("mmpose"):
        keypoints = np.dstack([scene[f"{name}_keypoints"], scene[f"{name}_scores"]])
        scores = scene[f"{name}_instance"]
    else:
        keypoints, scores = scene[f"{name}_poses"][..., :3].copy(), scene[f"{name}_scores"]
        keypoints[..., :2] *= STRIDE
    order = np.argsort(-scores, kind="stable")
    return keypoints[order], scores[order], order


def assert_found_parts_are(poses, keypoints, scores):
    """Compare people, their scores and the parts that they had before filling."""
    assert len(poses) == len(scores)
    np.testing.assert_allclose(poses.scores, scores, atol=1e-6)
    found = (poses.keypoint_scores > 0) & ~poses.filled
    assert found.sum() > 100
    np.testing.assert_allclose(poses.keypoints[found], keypoints[found], atol=1e-3)


@pytest.mark.parametrize("scene", SCENES[:2])  # the original takes tags of one number only
@pytest.mark.parametrize(("name", "delta"), [("omz_delta0", 0.0), ("omz_delta05", 0.5)])
def test_omz(read, scene, name, delta):
    scene = read(scene)
    keypoints, scores, order = golden(scene, name)
    fields = bu.TagFields(scene["omz_input_heatmaps"], scene["tags"], STRIDE)
    assert fields.negated
    poses = bu.TagDecoder.omz(delta=delta).decode(fields)
    assert_found_parts_are(poses, keypoints, scores)
    same = np.isclose(poses.keypoints, keypoints, atol=1e-3).all(axis=(1, 2))
    # From the first person on whom it drops, the original fills by the tags of others: of whoever came before.
    first_dropped = np.flatnonzero(scene["higherhrnet_scores"] <= 0.1)[0]  # the same people in the same order
    assert first_dropped > 2
    assert same[order < first_dropped].all()
    assert not same[order >= first_dropped].any()


def test_omz_finds_the_same_in_heatmaps_that_nobody_negated(scene):
    marked = bu.TagDecoder.omz().decode(bu.TagFields(scene["omz_input_heatmaps"], scene["tags"]))
    plain = bu.TagDecoder.omz().decode(bu.TagFields(np.abs(scene["heatmaps"]), scene["tags"], negated=False))
    np.testing.assert_array_equal(marked.keypoints, plain.keypoints)


def test_mmpose(scene):
    keypoints, scores, _ = golden(scene, "mmpose")
    poses = bu.TagDecoder.mmpose().decode(bu.TagFields(scene["heatmaps"], scene["tags"], STRIDE))
    assert_found_parts_are(poses, keypoints, scores)
    filled = poses.filled
    np.testing.assert_allclose(poses.keypoint_scores[filled], keypoints[filled][:, 2].clip(0, 1), atol=1e-6)
    moved = (poses.xy[filled] - keypoints[filled][:, :2]) / STRIDE  # the original leaves them at the corner of the cell
    assert set(moved.ravel().tolist()) <= {0.25, 0.5, 0.75}
    assert {0.25, 0.75} <= set(moved.ravel().tolist())


def test_mmpose_with_udp(scene):
    keypoints, scores, _ = golden(scene, "mmpose_udp")
    poses = bu.TagDecoder.mmpose(udp=True).decode(bu.TagFields(scene["heatmaps"], scene["tags"], STRIDE))
    assert_found_parts_are(poses, keypoints, scores)
    assert (keypoints[poses.filled][:, 2] < 0).all()  # logarithms, among which the original searches
    rows, columns = scene["heatmaps"].shape[1:]
    cells = np.rint(poses.xy[poses.filled] / [(4 * columns - 1) / (columns - 1), (4 * rows - 1) / (rows - 1)])
    inside = ((cells >= 0) & (cells < [columns, rows])).all(axis=1)
    assert inside.mean() > 0.95


def test_higherhrnet(scene):
    keypoints, scores, _ = golden(scene, "higherhrnet")
    poses = bu.TagDecoder.higherhrnet().decode(bu.TagFields(scene["heatmaps"], scene["tags"], STRIDE))
    assert_found_parts_are(poses, keypoints, scores)
    np.testing.assert_allclose(poses.keypoints[poses.filled], keypoints[poses.filled], atol=1e-3)


def test_ours_finds_the_people_who_are_there(scene):
    labels = scene["labels"]
    places = np.where(labels[..., 2:] > 0, (labels[..., :2] + 0.5) * STRIDE, np.nan)
    poses = bu.TagDecoder().decode(bu.TagFields(scene["heatmaps"], scene["tags"], STRIDE)).without_filled()
    alike = pose_similarities(places, poses.xy, bu.COCO17, smallest=200)
    assert len(poses) <= 15
    assert (alike.max(axis=1) > 0.5).sum() >= 12
