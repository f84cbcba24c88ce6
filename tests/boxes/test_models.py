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
YOLOV8 = "models/yolo-agpl/yolov8n_320_quant_pc_uf_pose_coco-st.tflite"


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


def keypoint_ap(shared, photos, **settings):
    """Return the AP of the 320 x 320 YOLOv8n on some photos, as `load` runs it."""
    estimator = bu.load(shared / YOLOV8, min_score=0, **settings)
    results = [row for photo in photos for row in bu.export.coco_results(estimator(photo), image_id=int(photo.stem))]
    return bu.evaluate.keypoint_ap(
        results, shared / "photos" / "dev.json", image_ids=[int(photo.stem) for photo in photos]
    ).ap


def test_votes_and_the_cut_are_worth_their_while(shared):
    photos = sorted((shared / "photos" / "dev").glob("*.jpg"))[::12]
    cut, whole = keypoint_ap(shared, photos), keypoint_ap(shared, photos, decoder="file")
    plain = keypoint_ap(shared, photos, decoder=bu.BoxDecoder(score_threshold=0.001))
    assert cut > whole
    assert cut > plain + 0.02
