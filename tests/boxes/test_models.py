"""Networks of others, as they are run and read. Their files stay outside."""

import numpy as np
import pytest

import bottomup as bu
from bottomup.boxes.layout import recognise
from bottomup.family import Clues
from bottomup.geometry import lay_out
from bottomup.images import read_image
from bottomup.networks.opening import open_network

YOLO26 = "models/yolo-agpl/yolo26_pose_256_qdq_int8.onnx"


def look(network, photo):
    """Return the fields of a photo."""
    layout = recognise(Clues(network.outputs, network.input_size))
    image, _ = lay_out(read_image(photo), bu.Letterbox(pad_value=layout.pixels.pad_value), network.input_size)
    tensor = np.ascontiguousarray(image[None, ..., ::-1], np.float32) * np.float32(layout.pixels.scale)
    return layout.read(network.run(tensor), network.input_size)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_yolo26_finds_the_people_that_it_found_for_its_makers(shared, runtime):
    pytest.importorskip(runtime)
    network = open_network(shared / YOLO26, runtime=runtime)
    for photo, count in (("000000376322", 3), ("000000119995", 2)):
        golden = np.load(shared / "goldens" / "yolo" / f"yolo26_256_qdq_int8_{photo}.npz")
        expected = bu.BoxDecoder(0.5).decode(bu.BoxFields.from_yolo(golden["output"], input_size=(256, 256)))
        poses = bu.BoxDecoder(0.4).decode(look(network, shared / "photos" / "dev" / f"{photo}.jpg"))
        assert len(expected) == count
        for person in expected.xy:
            assert np.abs(poses.xy - person).mean(axis=(1, 2)).min() < 4
