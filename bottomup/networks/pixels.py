"""From pixels to the network's input tensor."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError, ModelError
from bottomup.images import import_cv2
from bottomup.tensors import TensorInfo

__all__ = ["INPUT_RULES", "ChannelOrder", "InputRule", "as_input_rule", "checked_order", "input_tensor"]

ChannelOrder: TypeAlias = Literal["bgr", "rgb"]


def checked_order(channel_order: ChannelOrder) -> ChannelOrder:
    """Return the order of channels, checked."""
    if channel_order not in ("bgr", "rgb"):
        raise InputError(f'channel_order must be "bgr" or "rgb", got {channel_order!r}')
    return channel_order


@dataclass(frozen=True)
class InputRule:
    """The real numbers that a network was trained on: real = pixel * scale + shift, channel by channel.

    Attributes
    ----------
    channel_order : {"rgb", "bgr"}
        Which channel comes first.
    scale : float or tuple of 3 float
        Real units per grey level, one number for all channels or one for each in their order.
    shift : tuple of 3 float
        The real number for black, in the channels' order.
    """

    channel_order: ChannelOrder = "rgb"
    scale: float | tuple[float, float, float] = 1 / 127.5
    shift: tuple[float, float, float] = (-1.0, -1.0, -1.0)

    def __post_init__(self) -> None:
        checked_order(self.channel_order)
        if len(self.shift) != 3:
            raise InputError(f"shift must be three numbers, one per channel, got {self.shift}")
        if np.shape(self.scale) not in ((), (3,)):
            raise InputError(f"scale must be one number, or three, one per channel, got {self.scale}")


#: The rules that have a name.
INPUT_RULES = {
    "signed": InputRule(),  # [-1, 1]: PoseNet on MobileNet, and most networks
    "mean": InputRule("rgb", 1.0, (-123.15, -115.90, -103.06)),  # PoseNet on ResNet, tfjs `resnet.ts`
    "pixels": InputRule("bgr", 1.0, (0.0, 0.0, 0.0)),  # tf-pose and its kin, float input: as OpenCV reads
    "bodyposenet": InputRule("rgb", 1 / 256, (-0.5, -0.5, -0.5)),
    "imagenet": InputRule(  # trt_pose: [0, 1] less ImageNet's mean, by its deviation
        "rgb", (1 / 58.395, 1 / 57.12, 1 / 57.375), (-123.675 / 58.395, -116.28 / 57.12, -103.53 / 57.375)
    ),
}


def as_input_rule(scaling: str | InputRule) -> InputRule:
    """Return the rule of that name, or the rule itself."""
    if isinstance(scaling, InputRule):
        return scaling
    if not isinstance(scaling, str) or scaling not in INPUT_RULES:
        raise InputError(f"scaling must be one of {', '.join(INPUT_RULES)} or an InputRule, got {scaling!r}")
    return INPUT_RULES[scaling]


def input_tensor(
    image: NDArray[np.uint8], channel_order: ChannelOrder, rule: InputRule, tensor: TensorInfo
) -> NDArray[Any]:
    """Return an image, already of the input's size, as the (1, H, W, 3) tensor that the network takes.

    Float tensors get real numbers, 8-bit tensors the nearest levels. If no
    level is more than one away from the pixel's own value, as in Coral's
    models (scale 1/128, zero point 128), pixels are passed on untouched:
    these models were trained and measured that way.

    Raises
    ------
    ModelError
        If images cannot be converted to the type of the tensor.
    """
    cv2 = import_cv2()
    pixels = image if channel_order == rule.channel_order else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    if tensor.dtype.kind == "f":
        return np.asarray(cv2.LUT(pixels, _real_numbers(rule)[None]), tensor.dtype)[None]
    if tensor.dtype not in (np.uint8, np.int8):
        raise ModelError(f"the network takes images of {tensor.dtype}: only float, uint8 and int8 inputs are supported")
    table = _levels(rule, tensor)
    if tensor.dtype == np.uint8 and (table == _untouched(tensor)).all():
        return np.ascontiguousarray(pixels)[None]
    levels = cv2.LUT(pixels, np.ascontiguousarray(table.T).view(np.uint8)[None])
    return np.asarray(levels).view(tensor.dtype)[None]


@lru_cache(maxsize=16)
def _real_numbers(rule: InputRule) -> NDArray[np.float32]:
    """Return the (256, 3) numbers of each channel's pixel values."""
    pixels = np.arange(256, dtype=np.float32)[:, None]
    return pixels * _channel_scales(rule).astype(np.float32) + np.asarray(rule.shift, np.float32)


@lru_cache(maxsize=16)
def _levels(rule: InputRule, tensor: TensorInfo) -> NDArray[Any]:
    """Return the (3, 256) levels of each channel's pixel values."""
    own = _untouched(tensor)
    if not tensor.scale:  # an 8-bit tensor without units can only mean pixels
        return np.broadcast_to(own, (3, 256))
    real = np.arange(256) * _channel_scales(rule)[:, None] + np.array(rule.shift)[:, None]
    levels = np.round(real / tensor.scale) + tensor.zero_point
    if (np.abs(levels - own) <= 1).all():
        return np.broadcast_to(own, (3, 256))
    limits = np.iinfo(tensor.dtype)
    table: NDArray[Any] = np.clip(levels, limits.min, limits.max).astype(tensor.dtype)
    return table


def _channel_scales(rule: InputRule) -> NDArray[np.float64]:
    """Return each channel's real units per grey level."""
    return np.broadcast_to(np.asarray(rule.scale, np.float64), 3)


def _untouched(tensor: TensorInfo) -> NDArray[Any]:
    """Return each pixel value as a level: itself, or 128 less for int8."""
    lowest = np.iinfo(tensor.dtype).min
    return np.arange(lowest, lowest + 256, dtype=tensor.dtype)
