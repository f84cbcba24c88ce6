import sys

import numpy as np
import pytest

import bottomup as bu
from bottomup.errors import MissingRuntimeError
from bottomup.export import data_frame, supervision_key_points
from bottomup.poses import Poses
from bottomup.skeletons import COCO17, Skeleton

ARM = Skeleton("arm", ("elbow", "wrist"), ((0, 1),))
TWO_ARMS = Poses([[(1, 2, 0.5), (3, 4, 0.25)], [(5, 6, 1), (np.nan, np.nan, 0)]], [0.75, 0.5], ARM)


def with_ids(poses, ids):
    return Poses(poses.keypoints, poses.scores, poses.skeleton, ids=ids)


@pytest.mark.parametrize(
    ("export", "library"), [(data_frame, "pandas"), (supervision_key_points, "supervision")], ids=lambda it: str(it)
)
def test_without_the_library_the_extra_is_named(monkeypatch, export, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingRuntimeError, match=rf"pip install 'bottomup\[{library}\]'"):
        export(TWO_ARMS)


# pandas


@pytest.fixture
def pd():
    return pytest.importorskip("pandas", reason="pandas is not installed")


def test_a_frame_has_one_row_a_keypoint(pd):
    frame = data_frame(TWO_ARMS, source="a.mp4", frame=7)
    assert frame.columns.tolist() == ["source", "frame", "pose", "pose_score", "part", "x", "y", "score"]
    assert frame.part.tolist() == ["elbow", "wrist"] * 2
    assert frame.pose.tolist() == [0, 0, 1, 1]
    assert frame.frame.tolist() == [7] * 4
    np.testing.assert_array_equal(frame[["x", "y", "score"]].to_numpy(), TWO_ARMS.keypoints.reshape(4, 3))


def test_a_frame_pivots_and_survives_a_csv_file(pd, tmp_path):
    data_frame(with_ids(TWO_ARMS, [8, 3])).to_csv(tmp_path / "poses.csv", index=False)
    wide = pd.read_csv(tmp_path / "poses.csv").pivot(index="id", columns="part", values=["x", "y"])
    assert wide.loc[8, ("x", "wrist")] == 3
    assert np.isnan(wide.loc[3, ("x", "wrist")])


def test_frames_of_a_video_concatenate_also_where_nobody_is(pd):
    frames = [data_frame(poses, frame=number) for number, poses in enumerate([TWO_ARMS, TWO_ARMS[[]], TWO_ARMS])]
    whole = pd.concat(frames)
    assert (whole.dtypes == frames[0].dtypes).all()
    assert (frames[1].dtypes == frames[0].dtypes).all()
    assert whole.groupby("frame").pose.nunique().to_dict() == {0: 2, 2: 2}


# supervision


@pytest.fixture
def sv():
    return pytest.importorskip("supervision", reason="supervision is not installed")


def test_names_and_shapes_are_supervisions(sv):
    points = supervision_key_points(with_ids(TWO_ARMS, [8, 3]))
    np.testing.assert_array_equal(points.xy, [[(1, 2), (3, 4)], [(5, 6), (0, 0)]])
    np.testing.assert_array_equal(points.visible, [[True, True], [True, False]])
    np.testing.assert_array_equal(points.keypoint_confidence, TWO_ARMS.keypoint_scores)
    np.testing.assert_array_equal(points.detection_confidence, TWO_ARMS.scores)
    assert points.data["tracker_id"].tolist() == [8, 3]
    assert points[1].data["tracker_id"].tolist() == [3]


def test_its_annotators_draw_what_was_found_and_nothing_else(sv):
    keypoints = np.full((1, 17, 3), (np.nan, np.nan, 0), np.float32)
    keypoints[0, 5], keypoints[0, 7] = (20, 20, 1), (60, 20, 1)
    points = supervision_key_points(Poses(keypoints, [1], COCO17))
    canvas = np.zeros((80, 80, 3), np.uint8)
    drawn = sv.EdgeAnnotator(thickness=1).annotate(canvas.copy(), points)
    rows, columns = np.nonzero(drawn.any(axis=2))
    assert (set(rows), columns.min(), columns.max()) == ({20}, 20, 60)
    drawn = sv.VertexAnnotator(radius=1).annotate(canvas.copy(), points)
    assert drawn[20, 20].any()
    assert drawn[20, 60].any()
    assert not drawn[0, 0].any()


def test_its_boxes_fit_what_was_found(sv):
    boxes = supervision_key_points(TWO_ARMS[0]).as_detections()
    np.testing.assert_array_equal(boxes.xyxy, [(1, 2, 3, 4)])
    np.testing.assert_array_equal(boxes.confidence, TWO_ARMS.scores[:1])


def test_nobody_is_no_key_points(sv):
    points = supervision_key_points(Poses.empty(COCO17))
    assert len(points) == 0
    assert points.xy.shape == (0, 17, 2)


def test_supervision_draws_skeletons_of_18_parts_with_the_edges_that_the_documentation_names():
    sv = pytest.importorskip("supervision")
    keypoints = np.ones((1, 18, 3))
    keypoints[0, :, 0], keypoints[0, :, 1] = 5 + 5 * np.arange(18), 5 + 10 * (np.arange(18) % 9)
    poses = Poses(keypoints, [1], bu.OPENPOSE18)
    edges = bu.export.supervision_edges(bu.OPENPOSE18)
    assert (min(min(edge) for edge in edges), max(max(edge) for edge in edges)) == (1, 18)
    points = bu.export.supervision_key_points(poses)
    drawn = sv.EdgeAnnotator(edges=edges, thickness=1).annotate(np.zeros((100, 100, 3), np.uint8), points)
    for parent, child in bu.OPENPOSE18.edges:
        x, y = (keypoints[0, [parent, child], :2].mean(axis=0)).astype(int)
        assert drawn[y - 2 : y + 3, x - 2 : x + 3].any()
