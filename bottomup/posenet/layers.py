"""What the page shows of a PoseNet: candidates, and the walk from each along the tree."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.layers import Layers, VectorField, Words, sample_decodes
from bottomup.posenet.best import PoseNetDecoder
from bottomup.posenet.bundles import real
from bottomup.posenet.fields import PoseNetFields
from bottomup.posenet.personlab import PersonLabDecoder
from bottomup.posenet.reference.best import vote
from bottomup.posenet.reference.personlab import cast_votes, find_fineness
from bottomup.posenet.reference.tree import find_roots, follow, in_cells, logit, sample, walk_tree
from bottomup.posenet.tfjs import TfjsDecoder
from bottomup.posenet.trees import tree_of

__all__ = ["posenet_layers"]

_SLIDERS = {
    "score_threshold": (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "nms_radius": (1.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0, 80.0),
}
_MOST_CANDIDATES = 300
_WORDS = Words(
    maps="How sure the network is, cell by cell, that a part is there.",
    peaks="Cells that score highest among their neighbours, moved by their short offset: each can start a person.",
    links="From its root, a person is traced part by part: a displacement jumps to the next part, short offsets "
    "correct where it lands.",
    vectors="Short offsets point from a cell to the exact place of a part; displacements point along an edge to the "
    "next part.",
    limit="nms_radius",
    near="dropped: {measure} px from {who}'s {part}, within nms_radius {limit}",
    otherwise="dropped: its parts score too low, or are all within nms_radius of better people's",
)


def posenet_layers(fields: PoseNetFields, decoder: Any) -> Layers:
    """Return everything to show of a PoseNet's fields, in input pixels."""
    fields = fields.as_logits
    stride = float(fields.output_stride)
    with np.errstate(all="ignore"):  # whatever the tensors hold
        maps = {part: _sigmoid(real(fields.heatmaps)[..., index]) for index, part in enumerate(fields.skeleton.parts)}
        if fields.segments is not None:
            maps["person"] = _sigmoid(real(fields.segments)[..., 0])
        settings, decodes = sample_decodes(decoder, fields, _SLIDERS)
        candidates, traces = _walks(fields, decoder, min(settings.get("score_threshold", (0.01,))))
    return Layers(
        family="posenet",
        skeleton=fields.skeleton,
        maps=maps,
        map_origin=fields.shift,
        map_pitch=(stride, stride),
        vectors=_vectors(fields),
        peaks=candidates,
        traces=traces,
        limbs=[],
        settings=settings,
        decodes=decodes,
        words=_WORDS,
    )


def _vectors(fields: PoseNetFields) -> list[VectorField]:
    """Return the short offsets of every part and the displacements of every edge, both ways."""
    stride = float(fields.output_stride)
    offsets, forward, backward = (
        real(field) for field in (fields.offsets, fields.displacements_fwd, fields.displacements_bwd)
    )

    def field(name: str, values: NDArray[np.float32], channel: int, count: int, gate: int) -> VectorField:
        both = np.stack([values[..., channel + count], values[..., channel]], axis=2)
        return VectorField(name, both, fields.shift, (stride, stride), 1.0, gate)

    parts, edges = fields.skeleton.parts, tree_of(fields.skeleton)
    shown = [field(f"short offsets: {part}", offsets, index, len(parts), index) for index, part in enumerate(parts)]
    for edge, (parent, child) in enumerate(edges):
        shown.append(field(f"{parts[parent]} to {parts[child]}", forward, edge, len(edges), parent))
        shown.append(field(f"{parts[child]} to {parts[parent]}", backward, edge, len(edges), child))
    return shown


def _walks(fields: PoseNetFields, decoder: Any, lowest: float) -> tuple[list[Any], list[Any]]:
    """Return the candidates, best first: part, x, y, score; and for each the steps of its walk.

    A step is the part it leads to, and x, y of where it begins, where the
    displacement lands, and where each refinement goes from there.
    """
    heatmaps, offsets, displacements, _ = in_cells(fields)
    if heatmaps.size == 0:
        return [], []
    votes, fineness = heatmaps, np.float32(1)
    threshold: Any = np.float32(logit(lowest))
    if isinstance(decoder, PersonLabDecoder):
        fineness = find_fineness(fields, decoder)
        votes, threshold = cast_votes(heatmaps, offsets, fineness, fields.output_stride, decoder), np.float32(lowest)
    roots = find_roots(votes, threshold, getattr(decoder, "local_maximum_radius", 1))
    roots = sorted(roots, key=lambda root: -votes[root])[:_MOST_CANDIDATES]
    candidates, traces = [], []
    for row, column, part in roots:
        position = np.array([row, column], np.float32) / fineness
        score = votes[row, column, part] if votes is not heatmaps else _sigmoid(heatmaps[row, column, part])
        if votes is heatmaps:
            position = _moved(position, offsets[row, column, part], offsets, decoder)
        steps = _walk(part, position, offsets, displacements, tree_of(fields.skeleton), decoder)
        if isinstance(decoder, PoseNetDecoder):
            position, steps = _with_votes(part, position, steps, heatmaps, offsets, decoder)
        candidates.append([part, *_pixels(position, fields), round(float(np.clip(score, 0, 1)), 5)])
        traces.append(
            [[target, *(number for place in places for number in _pixels(place, fields))] for target, places in steps]
        )
    return candidates, traces


def _walk(
    root: int, position: Any, offsets: Any, displacements: Any, edges: tuple[tuple[int, int], ...], decoder: Any
) -> list[tuple[int, list[Any]]]:
    """Return, for each step from a root, the part it leads to and the places on the way, in cells."""
    found, steps = {root: position}, []
    for source, target, edge, is_bwd in walk_tree(root, edges):
        places = [found[source]]
        vectors = displacements[:, :, int(is_bwd), edge]
        places.append(_moved(found[source], _read(vectors, found[source], decoder), vectors, decoder))
        for _ in range(getattr(decoder, "refinement_steps", 0)):
            start = _nearest(places[-1], offsets) if isinstance(decoder, TfjsDecoder) else places[-1]
            places.append(_moved(start, _read(offsets[:, :, target], places[-1], decoder), offsets, decoder))
        found[target] = places[-1]
        steps.append((target, places))
    return steps


def _with_votes(
    root: int, position: Any, steps: list[tuple[int, list[Any]]], heatmaps: Any, offsets: Any, decoder: PoseNetDecoder
) -> tuple[Any, list[tuple[int, list[Any]]]]:
    """Add to each step the place that the cells around its end point to; move the root in the same way."""

    def moved(part: int, place: Any) -> Any:
        for _ in range(decoder.vote_passes):
            place = vote(place, heatmaps[..., part], offsets[:, :, part], decoder)[0]
        return place

    return moved(root, position), [(target, [*places, moved(target, places[-1])]) for target, places in steps]


def _moved(place: Any, vector: Any, grid: Any, decoder: Any) -> Any:
    """Return a place moved by a vector, inside the grid unless tfjs moves it."""
    return place + vector if isinstance(decoder, TfjsDecoder) else follow(place, vector, grid)


def _read(vectors: Any, place: Any, decoder: Any) -> Any:
    """Return the vector at a place: the nearest cell's for tfjs, else between four cells."""
    if isinstance(decoder, TfjsDecoder):
        row, column = _nearest(place, vectors).astype(int)
        return vectors[row, column]
    return sample(vectors, place)


def _nearest(place: Any, grid: Any) -> Any:
    return np.clip(np.floor(place + 0.5), 0, np.array(grid.shape[:2]) - 1).astype(np.float32)


def _pixels(place: Any, fields: PoseNetFields) -> tuple[float, float]:
    """Return x and y of a cell, in input pixels."""
    stride, (left, top) = fields.output_stride, fields.shift
    return round(float(place[1]) * stride + left, 1), round(float(place[0]) * stride + top, 1)


def _sigmoid(logits: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(logits, np.float32)))
