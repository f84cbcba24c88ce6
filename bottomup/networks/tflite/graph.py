"""Model files: read, checked, rid of Coral's decoder operator, written anew for the runtime.

A damaged model file must end in a `ModelError`; inside a runtime it may end
the process. So no runtime sees a file as it was found. The file is unpacked
with TFLite's own schema, what it says is checked (`validate`), and it is
packed again: all offsets and lengths in what the runtime gets are ours.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bottomup.errors import InputError, MissingRuntimeError, ModelError
from bottomup.networks.tflite.validate import BUILTIN_CODE_CUSTOM, builtin_code, problems

DECODER_OP = "PosenetDecoderOp"
EDGETPU_OP = "edgetpu-custom-op"


class DecoderOptions(NamedTuple):
    """What a file's `PosenetDecoderOp` was set to."""

    output_stride: int  #: input pixels per cell
    max_poses: int
    score_threshold: float
    nms_radius: float  #: input pixels


@dataclass(frozen=True, eq=False)
class Graph:
    """A model that was read and checked.

    Attributes
    ----------
    path : Path
        The file that it came from.
    content : bytes
        The model as a runtime gets it, without `PosenetDecoderOp`.
    output_names : tuple of str
        Names of the outputs, in the model's order: those of the model's
        signature where it has one, else those of the tensors.
    custom_ops : tuple of str
        Operators that only a delegate can run.
    operators : frozenset of str
        Names of the built-in operators.
    decoder_options : DecoderOptions, optional
        Of the `PosenetDecoderOp` that was taken out.
    open_size : bool
        Whether the input's width or height is left open.
    """

    path: Path
    content: bytes
    output_names: tuple[str, ...]
    custom_ops: tuple[str, ...]
    operators: frozenset[str]
    decoder_options: DecoderOptions | None
    open_size: bool


def read_graph(path: str | Path) -> Graph:
    """Read a .tflite file, check it, and take Coral's decoder operator out.

    The operator's inputs, which are the network's raw outputs, become the
    graph's outputs; outputs that do not come from it stay. Signatures and
    metadata are left behind, once their names are read.

    Raises
    ------
    ModelError
        If there is no such file, it is damaged, or it is a decoder without a network.
    MissingRuntimeError
        If TFLite's schema is not installed.
    """
    if not isinstance(path, (str, Path)):
        raise InputError(f"model must be the path of a .tflite file, got {type(path).__name__}")
    path = Path(path)
    model = _unpack(_read_bytes(path), path)
    problem = next(problems(model), None)
    if problem is not None:
        raise ModelError(f"{path} is damaged or of a kind that Bottomup does not run: {problem}")
    names = _signature_names(model)
    options = _take_decoder_out(model, path)
    graph = model.subgraphs[0]
    codes = [model.operatorCodes[operator.opcodeIndex] for operator in graph.operators]
    custom = {_text(code.customCode) for code in codes if builtin_code(code) == BUILTIN_CODE_CUSTOM}
    return Graph(
        path,
        _pack(model),
        _unique([names.get(int(index)) or _text(graph.tensors[index].name) for index in graph.outputs]),
        tuple(sorted(custom)),
        frozenset(_operator_name(builtin_code(code)) for code in codes),
        options,
        any(-1 in _list(graph.tensors[index].shapeSignature)[1:3] for index in graph.inputs),
    )


def _read_bytes(path: Path) -> bytes:
    """Return the bytes of what at least says it is a TFLite file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"there is no model file {str(path)!r}: pass the path of a .tflite file") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"model file {str(path)!r} cannot be opened: {error}") from error
    if content[4:8] != b"TFL3":
        hint = "download it again"
        if content.startswith(b"version https://git-lfs"):
            hint = "this is a Git LFS pointer, not the file: fetch it with git lfs pull"
        elif content.lstrip()[:1] == b"<":
            hint = "this is a web page: download the raw file"
        raise ModelError(f"{path} is not a TFLite model, its bytes 4 to 8 are {content[4:8]!r} and not b'TFL3': {hint}")
    return content


def _import_schema() -> Any:
    """Return the generated code of TFLite's schema, which two of the runtimes bring along."""
    try:
        from ai_edge_litert import schema_py_generated

        return schema_py_generated
    except ImportError as error:
        first_error = error
    try:
        from tensorflow.lite.python import schema_py_generated

        return schema_py_generated
    except ImportError:
        raise MissingRuntimeError(
            f"reading a model file needs TFLite's schema, which is not installed ({first_error}): "
            "pip install ai-edge-litert, also beside tflite-runtime. Where neither it nor tensorflow can be had "
            "(32-bit ARM), run a model without decoder operator yourself and pass its outputs to bottomup.read_outputs"
        ) from first_error


def _unpack(content: bytes, path: Path) -> Any:
    """Return the file as the schema's objects."""
    schema = _import_schema()
    try:
        return schema.ModelT.InitFromPackedBuf(content, 0)
    except Exception as error:  # damaged bytes meet code that expects none: struct.error, TypeError, MemoryError
        raise ModelError(f"{path} is damaged, TFLite's schema cannot read it ({error}): download it again") from error


def _pack(model: Any) -> bytes:
    """Return the model as a flatbuffer, weights on 16-byte boundaries as the schema demands."""
    import flatbuffers

    class AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]
        def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:
            return super().StartVector(elemSize, numElems, 16 if elemSize == 1 else alignment)

    model.signatureDefs = model.metadata = model.metadataBuffer = None
    model.externalBufferGroups = model.externalBuffers = None
    for tensor in model.subgraphs[0].tensors:
        tensor.name = _text(tensor.name).encode()  # runtimes fail over names that are no UTF-8
    builder = AlignedBuilder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _take_decoder_out(model: Any, path: Path) -> DecoderOptions | None:
    """Drop `PosenetDecoderOp`, if there is one, and make its inputs the graph's outputs."""
    graph = model.subgraphs[0]
    decoders = [op for op in graph.operators if _text(model.operatorCodes[op.opcodeIndex].customCode) == DECODER_OP]
    if not decoders:
        return None
    decoder = decoders[0]
    if len(decoders) > 1 or set(decoder.outputs) & {index for op in graph.operators for index in op.inputs}:
        raise ModelError(f"{path} computes on with the poses of its {DECODER_OP}: only one at the end can be taken out")
    if set(decoder.inputs) & set(graph.inputs):
        raise ModelError(
            f"{path} is a decoder without a network: load the *_quant_decoder.tflite file, which holds both"
        )
    graph.operators = [op for op in graph.operators if op is not decoder]
    rest = [index for index in graph.outputs if index not in set(decoder.outputs) | set(decoder.inputs)]
    graph.outputs = [*_list(decoder.inputs), *rest]
    return _decoder_options(decoder, path)


def _decoder_options(decoder: Any, path: Path) -> DecoderOptions:
    """Read the operator's options, a flexbuffer map."""
    from flatbuffers import flexbuffers

    try:
        options = flexbuffers.Loads(bytes(decoder.customOptions))
        found = DecoderOptions(
            int(options["stride"]),
            int(options["max_detections"]),
            float(options["score_threshold"]),
            float(options["nms_radius"]),
        )
    except Exception as error:  # flexbuffers checks nothing of what it reads
        raise ModelError(f"{path} is damaged, the options of its {DECODER_OP} cannot be read: {error!r}") from error
    sane = 1 <= found.output_stride <= 64 and 1 <= found.max_poses <= 10_000
    if not (sane and 0 <= found.score_threshold <= 1 and 0 <= found.nms_radius <= 10_000):
        raise ModelError(f"{path} is damaged, the options of its {DECODER_OP} cannot be: {found}")
    return found


def _signature_names(model: Any) -> dict[int, str]:
    """Return the names that the model's only signature gives to tensors, by tensor index."""
    signatures = model.signatureDefs or []
    if len(signatures) != 1:
        return {}
    outputs = signatures[0].outputs or []
    return {int(output.tensorIndex): _text(output.name) for output in outputs}


def _operator_name(code: int) -> str:
    """Return the schema's name of a built-in operator."""
    operators = vars(_import_schema().BuiltinOperator)
    return next((name for name, value in operators.items() if value == code), f"operator {code}")


def _unique(names: list[str]) -> tuple[str, ...]:
    """Number the later ones of equal names."""
    return tuple(name if name not in names[:at] else f"{name}#{at}" for at, name in enumerate(names))


def _text(name: Any) -> str:
    """Return a name from the flatbuffer as text."""
    return "" if name is None else bytes(name).decode("utf-8", errors="replace")


def _list(vector: Any) -> list[int]:
    """Return a vector of the flatbuffer, which may be missing, as a list."""
    return [] if vector is None else [int(value) for value in vector]
