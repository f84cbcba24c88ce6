"""The decoder of one-stage networks, said aloud: pure NumPy, one definition a function, slow and obvious.

Hold your own port against this: `decode(fields, decoder)` answers as `decoder.decode(fields)` does, to the order of
ties.
"""

import numpy as np

from bottomup.boxes.best import BoxDecoder, as_box_fields
from bottomup.boxes.fields import BoxFields
from bottomup.boxes.reference.nms import find_owners, let_vote
from bottomup.boxes.reference.reading import read_boxes, read_keypoints, read_scores
from bottomup.errors import InputError
from bottomup.poses import Poses

__all__ = ["decode", "find_owners", "let_vote", "read_boxes", "read_keypoints", "read_scores"]


def decode(fields: BoxFields, decoder: BoxDecoder) -> Poses:
    """Return what `decoder.decode(fields)` returns, by the definition.

    Parameters
    ----------
    fields : BoxFields
        One image's rows.
    decoder : BoxDecoder
        With which parameters.

    Returns
    -------
    Poses
        In input pixels.
    """
    fields = as_box_fields(fields)
    if not isinstance(decoder, BoxDecoder):
        raise InputError(f"decoder must be a BoxDecoder, as BoxDecoder(), got {decoder!r}")
    with np.errstate(all="ignore"):  # whatever the tensors hold
        scores, classes = read_scores(fields)
        boxes = read_boxes(fields)
        sides = boxes[:, 2:] - boxes[:, :2]
        is_somewhere = np.isfinite(boxes).all(axis=1) & np.isfinite(sides).all(axis=1)
        candidates = np.flatnonzero((scores > np.float32(decoder.score_threshold)) & is_somewhere)
        order = candidates[np.argsort(-scores[candidates], kind="stable")]
        keypoints = read_keypoints(fields, scores)[order]
        scores, boxes, sides = scores[order], boxes[order], sides[order]
        owners = np.arange(len(order)) if fields.form.is_final else find_owners(boxes, classes[order], decoder)
        kept = np.flatnonzero(owners == np.arange(len(order)))[: decoder.max_poses]
        if decoder.vote_threshold < 1 and not fields.form.is_final:
            keypoints = let_vote(keypoints, scores, boxes, owners, decoder)
    shift = np.array(decoder.shift, np.float32)
    keypoints[..., :2] += shift
    found = np.concatenate([boxes[kept, :2] + shift, sides[kept]], axis=1)
    keypoints, scores = keypoints[kept], np.clip(scores[kept], 0, 1)
    if decoder.ranking == "parts":
        worth = [np.sqrt(sum(map(float, pose[:, 2])) / len(pose)) for pose in keypoints]
        scores = np.array([score * each for score, each in zip(scores, worth, strict=True)], np.float32)
        best_first = sorted(range(len(scores)), key=lambda pose: -scores[pose])
        keypoints, scores, found = keypoints[best_first], scores[best_first], found[best_first]
    return Poses(keypoints, scores, fields.skeleton, own_boxes=found)
