"""Tensors of associative embedding as a mediocre network might give them, rendered from labelled photos."""

import json

import numpy as np
from scipy.ndimage import gaussian_filter

import bottomup as bu

STRIDE = 4
LONGER_SIDE = 512
SIGMA = 2.0  # cells


def labelled(path, photos=None):
    """Return (image, annotations) of the first photos of a COCO file."""
    document = json.loads(path.read_text("utf-8"))
    people = {}
    for annotation in document["annotations"]:
        if annotation.get("num_keypoints", 0) and not annotation.get("iscrowd"):
            people.setdefault(annotation["image_id"], []).append(annotation)
    return [(image, people.get(image["id"], [])) for image in document["images"][:photos]]


def render(image, people, generator, errors=1.0):
    """Return fields of one photo and input pixels per photo pixel.

    Every person has a sureness, more where they are large; every part a height of it, and a place that is off by what
    people who label it differ by, times `errors`. Some parts are faint, some tags wrong, a quarter of the people have
    tags that may be anybody's. Background has tags of its own, a few false peaks, and noise.
    """
    scale = LONGER_SIDE / max(image["width"], image["height"])
    width, height = (int(np.ceil(image[side] * scale / 32)) * 32 // STRIDE for side in ("width", "height"))
    heatmaps, tallest = np.zeros((17, height, width)), np.zeros((17, height, width))
    tags = np.stack([gaussian_filter(generator.normal(0, 1, (height, width)), 6) * 30 for _ in range(17)])
    rows, columns = np.mgrid[:height, :width]

    def add(part, x, y, score, tag):
        spot = score * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * SIGMA**2))
        heatmaps[part] = np.maximum(heatmaps[part], spot)
        own = (spot > tallest[part]) & (spot > 0.01)
        tags[part][own], tallest[part][own] = tag, spot[own]

    reach = max(2.0, 0.7 * len(people))
    for number, person in enumerate(people):
        tag = (number - len(people) / 2) * 1.1 + generator.normal(0, 0.15)
        if generator.random() < 0.25:
            tag = generator.uniform(-reach, reach)
        area = person["area"] * (scale / STRIDE) ** 2
        sure = generator.beta(5, 2) * min(1.0, 0.45 + area / 600)
        for part, (x, y, visible) in enumerate(np.reshape(person["keypoints"], (17, 3))):
            if visible:
                score = min(sure * (1.0 if visible == 2 else 0.5) * generator.uniform(0.6, 1.15), 0.97)
                score *= 0.15 if generator.random() < 0.08 * errors else 1
                spread = 0.175 * errors * bu.COCO17.kappas[part] * np.sqrt(area) + 0.35
                off = generator.normal(0, spread * (2 if score < 0.3 else 1), 2)
                place = (np.array([x, y]) * scale + 0.5) / STRIDE - 0.5 + off
                wrong = generator.normal(0, 0.18 * errors)
                wrong += generator.normal(0, 1.5) if generator.random() < 0.03 * errors else 0
                add(part, *place, score, tag + wrong)
    for _ in range(generator.poisson(3 * errors)):
        place = generator.uniform(0, (width, height))
        add(generator.integers(17), *place, generator.beta(1.5, 6), generator.uniform(-reach, reach))
    heatmaps += generator.normal(0, 0.008, heatmaps.shape)
    tags += generator.normal(0, 0.08, tags.shape)
    return bu.TagFields(heatmaps, tags, STRIDE), scale
