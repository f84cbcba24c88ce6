"""The decoding rules of lightweight-openpose, as a peer to measure against; written from a description of them.

Maps enlarged by cubic interpolation, strict maxima of four neighbours, a suppression that keeps the leftmost peak,
nearest samples, limb after limb, no merging. Nothing is mended.
"""

import numpy as np

UPSAMPLE = 4
LIMBS = (  # parent, child, first channel
    (1, 2, 12), (1, 5, 20), (2, 3, 14), (3, 4, 16), (5, 6, 22), (6, 7, 24), (1, 8, 0), (8, 9, 2), (9, 10, 4),
    (1, 11, 6), (11, 12, 8), (12, 13, 10), (1, 0, 28), (0, 14, 30), (14, 16, 34), (0, 15, 32), (15, 17, 36),
    (2, 16, 18), (5, 17, 26),
)  # fmt: skip


def find_peaks(heatmap):
    """Return (x, y, score) of a map's peaks, by x then y, without those within 6 pixels of one further left."""
    padded = np.pad(np.where(heatmap < 0.1, 0, heatmap), 2)
    centre = padded[1:-1, 1:-1]
    is_peak = (centre > padded[1:-1, :-2]) & (centre > padded[1:-1, 2:])
    is_peak &= (centre > padded[:-2, 1:-1]) & (centre > padded[2:, 1:-1])
    rows, columns = np.nonzero(is_peak[1:-1, 1:-1])
    peaks = []
    for x, y in sorted(zip(columns, rows, strict=True)):
        if all((x - other[0]) ** 2 + (y - other[1]) ** 2 >= 36 for other in peaks):
            peaks.append((x, y, float(heatmap[y, x])))
    return peaks


def match(starts, ends, field):
    """Return (start, end, score) of the limbs between two parts' peaks, the best first, each peak once."""
    candidates = []
    height, width = field.shape[:2]
    for i, start in enumerate(starts):
        for j, end in enumerate(ends):
            vector = np.array([end[0] - start[0], end[1] - start[1]], dtype=float)
            length = np.hypot(*vector)
            if length == 0:
                continue
            xs = np.round(np.linspace(start[0], end[0], 10)).astype(int).clip(0, width - 1)
            ys = np.round(np.linspace(start[1], end[1], 10)).astype(int).clip(0, height - 1)
            along = field[ys, xs] @ (vector / length)
            hits = along > 0.05
            if hits.mean() > 0.8 and along[hits].mean() > 0:
                candidates.append((i, j, float(along[hits].mean())))
    taken, limbs = set(), []
    for i, j, score in sorted(candidates, key=lambda limb: -limb[2]):
        if ("start", i) not in taken and ("end", j) not in taken:
            taken |= {("start", i), ("end", j)}
            limbs.append((i, j, score))
    return limbs


def decode(heatmaps, pafs):
    """Return poses (M, 18, 3) in pixels of maps enlarged 4 times, missing parts nan, and their scores for COCO's AP."""
    import cv2

    size = (heatmaps.shape[1] * UPSAMPLE, heatmaps.shape[0] * UPSAMPLE)
    heatmaps, pafs = (
        np.dstack([cv2.resize(plane, size, interpolation=cv2.INTER_CUBIC) for plane in np.moveaxis(maps, 2, 0)])
        for maps in (np.ascontiguousarray(heatmaps[..., :18]), pafs)
    )
    peaks = [find_peaks(heatmaps[:, :, part]) for part in range(18)]
    people = []  # part -> peak, sum
    for number, (parent, child, channel) in enumerate(LIMBS):
        limbs = match(peaks[parent], peaks[child], pafs[:, :, channel : channel + 2])
        for start, end, score in limbs:
            if number >= 17:  # the shoulder-ear limbs only fill ends in
                for person in people:
                    if person["parts"].get(parent) == start and child not in person["parts"]:
                        person["parts"][child] = end
                    elif person["parts"].get(child) == end and parent not in person["parts"]:
                        person["parts"][parent] = start
                continue
            holders = [person for person in people if person["parts"].get(parent) == start]
            for person in holders:
                person["parts"][child] = end
                person["sum"] += peaks[child][end][2] + score
                person["count"] += 1
            if not holders:
                total = peaks[parent][start][2] + peaks[child][end][2] + score
                people.append({"parts": {parent: start, child: end}, "sum": total, "count": 2})
    kept = [person for person in people if person["count"] >= 3 and person["sum"] / person["count"] >= 0.2]
    poses = np.full((len(kept), 18, 3), np.nan)
    for pose, person in zip(poses, kept, strict=True):
        for part, peak in person["parts"].items():
            pose[part] = peaks[part][peak]
    return poses, np.array([person["sum"] * (person["count"] - 1) for person in kept])
