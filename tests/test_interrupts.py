"""A decoder answers Ctrl-C within a second, whatever its tensors hold.

This file is run as a process of its own, which decodes the noise of a 4K image without end and says when it was
interrupted.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import bottomup as bu

ROOT = Path(bu.__file__).parents[1]
SIZE, STRIDE = (3840, 2160), 8
DELAYS = (0.02, 0.11, 0.3)  # seconds from the start of decoding to Ctrl-C
SLACK = 0.5  # seconds, for a machine that is busy with something else


def noise(channels, spread=1.0):
    cells = SIZE[1] // STRIDE, SIZE[0] // STRIDE
    return np.random.default_rng(channels).standard_normal((*cells, channels), dtype=np.float32) * np.float32(spread)


def posenet():
    tensors = noise(17, 4), noise(34, 8), noise(32, 30), noise(32, 30)
    return bu.PoseNetDecoder(), bu.PoseNetFields.from_displacements(*tensors, output_stride=STRIDE)


def paf():
    fields = bu.PafFields(noise(18, 0.5) + 0.5, noise(38), skeleton=bu.OPENPOSE18, output_stride=STRIDE)
    return bu.PafDecoder(), fields


def centers():
    tensors = noise(1, 4), noise(17, 4), noise(34, 8), noise(34, 0.5)
    return bu.CenterDecoder(), bu.CenterFields(*tensors, output_stride=STRIDE)


def tags():
    return bu.TagDecoder(), bu.TagFields(noise(17, 0.5) + 0.5, noise(17), output_stride=STRIDE)


def boxes():
    generator, rows = np.random.default_rng(0), 170_160  # as many as a network gives for this input
    output = generator.uniform(0, 2000, (1, 56, rows)).astype(np.float32)
    output[0, 4] = generator.uniform(0.3, 1, rows)
    output[0, 7::3] = generator.uniform(0, 1, (17, rows))
    return bu.BoxDecoder(), bu.BoxFields.from_yolo(output, input_size=SIZE)


FAMILIES = {make.__name__: make for make in (posenet, paf, centers, tags, boxes)}


def decode_without_end():
    """Decode until Ctrl-C, once for each delay; print each time the clock when it comes through."""
    decoder, fields = FAMILIES[sys.argv[1]]()
    decoder.decode(fields)  # compiles
    for _ in DELAYS:
        try:
            sys.stdout.write("decoding\n")
            sys.stdout.flush()
            while True:
                decoder.decode(fields)
        except KeyboardInterrupt:
            sys.stdout.write(f"{time.monotonic()}\n")
            sys.stdout.flush()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to whole consoles")
@pytest.mark.parametrize("family", FAMILIES)
def test_a_decoder_answers_ctrl_c_within_a_second(family):
    child = subprocess.Popen(
        [sys.executable, __file__, family],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    with child:
        try:
            for delay in DELAYS:
                line = child.stdout.readline()
                assert line == "decoding\n", child.stderr.read()
                time.sleep(delay)
                pressed = time.monotonic()
                child.send_signal(signal.SIGINT)
                assert float(child.stdout.readline()) - pressed < 1 + SLACK
            assert child.wait(10) == 0
        finally:
            child.kill()


if __name__ == "__main__":
    decode_without_end()
