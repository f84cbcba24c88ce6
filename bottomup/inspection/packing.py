"""Pack what a page shows into one compressed text: JSON, and the numbers of fields and photo beside it."""

import base64
import json
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.images import jpeg_for_page
from bottomup.layers import Layers, VectorField

__all__ = ["Pack"]

_PER_PIXEL = 8  # vectors are stored as eighths of a pixel, or of a hundredth of a unit vector
_MOST_CELLS = 256 * 256  # of a map; larger ones are thinned out
_LOWEST_GATE, _SHORTEST = 0.03, 0.1  # score of a cell, length of a unit vector, below which no arrow is drawn


class Pack:
    """Bytes in a row, each piece known by its place."""

    def __init__(self) -> None:
        self._pieces = bytearray()

    def text(self, data: dict[str, Any]) -> str:
        """Return the length of the JSON, the JSON and the bytes: compressed, as base64."""
        document = json.dumps(data, allow_nan=False, separators=(",", ":")).encode()
        whole = len(document).to_bytes(4, "little") + document + bytes(self._pieces)
        return base64.b64encode(zlib.compress(whole, 9)).decode()

    def add(self, content: bytes) -> list[int]:
        """Add bytes; return where they begin, and how many they are."""
        start = len(self._pieces)
        self._pieces += content
        return [start, len(content)]

    def maps(self, layers: Layers) -> dict[str, Any]:
        """Add the heatmaps, as levels from 0 to 255; of blocks of cells, where there are too many, the highest."""
        step = _step(next(iter(layers.maps.values()), np.zeros((0, 0))))
        pitch = [each * step for each in layers.map_pitch]
        middle = [at + (step - 1) / 2 * each for at, each in zip(layers.map_origin, layers.map_pitch, strict=True)]
        shown = [{"name": name, **self._grid(_levels(values, step))} for name, values in layers.maps.items()]
        return {"origin": middle, "pitch": pitch, "step": step, "each": shown}

    def vectors(self, field: VectorField, layers: Layers) -> dict[str, Any]:
        """Add arrows; those that the page does not draw are 0, and those of too many are thinned out."""
        fineness = _PER_PIXEL if field.length == 1 else 100 * _PER_PIXEL
        most, step = 32767 / fineness, _step(field.vectors)
        vectors = np.clip(np.nan_to_num(field.vectors), -most, most)
        if field.gate is None:
            is_drawn = np.hypot(vectors[..., 0], vectors[..., 1]) >= _SHORTEST
        else:
            is_drawn = list(layers.maps.values())[field.gate] >= _LOWEST_GATE
        drawn = (vectors * is_drawn[..., None])[::step, ::step]
        return {
            "name": field.name,
            **self._grid(np.round(drawn * fineness).astype("<i2")),
            "origin": field.origin,
            "pitch": [each * step for each in field.pitch],
            "length": field.length / fineness,
            "gate": field.gate,
        }

    def photo(self, image: NDArray[np.uint8]) -> list[int]:
        """Add a picture, shrunk if it is large."""
        return self.add(jpeg_for_page(image))

    def _grid(self, values: NDArray[Any]) -> dict[str, Any]:
        place = self.add(np.ascontiguousarray(values).tobytes())
        return {"height": values.shape[0], "width": values.shape[1], "place": place}


def _step(values: NDArray[Any]) -> int:
    """Return of how many cells, each way, one is kept."""
    return max(int(np.ceil(np.sqrt(values.shape[0] * values.shape[1] / _MOST_CELLS))), 1)


def _levels(values: NDArray[Any], step: int) -> NDArray[np.uint8]:
    """Return scores as 0 to 255: the highest of each block of cells."""
    levels = np.asarray(np.round(255 * np.clip(np.nan_to_num(values), 0, 1)), np.uint8)
    if step == 1:
        return levels
    height, width = (-(-side // step) for side in levels.shape)
    padded = np.zeros((height * step, width * step), np.uint8)
    padded[: levels.shape[0], : levels.shape[1]] = levels
    blocks: NDArray[np.uint8] = padded.reshape(height, step, width, step).max(axis=(1, 3))
    return blocks
