"""Keep the indices that an OpenVINO model computes within its tensors, where OpenVINO itself does not look."""

from typing import Any

import numpy as np

__all__ = ["bound_indices"]


def bound_indices(model: Any) -> None:
    """Clamp the indices of every GatherND and ScatterElementsUpdate, in place.

    OpenVINO reads and writes wherever these point, which ends the process or shows memory of others. Its other
    operators with indices give 0 or an error beyond a tensor's ends.
    """
    from openvino import opset8 as ops

    for node in model.get_ordered_ops():
        kind, indices = node.get_type_name(), node.input(1) if len(node.inputs()) > 1 else None
        if indices is None or kind not in ("GatherND", "ScatterElementsUpdate"):
            continue
        given = indices.get_source_output()
        whole = ops.shape_of(node.input_value(0), given.get_element_type().get_type_name())
        if kind == "GatherND":
            batch = node.get_attributes()["batch_dims"]
            axes = ops.range(batch, ops.add(batch, _last(ops, given)), 1, "i64")
        else:
            axes = node.input_value(3)
        sizes = ops.gather(whole, axes, ops.constant(0))
        one = ops.constant(np.array(1), given.get_element_type())
        bounded = ops.minimum(ops.maximum(given, ops.negative(sizes)), ops.subtract(sizes, one))
        indices.replace_source_output(bounded.output(0))


def _last(ops: Any, value: Any) -> Any:
    """Return the size of a tensor's last axis."""
    return ops.gather(ops.shape_of(value, "i64"), ops.constant(-1), ops.constant(0))
