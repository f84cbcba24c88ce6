"""From a crop network's raw tensors to keypoints in crop pixels and relative poses in millimetres."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.checks import Quantized, as_number
from bottomup.errors import InputError
from bottomup.metric3d.heatmap_kernels import soft_argmax

#: What a network gives: one tensor, several, or several by name.
Outputs: TypeAlias = "ArrayLike | Quantized | Sequence[Any] | Mapping[str, Any]"
_AXES = "bhwdp"


class Decoded(NamedTuple):
    """What B crops show, each in its own crop's frame; NaN where logits were not finite."""

    keypoints: NDArray[np.float64]  #: (B, N, 2), x, y in crop pixels
    relative: NDArray[np.float64]  #: (B, N, 3), x, y, z in mm up to a translation; x and y NaN of 2.5D volumes


@dataclass(frozen=True)
class Heads:
    """What the raw tensors of a crop network mean: MeTRAbs's, unless told otherwise.

    A network has *heatmaps*, one plane a part, whose soft-argmax is a
    keypoint in crop pixels, and *volumes*, D planes a part, whose soft-argmax
    is a place in a cube of `box_size` millimetres. They come as two tensors,
    in any order, or as one whose first N channels are the heatmaps; volumes
    alone give the keypoints too.

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
        Side of the cube that a volume stands for, millimetres.
    centred_stride : bool
        Whether cell i lies in the middle of its pixels, at i * stride + stride / 2, or at i * stride.
    half_shift : bool
        Half a stride more, as the first EfficientNetV2-S weights of MeTRAbs need with `centred_stride=False`.
    layout : str
        Axes of the volumes, in order: b crops, h rows, w columns, d depth, p parts, each once; parentheses join
        axes. "bhw(dp)" is MeTRAbs's: channels last, depth-major. "b(pd)hw" is channels first, part-major;
        "bhwdp" has an axis each. Heatmaps have the same without d.
    volume_xy : {"metric", "image"}
        Whether x and y of volumes are millimetres of the cube (MeTRAbs), or places in the image (2.5D:
        only z is metric, and `absolute_by_bones` finds the rest).
    border : float
        Cells at each border of the crop in which no keypoint is believed.

    Raises
    ------
    InputError
        If an attribute is not what it must be.

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
                raise InputError(f"{name} must be a whole number from 1 on, got {value!r}")
        if self.crop_size % self.output_stride:
            raise InputError(f"crop_size must be a multiple of {self.output_stride} pixels, got {self.crop_size}")
        if not 0 < as_number(self.box_size, "box_size") < np.inf:
            raise InputError(f"box_size must be millimetres above 0, got {self.box_size}")
        if self.volume_xy not in ("metric", "image"):
            raise InputError(f'volume_xy must be "metric" or "image", got {self.volume_xy!r}')
        if sorted("".join(_groups(self.layout))) != sorted(_AXES) or "b" not in _groups(self.layout):
            raise InputError(f'layout must have each of b, h, w, d, p once, as "bhw(dp)", got {self.layout!r}')

    @property
    def grid(self) -> int:
        """Cells along each side of a heatmap."""
        return self.crop_size // self.output_stride

    def decode(self, outputs: Outputs) -> Decoded:
        """Return the keypoints and relative poses in a network's raw tensors of B crops.

        Parameters
        ----------
        outputs : array, Quantized, sequence or dict of them
            Logits, float or 8-bit `Quantized`. Which is which is told by the
            number of channels; tensors of other sizes are left aside.

        Raises
        ------
        InputError
            If none of them fits these heads.

        Examples
        --------
        >>> volumes = np.full((1, 8, 8, 8 * 2), -100.0)
        >>> volumes[0, 3, 4, [5 * 2, 5 * 2 + 1]] = 0  # row 3, column 4, depth 5
        >>> decoded = Heads(num_parts=2).decode(volumes)
        >>> decoded.keypoints[0, 0], decoded.relative[0, 0].round(1)
        (array([144., 112.]), array([1237.5,  962.5, 1571.4]))
        """
        heatmaps, volumes = self._find(outputs)
        cells = mean_cells(volumes)
        in_image = self._pixels(cells[..., :2])
        keypoints = in_image if heatmaps is None else self._pixels(mean_cells(heatmaps)[..., :2])
        relative = np.full(cells.shape, np.nan)
        if self.volume_xy == "metric":
            relative[..., :2] = in_image * (self.box_size / self.crop_size)
        relative[..., 2] = cells[..., 2] * (self.box_size / max(self.depth - 1, 1))
        return Decoded(keypoints, relative)

    def in_view(self, keypoints: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which of (..., 2) crop pixels lie far enough inside that a soft-argmax can have reached them."""
        shift = 0 if self.centred_stride else -self.output_stride / 2
        low = self.border * self.output_stride + shift
        high = self.crop_size - self.border * self.output_stride + shift
        return np.asarray(((keypoints >= low) & (keypoints <= high)).all(axis=-1))

    def _pixels(self, cells: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn cells, fractions allowed, into crop pixels."""
        halves = int(self.centred_stride) + int(self.half_shift)
        return cells * self.output_stride + halves * (self.output_stride // 2)

    def _find(self, outputs: Any) -> tuple["_Volumes | None", "_Volumes"]:
        """Return the heatmaps, where there are any, and the volumes."""
        if isinstance(outputs, Mapping):
            tensors = list(outputs.values())
        else:
            tensors = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        tensors = [tensor if isinstance(tensor, Quantized) else _as_real(tensor) for tensor in tensors]
        layout = _groups(self.layout)
        planes = [group.replace("d", "") for group in layout if group != "d"]
        both = self._of_both(tensors, layout)
        if both is not None:
            return self._unfolded(both[0], planes, 1), self._unfolded(both[1], layout, self.depth)
        volumes = [tensor for tensor in tensors if self._fits(tensor, layout, self.depth)]
        heatmaps = [tensor for tensor in tensors if self._fits(tensor, planes, 1)]
        if self.depth == 1 and len(planes) == len(layout):  # both are of one shape: volumes come last
            heatmaps, volumes = volumes[:-1], volumes[-1:]
        if len(volumes) != 1 or len(heatmaps) > 1:
            shapes = ", ".join(str(tensor.shape) for tensor in tensors) or "none"
            raise InputError(
                f"outputs must hold volumes of {self.num_parts} parts, {self.depth} deep, on {self.grid} x {self.grid} "
                f"cells in layout {self.layout}, and may hold heatmaps, got shapes {shapes}: change the Heads"
            )
        return (
            self._unfolded(heatmaps[0], planes, 1) if heatmaps else None,
            self._unfolded(volumes[0], layout, self.depth),
        )

    def _sizes(self, depth: int) -> dict[str, int]:
        return {"h": self.grid, "w": self.grid, "d": depth, "p": self.num_parts}

    def _fits(self, tensor: Any, groups: list[str], depth: int) -> bool:
        """Return whether a tensor has the shape of that layout."""
        if len(tensor.shape) != len(groups):
            return False
        sizes = self._sizes(depth)
        wanted = [int(np.prod([sizes[axis] for axis in group])) for group in groups if group != "b"]
        return wanted == [size for size, group in zip(tensor.shape, groups, strict=True) if group != "b"]

    def _of_both(self, tensors: list[Any], layout: list[str]) -> tuple[Any, Any] | None:
        """Cut a tensor whose channels are the heatmaps' and then the volumes', if there is one."""
        channels = next(place for place, group in enumerate(layout) if "p" in group)
        if sorted(layout[channels]) != ["d", "p"]:
            return None
        for tensor in tensors:
            array = tensor.values if isinstance(tensor, Quantized) else tensor
            if array.ndim == len(layout) and array.shape[channels] == self.num_parts * (1 + self.depth):
                parts = np.split(array, [self.num_parts], axis=channels)
                if self._fits(parts[1], layout, self.depth):
                    cut = [_like(tensor, part) for part in parts]
                    return cut[0], cut[1]
        return None

    def _unfolded(self, tensor: Any, groups: list[str], depth: int) -> "_Volumes":
        """Bring a tensor to (B, H, W, D, N), C-contiguous float32 or uint8."""
        array = tensor.values if isinstance(tensor, Quantized) else tensor
        sizes = {**self._sizes(depth), "b": array.shape[groups.index("b")]}
        axes = "".join(groups)
        unfolded = array.reshape([sizes[axis] for axis in axes])
        if "d" not in axes:
            unfolded, axes = unfolded[..., None], axes + "d"
        ordered = unfolded.transpose([axes.index(axis) for axis in _AXES])
        if not isinstance(tensor, Quantized):
            with np.errstate(over="ignore"):  # becomes infinite, which is reported
                return _Volumes(np.ascontiguousarray(ordered, dtype=np.float32), 1.0, 0.0)
        levels, zero = np.ascontiguousarray(ordered), tensor.zero_point
        if levels.dtype == np.int8:
            levels, zero = levels.view(np.uint8) ^ np.uint8(128), zero + 128
        return _Volumes(levels, tensor.scale, zero)


class _Volumes(NamedTuple):
    """Volumes as the kernel takes them: real = (values - zero) * scale."""

    values: NDArray[Any]  #: (B, H, W, D, N)
    scale: float
    zero: float


def mean_cells(volumes: _Volumes) -> NDArray[np.float64]:
    """Return (B, N, 3) mean column, row and depth of the softmax of volumes, in cells."""
    count, height, width, depth, num_parts = volumes.values.shape
    lanes = np.empty((3, depth * num_parts), np.float32)
    means = np.empty((count, num_parts, 3))
    folded = volumes.values.reshape(count, height * width, depth * num_parts)
    units = np.float32(volumes.scale), np.float32(volumes.zero)
    soft_argmax(folded, *units, height, width, depth, lanes[0], lanes[1], lanes[2], np.empty((4, num_parts)), means)
    return means


def _groups(layout: str) -> list[str]:
    """Return the axes of a layout, "bhw(dp)" as ["b", "h", "w", "dp"]; nothing if it is none."""
    if not isinstance(layout, str) or not re.fullmatch(r"(\([a-z]+\)|[a-z])+", layout):
        return []
    return [joined or alone for joined, alone in re.findall(r"\(([a-z]+)\)|([a-z])", layout)]


def _as_real(tensor: Any) -> NDArray[Any]:
    """Return a tensor of real numbers, or say that it is none."""
    try:
        array = np.asarray(tensor)
    except ValueError as error:
        raise InputError(f"outputs must be arrays of numbers: {error}") from error
    if array.dtype in (np.uint8, np.int8):
        raise InputError(
            f"outputs are {array.dtype}, whose levels mean nothing alone: "
            "pass bottomup.Quantized(values, scale, zero_point)"
        )
    if array.dtype.kind not in "fiu":
        raise InputError(f"outputs must hold real numbers, got dtype {array.dtype}")
    return array


def _like(tensor: Any, part: NDArray[Any]) -> Any:
    """Return part of a tensor's numbers with the tensor's units."""
    return Quantized(part, tensor.scale, tensor.zero_point) if isinstance(tensor, Quantized) else part
