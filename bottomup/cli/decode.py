"""`bottomup decode`: raw tensors to poses."""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bottomup.cli.console import complain, identity, write_json
from bottomup.cli.loading import size
from bottomup.cli.options import add_decoder_options, choose_decoder
from bottomup.cli.parsing import add_command
from bottomup.errors import BottomupError, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bottomup.tensors import FieldLike


def add_parser(commands: Any) -> None:
    """Add this command."""
    parser = add_command(
        commands,
        "decode",
        help="decode raw tensors",
        description="Decode a network's raw outputs into poses.",
        command=decode_tensors,
    )
    parser.add_argument(
        "raw",
        metavar="RAW.npz",
        help="the tensors of one image, by name; 8-bit ones need NAME_scale and NAME_zero_point beside them",
    )
    parser.add_argument("--json", metavar="FILE", help="file for the poses (default: standard output)")
    parser.add_argument(
        "--stride",
        type=float,
        metavar="N",
        help="input pixels per cell (default: from --input-size or the file, else the usual stride of such networks)",
    )
    parser.add_argument(
        "--input-size", type=size, metavar="WxH", help="width and height of the network's input, such as 641x481"
    )
    parser.add_argument(
        "--skeleton", metavar="FILE", help="JSON file with the parts of a network trained on other parts"
    )
    add_decoder_options(parser, default_help="best")


def decode_tensors(asked: argparse.Namespace) -> int:
    """Decode the tensors of an .npz file."""
    from bottomup.export import poses_json, skeleton_json
    from bottomup.families import family_of
    from bottomup.poses import Poses
    from bottomup.skeletons import read_skeleton

    if asked.json and identity(asked.json) == identity(asked.raw):
        raise InputError(f"--json {asked.json} is the file to decode: name another file")
    skeleton = None if asked.skeleton is None else read_skeleton(asked.skeleton)
    fields = _read_raw(asked.raw, asked.stride, asked.input_size, skeleton)
    about: dict[str, Any] = {}
    if isinstance(fields, Poses):
        poses = fields
    else:
        family = family_of(fields)
        decoder = choose_decoder(family, family.decoders["best"](), asked)
        poses = fields if decoder is None else decoder.decode(fields)
        if getattr(fields, "output_stride", None) is not None:
            about["output_stride"] = fields.output_stride
    write_json(asked.json, {"skeleton": skeleton_json(poses.skeleton), **about, "poses": poses_json(poses)})
    return 0


def _read_raw(path: str, stride: float | None, input_size: Any, skeleton: Any) -> Any:
    """Build fields of the tensors in an .npz file, told apart as a model's outputs are."""
    from bottomup.families import read_outputs
    from bottomup.tensors import as_number

    arrays = _read_arrays(path)
    try:
        tensors = _with_units(arrays)
        for name in ("output_stride", "stride"):
            if stride is None and input_size is None and name in arrays:
                stride = as_number(arrays[name], name)
        if stride is None and input_size is None and "input_size" in arrays:
            input_size = tuple(arrays["input_size"].reshape(-1).tolist())
        is_assumed = stride is None and input_size is None
        if is_assumed:
            stride = _usual_stride(tensors, skeleton)
        fields = read_outputs(tensors, input_size, output_stride=stride, skeleton=skeleton)
    except BottomupError as error:
        raise InputError(f"{path}: {error}") from error
    if is_assumed and stride is not None:
        complain(
            f"{path}: the file does not tell its stride, {stride:g} input pixels per cell are assumed: pass --stride "
            "or --input-size"
        )
    return fields


def _usual_stride(tensors: "Mapping[str, FieldLike]", skeleton: Any) -> float | None:
    """Return the stride that most networks of such tensors have, None where no stride is needed."""
    from bottomup.families import FAMILIES, clues_of

    clues = clues_of(tensors, skeleton=skeleton)
    for family in FAMILIES:
        if family.recognise(clues._replace(output_stride=family.default_stride)) is not None:
            return family.default_stride
    return None


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


def _with_units(arrays: "Mapping[str, NDArray[Any]]") -> "dict[str, FieldLike]":
    """Return the tensors among the arrays; 8-bit ones with their units, which stand beside them in the file."""
    from bottomup.tensors import Quantized, as_number

    tensors: dict[str, FieldLike] = {}
    for name, values in arrays.items():
        if values.ndim < 2:
            continue  # units, a stride, a size
        base = name.removesuffix("_q")
        if values.dtype.kind not in "iu" or values.dtype.itemsize != 1:
            tensors[name] = values
            continue
        scale = arrays.get(f"{base}_scale")
        zero_point = arrays.get(f"{base}_zero_point", arrays.get(f"{base}_zp"))
        if scale is None or zero_point is None:
            raise InputError(f"{name} holds 8-bit levels: save {base}_scale and {base}_zero_point beside it")
        tensors[name] = Quantized(values, as_number(scale, f"{base}_scale"), zero_point)  # type: ignore[arg-type]
    return tensors
