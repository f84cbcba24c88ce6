"""What teachers make of a window: OpenPose's maps, and PoseNet's heatmaps and offsets, for a network to reproduce."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

import bottomup as bu
from models.train.targets import PAF_STRIDE, Targets

#: Share of the labels in a window's targets, where there are labels; the rest is the teachers'.
LABELS = 0.5
#: Lowest score of a cell whose offset counts, and the furthest apart, in pixels, that a label and a teacher may point
#: and mean the same part.
SURE, SAME = 0.3, 16.0
_MAPS = ("Mconv7_stage2_L2", "Mconv7_stage2_L1")


class Sight(NamedTuple):
    """A window as the teachers see it."""

    heatmaps: NDArray[np.float32]  #: (17, H, W) scores
    offsets: NDArray[np.float32]  #: (17, 2, H, W) pixels, y first
    maps: NDArray[np.float32]  #: (57, H', W') OpenPose's heatmaps, background, fields


class Teachers:
    """OMZ human-pose-estimation-0001 and a PoseNet, which sees the mirrored window too, for windows of one size."""

    def __init__(self, maps: Path, posenet: Path, side: int) -> None:
        import openvino

        core = openvino.Core()
        model = core.read_model(maps)
        cells = (side // PAF_STRIDE + 1) * PAF_STRIDE
        model.reshape([1, 3, cells, cells])
        self._maps = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1}).create_infer_request()
        self._beyond = cells - side
        twice = bu.Augmentation(flip=True)
        self._posenet = bu.load(posenet, input_size=(side, side), augmentation=twice, threads=1, min_score=0)

    def look(self, window: NDArray[np.uint8]) -> Sight:
        """Return what both make of a (side, side, 3) BGR window."""
        padded = cv2.copyMakeBorder(window, 0, self._beyond, 0, self._beyond, cv2.BORDER_REPLICATE)
        results = self._maps.infer([padded.transpose(2, 0, 1)[None].astype(np.float32)])
        maps = [next(value for name, value in results.items() if output in name.names) for output in _MAPS]
        fields, _ = self._posenet.look(window)
        rows, columns, _ = fields.heatmaps.shape
        heatmaps = 1 / (1 + np.exp(-fields.heatmaps.transpose(2, 0, 1)))
        offsets = fields.offsets.reshape(rows, columns, 2, 17).transpose(3, 2, 0, 1)
        return Sight(heatmaps, offsets, np.concatenate(maps, axis=1)[0])


def taught(targets: Targets, sight: Sight) -> Targets:
    """Return targets that are the mean of labels and of what teachers see, or either where there is but one."""
    of_labels = LABELS * targets.heatmap_weights
    heatmaps = of_labels * targets.heatmaps + (1 - of_labels) * sight.heatmaps
    of_labels = LABELS * targets.map_weights
    maps = of_labels * targets.maps + (1 - of_labels) * sight.maps
    has_label = targets.offset_weights > 0
    is_sure = sight.heatmaps > SURE
    apart = np.sqrt(np.square(targets.offsets - sight.offsets).sum(axis=1))
    of_labels = np.where(is_sure & (apart < SAME), LABELS, 1.0) * has_label
    offsets = of_labels[:, None] * targets.offsets + (1 - of_labels[:, None]) * sight.offsets
    return targets._replace(
        heatmaps=heatmaps,
        heatmap_weights=np.ones_like(heatmaps),
        offsets=offsets,
        offset_weights=np.maximum(targets.offset_weights, is_sure),
        maps=maps,
        map_weights=np.ones_like(maps),
    )
