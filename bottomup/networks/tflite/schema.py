"""TFLite's own schema: a file's bytes to objects and back."""

from functools import cache
from pathlib import Path
from typing import Any

from bottomup.errors import MissingRuntimeError, ModelError

__all__ = ["CUSTOM", "builtin_code", "import_schema", "numbers", "operator_names", "pack", "text", "unpack"]

CUSTOM = 32  #: the schema's number for custom operators


def import_schema() -> Any:
    """Return the generated code of TFLite's schema, which two of the runtimes include."""
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
            "pip install ai-edge-litert, even beside tflite-runtime. Where neither it nor tensorflow is available "
            "(32-bit ARM), run a model without decoder operator yourself and pass its outputs to bottomup.read_outputs"
        ) from first_error


def unpack(content: bytes, path: Path) -> Any:
    """Return a file as the schema's objects."""
    schema = import_schema()
    try:
        return schema.ModelT.InitFromPackedBuf(content, 0)
    except Exception as error:  # the schema does not expect damaged bytes: struct.error, TypeError, MemoryError
        raise ModelError(f"{path} is damaged, TFLite's schema cannot read it ({error}): download it again") from error


def pack(model: Any) -> bytes:
    """Return a model as a flatbuffer, weights on 16-byte boundaries as the schema demands."""
    import flatbuffers

    class AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]
        def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:
            return super().StartVector(elemSize, numElems, 16 if elemSize == 1 else alignment)

    model.signatureDefs = model.metadata = model.metadataBuffer = None
    model.externalBufferGroups = model.externalBuffers = None
    for operator in model.subgraphs[0].operators:
        for vector in ("squeezeDims", "newShape"):  # OpenVINO reads these even if missing
            if getattr(operator.builtinOptions, vector, 0) is None:
                setattr(operator.builtinOptions, vector, [])
    seen: set[str] = set()
    for number, tensor in enumerate(model.subgraphs[0].tensors):
        name = text(tensor.name)  # runtimes fail on names that are not UTF-8, OpenVINO on equal ones
        tensor.name = (name if name not in seen else f"{name}#{number}").encode()
        seen |= {name, f"{name}#{number}"}
    builder = AlignedBuilder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def builtin_code(code: Any) -> int:
    """Return an operator code's number; files from before 2020 have it in the other field."""
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


@cache
def operator_names() -> dict[int, str]:
    """Return the schema's names of its operators, by number."""
    return {value: name for name, value in vars(import_schema().BuiltinOperator).items() if not name.startswith("_")}


def text(name: Any) -> str:
    """Return a name from the flatbuffer as text."""
    return "" if name is None else bytes(name).decode("utf-8", errors="replace")


def numbers(vector: Any) -> list[int]:
    """Return a vector of the flatbuffer, which may be missing, as a list."""
    return [] if vector is None else [int(value) for value in vector]
