"""The crop network: a TFLite file or any callable, crops in and raw tensors out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import ModelError
from bottomup.geometry import ImageSize
from bottomup.metric3d.heads.heatmaps import Outputs
from bottomup.networks.opening import open_network
from bottomup.networks.pixels import InputRule, as_input_rule
from bottomup.tensors import Quantized

__all__ = ["UNIT", "CropModel", "TfliteCropModel", "as_crop_model", "as_input"]

#: Takes (B, S, S, 3) float32 crops and returns raw tensors.
CropModel: TypeAlias = Callable[[NDArray[np.float32]], Outputs]
#: Crops as MeTRAbs's networks take them: RGB in [0, 1].
UNIT = InputRule("rgb", 1 / 255, (0.0, 0.0, 0.0))


class TfliteCropModel:
    """A crop network in a .tflite file, run crop by crop.

    Parameters
    ----------
    path : str or Path
        The file; its input is resized to the crop where the file allows it.
    crop_size : int
        Side of the square crop, in pixels.
    runtime, threads, delegate
        As `bottomup.load` takes them.

    Raises
    ------
    ModelError
        If the file cannot be read or run, or does not take crops of that size.
    MissingRuntimeError
        If no runtime is installed.
    """

    def __init__(
        self, path: str | Path, crop_size: int, *, runtime: str | None = None, threads: int = 1, delegate: Any = None
    ) -> None:
        self.network = open_network(path, runtime=runtime, threads=threads, delegate=delegate)
        if self.network.input_size != (crop_size, crop_size):
            self.network.resize_input(ImageSize(crop_size, crop_size))
        if self.network.input.dtype.kind != "f" and not self.network.input.scale:
            raise ModelError(f"{path} takes {self.network.input.dtype} crops but has no scale to give them meaning")

    def __call__(self, crops: NDArray[np.float32]) -> list[Any]:
        """Run (B, S, S, 3) float crops, and return the file's outputs in its order."""
        every = [list(self.network.run(self._tensor(crop)).values()) for crop in crops]
        return [_stacked(list(tensors)) for tensors in zip(*every, strict=True)]

    def _tensor(self, crop: NDArray[np.float32]) -> NDArray[Any]:
        """Convert a crop to the input tensor, quantised if that is."""
        tensor = self.network.input
        if tensor.dtype.kind == "f":
            return crop[None].astype(tensor.dtype)
        limits = np.iinfo(tensor.dtype)
        levels = np.round(crop[None] / np.float32(tensor.scale)) + tensor.zero_point
        return levels.clip(limits.min, limits.max).astype(tensor.dtype)


def as_crop_model(model: str | Path | CropModel, crop_size: int, **settings: Any) -> CropModel:
    """Return a callable crop network, opened if it is a file."""
    return TfliteCropModel(model, crop_size, **settings) if isinstance(model, (str, Path)) else model


def as_input(crops: NDArray[np.float32], rule: str | InputRule) -> NDArray[np.float32]:
    """Turn RGB crops in [0, 1] into the values that a network was trained on."""
    rule = as_input_rule(rule)
    ordered = crops if rule.channel_order == "rgb" else crops[..., ::-1]
    scale = (255 * np.broadcast_to(np.asarray(rule.scale, np.float64), 3)).astype(np.float32)
    return np.ascontiguousarray(ordered * scale + np.asarray(rule.shift, np.float32))


def _stacked(tensors: list[Any]) -> Any:
    """Join one output of many crops into one tensor."""
    if isinstance(tensors[0], Quantized):
        levels = np.concatenate([tensor.values for tensor in tensors])
        return Quantized(levels, tensors[0].scale, tensors[0].zero_point)
    return np.concatenate(tensors)
