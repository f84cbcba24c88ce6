"""OpenVINO's .xml and .bin files: checked before OpenVINO parses them."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from bottomup.errors import ModelError

__all__ = ["read_ir"]

MAX_XML_BYTES = 1 << 26
MAX_ELEMENTS = 1 << 28  # in one tensor
MAX_SUM = 1 << 31  # in all tensors together
#: Operators of image networks, by their least and most inputs. Those left out hold subgraphs, keep state or come from
#: extensions.
_INPUTS = {
    (0, 0): "Const Parameter",
    (1, 1): """
        Abs AvgPool Ceiling Clamp Convert Cos DepthToSpace Elu Erf Exp Floor GRN Gelu HSigmoid HSwish HardSwish LRN Log
        LogSoftmax LogicalNot MaxPool Mish Negative ReLU Relu Result Round ShapeOf Sigmoid Sign Sin SoftMax SoftPlus
        SoftSign Softmax SpaceToDepth Sqrt Tanh""",
    (1, 2): "MVN Squeeze Swish",
    (1, 999): "Concat",
    (2, 2): """
        Add Convolution ConvertLike CumSum Divide Equal FloorMod Greater GreaterEqual GroupConvolution LeakyRelu Less
        LessEqual LogicalAnd LogicalOr LogicalXor MatMul Maximum Minimum Mod Multiply NormalizeL2 NotEqual PReLU Power
        ReduceL1 ReduceL2 ReduceLogicalAnd ReduceLogicalOr ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Reshape
        Split SquaredDifference Subtract Tile TopK Transpose Unsqueeze GatherND GatherElements""",
    (2, 3): "Broadcast ConvolutionBackpropData GroupConvolutionBackpropData",
    (2, 4): "Interpolate",
    (3, 3): "Gather HardSigmoid Range Roll ScatterNDUpdate Select Selu VariadicSplit",
    (3, 4): "Pad StridedSlice",
    (4, 4): "BatchToSpace OneHot ScatterElementsUpdate ScatterUpdate SpaceToBatch",
    (4, 5): "Slice",
    (5, 5): "BatchNormInference FakeQuantize",
    (2, 6): "NonMaxSuppression",
}
OPERATORS = {name: counts for counts, names in _INPUTS.items() for name in names.split()}
#: Bits of an element, by its name.
BITS = {"f16": 16, "bf16": 16, "f32": 32, "f64": 64, "boolean": 8, "u1": 1, "u4": 4, "i4": 4} | {
    f"{sign}{bits}": bits for sign in "iu" for bits in (8, 16, 32, 64)
}
#: Attributes that count cells and must not be 0.
COUNTS = ("strides", "dilations", "kernel")


def read_ir(path: Path) -> tuple[bytes, bytes]:
    """Check an .xml file and the .bin file beside it, and return both, the .xml reduced to layers and edges.

    Raises
    ------
    ModelError
        If either is missing, damaged or of an unsupported kind.
    """
    weights_path = path.with_suffix(".bin")
    try:
        if path.stat().st_size > MAX_XML_BYTES:
            raise ModelError(f"{path} has more than {MAX_XML_BYTES} bytes: no image network needs so many")
        text = path.read_bytes()
        weights = weights_path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(
            f"{error.filename} is missing: an OpenVINO model is two files, {path.name} and {weights_path.name}"
        ) from None
    except OSError as error:
        raise ModelError(f"model file {str(path)!r} cannot be opened: {error}") from error
    root = _parse(text, path)
    problem = next(_problems(root, len(weights)), None)
    if problem is not None:
        raise ModelError(f"{path} is damaged or of a kind that Bottomup does not run: {problem}")
    for child in [child for child in root if child.tag not in ("layers", "edges")]:
        root.remove(child)
    return ElementTree.tostring(root), weights


def _parse(text: bytes, path: Path) -> ElementTree.Element:
    """Return the root of an .xml file that declares no entities."""
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise ModelError(f"{path} declares a document type, which no OpenVINO model does: download it again")
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ModelError(f"{path} is damaged, it cannot be read as XML ({error}): download it again") from error


def _problems(root: ElementTree.Element, size: int) -> Iterator[str]:
    """Yield what is wrong with a model; nothing if it is safe to parse."""
    if root.tag != "net" or root.get("version") not in ("10", "11"):
        yield f"its first element is <{root.tag} version={root.get('version')!r}>, not <net> of version 10 or 11"
    lists = {tag: root.findall(tag) for tag in ("layers", "edges")}
    if any(len(found) != 1 for found in lists.values()):
        yield "it must have <layers> and <edges>, one of each"
    ports: dict[str, tuple[set[str], set[str]]] = {}
    total = 0
    for layer in lists["layers"][0]:
        number, kind = layer.get("id", ""), layer.get("type", "")
        what = f"layer {number} ({kind} {layer.get('name')!r})"
        if not number.isdecimal() or number in ports:
            yield f"{what} needs an id of its own"
        if kind not in OPERATORS or not layer.get("version", "opset1").startswith("opset"):
            yield f"{what} is not an operator that image networks use"
        data = layer.find("data")
        yield from (f"{what} {reason}" for reason in _layer_problems(layer, {} if data is None else data.attrib, size))
        ports[number] = _ports(layer, "input"), _ports(layer, "output")
        least, most = OPERATORS.get(kind, (0, 0))
        if not least <= len(ports[number][0]) <= most or (kind == "Result") == bool(ports[number][1]):
            yield f"{what} has {len(ports[number][0])} inputs and {len(ports[number][1])} outputs"
        for port in layer.iterfind("output/port"):
            dims = [dim.text or "" for dim in port.iterfind("dim")]
            if not all(dim.removeprefix("-").isdecimal() and int(dim) >= -1 for dim in dims) or len(dims) > 8:
                yield f"{what} has an output of shape {dims}"
            elements = math.prod(abs(int(dim)) for dim in dims)
            total += elements
            if elements > MAX_ELEMENTS or total > MAX_SUM:
                yield f"{what} has an output of shape {dims}: too many elements"
    fed = set()
    for edge in lists["edges"][0]:
        start, end = ((edge.get(f"{side}-layer", ""), edge.get(f"{side}-port", "")) for side in ("from", "to"))
        if start[1] not in ports.get(start[0], ((), ()))[1] or end[1] not in ports.get(end[0], ((), ()))[0]:
            yield f"an edge connects {start} and {end}, which do not both exist"
        if end in fed:
            yield f"two edges end at {end}"
        fed.add(end)
    wanted = {(number, port) for number, (inputs, _) in ports.items() for port in inputs}
    if fed != wanted:
        yield f"no edge ends at {sorted(wanted - fed)[:3]}"


def _ports(layer: ElementTree.Element, side: str) -> set[str]:
    return {port.get("id", "") for port in layer.iterfind(f"{side}/port")}


def _layer_problems(layer: ElementTree.Element, data: Mapping[str, Any], size: int) -> Iterator[str]:
    named = [name for name in data if "path" in name.lower() or "file" in name.lower()]
    if named or any(str(value).startswith(("/", "\\", "file:", "http")) for value in data.values()):
        yield "names a file, which layers must not do"
    for name in COUNTS:
        counts = _numbers(data.get(name, "1"))
        if counts is None or not all(1 <= count <= 1 << 15 for count in counts):
            yield f"has {name} {data[name]!r}"
    if layer.get("type") == "Const":
        yield from _constant_problems(data, size)


def _constant_problems(data: Mapping[str, Any], size: int) -> Iterator[str]:
    shape = _numbers(data.get("shape", ""))
    place = _numbers(f"{data.get('offset')},{data.get('size')}")
    bits = BITS.get(data.get("element_type", ""))
    if shape is None or place is None or len(place) != 2 or bits is None or min([*shape, *place], default=0) < 0:
        yield f"is a constant of shape {data.get('shape')!r} and type {data.get('element_type')!r}"
        return
    offset, length = place
    if length != -(-math.prod(shape) * bits // 8) or offset + length > size:
        yield f"is a constant of shape {shape} in {length} bytes at offset {offset}, of {size} bytes"


def _numbers(text: str) -> list[int] | None:
    """Return the integers of a comma-separated list; None if it is something else."""
    try:
        return [int(part) for part in text.split(",")] if text.strip() else []
    except ValueError:
        return None
