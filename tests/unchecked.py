"""Fields that no caller can build, for their tensors hold NaN or infinite numbers: kernels are safe all the same."""

import copy

import numpy as np


def with_tensors(fields, **tensors):
    """Return a copy of PoseNet's fields with other tensors, unchecked."""
    changed = copy.copy(fields)
    vars(changed).clear()
    vars(changed).update(
        {name: value for name, value in vars(fields).items() if name in type(fields).__dataclass_fields__}
    )
    for name, tensor in tensors.items():
        object.__setattr__(changed, name, np.ascontiguousarray(tensor, np.float32))
    mid = tensors.get("_mid_offsets")
    if mid is not None:
        half = mid.shape[2] // 2
        object.__setattr__(changed, "displacements_fwd", changed._mid_offsets[..., :half])
        object.__setattr__(changed, "displacements_bwd", changed._mid_offsets[..., half:])
    return changed
