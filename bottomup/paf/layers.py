"""What `inspect` shows of part affinity fields: peaks, and the limbs between them."""

from dataclasses import replace
from typing import Any

import numpy as np

from bottomup.layers import Layers, VectorField, Words, sample_decodes
from bottomup.paf.best import PafDecoder
from bottomup.paf.fields import PafFields
from bottomup.paf.reference import find_limbs, find_peaks, read_fields

__all__ = ["layers"]

_SLIDERS = {
    "peak_threshold": (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "max_overlap": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
}
_MOST_PEAKS = 60  # of a part
_WORDS = Words(
    maps="How sure the network is, cell by cell, that a part is there.",
    peaks="Local maxima of the heatmaps, refined below a cell: each may be one part of one person.",
    links="Pairs of candidates that a field connects: the best limbs join people together, the others lose.",
    vectors="Part affinity fields: vectors that point from one part to the next where the network sees a limb.",
    threshold="peak_threshold",
    is_above=True,
    otherwise="dropped with its person, who has too few parts (min_parts), too little evidence (min_mean_score) or is "
    "a fragment of a better one (max_overlap)",
)


def layers(fields: PafFields, decoder: Any) -> Layers:
    """Return everything to show of part affinity fields, in input pixels."""
    skeleton, stride = fields.skeleton, float(fields.output_stride)
    with np.errstate(all="ignore"):  # whatever the tensors hold
        heatmaps, field = read_fields(fields)
        settings, decodes = sample_decodes(decoder, fields, _SLIDERS)
        lowest = min(settings.get("peak_threshold", (0.05,)))
        rules = decoder if isinstance(decoder, PafDecoder) else PafDecoder()
        rules = replace(rules, peak_threshold=lowest, max_peaks=min(rules.max_peaks, _MOST_PEAKS))
        peaks = [find_peaks(heatmaps[:, :, part], rules) for part in range(len(skeleton.parts))]
        limbs = find_limbs(field, peaks, len(heatmaps), skeleton, rules)

    def pixels(place: tuple[float, float]) -> tuple[float, float]:
        down, across = ((cell + 0.5) * stride - 0.5 for cell in place)
        return round(across + shift_x + rules.shifts[0], 1), round(down + shift_y + rules.shifts[1], 1)

    ratio_y, ratio_x = field.ratio
    (shift_x, shift_y), lag = fields.shift, field.shift * stride
    pitch = (stride / ratio_x, stride / ratio_y)
    origin = (0.5 * pitch[0] - lag - 0.5 + shift_x, 0.5 * pitch[1] - lag - 0.5 + shift_y)
    numbers = np.cumsum([0, *map(len, peaks)]).tolist()
    return Layers(
        family="paf",
        skeleton=skeleton,
        maps={name: heatmaps[..., part] for part, name in enumerate(skeleton.parts)},
        map_origin=((stride - 1) / 2 + shift_x, (stride - 1) / 2 + shift_y),
        map_pitch=(stride, stride),
        vectors=[
            VectorField(
                f"{skeleton.parts[parent]} to {skeleton.parts[child]}",
                field.vectors[:, :, edge],
                origin,
                pitch,
                0.9 * pitch[0],
                None,
            )
            for edge, (parent, child) in enumerate(skeleton.edges)
        ],
        peaks=[
            [part, *pixels(peak.place), round(peak.score, 5)] for part, several in enumerate(peaks) for peak in several
        ],
        traces=[],
        limbs=[
            [
                limb.edge,
                numbers[skeleton.edges[limb.edge][0]] + limb.parent,
                numbers[skeleton.edges[limb.edge][1]] + limb.child,
                round(limb.score, 3),
            ]
            for limb in limbs
        ],
        settings=settings,
        decodes=decodes,
        words=_WORDS,
    )
