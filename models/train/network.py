"""The network: MobileNetV1 at half width, inverted residuals, a finer branch, and the heads of both families.

The fine branch, at stride 8, computes OpenPose's maps, and is fed back to stride 16 for PoseNet's heads, which locate
parts within a cell.

Everything in it is a convolution, a sum, a concatenation or one bilinear
enlargement, so that it exports to any runtime.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Heads at stride 16, their channels, and the pixels that one unit of the last layer stands for.
HEADS: Mapping[str, tuple[int, float]] = {
    "heatmaps": (17, 1.0),
    "short_offsets": (34, 16.0),
    "mid_offsets": (64, 48.0),
    "segments": (1, 1.0),
    "long_offsets": (34, 64.0),
}
NUM_PARTS_AND_BACKGROUND = 19  #: OpenPose's 18 parts
NUM_MAPS = NUM_PARTS_AND_BACKGROUND + 38  #: and 19 fields of x and y
#: Output channels, stride and dilation of each block after the first convolution.
BLOCKS = (
    (32, 1, 1),
    (64, 2, 1),
    (64, 1, 1),
    (128, 2, 1),
    (128, 1, 1),
    (256, 2, 1),
    (256, 1, 1),
    (256, 1, 1),
    (256, 1, 1),
    (256, 1, 1),
    (256, 1, 1),
)
#: Channels within and after each inverted residual that follows, all with dilation 2, and of the features at last.
INVERTED = ((384, 144), (432, 144), (432, 144))
FEATURES = 336
FINE_BLOCK = 4  #: whose output, at stride 8, the fine branch also sees
_LATERAL, _FINE = 64, 96


class Convolution(nn.Sequential):
    """Convolution, BatchNorm, and ReLU6 unless it is linear."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int = 1,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        is_linear: bool = False,
    ):
        padding = dilation * (size // 2)
        super().__init__(
            nn.Conv2d(inputs, outputs, size, stride, padding, dilation, groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.Identity() if is_linear else nn.ReLU6(inplace=True),
        )

        self.is_fixed = False  #: whether BatchNorm uses what it has learnt of its inputs, and learns no more

    def forward(self, features: Tensor) -> Tensor:
        """Apply all three."""
        convolution, norm, activation = self
        weights, bias = convolution.weight, None
        if self.is_fixed:  # one operation instead of two, and two to go back through instead of four
            factor = norm.weight * (norm.running_var + norm.eps).rsqrt()
            weights, bias = weights * factor[:, None, None, None], norm.bias - norm.running_mean * factor
        stride, padding, dilation = convolution.stride[0], convolution.padding[0], convolution.dilation[0]
        groups = convolution.groups
        if groups > 1 and dilation == 2 and self.training:
            convolved = _dilated(features, weights, bias)
        elif groups > 1 and stride == 2 and self.training:
            every = functional.conv2d(features, weights, bias, 1, padding, 1, groups)
            convolved = every[..., ::2, ::2].contiguous(memory_format=torch.channels_last)  # faster backwards on CPUs
        else:
            convolved = functional.conv2d(features, weights, bias, stride, padding, dilation, groups)
        result: Tensor = activation(convolved if self.is_fixed else norm(convolved))
        return result


def _dilated(features: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve depthwise with dilation 2, as four dense convolutions of every second row and column.

    Backwards, that takes a tenth of the time on CPUs.
    """
    batch, channels, height, width = features.shape
    padded = functional.pad(features, (0, width % 2, 0, height % 2))
    rows, columns = (height + 1) // 2, (width + 1) // 2
    phases = padded.reshape(batch, channels, rows, 2, columns, 2).permute(3, 5, 0, 1, 2, 4)
    phases = phases.reshape(4 * batch, channels, rows, columns).contiguous(memory_format=torch.channels_last)
    convolved = functional.conv2d(phases, weights, bias, 1, 1, 1, channels)
    together = convolved.reshape(2, 2, batch, channels, rows, columns).permute(2, 3, 4, 0, 5, 1)
    whole = together.reshape(batch, channels, 2 * rows, 2 * columns)[..., :height, :width]
    return whole.contiguous(memory_format=torch.channels_last)


class Residual(nn.Module):
    """Convolutions, one after another; the input is added if `is_residual`."""

    is_residual: bool

    def forward(self, features: Tensor) -> Tensor:
        """Apply all."""
        result = features
        for layer in self.children():
            result = layer(result)
        return features + result if self.is_residual else result


class Block(Residual):
    """A depthwise and a pointwise convolution; the input is added if shapes allow."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1):
        super().__init__()
        self.depthwise = Convolution(inputs, inputs, 3, stride, dilation, groups=inputs)
        self.pointwise = Convolution(inputs, outputs)
        self.is_residual = stride == 1 and inputs == outputs


class InvertedResidual(Residual):
    """Wider, depthwise, narrower again without an activation (MobileNetV2); the input is added if shapes allow."""

    def __init__(self, inputs: int, within: int, outputs: int, dilation: int = 1):
        super().__init__()
        self.wider = Convolution(inputs, within)
        self.depthwise = Convolution(within, within, 3, 1, dilation, groups=within)
        self.narrower = Convolution(within, outputs, is_linear=True)
        self.is_residual = inputs == outputs


class TinyNetwork(nn.Module):
    """Images (B, 3, H, W), RGB in [-1, 1], sides of whole strides plus 1, to a dict of named outputs.

    PoseNet's tensors at stride 16 (logits and input pixels, y first in blocks
    of channels, as in Coral's), and `openpose` at stride 8: 18 heatmaps,
    background, 38 channels of fields.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = Convolution(3, 16, 3, stride=2)
        widths = [16, *(outputs for outputs, _, _ in BLOCKS)]
        self.blocks = nn.ModuleList(Block(inputs, *rest) for inputs, rest in zip(widths[:-1], BLOCKS, strict=True))
        narrow = [widths[-1], *(outputs for _, outputs in INVERTED)]
        self.inverted = nn.Sequential(
            *(InvertedResidual(inputs, *rest, 2) for inputs, rest in zip(narrow[:-1], INVERTED, strict=True)),
            Convolution(narrow[-1], FEATURES),
        )
        self.lateral = Convolution(FEATURES, _LATERAL)
        self.fine = nn.Sequential(
            Block(_LATERAL + BLOCKS[FINE_BLOCK][0], _FINE), Block(_FINE, _FINE), Block(_FINE, _FINE)
        )
        self.maps = nn.Conv2d(_FINE, NUM_MAPS, 1)
        self.back = Block(_FINE, _FINE, stride=2)
        self.heads = nn.Conv2d(FEATURES + _FINE, sum(channels for channels, _ in HEADS.values()), 1)
        nn.init.normal_(self.heads.weight, std=0.01)
        nn.init.normal_(self.maps.weight, std=0.01)
        nn.init.zeros_(self.maps.bias)
        nn.init.zeros_(self.heads.bias)
        with torch.no_grad():  # nearly all cells are background
            self.heads.bias[:17] = -3.5
            self.maps.bias[18] = 1.0

    def fix(self) -> None:
        """Fix what BatchNorm knows everywhere: a step then takes three quarters of the time."""
        for layer in self.modules():
            if isinstance(layer, Convolution):
                layer.is_fixed = True

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return PoseNet's five tensors and `openpose`."""
        features = self.stem(images)
        for number, block in enumerate(self.blocks):
            features = block(features)
            if number == FINE_BLOCK:
                fine = features
        features = self.inverted(features)
        coarse = functional.interpolate(self.lateral(features), fine.shape[2:], mode="bilinear", align_corners=True)
        fine = self.fine(torch.cat([coarse, fine], dim=1))
        heads = self.heads(torch.cat([features, self.back(fine)], dim=1)).float()
        split = heads.split([channels for channels, _ in HEADS.values()], dim=1)
        outputs = {name: head * unit for (name, (_, unit)), head in zip(HEADS.items(), split, strict=True)}
        outputs["openpose"] = self.maps(fine).float()
        return outputs
