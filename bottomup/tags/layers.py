"""What `inspect` shows of associative embedding: heatmaps, peaks, and whose they are."""

from dataclasses import replace
from typing import Any

import numpy as np

from bottomup.layers import Layers, sample_decodes
from bottomup.tags.best import TagDecoder
from bottomup.tags.fields import TagFields
from bottomup.tags.reference.best import group, top_of
from bottomup.tags.reference.peaks import read_fields

__all__ = ["layers"]

_SLIDERS = {
    "score_threshold": (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "tag_threshold": (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0),
}


def layers(fields: TagFields, decoder: Any) -> Layers:
    """Return everything to show of tag fields, in input pixels; limbs join peaks whose tags are one person's."""
    skeleton, stride = fields.skeleton, fields.output_stride
    with np.errstate(all="ignore"):  # whatever the tensors hold
        maps = read_fields(fields)
        settings, decodes = sample_decodes(decoder, fields, _SLIDERS)
        lowest = min(settings.get("score_threshold", (0.05,)))
        rules = decoder if isinstance(decoder, TagDecoder) else TagDecoder()
        people = group(maps, replace(rules, score_threshold=lowest)) if 0 not in fields.grid else []
    middle_x, middle_y = (shift + (stride - 1) / 2 for shift in fields.shift)
    peaks: list[Any] = []
    limbs: list[Any] = []
    for person in people:
        numbers = {part: len(peaks) + number for number, part in enumerate(person.peaks)}
        for part, peak in person.peaks.items():
            x, y = top_of(maps.scores[part], peak.row, peak.column)
            place = x * stride + middle_x + rules.shift[0], y * stride + middle_y + rules.shift[1]
            peaks.append([part, *(round(each, 1) for each in place), round(float(peak.score), 3)])
        for edge, (parent, child) in enumerate(skeleton.edges):
            if parent in numbers and child in numbers:
                apart = np.linalg.norm(person.peaks[parent].tag - person.peaks[child].tag) / rules.tag_threshold
                limbs.append([edge, numbers[parent], numbers[child], round(max(1 - float(apart), 0.0), 3)])
    return Layers(
        family="tags",
        skeleton=skeleton,
        maps={name: maps.scores[part] for part, name in enumerate(skeleton.parts)},
        map_origin=(middle_x, middle_y),
        map_pitch=(stride, stride),
        vectors=[],
        peaks=peaks,
        traces=[],
        limbs=limbs,
        settings=settings,
        decodes=decodes,
    )
