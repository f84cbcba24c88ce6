"""What teachers make of a window: features of their layers, and OpenPose's maps, for a network to reproduce."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from models.train.targets import PAF_STRIDE


class Hint(NamedTuple):
    """A layer of a teacher, read at every `STRIDE`-th pixel: its channels, and the highest value that is kept."""

    channels: int
    highest: float


#: BodyPix's fifth, ninth and last pointwise convolution, and the features from which OMZ 0001 computes its maps.
HINTS: Mapping[str, Hint] = {
    "bodypix5": Hint(192, 6.0),
    "bodypix9": Hint(384, 6.0),
    "bodypix13": Hint(384, 6.0),
    "omz": Hint(128, 1.5),
}
_POINTWISE = {"bodypix5": 5, "bodypix9": 9, "bodypix13": 13}
_MAPS = ("Mconv7_stage2_L2", "Mconv7_stage2_L1")
_PARTS = "relu4_4_CPM"


class Seen(NamedTuple):
    """A window as the teachers see it."""

    hints: dict[str, NDArray[np.uint8]]  #: (C, H, W) of each hint; 255 stands for its highest value
    maps: NDArray[np.float32]  #: (57, H, W) OpenPose's heatmaps, background, fields


class FeatureTeachers:
    """OMZ human-pose-estimation-0001 and a BodyPix file with its raw heads, in OpenVINO, for windows of one size."""

    def __init__(self, poses: Path, segments: Path, side: int) -> None:
        import openvino

        core = openvino.Core()
        self._side = side
        model = core.read_model(segments)
        model.reshape({model.inputs[0]: [1, side - 1, side - 1, 3]})  # it adds a row and a column itself
        layers = [node for node in model.get_ordered_ops() if node.get_type_name() == "Clamp"]
        model.add_outputs([layers[2 * number].output(0) for number in _POINTWISE.values()])
        self._segments = _request(core, model)
        model = core.read_model(poses)
        cells = (side // PAF_STRIDE + 1) * PAF_STRIDE
        model.reshape([1, 3, cells, cells])
        [layer] = [node for node in model.get_ordered_ops() if node.get_friendly_name() == _PARTS]
        model.add_outputs([layer.output(0)])
        self._poses, self._beyond = _request(core, model), cells - side

    def look(self, window: NDArray[np.uint8]) -> Seen:
        """Return what both make of a (side, side, 3) BGR window."""
        results = self._segments.infer([np.ascontiguousarray(window[None, :-1, :-1, ::-1])])
        found = dict(zip(_POINTWISE, list(results.values())[-len(_POINTWISE) :], strict=True))
        padded = cv2.copyMakeBorder(window, 0, self._beyond, 0, self._beyond, cv2.BORDER_REPLICATE)
        results = self._poses.infer([padded.transpose(2, 0, 1)[None].astype(np.float32)])
        maps = [next(value for name, value in results.items() if output in name.names) for output in _MAPS]
        found["omz"] = list(results.values())[-1]
        found |= {name: found[name][..., ::2, ::2] for name in ("bodypix5", "omz")}
        hints = {
            name: np.clip(np.round(found[name][0] * (255 / hint.highest)), 0, 255).astype(np.uint8)
            for name, hint in HINTS.items()
        }
        return Seen(hints, np.concatenate(maps, axis=1)[0])


def _request(core: Any, model: Any) -> Any:
    return core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1}).create_infer_request()
