"""Turn an exported file back into a network that can be trained further."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from torch import Tensor, nn

from models.tflite_writer import TYPES
from models.train.network import HEADS, Convolution, TinyNetwork


def read_network(file: Path) -> TinyNetwork:
    """Return the network of a float file that `models.train.export` wrote.

    The file has no BatchNorm left: each of the network's adds the file's bias
    and does nothing else, until `settle` has seen images.
    """
    network, constants = TinyNetwork(), _constants(file)
    convolutions = _convolutions(network)
    if len(constants) != len(convolutions) + len(HEADS) + 2:
        raise ValueError(f"{file} is not an export of this network: it has {len(constants)} convolutions")
    with torch.no_grad():
        for (convolution, norm), (weights, bias) in zip(convolutions, constants, strict=False):
            convolution.weight.copy_(weights)
            norm.weight.fill_((1 + norm.eps) ** 0.5)
            norm.bias.copy_(bias)
        heads = constants[len(convolutions) : -2]
        units = [unit for _, unit in HEADS.values()]
        _fill(
            network.heads, [(weights / unit, bias / unit) for (weights, bias), unit in zip(heads, units, strict=True)]
        )
        _fill(network.maps, constants[-2:])
    return network.eval()


def settle(network: TinyNetwork, batches: Iterable[Tensor]) -> None:
    """Give each BatchNorm the mean and variance of its inputs, without changing what the network computes.

    Batches are (B, 3, H, W), as the network takes them. Use training batches,
    because training uses their statistics.
    """
    sums: dict[nn.BatchNorm2d, list[Tensor]] = {norm: [] for _, norm in _convolutions(network)}
    hooks = [
        norm.register_forward_pre_hook(lambda norm, inputs: sums[norm].append(_moments(inputs[0]))) for norm in sums
    ]
    with torch.inference_mode():
        for images in batches:
            network.eval()(images)
    for hook in hooks:
        hook.remove()
    with torch.no_grad():
        for norm, moments in sums.items():
            mean, square = torch.stack(moments).mean(dim=0)
            variance = (square - mean.square()).clamp(min=0)
            factor = norm.weight / (norm.running_var + norm.eps).sqrt()
            shift = norm.bias - norm.running_mean * factor
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)
            norm.weight.copy_(factor * (variance + norm.eps).sqrt())
            norm.bias.copy_(shift + mean * factor)


def _constants(file: Path) -> list[tuple[Tensor, Tensor]]:
    """Return weights, as PyTorch has them, and bias of each convolution of a file, in its order."""
    model = schema.ModelT.InitFromPackedBuf(file.read_bytes())
    [graph] = model.subgraphs
    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    kinds = [names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes]
    types = {number: dtype for dtype, number in TYPES.items()}
    stored, found = {}, []
    for operator in graph.operators:
        kind = kinds[operator.opcodeIndex]
        if kind == "DEQUANTIZE":
            stored[operator.outputs[0]] = operator.inputs[0]
        if kind not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            continue
        pair = []
        for place in operator.inputs[1:]:
            tensor = graph.tensors[stored.get(place, place)]
            values = np.frombuffer(bytes(model.buffers[tensor.buffer].data), types[tensor.type]).reshape(tensor.shape)
            if values.dtype.kind != "f":
                raise ValueError(f"{file} computes in integers: the float file of the same training is needed")
            pair.append(torch.from_numpy(values.astype(np.float32)))
        weights, bias = pair
        found.append((weights.permute((0, 3, 1, 2) if kind == "CONV_2D" else (3, 0, 1, 2)), bias))
    return found


def _convolutions(network: TinyNetwork) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Return convolutions with their BatchNorms, in the order in which they run."""
    parts = [network.stem, network.blocks, network.inverted, network.lateral, network.fine, network.back]
    return [(layer[0], layer[1]) for part in parts for layer in part.modules() if isinstance(layer, Convolution)]  # type: ignore[misc]


def _fill(layer: nn.Conv2d, constants: list[tuple[Tensor, Tensor]]) -> None:
    """Give a convolution the channels of several."""
    assert layer.bias is not None
    layer.weight.copy_(torch.cat([weights for weights, _ in constants]))
    layer.bias.copy_(torch.cat([bias for _, bias in constants]))


def _moments(values: Tensor) -> Tensor:
    """Return the mean and the mean square of each channel, (2, C)."""
    return torch.stack([values.float().mean(dim=(0, 2, 3)), values.float().square().mean(dim=(0, 2, 3))])
