"""Answers of Ultralytics 8.4.190 and rtmlib 0.0.16, which were run on the same tensors. The files stay outside.

8-bit files tie all the time, and torch's sort and NumPy's leave ties in an order of their own. Where they do, the rows
that the original kept are put before their equals, by one unit in the last place: greedy suppression must then keep
the same rows, all of them.
"""

import numpy as np
import pytest

import bottomup as bu

SETTINGS = {"ultralytics_025_070": (0.25, 0.7), "ultralytics_0001_065": (0.001, 0.65)}
of_settings = pytest.mark.parametrize("answer", SETTINGS)


@pytest.fixture
def goldens(shared):
    """Name and arrays of each file."""
    files = sorted((shared / "goldens" / "yolo").glob("*.npz"))
    assert len(files) == 24
    return {path.stem: dict(np.load(path, allow_pickle=False)) for path in files}


def size_of(golden):
    return tuple(golden["input_size"].tolist())


def answered(poses):
    """Return poses as Ultralytics gives them: corners, score, class, parts."""
    corners = np.concatenate([poses.boxes[:, :2], poses.boxes[:, :2] + poses.boxes[:, 2:]], axis=1)
    return np.column_stack([corners, poses.scores, np.zeros(len(poses)), poses.keypoints.reshape(len(poses), 51)])


def clipped(expected):
    """Return an answer with visibilities in [0, 1], which 8-bit arithmetic may leave."""
    expected = expected.copy()
    expected[:, 8::3] = expected[:, 8::3].clip(0, 1)
    return expected


@of_settings
def test_rows_without_ties_are_answered_as_by_ultralytics(goldens, answer):
    for name, golden in goldens.items():
        if name.startswith("heads"):
            fields = bu.BoxFields.from_yolo(golden["decoded_pixels"], input_size=size_of(golden))
            poses = bu.BoxDecoder(*SETTINGS[answer]).decode(fields)
            np.testing.assert_allclose(answered(poses), clipped(golden[answer]), atol=1e-5, err_msg=name)


def test_raw_heads_are_answered_as_by_ultralytics(goldens):
    for name, golden in goldens.items():
        if name.startswith("heads"):
            tensors = [bu.Quantized(golden[key], *golden[f"{key}_quantization"]) for key in ("boxcls", "kpt")]
            fields = bu.BoxFields.from_yolo_heads(*tensors, input_size=size_of(golden))
            poses = answered(bu.BoxDecoder().decode(fields))
            expected = golden["ultralytics_025_070"]
            np.testing.assert_allclose(poses[:, :4], expected[:, :4], atol=1e-4, err_msg=name)
            np.testing.assert_allclose(poses[:, 4], expected[:, 4], atol=2e-7 * 2100 + 1e-6)  # what broke the ties
            np.testing.assert_allclose(poses[:, 5:], expected[:, 5:], atol=1e-4)


@of_settings
def test_of_equal_rows_the_ones_that_ultralytics_kept_are_kept(goldens, answer):
    tried = 0
    for name, golden in goldens.items():
        if name.startswith("heads"):
            continue
        size = np.array(size_of(golden), np.float32)
        rows, expected = golden["output"][0].T.copy(), golden[answer]
        rows[:, :4] *= np.tile(size, 2)
        rows[:, 5::3] *= size[0]
        rows[:, 6::3] *= size[1]
        kept = expected[:, 6:].copy()
        matches = (np.abs(rows[:, None, 5:] - kept[None]) < 1e-3).all(axis=2) & (rows[:, None, 4] == expected[:, 4])
        corners = np.concatenate([rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2], axis=1)
        matches &= (np.abs(corners[:, None] - expected[:, :4]) < 1e-3).all(axis=2)
        assert matches.any(axis=0).all(), name
        first = matches.argmax(axis=0)
        rows[first, 4] = np.nextafter(rows[first, 4], np.float32(2))
        fields = bu.BoxFields.from_yolo(rows, input_size=size_of(golden))
        found = answered(bu.BoxDecoder(*SETTINGS[answer]).decode(fields))
        assert len(found) == len(expected), name
        order, other = np.lexsort(found.T), np.lexsort(clipped(expected).T)
        np.testing.assert_allclose(found[order], clipped(expected)[other], atol=1e-3)
        tried += 1
    assert tried == 18


@of_settings
def test_ties_in_the_order_of_rows_give_as_many_people_and_the_same_best(goldens, answer):
    counts = []
    for name, golden in goldens.items():
        if name.startswith("heads"):
            continue
        poses = bu.BoxDecoder(*SETTINGS[answer]).decode(
            bu.BoxFields.from_yolo(golden["output"], input_size=size_of(golden))
        )
        expected = golden[answer]
        counts.append((len(poses), len(expected)))
        assert poses.scores[0] == expected[0, 4].clip(0, 1)
        best = expected[expected[:, 4] == expected[0, 4], 6:].reshape(-1, 17, 3)[..., :2]
        assert np.abs(best - poses.xy[0]).mean(axis=(1, 2)).min() < 0.03 * max(size_of(golden)), name
    ours, theirs = np.sum(counts, axis=0)
    assert abs(ours - theirs) <= 0.05 * theirs


def test_rtmo_is_answered_as_by_rtmlib(goldens):
    tried = 0
    for name, golden in goldens.items():
        if "rtmo_dets" not in golden:
            continue
        dets, kept = golden["rtmo_dets"].copy(), golden["rtmlib_keep_045_03"]
        dets[0, kept, 4] = np.nextafter(dets[0, kept, 4], np.float32(2))
        poses = bu.BoxDecoder.rtmlib(score_threshold=0.3).decode(bu.BoxFields.from_rtmo(dets, golden["rtmo_keypoints"]))
        assert len(poses) == len(kept), name
        expected = golden["rtmo_keypoints"][0, kept]
        order, other = np.lexsort(poses.xy[:, :, 0].T), np.lexsort(expected[:, :, 0].T)
        np.testing.assert_allclose(poses.xy[order], expected[other][..., :2], atol=1e-4, err_msg=name)
        np.testing.assert_allclose(np.sort(poses.scores), np.sort(dets[0, kept, 4]), rtol=1e-6)
        tried += 1
    assert tried == 18
