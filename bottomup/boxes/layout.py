"""Which output is what, of one-stage networks: YOLO-pose, YOLOX-pose, RTMO. Shapes tell; names do not matter."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bottomup.boxes.best import BoxDecoder
from bottomup.boxes.fields import BoxFields
from bottomup.boxes.form import NUM_BINS
from bottomup.boxes.grid import find_strides
from bottomup.boxes.meaning import count_values
from bottomup.boxes.rows import find_grids
from bottomup.errors import InputError, ModelError
from bottomup.family import Clues, Pixels
from bottomup.geometry import ImageSize
from bottomup.skeletons import COCO17, Skeleton
from bottomup.tensors import FieldLike, TensorInfo

__all__ = ["EDGE_SHIFT", "LOWEST_SCORE", "VOTE_THRESHOLD", "BoxLayout", "Kind", "recognise"]

_STRIDE = 32  # sides of inputs are whole multiples of it
_YOLO = Pixels("rgb", 1 / 255, (0.0, 0.0, 0.0), 114)
_MMDET = Pixels("bgr", 1.0, (0.0, 0.0, 0.0), 114)
#: Rows below this score are no use to anyone: the lowest that Ultralytics' validation looks at.
LOWEST_SCORE = 0.001
#: Rows that share more with a better one vote for its parts. AP is the same from 0.7 to 0.85, and lower at 0.9.
VOTE_THRESHOLD = 0.8
#: What to add to positions, input pixels. Networks of boxes were trained on labels of which pixel x of the photo is
#: pixel x * scale of the input, without half a pixel more or less: x / scale is where they mean. `Poses.to_image` gives
#: the same where the photo comes in at half its width, and for all others a quarter of an input pixel off or less.
#: YOLOv8n at 320 x 320: AP .298 with it, .294 without.
EDGE_SHIFT = -0.25
Kind = Literal["yolo", "heads", "yolox", "rtmo"]


@dataclass(frozen=True)
class BoxLayout:
    """The outputs of a one-stage network.

    Attributes
    ----------
    kind : {"yolo", "heads", "yolox", "rtmo"}
        Rows of a YOLO, its raw heads, rows of a YOLOX, or two tensors of picked rows.
    names : tuple of tuple of str
        Of the outputs, as the fields' constructor takes them; several where it takes maps of grids.
    skeleton : Skeleton
        Names the parts.
    given_skeleton : Skeleton, optional
        The user's, without which the number of values tells.
    classes : int, optional
        How many classes have a score, where the number of values leaves that open.
    """

    kind: Kind
    names: tuple[tuple[str, ...], ...]
    skeleton: Skeleton
    given_skeleton: Skeleton | None = None
    classes: int | None = None

    @property
    def output_stride(self) -> float | None:
        """Return 32: what sides of the input are whole multiples of."""
        return float(_STRIDE)

    @property
    def pixels(self) -> Pixels | None:
        """How such networks take images: YOLO RGB in [0, 1], mmdet's kin BGR as OpenCV reads it."""
        return _YOLO if self.kind in ("yolo", "heads") else _MMDET

    def read(self, outputs: Mapping[str, FieldLike], input_size: ImageSize | None) -> BoxFields:
        """Return the fields of one image's outputs."""
        tensors = [[outputs[name] for name in names] for names in self.names]
        if self.kind == "rtmo":
            [dets], [keypoints] = tensors
            return BoxFields.from_rtmo(dets, keypoints, input_size=input_size, skeleton=self.skeleton)
        if input_size is None:
            raise InputError("rows of boxes need the input's size, (width, height) in pixels: pass input_size=")
        if self.kind == "heads":
            boxes, parts = (each[0] if len(each) == 1 else each for each in tensors)
            return BoxFields.from_yolo_heads(boxes, parts, input_size=input_size, skeleton=self.skeleton)
        [[output]] = tensors
        if self.kind == "yolox":
            return BoxFields.from_yolox(output, input_size=input_size, skeleton=self.skeleton)
        return BoxFields.from_yolo(output, input_size=input_size, skeleton=self.given_skeleton, classes=self.classes)

    def legal_size(self, size: ImageSize) -> ImageSize:
        """Return the nearest whole multiples of 32."""
        width, height = (max(round(side / _STRIDE), 1) * _STRIDE for side in size)
        return ImageSize(width, height)

    def best_decoder(self) -> BoxDecoder:
        """Return the most accurate settings measured, which leave the choice of a lowest score to the user."""
        return BoxDecoder(
            score_threshold=LOWEST_SCORE, vote_threshold=VOTE_THRESHOLD, ranking="parts", shift=(EDGE_SHIFT, EDGE_SHIFT)
        )

    def file_decoder(self) -> BoxDecoder | None:
        """Return the same: files of rows ask for none, but leave overlapping rows in."""
        return self.best_decoder() if self.kind == "yolo" else None


def recognise(clues: Clues) -> BoxLayout | None:
    """Return the layout of a one-stage network's outputs, None where these are another's.

    Raises
    ------
    ModelError
        If there is one row a cell, as such networks have, but of another number of values than COCO's parts have.
    """
    shapes = {each.name: _image_shape(each) for each in clues.outputs}
    for find in (_find_picked, _find_heads, _find_maps, _find_rows):
        layout = find(shapes, clues)
        if layout is not None:
            return layout
    return None


def _image_shape(tensor: TensorInfo) -> tuple[int, ...]:
    """Return a tensor's shape without the axis of images."""
    shape = tuple(int(side) for side in tensor.shape)
    return shape[1:] if len(shape) > 2 and shape[0] in (1, -1) else shape


def _num_parts(clues: Clues) -> int:
    return len((clues.skeleton or COCO17).parts)


def _find_picked(shapes: Mapping[str, tuple[int, ...]], clues: Clues) -> BoxLayout | None:
    """Find boxes of five values and keypoints, as mmdeploy writes them."""
    dets = [name for name, shape in shapes.items() if len(shape) == 2 and shape[1] == 5]
    parts = [name for name, shape in shapes.items() if len(shape) == 3 and shape[1:] == (_num_parts(clues), 3)]
    if len(dets) != 1 or len(parts) != 1 or shapes[dets[0]][0] != shapes[parts[0]][0]:
        return None
    return BoxLayout("rtmo", ((dets[0],), (parts[0],)), clues.skeleton or COCO17, clues.skeleton)


def _find_heads(shapes: Mapping[str, tuple[int, ...]], clues: Clues) -> BoxLayout | None:
    """Find a YOLO's raw heads, joined over the grids: boxes and classes together or apart, and parts."""
    if clues.input_size is None or len(shapes) not in (2, 3):
        return None
    values = {}
    for name, shape in shapes.items():
        axis = next((axis for axis in (0, -1) if shape and find_strides(shape[axis], clues.input_size)), None)
        if axis is None:
            return None
        values[name] = int(np.prod(shape)) // shape[axis]
    count, bins = _num_parts(clues), 4 * NUM_BINS
    by_size = sorted(values, key=lambda name: -values[name])
    of_parts = [name for name in by_size if values[name] in (2 * count, 3 * count)][:1]
    of_boxes = tuple(name for name in values if name not in of_parts)
    is_known = values[of_boxes[0]] > bins if len(of_boxes) == 1 else bins in (values[name] for name in of_boxes)
    if not of_parts or not is_known or len(of_boxes) + 1 != len(shapes):
        return None
    return BoxLayout("heads", (of_boxes, tuple(of_parts)), clues.skeleton or COCO17, clues.skeleton)


def _find_maps(shapes: Mapping[str, tuple[int, ...]], clues: Clues) -> BoxLayout | None:
    """Find a YOLO's raw heads as maps of three or more grids: 64 + C channels, or 64 and C, and those of parts."""
    if clues.input_size is None or len(shapes) < 6 or any(len(shape) != 3 for shape in shapes.values()):
        return None
    grids, channels = find_grids(list(shapes.values()), clues.input_size)
    if not grids:
        return None
    count, bins = _num_parts(clues), 4 * NUM_BINS
    of_parts = tuple(name for name, shape in shapes.items() if shape[channels] in (2 * count, 3 * count))
    of_boxes = tuple(name for name in shapes if name not in of_parts)
    num_bins = sum(shapes[name][channels] >= bins for name in of_boxes)
    if num_bins != len(of_parts) or len(of_boxes) not in (num_bins, 2 * num_bins):
        return None
    return BoxLayout("heads", (of_boxes, of_parts), clues.skeleton or COCO17, clues.skeleton)


def _find_rows(shapes: Mapping[str, tuple[int, ...]], clues: Clues) -> BoxLayout | None:
    """Find one tensor of rows."""
    if len(shapes) != 1:
        return None
    [(name, shape)] = shapes.items()
    if len(shape) != 2:
        return None
    skeleton, size, count = clues.skeleton or COCO17, clues.input_size, _num_parts(clues)
    fitting = [] if size is None else [axis for axis in (0, 1) if find_strides(shape[axis], size)]
    layout = BoxLayout("yolo", ((name,),), skeleton, clues.skeleton)
    if not fitting:
        if shape[1] in (6 + 3 * count, 6 + 2 * count):
            return layout  # end to end
        is_open = size is None or -1 in shape
        return layout if is_open and 5 + 3 * count in shape and (-1 in shape or max(shape) > 5 + 3 * count) else None
    numbers = [shape[1 - axis] for axis in fitting]
    return layout if 5 + 3 * count in numbers else _ask(layout, name, numbers[0], clues)


def _ask(layout: BoxLayout, name: str, num_values: int, clues: Clues) -> BoxLayout:
    """Return the layout of rows that have more classes than one or other parts than COCO's, if anything tells."""
    if num_values == 6 + 3 * _num_parts(clues):
        if "yolox" in name.lower():
            return replace(layout, kind="yolox")
        if "yolo" in name.lower():
            return replace(layout, classes=2)
        raise ModelError(
            f"output {name!r} has {num_values} values a row, which are those of a YOLOX-pose or a YOLO of two classes: "
            f'pass outputs={{{name!r}: "yolox"}} or outputs={{{name!r}: "yolo"}}'
        )
    if clues.skeleton is None:
        raise ModelError(
            f"output {name!r} has {num_values} values a row and not the 56 of a YOLO-pose of COCO's 17 parts: pass "
            "skeleton= where the network has other parts; networks that detect, classify or segment give no poses"
        )
    try:
        return replace(layout, classes=count_values(num_values, name, clues.skeleton, None, before=4).num_classes)
    except InputError as error:
        raise ModelError(f"{error}. To pass classes=, build the fields with BoxFields.from_yolo") from error
