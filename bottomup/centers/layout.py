"""Which output is what in networks that find people by their centres: MoveNet, CenterNet-pose, DEKR."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from bottomup.centers.best import CenterDecoder
from bottomup.centers.fields import CenterFields, look_like_scores
from bottomup.centers.finished import MOVENET_PIXELS, FinishedLayout, finished_rows, legal_size
from bottomup.errors import InputError, ModelError
from bottomup.family import Clues, Pixels
from bottomup.geometry import ImageSize
from bottomup.skeletons import COCO17, Skeleton
from bottomup.tensors import FieldLike

__all__ = ["HEADS", "CenterLayout", "FinishedLayout", "recognise"]

#: Our name of each head -> what MoveNet's graphs call its last convolution.
HEADS = {
    "center": "center_0/",
    "heatmaps": "kpt_heatmap_0/",
    "regressions": "kpt_regress_0/",
    "offsets": "kpt_offset_0/",
    "box_sizes": "box_scale_0/",
    "box_offsets": "box_offset_0/",
}
#: Our name of each head -> what CenterNet's code calls it.
_CENTERNET = {
    "center": "hm",
    "heatmaps": "hm_hp",
    "regressions": "hps",
    "offsets": "hp_offset",
    "box_sizes": "wh",
    "box_offsets": "reg",
}

Kind = Literal["movenet", "ported", "centernet", "dekr"]


@dataclass(frozen=True)
class CenterLayout:
    """Where the heads are among a network's outputs.

    Attributes
    ----------
    names : mapping of str to str
        Parameter of `CenterFields` -> name of the output; for DEKR, of `CenterFields.from_dekr`.
    kind : {"movenet", "ported", "centernet", "dekr"}
        Whose conventions the tensors follow. "ported" is a PyTorch port of MoveNet: x before y, scores.
    logits : bool
        Whether centres and heatmaps are logits.
    skeleton : Skeleton
        Names the parts.
    output_stride : float, optional
        Input pixels per cell; None if the input size is unknown.
    outward : bool
        Whether DEKR's displacements lead from the centre to the parts.
    """

    names: Mapping[str, str]
    kind: Kind
    logits: bool
    skeleton: Skeleton
    output_stride: float | None
    outward: bool = True

    @property
    def pixels(self) -> Pixels | None:
        """How MoveNet takes images: unscaled bytes, padded with zeros. None for networks whose file or card says."""
        return MOVENET_PIXELS if self.kind == "movenet" else None

    def read(self, outputs: Mapping[str, FieldLike], input_size: ImageSize | None) -> CenterFields:
        """Return the fields of one image's outputs.

        Parameters
        ----------
        outputs : mapping of str to array or Quantized
            By name, as the network gives them.
        input_size : ImageSize, optional
            Size of the network's input. Default: the layout's own stride applies.

        Raises
        ------
        InputError
            If an output is missing, or does not fit the others or the input.
        """
        for name in self.names.values():
            if name not in outputs:
                raise InputError(f"output {name!r} is missing, got {', '.join(map(repr, outputs)) or 'none'}")
        tensors: dict[str, Any] = {what: outputs[name] for what, name in self.names.items()}
        if self.kind == "dekr":
            fields = CenterFields.from_dekr(**tensors, outward=self.outward, skeleton=self.skeleton)
        else:
            x_first = self.kind != "movenet"
            fields = CenterFields(**tensors, logits=self.logits, x_first=x_first, skeleton=self.skeleton)
        stride = self.output_stride if input_size is None else _stride(input_size, fields.grid)
        return fields if stride is None else replace(fields, output_stride=stride)

    def legal_size(self, size: ImageSize) -> ImageSize:
        """Return the input size nearest to `size` that such networks take: multiples of 32."""
        return legal_size(size)

    def best_decoder(self) -> Any:
        """Return our best decoder for this network."""
        return CenterDecoder.dekr() if self.kind == "dekr" else CenterDecoder()

    def file_decoder(self) -> None:
        """Return None: the decoder is part of the graph, and runs if the graph is left whole."""


def recognise(clues: Clues) -> CenterLayout | FinishedLayout | None:
    """Tell the heads apart by name, or else by channel counts and order; None if they are another network's.

    Raises
    ------
    ModelError
        If the outputs are such a network's but ambiguous. The message says what to pass.
    """
    images = {output.name: output.shape for output in clues.outputs}
    if len(images) == 1:
        [(name, shape)] = images.items()
        return None if finished_rows(shape) is None else FinishedLayout(name)
    shapes = {name: shape[-3:] for name, shape in images.items() if len(shape) in (3, 4)}
    skeleton = COCO17 if clues.skeleton is None else clues.skeleton
    num_parts = len(skeleton.parts)
    for axis in (2, 0):
        channels = {name: shape[axis] for name, shape in shapes.items()}
        found = _movenet(channels, num_parts, axis) or _centernet(channels, num_parts) or _dekr(channels, num_parts)
        if found is None or len({_grid(shapes[name], axis) for name in found[0].values()}) > 1:
            continue
        names, kind = found
        logits = clues.logits
        if logits is None:
            producer = clues.producers.get(names.get("center", ""), "").upper()
            logits = kind in ("movenet", "centernet") and producer not in ("LOGISTIC", "SIGMOID")
            if clues.values is not None and kind != "dekr":
                logits = not all(look_like_scores(clues.values[names[what]]) for what in ("center", "heatmaps"))
        stride = clues.output_stride
        grid = _grid(shapes[next(iter(names.values()))], axis)
        if stride is None and clues.input_size is not None and min(grid) > 0:
            stride = _stride(clues.input_size, grid)
        outward = kind != "dekr" or _leads_outward(names["displacements"])
        return CenterLayout(names, kind, logits, skeleton, stride, outward)
    return None


def _movenet(channels: Mapping[str, int], num_parts: int, axis: int) -> tuple[dict[str, str], Kind] | None:
    """Find MoveNet's heads: by its names or ours, or else as the four heads of a port, in its order."""
    wanted = {"center": 1, "heatmaps": num_parts, "regressions": 2 * num_parts, "offsets": 2 * num_parts}
    wanted |= {"box_sizes": 2, "box_offsets": 2}
    names = {what: _named(channels, what, HEADS[what], count) for what, count in wanted.items()}
    found = {what: name for what, name in names.items() if name is not None}
    if all(what in found for what in list(wanted)[:4]):
        if ("box_sizes" in found) != ("box_offsets" in found):
            found = {what: name for what, name in found.items() if not what.startswith("box_")}
        return found, "movenet"
    if sorted(channels.values()) != sorted([1, num_parts, 2 * num_parts, 2 * num_parts]):
        return None
    if axis == 2:
        raise ModelError(
            f"outputs {', '.join(map(repr, channels))} look like MoveNet's, but regressions and offsets have the same "
            'shape: name them with outputs={"...": "regressions", "...": "offsets", "...": "center", "...": "heatmaps"}'
        )
    of = {count: [name for name, each in channels.items() if each == count] for count in set(channels.values())}
    [center], [heatmaps], [regressions, offsets] = of[1], of[num_parts], of[2 * num_parts]
    order = {"center": center, "heatmaps": heatmaps, "regressions": regressions, "offsets": offsets}
    return order, "ported"


def _centernet(channels: Mapping[str, int], num_parts: int) -> tuple[dict[str, str], Kind] | None:
    """Find CenterNet-pose's six heads, by name alone: three of them have two channels."""
    if sorted(channels.values()) != sorted([1, num_parts, 2 * num_parts, 2, 2, 2]):
        return None
    names = {what: name for what, name in _CENTERNET.items() if name in channels}
    if len(names) < len(_CENTERNET):
        listed = ", ".join(f'"{name}"' for name in _CENTERNET.values())
        raise ModelError(
            f"outputs {', '.join(map(repr, channels))} look like CenterNet-pose's, but their names do not say which is "
            f"which: name them as its code does, {listed}, with outputs={{...}}"
        )
    return names, "centernet"


def _dekr(channels: Mapping[str, int], num_parts: int) -> tuple[dict[str, str], Kind] | None:
    """Find DEKR's two heads."""
    if sorted(channels.values()) != [num_parts + 1, 2 * num_parts]:
        return None
    heatmaps, displacements = sorted(channels, key=lambda name: channels[name])
    return {"heatmaps": heatmaps, "displacements": displacements}, "dekr"


def _leads_outward(name: str) -> bool:
    """Tell from its name whether DEKR's second head leads from the centre to the parts."""
    if "displacement" in name.lower():
        return True
    if "offset" in name.lower():
        return False
    raise ModelError(
        f"output {name!r} leads from a person's centre to the parts, as in mmpose 1, or back, as in DEKR's own code: "
        f'name it with outputs={{"{name}": "displacements"}} or outputs={{"{name}": "offsets"}}'
    )


def _named(channels: Mapping[str, int], what: str, head: str, count: int) -> str | None:
    """Return the tensor with `count` channels that has our name or MoveNet's."""
    if channels.get(what) == count:
        return what
    return next((name for name, each in channels.items() if each == count and is_of_head(name, head)), None)


def is_of_head(name: str, head: str) -> bool:
    """Tell whether a tensor is this head of MoveNet's; the names of fused operators follow the first one."""
    return re.search(rf"(^|/){head}", name.split(";")[0]) is not None


def _grid(shape: tuple[int, ...], axis: int) -> tuple[int, int]:
    """Return H and W of a tensor, in cells."""
    return (shape[0], shape[1]) if axis == 2 else (shape[1], shape[2])


def _stride(input_size: ImageSize, grid: tuple[int, int]) -> float:
    """Return the input pixels per cell of a network: 4, or another power of two."""
    for stride in (4, 8, 2, 16, 1, 32):
        if grid == (-(-input_size.height // stride), -(-input_size.width // stride)):
            return float(stride)
    raise InputError(
        f"input_size={tuple(input_size)} and a grid of {grid[0]} x {grid[1]} cells fit no stride: "
        "pass (width, height) of the network's input, or build CenterFields with its output_stride"
    )
