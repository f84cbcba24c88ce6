"""How far the network's outputs are from their targets."""

import torch
from torch import Tensor
from torch.nn import functional

from models.train.targets import STRIDE

#: The weight of each term.
WEIGHTS = {
    "heatmaps": 8.0,
    "offsets": 18.0,
    "displacements": 1.4,
    "segments": 2.4,
    "long": 0.15,
    "parts": 400.0,
    "fields": 180.0,
}
_POSITIVE = 2.0  # a cell inside a disk weighs this much, others 1


def losses(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weighted terms; their sum is to be minimised.

    Scores by cross entropy, vectors by absolute distance in cells, OpenPose's
    maps by squared errors, which count more on limbs and parts than elsewhere.
    """
    heat = functional.binary_cross_entropy_with_logits(
        outputs["heatmaps"],
        targets["heatmaps"],
        pos_weight=torch.tensor(_POSITIVE, device=outputs["heatmaps"].device),
    )
    segments = functional.binary_cross_entropy_with_logits(
        outputs["segments"], targets["segments"], targets["segment_weights"]
    )
    mid = outputs["mid_offsets"]
    batch, _, *grid = mid.shape
    mid = mid.reshape(batch, 2, 2, 16, *grid).transpose(2, 3).reshape(batch, 32, 2, *grid)
    squares = (outputs["openpose"] - targets["maps"]).square() * (1 + 4 * targets["maps"].abs())
    terms = {
        "heatmaps": heat,
        "offsets": _distance(_vectors(outputs["short_offsets"]), targets["offsets"], targets["offset_weights"]),
        "displacements": _distance(mid, targets["displacements"], targets["displacement_weights"]),
        "segments": segments,
        "long": _distance(_vectors(outputs["long_offsets"]), targets["long_offsets"], targets["long_weights"]),
        "parts": squares[:, :18].mean(),
        "fields": squares[:, 19:].mean(),
    }
    terms["parts"] = terms["parts"] + 0.05 * squares[:, 18].mean()
    return {name: WEIGHTS[name] * value for name, value in terms.items()}


def _vectors(values: Tensor) -> Tensor:
    """Return (B, 34, H, W), y of every part, then x, as (B, 17, 2, H, W)."""
    batch, _, *grid = values.shape
    return values.reshape(batch, 2, 17, *grid).transpose(1, 2)


def _distance(vectors: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean of absolute differences, in cells."""
    differences = (vectors - targets).abs().sum(dim=2) * weights
    return differences.sum() / (2 * STRIDE * weights.sum().clamp(min=1))
