"""From a crop network's raw tensors to keypoints in crop pixels and relative poses in millimetres."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError
from bottomup.metric3d.heads.kernels.soft_argmax import soft_argmax
from bottomup.metric3d.heads.layouts import Shape, Volumes, axis_groups, find_volumes
from bottomup.tensors import Quantized, as_number

__all__ = ["Decoded", "Heads", "Outputs", "mean_cells"]

#: What a network returns: one tensor, several, or several by name.
Outputs: TypeAlias = ArrayLike | Quantized | Sequence[Any] | Mapping[str, Any]


class Decoded(NamedTuple):
    """What B crops show, each in its own crop's frame; NaN where logits were not finite."""

    keypoints: NDArray[np.float64]  #: (B, N, 2), x, y in crop pixels
    relative: NDArray[np.float64]  #: (B, N, 3), x, y, z in mm up to a translation; x and y are NaN for 2.5D volumes


@dataclass(frozen=True)
class Heads:
    """What the raw tensors of a crop network mean; the defaults are MeTRAbs's.

    A network has *heatmaps*, one plane a part, whose soft-argmax is a
    keypoint in crop pixels, and *volumes*, D planes a part, whose soft-argmax
    is a place in a cube of `box_size` millimetres. They come as two tensors,
    in any order, or as one whose first N channels are the heatmaps. Without
    heatmaps, keypoints come from the volumes.

    Attributes
    ----------
    num_parts : int
        N.
    crop_size : int
        Side S of the square crop, in pixels.
    output_stride : int
        Crop pixels per cell; S must be a multiple.
    depth : int
        Cells D of a volume along the line of sight.
    box_size : float
        Side of the cube that a volume covers, millimetres.
    centred_stride : bool
        Whether cell i lies in the middle of its pixels, at i * stride + stride / 2, instead of at i * stride.
    half_shift : bool
        Add half a stride, as MeTRAbs's first EfficientNetV2-S weights need with `centred_stride=False`.
    layout : str
        Axes of the volumes, in order: b crops, h rows, w columns, d depth, p parts, each once; parentheses join
        axes. "bhw(dp)" is MeTRAbs's: channels last, depth-major. "b(pd)hw" is channels first, part-major;
        "bhwdp" keeps all axes apart. Heatmaps have the same layout without d.
    volume_xy : {"metric", "image"}
        Whether x and y of volumes are millimetres in the cube (MeTRAbs) or places in the image (2.5D:
        only z is metric, and `absolute_by_bones` finds the rest).
    border : float
        Cells along each border of the crop in which keypoints are not trusted.

    Raises
    ------
    InputError
        If an attribute is out of range.

    References
    ----------
    Sun et al., "Integral Human Pose Regression", ECCV 2018, arXiv:1711.08229 (soft-argmax). Sárándi et al.,
    "Metric-Scale Truncation-Robust Heatmaps for 3D Human Pose Estimation", FG 2020, arXiv:2003.02953 (volumes).
    """

    num_parts: int
    crop_size: int = 256
    output_stride: int = 32
    depth: int = 8
    box_size: float = 2200.0
    centred_stride: bool = True
    half_shift: bool = False
    layout: str = "bhw(dp)"
    volume_xy: Literal["metric", "image"] = "metric"
    border: float = 0.75

    def __post_init__(self) -> None:
        for name in ("num_parts", "crop_size", "output_stride", "depth"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise InputError(f"{name} must be a whole number, at least 1, got {value!r}")
        if self.crop_size % self.output_stride:
            raise InputError(f"crop_size must be a multiple of {self.output_stride} pixels, got {self.crop_size}")
        if not 0 < as_number(self.box_size, "box_size") < np.inf:
            raise InputError(f"box_size must be above 0 millimetres, got {self.box_size}")
        if self.volume_xy not in ("metric", "image"):
            raise InputError(f'volume_xy must be "metric" or "image", got {self.volume_xy!r}')
        axis_groups(self.layout)

    @property
    def grid(self) -> int:
        """Cells along each side of a heatmap."""
        return self.crop_size // self.output_stride

    def decode(self, outputs: Outputs) -> Decoded:
        """Return the keypoints and relative poses in a network's raw tensors of B crops.

        Parameters
        ----------
        outputs : array, Quantized, sequence or dict of them
            Logits, float or 8-bit `Quantized`. The number of channels tells
            heatmaps from volumes; tensors of other sizes are ignored.

        Raises
        ------
        InputError
            If no tensor fits these heads.

        Examples
        --------
        >>> volumes = np.full((1, 8, 8, 8 * 2), -100.0)
        >>> volumes[0, 3, 4, [5 * 2, 5 * 2 + 1]] = 0  # row 3, column 4, depth 5
        >>> decoded = Heads(num_parts=2).decode(volumes)
        >>> decoded.keypoints[0, 0], decoded.relative[0, 0].round(1)
        (array([144., 112.]), array([1237.5,  962.5, 1571.4]))
        """
        shape = Shape(self.layout, self.grid, self.depth, self.num_parts)
        heatmaps, volumes = find_volumes(outputs, shape)
        cells = mean_cells(volumes, shape)
        in_image = self._pixels(cells[..., :2])
        keypoints = in_image if heatmaps is None else self._pixels(mean_cells(heatmaps, shape)[..., :2])
        relative = np.full(cells.shape, np.nan)
        if self.volume_xy == "metric":
            relative[..., :2] = in_image * (self.box_size / self.crop_size)
        relative[..., 2] = cells[..., 2] * (self.box_size / max(self.depth - 1, 1))
        return Decoded(keypoints, relative)

    def in_view(self, keypoints: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which of (..., 2) crop pixels lie far enough inside for a soft-argmax to reach them.

        Parameters
        ----------
        keypoints : (..., 2) array
            x, y in crop pixels.
        """
        shift = 0 if self.centred_stride else -self.output_stride / 2
        low = self.border * self.output_stride + shift
        high = self.crop_size - self.border * self.output_stride + shift
        return np.asarray(((keypoints >= low) & (keypoints <= high)).all(axis=-1))

    def _pixels(self, cells: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn cells, fractions allowed, into crop pixels."""
        halves = int(self.centred_stride) + int(self.half_shift)
        return cells * self.output_stride + halves * (self.output_stride // 2)


def mean_cells(volumes: Volumes, shape: Shape) -> NDArray[np.float64]:
    """Return (B, N, 3) mean column, row and depth of the softmax of volumes, in cells."""
    lanes = np.empty((3, volumes.depth * shape.num_parts), np.float32)
    means = np.empty((len(volumes.values), shape.num_parts, 3))
    soft_argmax(
        volumes.values, volumes.first, np.float32(volumes.scale), np.float32(volumes.zero), shape.grid, shape.grid,
        volumes.depth, lanes[0], lanes[1], lanes[2], np.empty((4, shape.num_parts)), means,
    )  # fmt: skip
    return means
