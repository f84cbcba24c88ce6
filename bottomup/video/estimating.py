"""People in the frames of a video."""

import contextlib
import dataclasses
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.estimation.estimator import PoseEstimator
from bottomup.poses import Poses
from bottomup.tracking import Tracker
from bottomup.video.reading import Picture, Reader

__all__ = ["Frame", "estimate"]


class Frame(NamedTuple):
    """One frame of a video, and the people in it."""

    number: int  #: from 0; a camera's numbers have gaps where frames came too fast
    time: float  #: seconds from the start of the video
    image: NDArray[np.uint8]  #: (height, width, 3), BGR, upright
    poses: Poses  #: in pixels of the image


def estimate(
    estimator: PoseEstimator, source: str | Path | int | Reader, *, tracker: Tracker | None = None
) -> Iterator[Frame]:
    """Find the people in each frame of a video, in order.

    One thread reads ahead of the network and another decodes behind it, by a
    few frames at most, so this works for cameras and videos of any length.
    Closing the iterator ends the threads and closes the file or camera.

    Parameters
    ----------
    estimator : PoseEstimator
        From `bottomup.load`.
    source : str, Path, int or Reader
        A file, a camera's number, from 0, or a URL; or a `Reader`, which
        gives more information about the video and stays open.
    tracker : tracking.Tracker, optional
        Gives people ids that they keep, and can smooth their motion. Its score thresholds replace the estimator's
        `min_score`.

    Yields
    ------
    Frame
        Its number, time, pixels and poses.

    Raises
    ------
    InputError
        If the file or camera cannot be opened, or has no frames.

    Examples
    --------
    >>> import bottomup as bu
    >>> for frame in bu.video.estimate(bu.load(), "street.mp4"):  # doctest: +SKIP
    ...     print(frame.number, frame.time, len(frame.poses))
    """
    if tracker is not None and isinstance(estimator, PoseEstimator):  # the tracker decides which poses to drop
        estimator = dataclasses.replace(estimator, min_score=0.0)
    if isinstance(source, Reader):
        return _frames(estimator, source, tracker)
    return _closing(Reader(source), estimator, tracker)


def _closing(reader: Reader, estimator: PoseEstimator, tracker: Tracker | None) -> Iterator[Frame]:
    with reader:
        yield from _frames(estimator, reader, tracker)


def _frames(estimator: PoseEstimator, reader: Reader, tracker: Tracker | None) -> Iterator[Frame]:
    """Yield the frames of an open reader."""
    waiting: deque[Picture] = deque()
    with contextlib.ExitStack() as stack:
        pictures = iter(reader)
        stack.callback(pictures.close)

        def images() -> Iterator[NDArray[np.uint8]]:
            for picture in pictures:
                waiting.append(picture)
                yield picture.image

        found: Any = estimator.batch(images())
        stack.callback(found.close)  # before `pictures` closes, so that no thread is reading
        for poses in found:
            picture = waiting.popleft()
            if tracker is not None:
                poses = tracker.update(poses, picture.time)
            yield Frame(*picture, poses)
