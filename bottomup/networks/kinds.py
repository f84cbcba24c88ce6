"""Recognise model files by their content: a kind that Bottomup runs, or another kind and what to do about it."""

from pathlib import Path
from typing import Literal, TypeAlias

from bottomup.errors import InputError, ModelError

__all__ = ["Kind", "kind_of"]

Kind: TypeAlias = Literal["tflite", "onnx", "xml"]

_RUN = "Bottomup runs .tflite, .onnx and OpenVINO .xml files"
_CONVERT_TF = "convert it to TFLite with tf.lite.TFLiteConverter"
#: A file's first bytes, what it is, and what to do about it.
_BEGINNINGS = (
    (b"version https://git-lfs", "a Git LFS pointer, not the file", "fetch it with git lfs pull"),
    (b"\x89HDF", "a Keras HDF5 file", f"{_CONVERT_TF}.from_keras_model"),
    (b"\xff\xd8\xff", "a JPEG picture, not a model", "pass the model first: bottomup.load(model)(picture)"),
    (b"\x89PNG", "a PNG picture, not a model", "pass the model first: bottomup.load(model)(picture)"),
    (b"\x80", "a Python pickle, like PyTorch's old .pt and .pth files", "export it with torch.onnx.export"),
    (b"\x1f\x8b", "a gzip archive", "unpack it and pass the model inside"),
    (b"BZh", "a bzip2 archive", "unpack it and pass the model inside"),
    (b"Rar!", "a RAR archive", "unpack it and pass the model inside"),
    (b"ftrt", "a TensorRT engine", "pass the .onnx file that it was built from"),
    (b"\x93NUMPY", "a NumPy array", "pass raw outputs to bottomup.read_outputs"),
)
#: The same by suffix, for files whose content does not identify them.
_SUFFIXES = {
    ".pb": ("a TensorFlow graph", f"{_CONVERT_TF}, or to ONNX with tf2onnx"),
    ".pbtxt": ("a TensorFlow graph", f"{_CONVERT_TF}, or to ONNX with tf2onnx"),
    ".h5": ("a Keras HDF5 file", f"{_CONVERT_TF}.from_keras_model"),
    ".pt": ("a PyTorch file", "export it with torch.onnx.export"),
    ".pth": ("a PyTorch file", "export it with torch.onnx.export"),
    ".caffemodel": ("a Caffe model", "convert it to ONNX, or read it with OpenCV and pass its outputs to read_outputs"),
    ".prototxt": ("a Caffe model's description", "convert the model to ONNX"),
    ".mlmodel": ("a Core ML model", "convert the original model to ONNX or TFLite"),
    ".engine": ("a TensorRT engine", "pass the .onnx file that it was built from"),
    ".trt": ("a TensorRT engine", "pass the .onnx file that it was built from"),
    ".ckpt": ("a training checkpoint", "export the model to TFLite or ONNX"),
    ".param": ("an ncnn model", "pass the .onnx file that it was made from"),
}


def kind_of(path: str | Path) -> Kind:
    """Return the kind of a model file.

    Raises
    ------
    ModelError
        If there is no such file, or Bottomup does not run its kind; the message says what it is and what to do.
    """
    if not isinstance(path, (str, Path)):
        raise InputError(f"model must be the path of a .tflite, .onnx or .xml file, got {type(path).__name__}")
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except FileNotFoundError:
        raise ModelError(
            f"there is no model file {str(path)!r}: pass the path of a .tflite, .onnx or .xml file"
        ) from None
    except IsADirectoryError:
        raise ModelError(f"{str(path)!r} cannot be opened: {_folder(path)}") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"model file {str(path)!r} cannot be opened: {error}") from error
    if head[4:8] == b"TFL3":
        return "tflite"
    found = _other(path, head)
    if found is None:
        return "xml" if path.suffix.lower() == ".xml" else "onnx"
    raise ModelError(f"{path} is {found[0]}: {found[1]}")


def _folder(path: Path) -> str:
    """Say what to do with a folder that was passed as a model."""
    if (path / "saved_model.pb").is_file():
        return f"it is a TensorFlow SavedModel: {_CONVERT_TF}.from_saved_model"
    return f"it is a folder: pass the model file in it; {_RUN}"


def _other(path: Path, head: bytes) -> tuple[str, str] | None:
    """Return what an unsupported file is and what to do about it; None for an .xml or .onnx file."""
    suffix, stripped = path.suffix.lower(), head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for beginning, what, way_out in _BEGINNINGS:
        if head.startswith(beginning):
            return what, way_out
    if head[8:12] == b"WEBP":
        return "a WebP picture, not a model", "pass the model first: bottomup.load(model)(picture)"
    if head[:4] == b"PK\3\4":
        return _archive(head)
    if stripped[:5].lower() in (b"<html", b"<!doc") and b"<net" not in head:
        return "not a TFLite model but a web page", "download the raw file"
    if stripped[:1] == b"<":
        if b"<net" in head:
            return None
        return "XML, but not an OpenVINO model", f"its first element must be <net>; {_RUN}"
    if stripped[:1] == b"{":
        return _json(head)
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    if suffix == ".onnx":
        return None if head else ("empty, not an ONNX model", "download it again")
    if suffix == ".bin":
        beside = path.with_suffix(".xml")
        if beside.is_file():
            return "an OpenVINO model's weights", f"pass {str(beside)!r}"
        return "weights without their model", "pass the .xml file of OpenVINO, or the model.json's TFLite conversion"
    what = f"not a TFLite model, its bytes 4 to 8 are {head[4:8]!r} and not b'TFL3'"
    return what, f"download it again; {_RUN}"


def _archive(head: bytes) -> tuple[str, str]:
    """Say what a zip archive is, by its first members."""
    if b"data.pkl" in head or b"/version" in head or b"archive/" in head:
        return "a PyTorch file", "export it with torch.onnx.export"
    if b"config.json" in head and b"metadata.json" in head:
        return "a Keras file", f"{_CONVERT_TF}.from_keras_model"
    if b".npy" in head:
        return "an archive of NumPy arrays, not a model", "decode raw outputs with bottomup decode"
    if b".tflite" in head:
        return "a zip archive of TFLite models, like MediaPipe's .task files", "unpack it and pass one of them"
    return "a zip archive, not a TFLite model", "unpack it and pass the model inside, or download it again"


def _json(head: bytes) -> tuple[str, str]:
    """Say what a JSON file is."""
    if any(word in head for word in (b"modelTopology", b"weightsManifest", b"graph-model", b"layers-model")):
        way_out = "convert its SavedModel with tf.lite.TFLiteConverter, or take the same network's .tflite file"
        return "a TensorFlow.js model", way_out
    return "JSON, not a model", _RUN
