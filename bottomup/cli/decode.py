"""`bottomup decode`: raw tensors to poses."""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bottomup.cli.console import identity, write_json
from bottomup.cli.options import STRIDES, choose_decoder
from bottomup.errors import BottomupError, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bottomup.estimation.augmentation import Fields
    from bottomup.tensors import FieldLike


def decode_tensors(asked: argparse.Namespace) -> int:
    """Decode the tensors of an .npz file."""
    from bottomup.export import poses_json, skeleton_json
    from bottomup.paf.best import PafDecoder
    from bottomup.paf.fields import PafFields
    from bottomup.posenet.best import PoseNetDecoder

    if asked.json and identity(asked.json) == identity(asked.raw):
        raise InputError(f"--json {asked.json} is the file to decode: name another file")
    fields = _read_raw(asked.raw, asked.stride)
    own = PafDecoder() if isinstance(fields, PafFields) else PoseNetDecoder()
    poses = choose_decoder(own, asked).decode(fields)
    write_json(asked.json, {"skeleton": skeleton_json(poses.skeleton), "poses": poses_json(poses)})
    return 0


def _read_raw(path: str, stride: int | None) -> "Fields":
    """Build fields of the tensors in an .npz file, told apart as a model's outputs are."""
    from bottomup.families import family_of, read_outputs
    from bottomup.paf.layout import paf_names
    from bottomup.posenet.layout import posenet_names
    from bottomup.poses import Poses

    arrays = _read_arrays(path)
    shapes = {name: values.shape for name, values in arrays.items()}
    names: list[Any]
    try:
        of_paf = paf_names(shapes) if family_of(shapes) == "paf" else None
        if of_paf is not None:
            if of_paf.fits_both_layouts:
                raise InputError(
                    f"{of_paf.pafs} of shape {shapes[of_paf.pafs]} may be channels first or last: save heatmaps and "
                    "PAFs as two arrays"
                )
            names, (rows, columns) = [of_paf.heatmaps, of_paf.pafs], of_paf.grid
        else:
            *names, (rows, columns) = posenet_names(shapes)
        tensors = {name: _with_units(name, arrays) for name in names if name is not None}
        if stride is None:
            stride = _as_stride(arrays.get("stride", arrays.get("output_stride", 8 if of_paf else 16)))
        size = (columns * stride, rows * stride) if of_paf else ((columns - 1) * stride + 1, (rows - 1) * stride + 1)
        fields = read_outputs(tensors, size)
    except BottomupError as error:
        raise InputError(f"{path}: {error}") from error
    assert not isinstance(fields, Poses)
    return fields


def _as_stride(value: Any) -> int:
    """Return a stride out of a file, if it is one."""
    from bottomup.tensors import as_number

    stride = as_number(value, "stride")
    if stride not in STRIDES:
        raise InputError(f"stride must be 4, 8, 16 or 32 input pixels per cell, got {stride}: pass --stride")
    return int(stride)


def _read_arrays(path: str) -> "dict[str, NDArray[Any]]":
    """Return the arrays of an .npz file."""
    import numpy as np

    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise InputError(f"{path!r} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # whatever numpy and zipfile meet in damaged bytes, or in a file of another kind
        raise InputError(f"{path!r} is not an .npz file of arrays, or is damaged: save it with numpy.savez") from error


def _with_units(name: str, arrays: Mapping[str, Any]) -> "FieldLike":
    """Return a tensor; with its units, which stand beside it in the file, if it is an 8-bit one."""
    from bottomup.tensors import Quantized

    values: NDArray[Any] = arrays[name]
    base = name.removesuffix("_q")
    if values.dtype.kind not in "iu" or values.dtype.itemsize != 1:
        return values
    scale = arrays.get(f"{base}_scale")
    zero_point = arrays.get(f"{base}_zero_point", arrays.get(f"{base}_zp"))
    if scale is None or zero_point is None:
        raise InputError(f"{name} holds 8-bit levels: save {base}_scale and {base}_zero_point beside it")
    return Quantized(values, scale, zero_point)
