"""What a decode leaves behind when it is interrupted, fails, or runs inside another."""

import signal
import sys

import numpy as np
import pytest

import bottomup as bu
from bottomup.boxes import best as boxes
from bottomup.centers import running as centers
from bottomup.paf import running as paf
from bottomup.posenet import roots as posenet
from bottomup.tags import best as tags
from bottomup.tags import systems as tag_systems

SIZES = ((353, 257), (641, 481), (225, 225))
PAF = bu.PafDecoder()
POSENET = bu.PoseNetDecoder()


def paf_fields(seed):
    size = SIZES[seed % 3]
    return bu.synthetic.paf_fields(bu.synthetic.random_poses(3, size, seed), size)


def posenet_fields(seed):
    size = SIZES[seed % 3]
    return bu.synthetic.posenet_fields(bu.synthetic.random_poses(3, size, seed), input_size=size)


def small_fields(render, seed):
    """Fields of families whose maps are larger, at sizes that all of them take."""
    size = ((160, 128), (320, 224), (96, 96))[seed % 3]
    return render(bu.synthetic.random_poses(3, size, seed), size)


def center_fields(seed):
    return small_fields(bu.synthetic.center_fields, seed)


def tag_fields(seed):
    return small_fields(bu.synthetic.tag_fields, seed)


def box_fields(seed):
    return small_fields(bu.synthetic.box_fields, seed)


KINDS = [
    pytest.param(PAF, paf_fields, paf, id="paf"),
    pytest.param(POSENET, posenet_fields, posenet, id="posenet"),
    pytest.param(bu.PoseNetDecoder.coral(), posenet_fields, posenet, id="coral"),
    pytest.param(bu.PoseNetDecoder.tfjs(), posenet_fields, posenet, id="tfjs"),
    pytest.param(bu.CenterDecoder(), center_fields, centers, id="centers"),
    pytest.param(bu.TagDecoder(), tag_fields, tags, id="tags"),
    pytest.param(bu.TagDecoder.mmpose(), tag_fields, tag_systems, id="mmpose"),
    pytest.param(bu.BoxDecoder(), box_fields, boxes, id="boxes"),
]


def assert_equal(one, other):
    np.testing.assert_array_equal(one.keypoints, other.keypoints)
    np.testing.assert_array_equal(one.scores, other.scores)


@pytest.mark.parametrize(("decoder", "make_fields", "module"), KINDS)
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_a_decode_after_an_allocation_that_failed_is_right(decoder, make_fields, module, error, monkeypatch):
    small, large = make_fields(2), make_fields(1)
    expected = [decoder.decode(fields) for fields in (small, large)]
    for failing in range(60):
        decoder.decode(small)
        module._shelf._spare.clear()
        countdown = iter(range(failing, -1, -1))

        class Failing:
            empty_calls = countdown

            def __getattr__(self, name):
                return getattr(np, name)

            def empty(self, *arguments, **options):
                if next(self.empty_calls, 1) == 0:
                    raise error
                return np.empty(*arguments, **options)

        with monkeypatch.context() as patch:
            failing_np = Failing()
            for name, each in [*sys.modules.items()]:
                if name.startswith(f"{module.__package__}.") and ".kernels" not in name and hasattr(each, "np"):
                    patch.setattr(each, "np", failing_np)
            try:
                decoder.decode(large)
            except error:
                pass
            else:
                break  # it makes fewer arrays than that
        for fields, poses in zip((small, large), expected, strict=True):
            assert_equal(decoder.decode(fields), poses)
    assert 0 < failing < 59


@pytest.mark.parametrize(("decoder", "make_fields", "module"), KINDS)
def test_a_decode_inside_a_decode_disturbs_neither(decoder, make_fields, module, monkeypatch):
    outer, inner = make_fields(0), make_fields(1)
    expected = decoder.decode(outer), decoder.decode(inner)
    handled = []

    def handle(*_):
        handled.append(decoder.decode(inner))

    before = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0007)
        while len(handled) < 60:
            assert_equal(decoder.decode(outer), expected[0])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    for poses in handled:
        assert_equal(poses, expected[1])


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize(("decoder", "make_fields", "module"), KINDS)
def test_answers_stay_right_after_interrupts(decoder, make_fields, module):
    every = [make_fields(seed) for seed in range(6)]
    expected = [decoder.decode(fields) for fields in every]
    interrupts, index = 0, 0
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        while interrupts < 100:
            index = (index + 1) % 6
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.00005 + (interrupts % 10) * 0.00002)
                poses = decoder.decode(every[index])
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupts += 1
                continue
            except SystemError as error:  # CPython's words for an interrupt inside a compiled call
                if not isinstance(error.__cause__, KeyboardInterrupt):
                    raise
                interrupts += 1
                continue
            assert_equal(poses, expected[index])
            interrupts += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    for fields, poses in zip(every, expected, strict=True):
        assert_equal(decoder.decode(fields), poses)
