"""Descriptive names, found elsewhere in the graph, for outputs whose own names say nothing."""

import re
from collections.abc import Iterable, Mapping

__all__ = ["aliases", "telling"]

#: Names that converters give to unnamed tensors.
_NOTHING = re.compile(
    r"(?:StatefulPartitionedCall|PartitionedCall|Identity|outputs?|out|serving_default|tensor|const|weights?|bias(?:add)?"
    r"|kernel|model|functional|sequential|layers?|conv(?:2d|olution)?|depthwise|separable|onnx|node|transpose|sigmoid"
    r"|quant(?:ize)?|readvariableop|result|port|\d|[:/_.;#-])*",
    re.IGNORECASE,
)


def telling(names: Iterable[str]) -> str | None:
    """Return the first name that says something; None if none does.

    Examples
    --------
    >>> telling(["StatefulPartitionedCall:3", "MobilenetV1/displacement_fwd_2/Conv2D"])
    'MobilenetV1/displacement_fwd_2/Conv2D'
    >>> telling(["Identity_1", "model/conv2d_7/Conv2D"]) is None
    True
    """
    return next((name for name in names if not _NOTHING.fullmatch(name)), None)


def aliases(candidates: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Return descriptive names for outputs whose own names say nothing, except names that several would share.

    Parameters
    ----------
    candidates : mapping of str to iterable of str
        For each output, the names of the tensors it is computed from, nearest first.
    """
    found = {name: telling(others) for name, others in candidates.items() if telling([name]) is None}
    given = [*found.values(), *(name for name in candidates if name not in found)]
    return {name: other for name, other in found.items() if other is not None and given.count(other) == 1}
