"""Export trained weights as `bottomup-tiny.tflite` and its full-integer twin.

    python -m models.train.export WEIGHTS.pt OUT_FOLDER [--start FILE.tflite --share 0.25]

With `--start`, the file from which the training went on, the weights are the mean of both: a network that was trained
further on photos forgets some of the rendered scenes, and the mean keeps both.

BatchNorm is folded into the convolutions, and the units of the heads into their weights, which are stored as float16
and used as float32. The twin's ranges are taken from rendered scenes, and from photos if a folder is given.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bottomup.geometry import ImageSize, Letterbox, lay_out
from models.tflite_writer import Activation, TfliteWriter, fold_batch_norm
from models.train.evaluate import INPUT_SIZE
from models.train.examples import FRESH
from models.train.network import FINE_BLOCK, HEADS, NUM_PARTS_AND_BACKGROUND, Convolution, Residual, TinyNetwork
from models.train.restart import read_network
from models.train.scenes import render_scene

NAME = "bottomup-tiny"
DESCRIPTION = "Bottomup's own small network: PoseNet's heads at stride 16, OpenPose's at stride 8. RGB in [-1, 1]."
#: How many images the twin's ranges are taken from, and which share of an image's numbers may lie outside.
NUM_IMAGES, BEYOND = 48, 1e-4
#: What is left of OpenPose's maps. The loss counts parts and limbs up to five times, so what the network is not sure of
#: comes out too high: at half the height, the PAF decoder finds more, on training photos and on scenes alike.
MAPS = 0.5
#: What is left of short offsets: people are placed best if they are a little shorter, on training photos too.
OFFSETS = 0.94
#: What is added to the logit of a person, since masks begin at 0: the best start for an intersection over union lies
#: below a score of a half, for photos and for scenes.
PEOPLE = 0.3


def load_network(weights: Path) -> TinyNetwork:
    """Return a trained network, ready to run."""
    network = TinyNetwork()
    network.load_state_dict(torch.load(weights, map_location="cpu"))
    return network.eval()


def calibrated(network: TinyNetwork) -> TinyNetwork:
    """Scale a trained network's maps of parts and limbs by `MAPS`, its short offsets by `OFFSETS`; add `PEOPLE`."""
    maps, heads, names = network.maps, network.heads, list(HEADS)
    assert maps.bias is not None
    assert heads.bias is not None
    with torch.no_grad():
        maps.weight.mul_(MAPS)
        maps.bias.mul_(MAPS)
        maps.bias[NUM_PARTS_AND_BACKGROUND - 1] += 1 - MAPS  # the background gives way
        first = sum(HEADS[name][0] for name in names[: names.index("short_offsets")])
        offsets = slice(first, first + HEADS["short_offsets"][0])
        heads.weight[offsets] *= OFFSETS
        heads.bias[offsets] *= OFFSETS
        heads.bias[sum(HEADS[name][0] for name in names[: names.index("segments")])] += PEOPLE
    return network


def blended(network: TinyNetwork, start: Path, share: float) -> TinyNetwork:
    """Return the mean of a network and an exported file, which has `share` of the weight."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "trained.tflite"
        file.write_bytes(written(network).float32())  # BatchNorm folded, as the other file has it
        mean = read_network(file)
    earlier = read_network(start).state_dict()
    values = {
        name: torch.lerp(value, earlier[name], share) if value.is_floating_point() else value
        for name, value in mean.state_dict().items()
    }
    mean.load_state_dict(values)
    return mean


def written(network: TinyNetwork, input_size: tuple[int, int] = INPUT_SIZE) -> TfliteWriter:
    """Write a network layer by layer, as its `forward` runs."""
    net = TfliteWriter(input_size, open_size=False)
    x = _convolution(net, net.image, network.stem)
    fine = x
    for number, block in enumerate(network.blocks):
        x = _block(net, x, block)
        if number == FINE_BLOCK:
            fine = x
    *narrow, last = network.inverted
    for block in narrow:
        x = _block(net, x, block)
    x = _convolution(net, x, last)
    y = net.concat([net.resize(_convolution(net, x, network.lateral), like=fine), fine])
    for block in network.fine:
        y = _block(net, y, block)
    both = net.concat([x, _block(net, y, network.back)])
    first = 0
    for name, (channels, unit) in HEADS.items():
        net.output(name, _head(net, both, network.heads, slice(first, first + channels), unit))
        first += channels
    net.output("confidence_maps", _head(net, y, network.maps, slice(0, NUM_PARTS_AND_BACKGROUND)))
    net.output("pafs", _head(net, y, network.maps, slice(NUM_PARTS_AND_BACKGROUND, None)))
    return net


def _block(net: TfliteWriter, source: int, block: nn.Module) -> int:
    assert isinstance(block, Residual)
    result = source
    for layer in block.children():
        assert isinstance(layer, Convolution)
        result = _convolution(net, result, layer)
    return net.add(source, result) if block.is_residual else result


def _convolution(net: TfliteWriter, source: int, layer: Convolution) -> int:
    convolution, norm, last = layer
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    is_depthwise = convolution.groups > 1
    kernel = convolution.weight.permute(2, 3, 0, 1)[..., 0] if is_depthwise else convolution.weight.permute(0, 2, 3, 1)
    statistics = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    weights, bias = fold_batch_norm(_array(kernel), *(_array(values) for values in statistics), epsilon=norm.eps)
    add = net.depthwise_conv if is_depthwise else net.conv
    stride, dilation = convolution.stride[0], convolution.dilation[0]
    activation: Activation = "relu6" if isinstance(last, nn.ReLU6) else None
    return add(source, weights, bias, stride=stride, dilation=dilation, activation=activation)


def _head(net: TfliteWriter, source: int, layer: nn.Conv2d, channels: slice, unit: float = 1.0) -> int:
    assert layer.bias is not None
    kernel = layer.weight[channels].permute(0, 2, 3, 1)
    return net.conv(source, _array(kernel) * unit, _array(layer.bias[channels]) * unit)


def _array(values: Tensor | None) -> NDArray[Any]:
    assert values is not None
    return values.detach().numpy()


def calibration_images(photos: Path | None) -> Iterator[NDArray[np.float32]]:
    """Yield (1, H, W, 3) input tensors of rendered scenes and, if given, as many photos."""
    files = sorted(photos.glob("*.jpg")) if photos else []
    files = files[:: max(len(files) // (NUM_IMAGES // 2), 1)]
    pictures = [cv2.imread(str(file)) for file in files[: NUM_IMAGES // 2]]
    pictures += [render_scene(FRESH - 1 - number).image for number in range(NUM_IMAGES - len(pictures))]
    for picture in pictures:
        laid_out, _ = lay_out(picture, Letterbox(), ImageSize(*INPUT_SIZE))
        yield laid_out[None, ..., ::-1].astype(np.float32) / 127.5 - 1


def export(network: TinyNetwork, folder: Path, photos: Path | None = None, **metadata: str) -> None:
    """Write both files."""
    net = written(network)
    (folder / f"{NAME}.tflite").write_bytes(
        net.float32(half_weights=True, description=DESCRIPTION, name=NAME, **metadata)
    )
    ranges = net.ranges(calibration_images(photos), coverage=1 - BEYOND)
    twin = net.uint8(ranges, description=DESCRIPTION, name=f"{NAME}-uint8", **metadata)
    (folder / f"{NAME}-uint8.tflite").write_bytes(twin)


def main() -> None:
    """Read the command line and export."""
    parser = argparse.ArgumentParser(prog="python -m models.train.export", description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, help="weights.pt of a training")
    parser.add_argument("folder", type=Path, help="where the two files go")
    parser.add_argument("--photos", type=Path, help="folder of photos, for the ranges of the integer file")
    parser.add_argument("--start", type=Path, help="the file that the training went on from, to be mixed in")
    parser.add_argument("--share", type=float, default=0.25, help="of that file in the weights")
    parser.add_argument("--version", default="1", help="the model's version, kept in the files")
    arguments = parser.parse_args()
    network = calibrated(load_network(arguments.weights))
    if arguments.start:
        network = blended(network, arguments.start, arguments.share)  # which is calibrated, too
    export(network, arguments.folder, arguments.photos, version=arguments.version)


if __name__ == "__main__":
    main()
