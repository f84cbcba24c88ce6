"""The page: one HTML file that contains its style, script and data."""

import base64
import dataclasses
import hashlib
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.family import Family
from bottomup.geometry import ImageSize, Placement
from bottomup.inspection.calls import call_of
from bottomup.inspection.packing import Pack
from bottomup.layers import Layers
from bottomup.poses import MIN_SCORE, Poses
from bottomup.similarity import are_duplicates, pose_similarities
from bottomup.skeletons import Skeleton

__all__ = ["Picture", "page_data", "render"]

_FOLDER = Path(__file__).parent / "page"
_LEAST_ALIKE = 0.1  # OKS from which a pose may be of a labelled person, as in `evaluate.match_people`
_FAR, _ROUNDING = 1e4, 0.071  # input pixels; places are rounded to a tenth, both ways
_SCRIPTS = ("data.js", "rules.js", "drawing.js", "panel.js", "person.js", "gestures.js", "start.js")


class Picture(NamedTuple):
    """A photo, and what is known about it."""

    image: NDArray[np.uint8]  #: BGR
    placement: Placement  #: where it lies in the network's input
    title: str
    command: str  #: of the command line, without the decoder's options
    takes_min_score: bool = True  #: whether that command does
    labels: Poses | None = None  #: people labelled in the photo, in its pixels
    min_score: float = MIN_SCORE

    @property
    def size(self) -> ImageSize:
        """Width and height of the photo."""
        return ImageSize(self.image.shape[1], self.image.shape[0])


def render(fields: Any, decoders: Sequence[Any], family: Family, picture: Picture) -> str:
    """Return the page for fields, decoded by one decoder or by two side by side."""
    pack = Pack()
    data = page_data(fields, decoders, family, picture, pack)
    style = _read("page.css")
    script = '"use strict";\n' + "".join(map(_read, _SCRIPTS))
    parts = {
        "TITLE": html.escape(picture.title),
        "POLICY": f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; "
        "base-uri 'none'; form-action 'none'",
        "STYLE": style,
        "SCRIPT": script,
        "DATA": pack.text(data),
    }
    before, *rest = _read("page.html").split("{{")
    return before + "".join(parts[name] + text for name, text in (piece.split("}}", 1) for piece in rest))


def page_data(fields: Any, decoders: Sequence[Any], family: Family, picture: Picture, pack: Pack) -> dict[str, Any]:
    """Return what the page's script reads; numbers of fields and photo go into the pack."""
    seen = [family.layers(fields, decoder) for decoder in decoders]
    layers, skeleton, placement = seen[0], seen[0].skeleton, picture.placement
    return {
        "title": picture.title,
        "family": layers.family,
        "networks": family.title,
        "photo": {
            "place": pack.photo(picture.image),
            "width": picture.size.width,
            "height": picture.size.height,
            "scale": [placement.scale_x, placement.scale_y],
            "corner": [placement.left, placement.top],
        },
        "command": picture.command,
        "takes_min_score": picture.takes_min_score,
        "min_score": picture.min_score,
        "parts": list(skeleton.parts),
        "mirror": list(skeleton.mirror),
        "edges": [list(edge) for number, edge in enumerate(skeleton.edges) if number not in skeleton.redundant_edges],
        "all_edges": [list(edge) for edge in skeleton.edges],
        "words": layers.words._asdict(),
        "maps": pack.maps(layers),
        "vectors": [pack.vectors(field, layers) for field in layers.vectors],
        "labels": _labels(picture.labels),
        "decoders": [
            _decoder_data(each, decoder, family, picture) for each, decoder in zip(seen, decoders, strict=True)
        ],
    }


def _decoder_data(layers: Layers, decoder: Any, family: Family, picture: Picture) -> dict[str, Any]:
    """Return what the page knows about one decoder."""
    poses, decodes = _pooled(layers, picture, getattr(decoder, "shift", 0.0))
    numbers = (int, float, np.integer, np.floating)
    names = [field.name for field in dataclasses.fields(decoder)] if dataclasses.is_dataclass(decoder) else []
    parameters = {name: getattr(decoder, name) for name in names}
    return {
        "title": type(decoder).__name__,
        "shown": repr(decoder),
        "call": call_of(decoder, family).shown(),
        "parameters": {
            name: float(value)
            for name, value in parameters.items()
            if isinstance(value, numbers) and not isinstance(value, bool)
        },
        "note": layers.note,
        "peaks": layers.peaks,
        "traces": layers.traces,
        "limbs": layers.limbs,
        "boxes": list(layers.boxes),
        "rivals": list(layers.rivals),
        "tags": list(layers.tags),
        "settings": [
            {"name": name, "steps": list(steps), "start": steps.index(float(getattr(decoder, name)))}
            for name, steps in layers.settings.items()
        ],
        "poses": poses,
        "decodes": decodes,
    }


def _pooled(layers: Layers, picture: Picture, shift: Any) -> tuple[list[Any], list[Any]]:
    """Return all distinct poses, and for each step of the sliders, in order, the poses that it gives.

    A pose has its keypoints (x, y, score, or null), the indices of filled
    ones, the number of the candidate that it was made from, if there is one,
    and the label that it is most like. A step lists the poses' numbers and
    scores, and which better pose a worse duplicate is most like, else -1.
    """
    numbers: dict[bytes, int] = {}
    poses: list[Any] = []
    decodes = []
    ends = _ends_of(layers)
    for found in layers.decodes.values():
        chosen, doubles, likeness = [], _doubles(found), _likeness(found, picture)
        roots = _roots(found, layers, ends, shift)
        for pose, score in enumerate(found.scores.tolist()):
            key = np.round(found.keypoints[pose], 2).tobytes()
            if key not in numbers:
                numbers[key] = len(poses)
                poses.append({**_pose(found, pose), "root": roots[pose], "label": likeness[pose]})
            chosen.append([numbers[key], round(score, 3) if np.isfinite(score) else 0, doubles[pose]])
        decodes.append(chosen)
    return poses, decodes


def _doubles(found: Poses) -> list[int]:
    """Return, for each pose, the better one of which `Poses.sure` takes it for a duplicate, or -1."""
    are_worse = are_duplicates(found.xy, found.scores, found.skeleton)
    if not are_worse.any():
        return [-1] * len(found)
    alike = pose_similarities(found.xy, found.xy, found.skeleton)
    alike[:, are_worse] = -1  # what was dropped drops nobody
    return [int(alike[pose].argmax()) if is_worse else -1 for pose, is_worse in enumerate(are_worse.tolist())]


def _likeness(found: Poses, picture: Picture) -> list[list[float] | None]:
    """Return, for each pose, the label that it is most like and their similarity, over the parts that both have."""
    if picture.labels is None or not len(picture.labels) or not len(found):
        return [None] * len(found)
    names = picture.labels.skeleton.parts
    places = np.full((len(picture.labels), len(found.skeleton.parts), 2), np.nan)
    for part, name in enumerate(found.skeleton.parts):
        if name in names:
            places[:, part] = picture.labels.xy[:, names.index(name)]
    own = found.to_image(picture.placement, picture.size).xy
    alike = pose_similarities(own, places, found.skeleton)
    return [[int(row.argmax()), round(float(row.max()), 2)] if row.max() >= _LEAST_ALIKE else None for row in alike]


def _labels(labels: Poses | None) -> dict[str, Any] | None:
    """Return labelled people for the page, in pixels of the photo."""
    if labels is None:
        return None
    skeleton: Skeleton = labels.skeleton
    return {
        "parts": list(skeleton.parts),
        "edges": [list(edge) for edge in skeleton.edges],
        "people": [[_place(keypoint) for keypoint in pose] for pose in labels.keypoints.tolist()],
    }


def _place(keypoint: list[float]) -> list[float] | None:
    x, y, score = keypoint
    return [round(x, 1), round(y, 1), round(score, 3)] if np.isfinite(keypoint).all() else None


def _pose(found: Poses, pose: int) -> dict[str, Any]:
    """Return one pose for the page."""
    return {
        "keypoints": [_place(keypoint) for keypoint in found.keypoints[pose].tolist()],
        "filled": np.flatnonzero(found.filled[pose]).tolist(),
    }


def _roots(found: Poses, layers: Layers, ends: NDArray[np.float64], shift: Any) -> list[int | None]:
    """Return, for each pose, the candidate that it was made from: the best one whose box or trace is the pose's.

    The places in `layers` are rounded, so that two traces that end alike are equally near: the first is the better one.
    """
    if not len(ends):
        return [None] * len(found)
    if len(layers.boxes) and found.own_boxes is not None:  # votes move parts, but no box
        corners = np.array(layers.boxes, np.float64)
        own = np.concatenate([found.own_boxes[:, :2], found.own_boxes[:, :2] + found.own_boxes[:, 2:]], axis=1)
        apart = np.abs(own[:, None] - np.resize(shift, 4) - corners[None]).mean(axis=2)
    else:
        apart = np.linalg.norm(found.xy[:, None] - ends[None], axis=3)
        apart = np.where(np.isnan(apart), _FAR, apart).mean(axis=2)
    return [int((row <= row.min() + _ROUNDING).argmax()) if row.min() < _FAR else None for row in apart]


def _ends_of(layers: Layers) -> NDArray[np.float64]:
    """Return (candidates, N, 2): where the trace of each candidate puts each part."""
    ends = np.full((len(layers.traces), len(layers.skeleton.parts), 2), np.nan)
    for peak, steps in enumerate(layers.traces):
        part, x, y, _ = layers.peaks[peak]
        if part >= 0:
            ends[peak, part] = x, y
        for step in steps:
            ends[peak, step[0]] = step[-2:]
    return ends


def _digest(text: str) -> str:
    """Return a hash that a content security policy names."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
