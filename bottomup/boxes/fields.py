"""The outputs of a one-stage network, in any of their layouts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bottomup.boxes.form import BINS, CENTRE, CORNERS, NUM_BINS, POINT, Form, make_bundles, make_form
from bottomup.boxes.grid import find_priors, find_strides
from bottomup.boxes.meaning import FINAL_VALUES, as_count, count_parts, count_values, num_final_values
from bottomup.boxes.rows import (
    are_shares,
    as_table,
    has_rows,
    join,
    join_heads,
    of_field,
    refuse_dead_values,
    refuse_other_lengths,
    rows_of,
    shape_of,
    sure_rows,
)
from bottomup.errors import InputError
from bottomup.geometry import ImageSize, as_size
from bottomup.skeletons import COCO17, Skeleton, as_skeleton
from bottomup.tensors import Field, FieldLike, Quantized, look_alike, short_repr

__all__ = ["BoxFields"]


@dataclass(frozen=True, eq=False)
class BoxFields:
    """One image's rows, each a possible person: box, score and parts.

    Build it with `from_yolo`, `from_yolo_heads`, `from_yolox`,
    `from_yolox_heads` or `from_rtmo`. Tensors keep their layout, float32 or
    `Quantized`; the caller's arrays are shared if possible and never written
    to. Decoders read all scores, but whole rows only if the score is high
    enough.

    Attributes
    ----------
    rows : (R, n) field
        A box, the scores of the classes, and the parts if `parts` is None.
    parts : (R, N * 2) or (R, N * 3) field, optional
        x, y and perhaps a score of each part.
    form : Form
        What these values mean.
    skeleton : Skeleton
        Names the N parts.
    input_size : ImageSize, optional
        Size of the network's input, if known.
    strides : tuple of int
        Strides of the grids whose cells the rows are; () for rows that the network picked itself.

    References
    ----------
    Maji et al., "YOLO-Pose", CVPRW 2022. arXiv:2204.06806. Lu et al., "RTMO", CVPR 2024. arXiv:2312.07526
    """

    rows: Field
    parts: Field | None
    form: Form
    skeleton: Skeleton
    input_size: ImageSize | None = None
    strides: tuple[int, ...] = ()
    __repr__ = short_repr

    def __post_init__(self) -> None:
        fields = {"rows": self.rows, "parts": self.parts}
        tensors = {name: field for name, field in fields.items() if field is not None}
        if not all(_is_table(field) for field in tensors.values()) or not isinstance(self.form, Form):
            raise InputError("rows are no checked tensor: build BoxFields with from_yolo, from_yolo_heads or from_rtmo")
        for name, field in tensors.items():
            refuse_dead_values(field, name)

    @classmethod
    def from_yolo(
        cls,
        output: FieldLike,
        *,
        input_size: tuple[int, int],
        skeleton: Skeleton | None = None,
        classes: int | None = None,
        normalized_boxes: bool | None = None,
        normalized_parts: bool | None = None,
    ) -> "BoxFields":
        """Take the one output of YOLOv8-pose, YOLO11-pose or YOLO26-pose.

        Parameters
        ----------
        output : array or Quantized
            (1, 56, R) or (1, R, 56): centre, width and height of a box, its
            score, then x, y and score of 17 parts; a row for each cell of the
            grids of strides 8, 16 and 32, 8400 for 640 x 640. Or (1, 300, 57),
            end to end: corners, score, class, parts of people of whom the
            network itself left one row each.
        input_size : (int, int)
            Width and height of the network's input, in pixels.
        skeleton : Skeleton, optional
            Of networks of other parts. Default: COCO's 17, where the number of values is theirs.
        classes : int, optional
            How many classes have a score, where that is open. Boxes of different classes never exclude each other.
        normalized_boxes, normalized_parts : bool, optional
            Whether boxes and parts are shares of the input and not pixels.
            Exports differ, even within one row. Default: shares, if rows that score above 0.01 stay below 4.

        Raises
        ------
        InputError
            If no axis is as long as the input has cells, or the number of values leaves classes and parts open.

        Examples
        --------
        >>> fields = BoxFields.from_yolo(np.zeros((1, 56, 8400)), input_size=(640, 640))
        >>> fields.rows.shape, fields.strides
        ((8400, 56), (8, 16, 32))
        """
        size, shape = as_size(input_size), shape_of(output, "output")
        no_cells: tuple[int, ...] = ()
        num_final = num_final_values(shape, skeleton)
        if not has_rows(shape, size) and num_final:
            rows = as_table(output, "output", (shape[-2], shape[-1]))
            found = count_values(num_final, "output", skeleton, 1, before=FINAL_VALUES - 1)
            kind, first_part, strides = CORNERS, FINAL_VALUES, no_cells
        else:
            rows = rows_of(output, "output", size, 4 + 52)
            found = count_values(rows.shape[1], "output", skeleton, classes, before=4)
            kind, first_part, strides = CENTRE, 4 + found.num_classes, find_strides(rows.shape[0], size)
        count = len(found.skeleton.parts)
        xs = first_part + found.num_values * np.arange(count)
        chosen = sure_rows(rows, slice(4, 4 + found.num_classes))
        shares = (
            are_shares(rows, chosen, np.arange(4), normalized_boxes, "normalized_boxes"),
            are_shares(rows, chosen, np.concatenate([xs, xs + 1]), normalized_parts, "normalized_parts"),
        )
        box_unit, part_unit = (size if is_share else (1, 1) for is_share in shares)
        form = make_form(
            kind, found.num_classes, count, found.num_values, first_part=first_part, is_final=kind == CORNERS,
            box_unit=box_unit, part_unit=part_unit,
        )  # fmt: skip
        return cls(rows, None, form, found.skeleton, size, strides)

    @classmethod
    def from_yolo_heads(
        cls,
        boxes_and_classes: FieldLike | Sequence[FieldLike],
        keypoints: FieldLike | Sequence[FieldLike],
        *,
        input_size: tuple[int, int],
        skeleton: Skeleton | None = None,
        classes: int | None = None,
    ) -> "BoxFields":
        """Take the raw heads of YOLOv8-pose or YOLO11-pose, as they are before the network's own last steps.

        An 8-bit file computes these steps in 8 bits, with one scale for
        pixels and scores. Cut before them, the same file is .02 to .04 AP better.

        Parameters
        ----------
        boxes_and_classes : array, Quantized or sequence of them
            (1, 65, R) or (1, R, 65): 16 logits of distances for each side of
            the box, left, top, right, bottom, then a logit a class. Or boxes
            and classes apart, (1, 64, R) and (1, 1, R). Or the maps of all
            grids, (1, H, W, 65) or (1, 65, H, W), together or apart, in any order.
        keypoints : array, Quantized or sequence of them
            (1, 17, 3, R), (1, 51, R) or (1, R, 51); or the maps of all grids.
        input_size, skeleton, classes
            As `from_yolo` takes them.

        Raises
        ------
        InputError
            If the tensors do not fit each other or the input.
        """
        size = as_size(input_size)
        rows = join_heads(boxes_and_classes, "boxes_and_classes", size)
        parts = join_heads(keypoints, "keypoints", size)
        num_classes = rows.shape[1] - 4 * NUM_BINS
        if num_classes < 1 or as_count(classes) not in (None, num_classes):
            raise InputError(
                f"boxes_and_classes must have {4 * NUM_BINS} values of the box and {classes or 1} of classes a row, "
                f"got {rows.shape[1]}: pass the network's decoded rows to from_yolo"
            )
        found = count_parts(parts.shape[1], "keypoints", skeleton)
        refuse_other_lengths(boxes_and_classes=rows, keypoints=parts)
        form = make_form(
            BINS,
            num_classes,
            len(found.skeleton.parts),
            found.num_values,
            first_class=4 * NUM_BINS,
            is_logits=True,
            part_unit=(2, 2),
        )
        return cls(rows, parts, form, found.skeleton, size, find_strides(rows.shape[0], size))

    @classmethod
    def from_yolox(
        cls,
        output: FieldLike,
        *,
        input_size: tuple[int, int],
        skeleton: Skeleton | None = None,
        classes: int = 1,
    ) -> "BoxFields":
        """Take the one output of a YOLOX-pose network that decodes boxes and parts itself.

        Parameters
        ----------
        output : array or Quantized
            (1, R, 57) or (1, 57, R): centre, width and height of a box, input
            pixels; whether anything is there; the class's score; x, y and score of 17 parts.
        input_size, skeleton, classes
            As `from_yolo` takes them.

        Raises
        ------
        InputError
            If the tensor fits neither the input nor the skeleton.
        """
        size = as_size(input_size)
        rows = rows_of(output, "output", size, 5 + 52)
        found = count_values(rows.shape[1], "output", skeleton or COCO17, classes, before=5)
        form = make_form(
            CENTRE,
            found.num_classes,
            len(found.skeleton.parts),
            found.num_values,
            first_class=5,
            objectness=4,
            first_part=5 + found.num_classes,
        )
        return cls(rows, None, form, found.skeleton, size, find_strides(rows.shape[0], size))

    @classmethod
    def from_yolox_heads(
        cls,
        classes: FieldLike | Sequence[FieldLike],
        objectness: FieldLike | Sequence[FieldLike],
        boxes: FieldLike | Sequence[FieldLike],
        offsets: FieldLike | Sequence[FieldLike],
        visibilities: FieldLike | Sequence[FieldLike],
        *,
        input_size: tuple[int, int],
        skeleton: Skeleton = COCO17,
    ) -> "BoxFields":
        """Take the raw heads of YOLOX-pose, as mmpose's networks give them: logits, and vectors in strides.

        Parameters
        ----------
        classes, objectness, boxes, offsets, visibilities : array, Quantized or sequence of them
            1, 1, 4, 34 and 17 channels, each as the maps of all grids, (1, C, H, W), or joined, (1, R, C).
        input_size : (int, int)
            Width and height of the network's input, in pixels.
        skeleton : Skeleton
            Names the parts.

        Raises
        ------
        InputError
            If the tensors do not fit each other, the input or the skeleton.

        References
        ----------
        open-mmlab/mmpose, `heads/hybrid_heads/yoloxpose_head.py`.
        """
        size, count = as_size(input_size), len(as_skeleton(skeleton).parts)
        named = {"boxes": boxes, "objectness": objectness, "classes": classes}
        named |= {"offsets": offsets, "visibilities": visibilities}
        heads = {name: join_heads(values, name, size) for name, values in named.items()}
        channels = {"boxes": 4, "objectness": 1, "offsets": 2 * count, "visibilities": count}
        num_rows = heads["boxes"].shape[0]
        for name, expected in channels.items():
            if heads[name].shape != (num_rows, expected):
                raise InputError(f"{name} must have shape {(1, num_rows, expected)}, got {heads[name].shape}")
        xy = of_field(heads["offsets"], lambda array: array.reshape(num_rows, count, 2))
        scores = of_field(heads["visibilities"], lambda array: array.reshape(num_rows, count, 1))
        parts = of_field(join([xy, scores], 2), lambda array: array.reshape(num_rows, 3 * count))
        refuse_other_lengths(boxes=heads["boxes"], classes=heads["classes"])
        rows = join([heads[name] for name in ("boxes", "objectness", "classes")], 1)
        form = make_form(POINT, rows.shape[1] - 5, count, 3, first_class=5, objectness=4, is_logits=True)
        return cls(rows, parts, form, skeleton, size, find_strides(num_rows, size))

    @classmethod
    def from_rtmo(
        cls,
        dets: FieldLike,
        keypoints: FieldLike,
        *,
        input_size: tuple[int, int] | None = None,
        skeleton: Skeleton = COCO17,
    ) -> "BoxFields":
        """Take the two outputs of RTMO's ONNX files, and of others that mmdeploy writes.

        Parameters
        ----------
        dets : array or Quantized
            (1, M, 5): corners and score of a box, input pixels.
        keypoints : array or Quantized
            (1, M, 17, 3): x, y and score of each part.
        input_size : (int, int), optional
            Width and height of the network's input; decoding needs none.
        skeleton : Skeleton
            Names the parts.

        Raises
        ------
        InputError
            If the shapes are not these.
        """
        count = len(as_skeleton(skeleton).parts)
        shapes = [shape_of(values, name) for values, name in ((dets, "dets"), (keypoints, "keypoints"))]
        num_rows = shapes[0][-2] if len(shapes[0]) > 1 else -1
        if shapes[0] not in [(num_rows, 5), (1, num_rows, 5)] or shapes[1][-3:-1] != (num_rows, count):
            hint = look_alike(shapes[0]) or look_alike(shapes[1])
            raise InputError(
                f"dets and keypoints must have shapes (1, M, 5) and (1, M, {count}, 3), got {shapes[0]} and {shapes[1]}"
                f"{hint}"
            )
        found = count_parts(count * shapes[1][-1], "keypoints", skeleton)
        rows = as_table(dets, "dets", (num_rows, 5))
        parts = as_table(keypoints, "keypoints", (num_rows, count * shapes[1][-1]))
        form = make_form(CORNERS, 1, count, found.num_values)
        return cls(rows, parts, form, skeleton, None if input_size is None else as_size(input_size))

    @cached_property
    def bundles(self) -> tuple[Any, ...]:
        """What kernels are told of the rows; see `form.make_bundles`."""
        is_of_cells = self.form.boxing.kind in (BINS, POINT) and self.input_size is not None
        priors = find_priors(self.input_size, self.strides) if is_of_cells and self.input_size else None
        return make_bundles(self.rows, self.parts, priors, self.form)


def _is_table(field: Any) -> bool:
    array = field.values if isinstance(field, Quantized) else field
    return isinstance(array, np.ndarray) and array.ndim == 2 and array.dtype in (np.uint8, np.float32)
