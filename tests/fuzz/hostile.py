"""Small fields of every family, made to be hard: plateaus, ties, extremes, numbers that are none."""

import numpy as np

import bottomup as bu

RING = bu.Skeleton("ring", ("a", "b", "c"), ((0, 1), (1, 2), (2, 0)), redundant_edges=(2,), sigmas=(0.1, 0.05, 0.03))
TREE = bu.Skeleton("tree", ("a", "b", "c", "d"), ((0, 1), (1, 2), (1, 3)), sigmas=(0.1, 0.05, 0.03, 0.1))
ODD = (np.nan, np.inf, -np.inf, 1e30, -1e30, 3e38, -3e38, 1e-40, -0.0)  #: what a share of some tensors is
BOX_SIZE, BOX_ROWS = (64, 32), 42  # 32 + 8 + 2 cells


class Maker:
    """Tensors of one field: all float, or all quantised, unless they are mixed."""

    def __init__(self, random):
        self.random = random
        self.is_quantized = random.random() < 0.35
        self.oddity = float(random.choice([0, 0, 0, 0, 0, 0.02, 0.1, 0.5]))
        side = int(random.choice([3, 6, 9, 14]))
        self.grid = tuple(int(size) for size in random.integers(1, side + 1, 2))

    def choose(self, *options):
        """Return one of these."""
        return options[self.random.integers(len(options))]

    def tensor(self, channels, middle, spread, shape=None, odd=True):
        """Return a (H, W, channels) tensor around `middle`, of some kind."""
        random, shape = self.random, (*(shape or self.grid), channels)
        kind = self.choose("levels", "levels", "noise", "constant", "checkerboard", "spikes", "flat channels")
        if kind == "levels":
            count = self.choose(2, 3, 5, 100)
            values = random.integers(0, count, shape) / (count - 1) - 0.5
        elif kind == "noise":
            values = random.normal(0, 0.4, shape)
        elif kind == "constant":
            values = np.full(shape, self.choose(-0.5, 0.0, 0.3, 0.5))
        elif kind == "checkerboard":
            rows, columns = np.arange(shape[0])[:, None, None], np.arange(shape[1])[:, None] if len(shape) > 2 else 0
            values = np.broadcast_to((rows.reshape(-1, *[1] * (len(shape) - 1)) + columns) % 2 - 0.5, shape)
        elif kind == "spikes":
            values = np.where(random.random(shape) < 0.1, random.random(shape) - 0.2, -0.5)
        else:
            values = np.broadcast_to(random.normal(0, 0.4, channels), shape)
        if self.is_quantized if self.random.random() < 0.95 else not self.is_quantized:
            levels = np.clip(np.round(values * 200 + 128), 0, 255).astype(np.uint8)
            scale = spread / 200 * float(self.choose(1, 1, 1, 1, 1e-3, 1e6, 1e-30))
            zero = int(np.clip(128 - round(middle / scale), 0, 255))
            if random.random() < 0.3:
                return bu.Quantized((levels ^ 128).view(np.int8), scale, zero - 128)
            return bu.Quantized(levels, scale, zero)
        values = (values * spread + middle).astype(np.float32)
        if odd and self.oddity:
            is_odd = random.random(shape) < self.oddity
            values[is_odd] = random.choice(np.array(ODD, np.float32), int(is_odd.sum()))
        return values


def posenet_fields(maker):
    """Return fields of PoseNet."""
    skeleton = maker.choose(TREE, TREE, TREE, bu.COCO17)
    parts, logits, stride = len(skeleton.parts), maker.choose(True, True, False), maker.choose(8, 16, 32)
    heat = (0.0, 12.0) if logits else (0.5, 1.0)
    reach = stride * maker.choose(0.5, 2, 10)
    tensors = [(parts, *heat), (2 * parts, 0.0, reach), (4 * parts - 4, 0.0, 3 * reach)]
    settings = {
        "output_stride": stride,
        "logits": logits,
        "skeleton": skeleton,
        "shift": (maker.choose(0.0, -3.5), 0.0),
    }
    maker.oddity = maker.choose(0, 0, 0, 0, 0, maker.oddity)  # most oddities are refused
    if maker.choose(True, False):
        return bu.PoseNetFields.from_mid_offsets(*(maker.tensor(*each) for each in tensors), **settings)
    tensors[2:] = 2 * [(2 * parts - 2, 0.0, 3 * reach)]
    return bu.PoseNetFields.from_displacements(*(maker.tensor(*each) for each in tensors), **settings)


def paf_fields(maker):
    """Return part affinity fields, now and then on a finer grid."""
    skeleton = maker.choose(RING, RING, RING, bu.OPENPOSE18)
    parts, channels = len(skeleton.parts), 2 * len(skeleton.edges)
    heatmaps = maker.tensor(parts + maker.choose(0, 1), 0.4, 1.0)
    pafs = maker.tensor(channels, maker.choose(0.0, 0.3), 2.0)
    repeat = maker.choose(1, 1, 1, 2, 3)

    def repeated(tensor, times):
        if isinstance(tensor, bu.Quantized):
            return bu.Quantized(repeated(tensor.values, times), tensor.scale, tensor.zero_point)
        return tensor.repeat(times, axis=0).repeat(times, axis=1)

    both = maker.choose(False, True)  # an enlarged map, or a field that repeats its cells
    heatmaps = repeated(heatmaps, repeat if both else 1)
    return bu.PafFields(
        heatmaps, repeated(pafs, repeat), skeleton, maker.choose(4, 8), paf_shift=maker.choose(0, 0, 0.4375),
        shift=maker.choose(0.0, (1.5, -2.0)),
    )  # fmt: skip


def center_fields(maker):
    """Return fields of centres."""
    skeleton = maker.choose(TREE, TREE, TREE, bu.COCO17)
    parts, logits = len(skeleton.parts), maker.choose(True, False)
    heat = (0.0, 12.0) if logits else (0.5, 1.0)
    reach = maker.choose(1.0, 4.0, 30.0)
    tensors = {
        "center": maker.tensor(1, *heat),
        "heatmaps": maker.tensor(parts, *heat),
        "regressions": maker.tensor(2 * parts, 0.0, reach),
        "offsets": maker.choose(None, maker.tensor(2 * parts, 0.0, 1.0), maker.tensor(2, 0.0, 1.0)),
        "box_sizes": maker.tensor(2, reach, 2 * reach),
        "box_offsets": maker.tensor(2, 0.0, 1.0),
    }
    return bu.CenterFields(**tensors, logits=logits, skeleton=skeleton, shift=(0.0, maker.choose(0.0, 1.5)))


def tag_fields(maker):
    """Return fields of associative embedding."""
    skeleton = maker.choose(RING, RING, RING, bu.COCO17)
    parts, tag_size = len(skeleton.parts), maker.choose(1, 1, 2)
    heatmaps, tags = maker.tensor(parts, 0.4, 1.0), maker.tensor(parts * tag_size, 0.0, maker.choose(1.0, 3.0, 100.0))
    return bu.TagFields(heatmaps, tags, 4, skeleton=skeleton, negated=maker.choose(False, False, True))


def box_fields(maker):
    """Return rows of one-stage networks."""
    sizes = {"input_size": BOX_SIZE, "skeleton": maker.choose(TREE, TREE, TREE, bu.COCO17)}
    parts = len(sizes["skeleton"].parts)
    rows = (BOX_ROWS,)
    kind = maker.choose("yolo", "heads", "yolox", "yolox heads", "picked")
    if kind == "yolo":
        share = maker.choose(True, False)
        table = maker.tensor(5 + 3 * parts, 0.4, 1.0, rows)
        return bu.BoxFields.from_yolo(table, classes=1, normalized_boxes=share, normalized_parts=share, **sizes)
    if kind == "heads":
        classes, values = maker.choose(1, 2), maker.choose(2, 3)
        boxes, keypoints = maker.tensor(64 + classes, 0.0, 8.0, rows), maker.tensor(values * parts, 0.0, 10.0, rows)
        return bu.BoxFields.from_yolo_heads(boxes, keypoints, **sizes)
    if kind == "yolox":
        return bu.BoxFields.from_yolox(maker.tensor(6 + 3 * parts, 5.0, maker.choose(10.0, 40.0), rows), **sizes)
    if kind == "yolox heads":
        heads = [maker.tensor(count, 0.0, 6.0, rows) for count in (1, 1, 4, 2 * parts, parts)]
        return bu.BoxFields.from_yolox_heads(*heads, **sizes)
    count = int(maker.random.integers(1, 20))
    keypoints = maker.tensor(3, 20.0, 40.0, (count, parts))
    return bu.BoxFields.from_rtmo(maker.tensor(5, 20.0, 40.0, (count,)), keypoints, skeleton=sizes["skeleton"])


MAKERS = {
    "posenet": posenet_fields,
    "paf": paf_fields,
    "centers": center_fields,
    "boxes": box_fields,
    "tags": tag_fields,
}
