"""The decoder for one-stage networks: a threshold, then the best of the rows that show the same person."""

import math
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.batch import BatchDecoder
from bottomup.boxes.fields import BoxFields
from bottomup.errors import InputError
from bottomup.parameters import check, choice, pair, score, switch, whole
from bottomup.poses import Poses
from bottomup.workspaces import Shelf

__all__ = ["BoxDecoder"]


class Rules(NamedTuple):
    """What the kernel is told of a decoder."""

    max_poses: int
    score_threshold: np.float32
    lowest: np.float32  #: value of a class below which no row scores above the threshold
    iou_threshold: np.float32
    vote_threshold: np.float32
    last_pixel: np.float32  #: what to add to the sides of a box
    shift_x: np.float32  #: what to add to positions
    shift_y: np.float32


class Workspace(NamedTuple):
    """Arrays that the kernel writes to, with room for R rows and P people."""

    heap_scores: NDArray[np.float32]  #: (R,)
    heap_rows: NDArray[np.int64]  #: (R,)
    kept: NDArray[np.float32]  #: (6, P) left, top, right, bottom, area and class of the boxes that stay
    shares: NDArray[np.float32]  #: (P,) of their union with another box
    votes: NDArray[np.float64]  #: (P, N, 3) sums of x, y and 1, by scores
    voter: NDArray[np.float32]  #: (N, 3) parts of a row


class Box(NamedTuple):
    """A box as the kernel compares it; it makes them itself."""

    left: np.float32
    top: np.float32
    right: np.float32
    bottom: np.float32
    area: np.float32
    number: np.float32  #: its class


class Room(NamedTuple):
    """What a decode takes from the shelf."""

    workspace: tuple[Any, ...]  #: a plain tuple of `Workspace`
    keypoints: NDArray[np.float32]  #: (P, N, 3) the answer
    boxes: NDArray[np.float32]  #: (P, 4)
    scores: NDArray[np.float32]  #: (P,)


_shelf: Shelf[Room] = Shelf()


@dataclass(frozen=True)
class BoxDecoder(BatchDecoder[BoxFields]):
    """Decode the rows of one-stage networks: YOLO-pose, YOLOX-pose, RTMO.

    Rows that score above the threshold are taken best first; among equals,
    the first in the tensor. A row whose box overlaps a better one of its class
    too much is left out: greedy non-maximum suppression, as in Ultralytics and
    mmpose. If the network itself returns one row per person (end to end), only
    the threshold counts. A part's score is its visibility, clipped to [0, 1];
    rows whose box is not finite are ignored.

    Attributes
    ----------
    score_threshold : float
        A row's score is above this. 0.25 as in Ultralytics' predictions; its
        validation uses 0.001, mmpose 0.01. A good AP needs a low threshold.
    iou_threshold : float
        Two boxes that share more than this part of their union show one person. 0.7 as in Ultralytics; mmpose: 0.65.
    vote_threshold : float
        A row that is left out votes for where the parts of the better one are,
        if their boxes share more than this part of their union: each part
        moves to the mean, weighted by score and visibility. 1 means no votes,
        as in the systems named. With 0.8, which `bottomup.load` uses, AP rises
        from .298 to .336 (YOLOv8n in 8 bits, 320 x 320).
    max_poses : int
        Maximum number of people, up to 500. 300 as in Ultralytics.
    ranking : {"box", "parts"}
        A pose's score: "box" is the box's score, as in the systems named;
        "parts" multiplies it by the root of the parts' mean score, because a
        box whose parts are guesses is worth less. AP .336 and .340; on another
        network .257 and .262.
    count_last_pixel : bool
        Add a pixel to the sides of boxes when computing overlaps, as rtmlib
        does.
    shift : float or (float, float)
        Added to x and y of every keypoint and box, in input pixels.

    Raises
    ------
    InputError
        If a parameter is invalid.

    References
    ----------
    Neubeck and Van Gool, "Efficient Non-Maximum Suppression", ICPR 2006.

    Examples
    --------
    >>> fields = BoxFields.from_yolo(np.zeros((1, 56, 2100)), input_size=(320, 320))
    >>> len(BoxDecoder().decode(fields))
    0
    """

    score_threshold: float = score(0.25)
    iou_threshold: float = score(0.7)
    max_poses: int = whole(300, high=500)
    vote_threshold: float = score(1.0)
    ranking: Literal["box", "parts"] = choice("box", "parts")
    count_last_pixel: bool = switch(False)
    shift: tuple[float, float] = pair(0.0)

    def __post_init__(self) -> None:
        check(self)

    @classmethod
    def rtmlib(cls, *, score_threshold: float = 0.7, iou_threshold: float = 0.45, max_poses: int = 300) -> "BoxDecoder":
        """Decode as rtmlib does after RTMO: suppress overlapping boxes once more, counting the last pixel.

        rtmlib's score threshold of 0.7 loses people; 0.3 is usual.
        """
        return cls(score_threshold, iou_threshold, max_poses, count_last_pixel=True)

    def decode(self, fields: BoxFields) -> Poses:
        """Return the poses of one image, best first, in input pixels.

        Parameters
        ----------
        fields : BoxFields
            One image's rows, float or quantised.

        Returns
        -------
        Poses
            At most `max_poses`, with the network's boxes.

        Raises
        ------
        InputError
            If `fields` is not a BoxFields.
        """
        bundles, form = as_box_fields(fields).bundles, fields.form
        num_rows, shape = fields.rows.shape[0], (self.max_poses, form.parting.num_parts, 3)
        room = _shelf.take(
            lambda spare: len(spare.workspace[0]) >= num_rows and spare.keypoints.shape == shape,
            lambda: _make_room(num_rows, shape),
        )
        rules = self._rules_of_logits if form.scoring.is_logits else self._rules
        answer = room.keypoints, room.boxes, room.scores
        found = _kernel()(*bundles, form.is_final, rules, room.workspace, *answer)
        keypoints, boxes, scores = (each[:found].copy() for each in answer)
        _shelf.put_back(room)
        if self.ranking == "parts":
            scores = (scores * np.sqrt(keypoints[..., 2].mean(axis=1, dtype=np.float64))).astype(np.float32)
            order = np.argsort(-scores, kind="stable")
            keypoints, boxes, scores = keypoints[order], boxes[order], scores[order]
        return Poses.of_decoder(keypoints, scores, fields.skeleton, boxes=boxes)

    @cached_property
    def _rules(self) -> tuple[Any, ...]:
        return self._make_rules(self.score_threshold)

    @cached_property
    def _rules_of_logits(self) -> tuple[Any, ...]:
        threshold = min(self.score_threshold, 0.999)  # beyond, a float32 logit says little about the score
        return self._make_rules(math.log(threshold / (1 - threshold)) if threshold > 0 else -math.inf)

    def _make_rules(self, lowest: float) -> tuple[Any, ...]:
        """Return the kernel's rules; a row is looked at if its class is near `lowest`, and then compared exactly."""
        rules = Rules(
            max_poses=self.max_poses,
            score_threshold=np.float32(self.score_threshold),
            lowest=np.float32(lowest - 0.01),
            iou_threshold=np.float32(self.iou_threshold),
            vote_threshold=np.float32(self.vote_threshold),
            last_pixel=np.float32(self.count_last_pixel),
            shift_x=np.float32(self.shift[0]),
            shift_y=np.float32(self.shift[1]),
        )
        return tuple(rules)


def as_box_fields(fields: Any) -> BoxFields:
    """Return fields, if they are BoxFields."""
    if not isinstance(fields, BoxFields):
        raise InputError(
            f"fields must be BoxFields, got {type(fields).__name__}: build them with BoxFields.from_yolo, "
            "from_yolo_heads, from_yolox or from_rtmo"
        )
    return fields


def _make_room(num_rows: int, shape: tuple[int, int, int]) -> Room:
    most = shape[0]
    workspace = Workspace(
        heap_scores=np.empty(num_rows, np.float32),
        heap_rows=np.empty(num_rows, np.int64),
        kept=np.empty((6, most), np.float32),
        shares=np.empty(most, np.float32),
        votes=np.empty(shape, np.float64),
        voter=np.empty(shape[1:], np.float32),
    )
    answer = np.empty(shape, np.float32), np.empty((most, 4), np.float32), np.empty(most, np.float32)
    return Room(tuple(workspace), *answer)


@cache
def _kernel() -> Any:
    """Return the loops; numba is imported here, on first use."""
    from bottomup.boxes.kernels.best import decode_rows

    return decode_rows
