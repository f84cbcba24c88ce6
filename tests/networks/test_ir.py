"""OpenVINO's .xml and .bin files: what is refused before OpenVINO sees it."""

import importlib.util
import re

import pytest

from bottomup.errors import ModelError
from bottomup.networks.ir import read_ir

if not all(map(importlib.util.find_spec, ("openvino", "onnx"))):
    pytest.skip("openvino and onnx are not installed", allow_module_level=True)

from tests.fuzz.ir_files import whole


@pytest.fixture
def write(tmp_path):
    """Write a good model's two files, spoiled; return the path of the .xml file."""

    def write(spoil=lambda xml: xml, weights=lambda content: content):
        xml, content = whole()
        (tmp_path / "net.xml").write_text(spoil(xml), encoding="utf-8")
        (tmp_path / "net.bin").write_bytes(weights(content))
        return tmp_path / "net.xml"

    return write


def replaced(old, new):
    def spoil(xml):
        assert old in xml
        return xml.replace(old, new, 1)

    return spoil


def test_a_good_model_is_handed_over_without_what_is_written_about_it(write):
    text, weights = read_ir(write())
    assert b"<layers>" in text
    assert b"rt_info" not in text.split(b"</edges>")[1]
    assert weights == whole()[1]


def test_weights_that_are_missing_are_named(write):
    path = write()
    path.with_suffix(".bin").unlink()
    with pytest.raises(ModelError, match=r"net\.bin is missing: an OpenVINO model is two files, net\.xml and net\.bin"):
        read_ir(path)


def test_weights_that_are_cut_short_are_damage(write):
    with pytest.raises(ModelError, match="in 672 bytes at offset 432, of 1000 bytes"):
        read_ir(write(weights=lambda content: content[:1000]))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (replaced('type="Convolution"', 'type="Loop"'), "is not an operator that image networks use"),
        (replaced('type="Convolution"', 'type="ReadValue"'), "is not an operator that image networks use"),
        (replaced('version="opset1"', 'version="extension"'), "is not an operator that image networks use"),
        (replaced('strides="8, 8"', 'strides="0, 8"'), "has strides '0, 8'"),
        (replaced("strides=", 'weights_path="/etc/passwd" strides='), "names a file, which layers must not do"),
        (replaced("strides=", 'origin="file:///etc/passwd" strides='), "names a file, which layers must not do"),
        (replaced("<dim>64</dim>", "<dim>x</dim>"), "has an output of shape"),
        (replaced("<dim>64</dim>", "<dim>4611686018427387904</dim>"), "too many elements"),
        (replaced('<net name="tiny" version="11">', '<net name="tiny" version="3">'), "not <net> of version 10 or 11"),
        (replaced("<layers>", "<layers></layers><layers>"), "must have <layers> and <edges>, one of each"),
        (replaced('from-layer="0"', 'from-layer="99"'), "which do not both exist"),
        (lambda xml: re.sub(r"<edge [^>]*>", "", xml, count=1), "no edge ends at"),
        (lambda xml: re.sub(r'type="Const"', 'type="MaxPool"', xml, count=1), "has 0 inputs and 1 outputs"),
        (lambda xml: xml[: len(xml) // 2], "cannot be read as XML"),
        (lambda xml: xml.replace("<net", "<!DOCTYPE net [<!ENTITY a 'b'>]><net", 1), "declares a document type"),
    ],
)
def test_a_model_that_holds_what_it_should_not_is_refused(write, spoil, reason):
    with pytest.raises(ModelError, match=re.escape(reason)) as caught:
        read_ir(write(spoil))
    assert "\n" not in str(caught.value)
