"""What every PoseNet decoder and mask rule answers to one stored scene: three people in noise, one hardly seen.

The scene is shown at several brightnesses, so that every threshold has something just inside and just outside of it.
"""

import numpy as np

import bottomup as bu
from bottomup.posenet.masks import CoralMasks, PoseNetMasks, TfjsMasks

DECODERS = {
    "best": bu.PoseNetDecoder(),
    "coral": bu.PoseNetDecoder.coral(),
    "tfjs": bu.PoseNetDecoder.tfjs(),
    "tfjs_single": bu.PoseNetDecoder.tfjs(max_poses=1),
    "personlab": bu.PoseNetDecoder.personlab(),
}
RULES = {"best": PoseNetMasks(), "personlab": PoseNetMasks.personlab(), "coral": CoralMasks(), "tfjs": TfjsMasks()}
DIMMED = (0, 60, 85, 100, 115, 127)  # levels that all heatmaps are darker by
TENSORS = ("heatmaps", "short_offsets", "mid_offsets", "long_offsets", "segments")


def stored_fields(stored, dimmed=0, quantized=True):
    """Return the scene's fields, with heatmaps so many levels darker."""
    tensors = {
        name: bu.Quantized(stored[name], float(stored[f"{name}_unit"][0]), int(stored[f"{name}_unit"][1]))
        for name in TENSORS
    }
    heatmaps = tensors["heatmaps"]
    tensors["heatmaps"] = bu.Quantized(heatmaps.values, heatmaps.scale, heatmaps.zero_point + dimmed)
    if not quantized:
        tensors = {name: tensor.dequantize() for name, tensor in tensors.items()}
    return bu.PoseNetFields.from_mid_offsets(**tensors, output_stride=16)


def answers(stored, quantized=True):
    """Return name -> array of all that decoders and rules answer."""
    found = {}
    for dimmed in DIMMED:
        fields = stored_fields(stored, dimmed, quantized)
        for name, decoder in DECODERS.items():
            poses = decoder.decode(fields)
            found[f"{name}_{dimmed}_keypoints"], found[f"{name}_{dimmed}_scores"] = poses.keypoints, poses.scores
    fields = stored_fields(stored, 0, quantized)
    people = bu.PoseNetDecoder.coral(score_threshold=0.1).decode(fields)
    scores = np.linspace(1, 0.1, 17, dtype=np.float32)  # of parts: some are believed, some are not
    people = bu.Poses(
        np.concatenate([people.xy, np.broadcast_to(scores[:, None], (*people.xy.shape[:2], 1))], axis=2),
        np.array([0.9, 0.3, 0.1], np.float32),
        bu.COCO17,
    )
    for name, rule in RULES.items():
        found[f"{name}_masks"] = rule.masks(fields, people, (65, 49))
        found[f"{name}_people"] = rule.people(fields, (65, 49))
    return found
