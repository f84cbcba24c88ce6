"""Ways to run a network on an image: PyTorch's, and an exported file's."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import bottomup as bu
from bottomup.geometry import ImageSize, Letterbox, Placement, lay_out
from bottomup.paf.fields import PafFields
from bottomup.posenet.fields import PoseNetFields
from models.train.evaluate import INPUT_SIZE, fields_of

if TYPE_CHECKING:
    from models.train.network import TinyNetwork


def network_fields(
    network: "TinyNetwork", image: NDArray[np.uint8], input_size: ImageSize = INPUT_SIZE
) -> tuple[PoseNetFields, PafFields, Placement]:
    """Run a network on an image laid into its input."""
    import torch

    from models.train.network import NUM_PARTS_AND_BACKGROUND

    laid_out, placement = lay_out(image, Letterbox(), input_size)
    pixels = torch.from_numpy(np.ascontiguousarray(laid_out[..., ::-1].transpose(2, 0, 1)))[None]
    device = next(network.parameters()).device
    with torch.inference_mode():
        outputs = network((pixels.to(device).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last))
    arrays = {name: np.ascontiguousarray(values[0].permute(1, 2, 0).cpu().numpy()) for name, values in outputs.items()}
    maps = arrays.pop("openpose")
    parts = {"confidence_maps": maps[..., :NUM_PARTS_AND_BACKGROUND], "pafs": maps[..., NUM_PARTS_AND_BACKGROUND:]}
    return *fields_of(arrays | parts), placement


class Runner:
    """Runs an exported file for `measure`, as users do: image in, fields and placement out."""

    def __init__(self, path: Path, input_size: ImageSize) -> None:
        decoders = (bu.PoseNetDecoder(), bu.PafDecoder())
        self._estimators = [bu.load(path, decoder=decoder, input_size=input_size) for decoder in decoders]

    def __call__(self, image: NDArray[np.uint8]) -> tuple[PoseNetFields, PafFields, Placement]:
        """Run the network on an image, once for each family."""
        (posenet, placement), (maps, _) = (estimator.look(image) for estimator in self._estimators)
        return posenet, maps, placement
