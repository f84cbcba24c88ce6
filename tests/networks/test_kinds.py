"""What a file is that somebody took for a model, and the way out."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest

from bottomup.errors import ModelError
from bottomup.networks.kinds import kind_of


def zipped(*names):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return held.getvalue()


def npy():
    held = io.BytesIO()
    np.save(held, np.zeros(3))
    return held.getvalue()


TFJS = json.dumps({"format": "graph-model", "modelTopology": {"node": []}, "weightsManifest": []}).encode()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tflite", b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer, not the file: fetch it"),
        ("a.tflite", b"\n<!DOCTYPE html><html>", "not a TFLite model but a web page: download the raw file"),
        ("a.tflite", b"", "not a TFLite model, its bytes 4 to 8 are b''"),
        ("a.tflite", zipped("pose_detector.tflite"), "a zip archive of TFLite models, .*: unpack it"),
        ("model.json", TFJS, "a TensorFlow.js model: convert its SavedModel"),
        ("poses.json", b'{"people": []}', "JSON, not a model: Bottomup runs .tflite, .onnx and OpenVINO .xml files"),
        ("graph.pb", b"\x0a\x10\x0a\x04data", r"a TensorFlow graph: convert it .* or to ONNX with tf2onnx"),
        ("net.h5", b"\x89HDF\r\n\x1a\n", "a Keras HDF5 file: convert it to TFLite"),
        ("net.keras", zipped("metadata.json", "config.json"), "a Keras file: convert it to TFLite"),
        ("yolo.pt", zipped("yolo/data.pkl", "yolo/version"), r"a PyTorch file: export it with torch\.onnx\.export"),
        ("old.pth", pickle.dumps({"weights": 1}), r"a Python pickle, .*: export it with torch\.onnx\.export"),
        ("street.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF", r"a JPEG picture, not a model: pass the model first"),
        ("street.png", b"\x89PNG\r\n\x1a\n", "a PNG picture, not a model"),
        ("street.webp", b"RIFF\x10\0\0\0WEBPVP8 ", "a WebP picture, not a model"),
        ("pose.caffemodel", b"\x0a\x07net", "a Caffe model: convert it to ONNX"),
        ("net.engine", b"ftrt\0\0", "a TensorRT engine: pass the .onnx file"),
        ("tensors.npz", zipped("heatmaps.npy"), "an archive of NumPy arrays, not a model: decode raw outputs"),
        ("tensors.npy", npy(), "a NumPy array: pass raw outputs to bottomup.read_outputs"),
        ("net.tflite.gz", b"\x1f\x8b\x08", "a gzip archive: unpack it"),
        ("weights.bin", b"\0" * 64, "weights without their model: pass the .xml file"),
        ("net.xml", b"<?xml version='1.0'?><annotation/>", "XML, but not an OpenVINO model"),
        ("net.onnx", b"", "empty, not an ONNX model"),
    ],
)
def test_what_is_no_model_here_is_named_with_the_way_out(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        kind_of(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_weights_beside_their_model_lead_to_it(tmp_path):
    (tmp_path / "net.bin").write_bytes(b"\0" * 64)
    (tmp_path / "net.xml").write_text("<net/>")
    with pytest.raises(ModelError, match=r"an OpenVINO model's weights: pass '.*net\.xml'"):
        kind_of(tmp_path / "net.bin")


def test_a_saved_model_is_a_folder_that_is_named(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ModelError, match="it is a TensorFlow SavedModel: convert it to TFLite"):
        kind_of(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("anything", b"\x1c\0\0\0TFL3", "tflite"),
        ("net.onnx", b"\x08\x09", "onnx"),
        ("net.xml", b"\xef\xbb\xbf<?xml version='1.0'?>\n<net name='x'>", "xml"),
    ],
)
def test_models_are_known_by_what_they_begin_with(tmp_path, name, content, kind):
    (tmp_path / name).write_bytes(content)
    assert kind_of(tmp_path / name) == kind
