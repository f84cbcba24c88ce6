"""Masks in COCO's format: run-length encoded."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bottomup.errors import InputError

__all__ = ["coco_rle"]


def coco_rle(mask: ArrayLike) -> dict[str, Any]:
    """Return one mask in COCO's compressed run-length encoding, ready for `json.dumps`.

    The result equals that of `pycocotools.mask.encode` byte for byte, with the
    counts as text; `pycocotools.mask.decode` and `COCO.annToMask` read it.

    Parameters
    ----------
    mask : (H, W) array
        Nonzero where the person is.

    Raises
    ------
    InputError
        If `mask` is not a single mask.

    Examples
    --------
    >>> coco_rle([[0, 1, 1], [0, 1, 0]])
    {'size': [2, 3], 'counts': '231'}
    """
    try:
        array = np.asarray(mask, bool)
    except ValueError as error:  # rows of different length
        raise InputError(f"mask must have shape (H, W): {error}") from error
    if array.ndim != 2:
        raise InputError(f"mask must have shape (H, W), got {array.shape}: pass one person's, masks[0]")
    down_the_columns = np.concatenate([[False], array.T.reshape(-1)])
    changes = np.flatnonzero(down_the_columns[1:] != down_the_columns[:-1])
    runs = np.diff(np.concatenate([[0], changes, [array.size]]))
    return {"size": list(array.shape), "counts": _as_text(runs.tolist())}


def _as_text(runs: list[int]) -> str:
    """Return run lengths as COCO's text: each minus the last but one, five bits per letter, lowest bits first."""
    letters = []
    for number, run in enumerate(runs):
        left = run - runs[number - 2] if number > 2 else run
        more = True
        while more:
            bits, left = left & 31, left >> 5
            more = left != (-1 if bits & 16 else 0)
            letters.append(chr(48 + bits + 32 * more))
    return "".join(letters)
