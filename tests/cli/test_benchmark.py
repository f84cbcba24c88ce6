import numpy as np
import pytest
from tiny_posenet import TinyPoseNet

import bottomup as bu
from bottomup import cli


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "tiny.tflite"
    TinyPoseNet().write(path)
    return str(path)


def test_every_step_is_timed_and_frames_are_counted(model, capsys):
    assert cli.main(["benchmark", "--model", model, "--rounds", "2", "--runtime", "litert"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("demo.jpg, 640x480, ")
    assert said[1].startswith("runtime litert, 1 network thread; ")
    timed = said[2:8]
    assert [line.split()[0] for line in timed] == ["read", "resize", "network", "decode", "sum", "stream"]
    assert all(float(line.split()[1]) > 0 for line in timed)
    assert "100.0% of the network" in said[4]
    for line in timed[4:]:
        _, milliseconds, _, frames, *_ = line.split()
        assert float(frames) == pytest.approx(1000 / float(milliseconds), rel=0.01, abs=0.06)
    assert said[8].startswith("stream: many images")


def test_the_three_steps_are_a_call(model):
    estimator = bu.load(model)
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    prepared = estimator.prepare(image, "bgr")
    poses = estimator.finish(estimator.run(prepared), prepared)
    np.testing.assert_array_equal(poses.keypoints, estimator(image).keypoints)


@pytest.mark.parametrize("rounds", ["0", "-3", "many"])
def test_rounds_that_cannot_be_are_refused(rounds, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["benchmark", "--rounds", rounds])
    assert stop.value.code == 2
    assert "--rounds" in capsys.readouterr().err
