"""The page: one HTML file that contains its style, script and data."""

import base64
import html
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.geometry import Placement
from bottomup.images import jpeg_address
from bottomup.layers import Layers, VectorField
from bottomup.poses import Poses

__all__ = ["Picture", "page_data", "render"]

_PER_PIXEL = 8  # vectors are stored as eighths of a pixel, or of a hundredth of a unit vector
_FOLDER = Path(__file__).parent


class Picture(NamedTuple):
    """A photo, and where it lies in the network's input."""

    image: NDArray[np.uint8]  #: BGR
    placement: Placement


def render(layers: Layers, picture: Picture, decoder: Any, title: str) -> str:
    """Return the page."""
    data = json.dumps(page_data(layers, picture, decoder, title), allow_nan=False, separators=(",", ":"))
    parts = {
        "TITLE": html.escape(title),
        "STYLE": _read("page.css"),
        "SCRIPT": _read("page.js"),
        "DATA": data.replace("<", "\\u003c"),  # so that no tag in it can end the script element
    }
    page = _read("page.html")
    before, *rest = page.split("{{")
    return before + "".join(parts[name] + text for name, text in (piece.split("}}", 1) for piece in rest))


def page_data(layers: Layers, picture: Picture, decoder: Any, title: str) -> dict[str, Any]:
    """Return what the page's script reads."""
    placement, skeleton = picture.placement, layers.skeleton
    height, width = picture.image.shape[:2]
    poses, decodes = _pooled(layers)
    return {
        "title": title,
        "family": layers.family,
        "decoder": repr(decoder),
        "photo": {
            "source": jpeg_address(picture.image),
            "width": width,
            "height": height,
            "scale": [placement.scale_x, placement.scale_y],
            "corner": [placement.left, placement.top],
        },
        "parts": list(skeleton.parts),
        "mirror": list(skeleton.mirror),
        "edges": [list(edge) for number, edge in enumerate(skeleton.edges) if number not in skeleton.redundant_edges],
        "maps": {
            "origin": layers.map_origin,
            "pitch": layers.map_pitch,
            "each": [{"name": name, **_grid(_levels(values))} for name, values in layers.maps.items()],
        },
        "vectors": [_vectors(field) for field in layers.vectors],
        "peaks": layers.peaks,
        "traces": layers.traces,
        "limbs": layers.limbs,
        "settings": [
            {"name": name, "steps": list(steps), "start": steps.index(float(getattr(decoder, name)))}
            for name, steps in layers.settings.items()
        ],
        "poses": poses,
        "decodes": decodes,
    }


def _pooled(layers: Layers) -> tuple[list[Any], list[Any]]:
    """Return all distinct poses, and for each step of the sliders, in order, the poses that it gives with their scores.

    A pose has its keypoints (x, y, score, or null), the indices of filled
    ones, and for a PoseNet the index of the peak that it was traced from.
    """
    numbers: dict[bytes, int] = {}
    poses: list[Any] = []
    decodes = []
    ends = _ends_of(layers)
    for found in layers.decodes.values():
        chosen = []
        for pose, score in enumerate(found.scores.tolist()):
            key = np.round(found.keypoints[pose], 2).tobytes()
            if key not in numbers:
                numbers[key] = len(poses)
                poses.append(_pose(found, pose, ends))
            chosen.append([numbers[key], round(score, 3) if np.isfinite(score) else 0])
        decodes.append(chosen)
    return poses, decodes


def _pose(found: Poses, pose: int, ends: NDArray[np.float64]) -> dict[str, Any]:
    """Return one pose for the page."""
    keypoints = found.keypoints[pose]
    filled = np.flatnonzero(found.filled[pose]).tolist()
    root = None
    if len(ends):
        apart = np.linalg.norm(ends - keypoints[None, :, :2], axis=2)
        root = int(np.argmin(np.where(np.isnan(apart), 1e4, apart).mean(axis=1)))
    return {
        "keypoints": [
            [round(x, 1), round(y, 1), round(score, 3)] if np.isfinite([x, y, score]).all() else None
            for x, y, score in keypoints.tolist()
        ],
        "filled": filled,
        "root": root,
    }


def _ends_of(layers: Layers) -> NDArray[np.float64]:
    """Return (peaks, N, 2): where tracing from each peak puts each part."""
    ends = np.full((len(layers.traces), len(layers.skeleton.parts), 2), np.nan)
    for peak, steps in enumerate(layers.traces):
        part, x, y, _ = layers.peaks[peak]
        ends[peak, part] = x, y
        for step in steps:
            ends[peak, step[0]] = step[-2:]
    return ends


def _levels(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return scores as 0 to 255."""
    return np.asarray(np.round(255 * np.clip(np.nan_to_num(values), 0, 1)), np.uint8)


def _vectors(field: VectorField) -> dict[str, Any]:
    """Return arrows for the page."""
    fineness = _PER_PIXEL if field.length == 1 else 100 * _PER_PIXEL
    most = 32767 / fineness
    levels = np.round(np.clip(np.nan_to_num(field.vectors), -most, most) * fineness).astype("<i2")
    return {
        "name": field.name,
        **_grid(levels),
        "origin": field.origin,
        "pitch": field.pitch,
        "length": field.length / fineness,
        "gate": field.gate,
    }


def _grid(values: NDArray[Any]) -> dict[str, Any]:
    return {
        "height": values.shape[0],
        "width": values.shape[1],
        "values": base64.b64encode(np.ascontiguousarray(values).tobytes()).decode(),
    }


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
