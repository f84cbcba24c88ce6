"""Small clips, and an estimator that sees what is in them."""

from pathlib import Path

import cv2
import numpy as np

from bottomup.poses import Poses
from bottomup.skeletons import COCO17

SIZE = 64, 48
STEP = 4  # pixels that the square moves from frame to frame


def picture(number, size=SIZE):
    """A black frame with a white square, which moves to the right."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    left = STEP * (number % 14)
    image[20:28, left : left + 8] = 255
    return image


def place_of(image):
    """Return x of the square's middle."""
    columns = np.nonzero((image[..., 0] > 128).any(axis=0))[0]
    return float(columns.mean())


def number_of(image):
    """Return the number of a frame by where its square is."""
    return round((place_of(image) - 3.5) / STEP)


def make_clip(path, count=12, fps=25, size=SIZE, codec="mp4v"):
    """Write a clip; return its path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, size)
    assert writer.isOpened()
    for number in range(count):
        writer.write(picture(number, size))
    writer.release()
    return path


class SquareEstimator:
    """Finds one person, whose nose is the square's middle, and reads two images ahead, much as the real one does."""

    skeleton, decoder = COCO17, None

    def batch(self, images):
        ahead = []
        for image in images:
            ahead.append(image)
            if len(ahead) == 3:
                yield self._find(ahead.pop(0))
        for image in ahead:
            yield self._find(image)

    def _find(self, image):
        keypoints = np.full((1, 17, 3), (np.nan, np.nan, 0), np.float32)
        keypoints[0, 0] = place_of(image), 24, 1
        keypoints[0, 11:13] = [(place_of(image), y, 1) for y in (2, 44)]
        return Poses(keypoints, [0.5], COCO17)


class FakeCapture:
    """A camera or file of OpenCV's that gives these frames, and says these things of itself."""

    def __init__(self, frames, said=(), times=(), pause=None):
        self.frames, self.said, self.times, self.pause = list(frames), dict(said), list(times), pause
        self.read_so_far, self.is_open = 0, True

    def isOpened(self):
        return self.is_open

    def read(self):
        assert self.is_open, "read after it was released"
        if self.pause is not None:
            self.pause(self.read_so_far)
        if self.read_so_far == len(self.frames):
            return False, None
        self.read_so_far += 1
        return True, self.frames[self.read_so_far - 1]

    def set(self, what, value):
        return False

    def get(self, what):
        if what == cv2.CAP_PROP_POS_MSEC and self.times:
            return self.times[self.read_so_far - 1]
        return self.said.get(what, 0.0)

    def release(self):
        self.is_open = False
