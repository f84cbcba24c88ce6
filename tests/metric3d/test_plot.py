"""The plot, and the example that uses it."""

import builtins

import cv2
import numpy as np
import pytest
from metric3d_scenes import camera, people

import bottomup as bu
from bottomup.errors import InputError, MissingRuntimeError
from bottomup.metric3d import Camera, example, plot_poses3d, reconstruct_absolute

SKELETON = bu.skeletons.get("h36m_17")


def test_every_edge_is_drawn_and_up_is_up():
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    poses, _ = people(2)
    poses[1, 3] = np.nan
    image = np.zeros((96, 128, 3), np.uint8)
    figure = plot_poses3d(poses, SKELETON, image=image, poses2d=camera().project(poses) / 10)
    photo, space = figure.axes
    assert len(photo.lines) == len(space.lines) == 2 * len(SKELETON.edges)
    assert space.get_zlabel() == "-y (m)"
    highest = max(line.get_data_3d()[2].max() for line in space.lines[: len(SKELETON.edges)])
    assert highest == pytest.approx(-poses[0, :, 1].min() / 1000)
    figure.canvas.draw()
    assert np.asarray(figure.canvas.buffer_rgba()).std() > 10


def test_nobody_and_a_world_of_its_own_are_drawn():
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    figure = plot_poses3d(np.zeros((0, 17, 3)), SKELETON, world_up=(0, 0, 1))
    assert figure.axes[0].get_zlabel() == "z (m)"
    with pytest.raises(InputError, match="one axis"):
        plot_poses3d(np.zeros((0, 17, 3)), SKELETON, world_up=(1, 1, 0))
    with pytest.raises(InputError, match="poses3d"):
        plot_poses3d(np.zeros((2, 5, 3)), SKELETON)


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    real = builtins.__import__

    def absent(name, *rest, **more):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingRuntimeError, match=r"bottomup\[plot\]"):
        plot_poses3d(np.zeros((0, 17, 3)), SKELETON)


def standing(depth):
    """Return a COCO pose that stands upright at a depth, millimetres."""
    half = {"eye": 30, "ear": 70, "shoulder": 175, "elbow": 190, "wrist": 200, "hip": 115, "knee": 115, "ankle": 115}
    height = {
        "eye": -640,
        "ear": -630,
        "shoulder": -460,
        "elbow": -170,
        "wrist": 80,
        "hip": 40,
        "knee": 470,
        "ankle": 890,
    }
    pose = np.array([[0.0, -600, 0]] * 17)
    for number, part in enumerate(bu.COCO17.parts[1:], 1):
        side, kind = part.split("_")
        pose[number] = half[kind] * (1 if side == "left" else -1), height[kind], 0
    return pose + (0, 0, depth)


def poses_at(*depths):
    eye = Camera.from_fov((640, 480))
    keypoints = np.ones((len(depths), 17, 3), np.float32)
    keypoints[..., :2] = eye.project(np.array([standing(depth) for depth in depths]))
    return eye, bu.Poses(keypoints, np.ones(len(depths)), bu.COCO17)


def test_lifted_people_stand_where_they_stand():
    eye, poses = poses_at(3000, 6000)
    placed = reconstruct_absolute(poses.xy, example.lift(poses), eye)
    np.testing.assert_allclose(placed.roots[:, 2], (3000, 6000), rtol=0.1)
    assert placed.problems == (None, None)


def test_who_was_hardly_found_is_not_lifted():
    _, poses = poses_at(3000)
    poses.keypoints[:, 1:, 2] = 0
    assert np.isnan(example.lift(poses)).all()
    assert example.lift(bu.Poses.empty(bu.COCO17)).shape == (0, 17, 3)


def test_the_example_draws_a_photo(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    _, poses = poses_at(3000)
    monkeypatch.setattr(example, "load", lambda model: lambda image: poses)
    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((480, 640, 3), np.uint8))
    example.main(str(tmp_path / "photo.png"), str(tmp_path / "out.png"))
    assert cv2.imread(str(tmp_path / "out.png")).shape == (550, 1300, 3)
