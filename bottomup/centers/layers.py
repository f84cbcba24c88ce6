"""What `inspect` shows of centres: their map, where they point, and the windows that are searched for parts."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.centers.best import CenterDecoder
from bottomup.centers.fields import CenterFields
from bottomup.centers.reference.best import Candidate, find_candidates
from bottomup.centers.reference.fields import gaussian, read, squared_distances
from bottomup.layers import Layers, VectorField, Words, sample_decodes
from bottomup.similarity import pose_similarities
from bottomup.skeletons import Skeleton

__all__ = ["layers"]

_WORDS = Words(
    maps="How sure the network is, cell by cell, that a person's centre or a part is there.",
    peaks="Peaks of the centre map: each stands for one person.",
    links="The centre points to where it expects each part; the best cell near there is the part.",
    vectors="From each centre to a part, and from a part's cell to its exact place.",
    limit="nms_similarity",
    near="dropped: its pose is {measure} like {who}'s, more than nms_similarity {limit}",
    otherwise="dropped: its parts score too low, or max_poses better centres were found",
)

_SLIDERS = {
    "score_threshold": (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "nms_similarity": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
}


def layers(fields: CenterFields, decoder: Any) -> Layers:
    """Return everything to show of fields of centres, in input pixels.

    Maps are the scores of centres and parts and, for every part, the weights of cells in the window of each person
    found. A trace leads from a centre to where it points, and on to where the part was found. Candidates are those of
    `CenterDecoder`, whatever the decoder.
    """
    skeleton, stride, shift = fields.skeleton, float(fields.output_stride), fields.shift
    rules = decoder if isinstance(decoder, CenterDecoder) else CenterDecoder()
    with np.errstate(all="ignore"):  # whatever the tensors hold
        maps = read(fields)
        settings, decodes = sample_decodes(decoder, fields, _SLIDERS)
        lowest = min(settings.get("score_threshold", (rules.score_threshold,)))
        candidates = find_candidates(fields, replace(rules, score_threshold=lowest))
        shown = {"center": maps.centers} | {name: maps.parts[..., part] for part, name in enumerate(skeleton.parts)}
        for part, name in enumerate(skeleton.parts):
            shown[f"window: {name}"] = _windows(candidates, part, fields.grid)

    def pixels(place: NDArray[Any]) -> tuple[float, float]:
        return round(float(place[1]) * stride + shift[0], 1), round(float(place[0]) * stride + shift[1], 1)

    def arrows(name: str, vectors: NDArray[np.float32], gate: int) -> VectorField:
        return VectorField(name, vectors[..., ::-1], shift, (stride, stride), stride, gate)

    vectors = []
    for part, name in enumerate(skeleton.parts):
        vectors.append(arrows(f"center to {name}", maps.regressions[:, :, part], 0))
        vectors.append(arrows(f"offsets: {name}", maps.offsets[:, :, part], part + 1))
    peaks, traces = [], []
    for each in candidates:
        middle, steps = np.array(each.cell), []
        for part in range(len(skeleton.parts)):
            if np.isfinite(each.pose[part, :2]).all():
                stations = (middle, each.guesses[part], each.pose[part])
                steps.append([part, *(number for place in stations for number in pixels(place))])
        peaks.append([-1, *pixels(middle), round(float(min(maps.centers[each.cell], 1)), 5)])
        traces.append(steps)
    return Layers(
        family="centers",
        skeleton=skeleton,
        maps=shown,
        map_origin=shift,
        map_pitch=(stride, stride),
        vectors=vectors,
        peaks=peaks,
        traces=traces,
        limbs=[],
        settings=settings,
        decodes=decodes,
        words=_WORDS,
        rivals=_rivals(candidates, skeleton),
        note="" if rules is decoder else _note(decoder),
    )


def _rivals(candidates: list[Candidate], skeleton: Skeleton) -> list[Any]:
    """Return the pairs of candidates that are alike: the worse one, the better one, their similarity."""
    if not candidates:
        return []
    places = np.array([each.pose[:, 1::-1] for each in candidates])
    alike = np.round(pose_similarities(places, places, skeleton), 2)
    scores = np.array([float(each.score) for each in candidates])
    return [
        [worse, better, float(alike[worse, better])]
        for worse, better in np.argwhere(alike > min(_SLIDERS["nms_similarity"])).tolist()
        if (scores[better], worse) > (scores[worse], better)
    ]


def _note(decoder: Any) -> str:
    return f"Candidates are found as CenterDecoder finds them; the poses are those of {type(decoder).__name__}."


def _windows(candidates: list[Candidate], part: int, grid: tuple[int, int]) -> NDArray[np.float32]:
    """Return the highest weight that any person gives each cell for a part."""
    weights = np.zeros(grid, np.float32)
    for each in candidates:
        if np.isfinite(each.guesses[part]).all():
            top, left, bottom, right = each.windows[part]
            around = np.zeros(grid, np.float32)
            around[top:bottom, left:right] = 1
            weights = np.maximum(weights, around * gaussian(squared_distances(grid, each.guesses[part]), each.spread))
    return weights
