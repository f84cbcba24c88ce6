"""Damage to small OpenVINO models: an .xml and a .bin file."""

import functools
import random
import re
import tempfile
from pathlib import Path

from tiny_onnx import TRT_POSE, tiny_onnx

NUMBERS = ["-1", "0", "1", "2", "3", "65536", "2147483647", "4611686018427387904", "1,2", "", "x", "nan"]
KINDS = [
    "Add",
    "Concat",
    "Convolution",
    "GroupConvolution",
    "Loop",
    "MaxPool",
    "Reshape",
    "Result",
    "ReadValue",
    "Split",
]


@functools.cache
def whole():
    """Return a good model's two files."""
    import openvino

    model = openvino.Core().read_model(tiny_onnx(TRT_POSE).SerializeToString())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.xml"
        openvino.save_model(model, path, compress_to_fp16=False)
        return path.read_text(encoding="utf-8"), path.with_suffix(".bin").read_bytes()


def ir_files(seed):
    """Return damaged files, the same for a seed everywhere."""
    source = random.Random(seed)
    xml, weights = whole()
    for _ in range(source.choice([0, 1, 1, 2, 4])):
        kind = source.randrange(6)
        if kind < 2:
            xml = _replaced(xml, r"<dim>[^<]*</dim>", lambda: f"<dim>{source.choice(NUMBERS)}</dim>", source)
        elif kind == 2:
            names = "strides|dilations|pads_begin|pads_end|shape|offset|size|axis|element_type|id|from-layer|to-port"
            found = source.choice(re.findall(rf'(?:{names})="[^"]*"', xml))
            new = f'{found.split("=")[0]}="{source.choice(NUMBERS)}"'
            xml = xml.replace(found, new, source.choice([1, 1, -1]))
        elif kind == 3:
            xml = _replaced(xml, r'type="[A-Z]\w+"', lambda: f'type="{source.choice(KINDS)}"', source)
        elif kind == 4:
            xml = _replaced(xml, r"<edge [^>]*>", lambda: "", source)
        else:
            weights = weights[: source.randrange(len(weights))]
    content = bytearray(xml.encode())
    if source.random() < 0.3:
        content[source.randrange(len(content))] ^= 1 << source.randrange(8)
    return bytes(content), weights


def _replaced(text, pattern, make, source):
    """Replace one of the places that a pattern fits."""
    places = list(re.finditer(pattern, text))
    if not places:
        return text
    place = source.choice(places)
    return text[: place.start()] + make() + text[place.end() :]
