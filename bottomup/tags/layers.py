"""What `inspect` shows of associative embedding: heatmaps, peaks, and whose they are."""

from typing import Any

import numpy as np

from bottomup.layers import Layers, Words, sample_decodes
from bottomup.tags.best import TagDecoder
from bottomup.tags.fields import TagFields
from bottomup.tags.reference.best import group, top_of
from bottomup.tags.reference.peaks import Maps, Peak, find_peaks, read_fields

__all__ = ["layers"]

_WORDS = Words(
    maps="How sure the network is, cell by cell, that a part is there.",
    peaks="Local maxima of the heatmaps: each may be one part of one person. Candidates with the same colour have the "
    "same tag.",
    links="Candidates whose tags say that they are the same person's.",
    is_above=True,
    limit="tag_threshold",
    otherwise="dropped: its person has too few parts (min_parts) or is a fragment of a better one (max_overlap)",
)

_SLIDERS = {
    "score_threshold": (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "tag_threshold": (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0),
}


def layers(fields: TagFields, decoder: Any) -> Layers:
    """Return everything to show of tag fields, in input pixels.

    Limbs join candidates of one person, as `TagDecoder` groups them, whatever the decoder.
    """
    skeleton, stride = fields.skeleton, fields.output_stride
    with np.errstate(all="ignore"):  # whatever the tensors hold
        maps = read_fields(fields)
        settings, decodes = sample_decodes(decoder, fields, _SLIDERS)
        lowest = min(settings.get("score_threshold", (0.05,)))
        rules = decoder if isinstance(decoder, TagDecoder) else TagDecoder()
        is_empty = 0 in fields.grid
        people = [] if is_empty else group(maps, rules)
        seen = {} if is_empty else {part: _peaks_of(maps, part, lowest, rules) for part in range(len(skeleton.parts))}
    middle_x, middle_y = (shift + (stride - 1) / 2 for shift in fields.shift)
    peaks: list[Any] = []
    tags: list[Any] = []
    numbers: dict[tuple[int, int, int], int] = {}  # part, row and column -> number of the candidate
    for part, several in seen.items():
        for peak in several:
            x, y = top_of(maps.scores[part], peak.row, peak.column)
            place = x * stride + middle_x + rules.shift[0], y * stride + middle_y + rules.shift[1]
            numbers[part, peak.row, peak.column] = len(peaks)
            peaks.append([part, *(round(each, 1) for each in place), round(min(float(peak.score), 1.0), 5)])
            tags.append([round(float(tag), 3) if np.isfinite(tag) else 0 for tag in peak.tag])
    limbs: list[Any] = []
    for person in people:
        for edge, ends in enumerate(skeleton.edges):
            both = [person.peaks[part] for part in ends if part in person.peaks]
            joined = [numbers.get((part, peak.row, peak.column)) for part, peak in zip(ends, both, strict=False)]
            if len(both) == 2 and None not in joined:
                apart = np.linalg.norm(both[0].tag - both[1].tag) / rules.tag_threshold
                limbs.append([edge, *joined, round(max(1 - float(apart), 0.0), 3)])
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
        words=_WORDS,
        tags=tags,
        note="" if rules is decoder else _note(decoder),
    )


def _peaks_of(maps: Maps, part: int, lowest: float, rules: TagDecoder) -> list[Peak]:
    return find_peaks(maps, part, lowest, rules.max_peaks, rules.local_maximum_radius, first_of_plateau=True)


def _note(decoder: Any) -> str:
    return f"Candidates are found and grouped as TagDecoder does; the poses are those of {type(decoder).__name__}."
