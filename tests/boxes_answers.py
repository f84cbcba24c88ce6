"""A scene for the decoder of boxes, and its answers, which tests/golden/answers_boxes.npz stores.

python tests/boxes_answers.py      writes the file anew: look at what changed before you commit it
"""

from pathlib import Path

import numpy as np

import bottomup as bu
from bottomup.boxes.layout import BoxLayout

STORED = Path(__file__).parent / "golden" / "answers_boxes.npz"
SIZE = (160, 128)  # 420 rows
DECODERS = {
    "default": bu.BoxDecoder(),
    "rtmlib": bu.BoxDecoder.rtmlib(score_threshold=0.3),
    "best": BoxLayout("yolo", (("output0",),), bu.COCO17).best_decoder(),
}


def scene():
    """Return raw heads of three people in noise, as 8-bit levels."""
    fields = bu.synthetic.box_fields(bu.synthetic.random_poses(3, SIZE, seed=5, overlapping=True), SIZE, heads=True)
    random = np.random.default_rng(5)
    levels = {}
    for name, table, noise in (("boxes", fields.rows, 1.0), ("parts", fields.parts, 0.3)):
        noisy = np.maximum(table, -8) + random.normal(0, noise, table.shape)
        levels[name] = np.clip(np.round(noisy / 0.1) + 128, 0, 255).astype(np.uint8)
    return levels


def answers(levels):
    """Return the surer answers of every decoder to the heads."""
    tensors = [bu.Quantized(levels[name], 0.1, 128) for name in ("boxes", "parts")]
    heads = bu.BoxFields.from_yolo_heads(*tensors, input_size=SIZE)
    found = {}
    for name, decoder in DECODERS.items():
        poses = decoder.decode(heads).above(0.1)
        found |= {f"{name}_keypoints": poses.keypoints, f"{name}_scores": poses.scores, f"{name}_boxes": poses.boxes}
    return found


if __name__ == "__main__":
    levels = scene()
    np.savez_compressed(STORED, **levels, **answers(levels))
