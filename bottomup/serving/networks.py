"""The networks that the page offers, and what they find in a photo."""

import base64
import dataclasses
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup import families
from bottomup.catalogue import cards as catalogue
from bottomup.draw import draw_masks, draw_poses
from bottomup.errors import BottomupError, InputError, ModelError
from bottomup.estimation.estimator import PoseEstimator
from bottomup.estimation.loading import load
from bottomup.export import coco_rle, poses_json, skeleton_json
from bottomup.family import Family
from bottomup.images import decode_image, jpeg_for_page
from bottomup.poses import MIN_SCORE, Poses

__all__ = ["Networks", "Wish"]

_MOST_LOADED = 3
_FILE = "file"
_SETTINGS = ("model", "decoder", "min_score", "threshold", "masks", "boxes", "name")
_LONGEST_NAME = 200


class Wish(NamedTuple):
    """What a request asks for."""

    model: str
    decoder: str
    min_score: float
    threshold: float | None  #: None: the decoder's own
    has_masks: bool
    has_boxes: bool
    name: str  #: of the photo, for messages


class Networks:
    """The models that may be asked for by name: the catalogue's, and the one that the page was started with.

    Parameters
    ----------
    model : str or Path, optional
        The one that is chosen first: a name of the catalogue or a file. Default: the model that ships.
    around_loading : callable, optional
        Returns a context manager in which models are loaded, one at a time, such as one that silences a runtime.

    Raises
    ------
    BottomupError
        If it cannot be loaded.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        around_loading: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._around_loading = around_loading
        self._is_over: Callable[[], bool] = lambda: False
        self._loading = threading.Lock()
        self._loaded: OrderedDict[tuple[str, str], PoseEstimator] = OrderedDict()
        self._files: dict[str, str | Path] = {}
        self._has_no_masks: set[str] = set()
        self.first = catalogue.SHIPPED if model is None else str(model)
        if self.first not in catalogue.names() or Path(self.first).is_file():
            self._files[Path(self.first).name] = self.first
            self.first = Path(self.first).name
        names = [name for name in catalogue.names() if _is_offered(catalogue.get(name))]
        first_family = self._estimator(self.first, "best").family
        self._decoders = {self.first: _decoders_of(first_family)}
        for name in names:
            self._decoders.setdefault(name, _decoders_of(families.get(catalogue.get(name).family)))

    def offers(self) -> list[dict[str, Any]]:
        """Return what the page lists: each model with its decoders, and the megabytes to download before its first use.

        Examples
        --------
        >>> Networks().offers()[0]["name"]
        'bottomup-tiny-uint8'
        """
        return [self._offer(name) for name in self._decoders]

    def _offer(self, name: str) -> dict[str, Any]:
        """Return what the page says about a model."""
        decoders = [{"name": each, "has_threshold": has} for each, has in self._decoders[name].items()]
        if name in self._files:
            return {"name": name, "title": "your file", "megabytes": 0, "decoders": decoders}
        card = catalogue.get(name)
        size = 0 if card.is_fetched else sum(file.size for file in card.files)
        return {"name": name, "title": card.title, "megabytes": round(size / 1e6, 1), "decoders": decoders}

    def wish(self, asked: Mapping[str, str]) -> Wish:
        """Return what a request asks for in its address.

        Raises
        ------
        InputError
            If a setting is unknown, or not what it must be.
        """
        unknown = [name for name in asked if name not in _SETTINGS]
        if unknown:
            raise InputError(f"there is no setting {unknown[0]!r}: there are {', '.join(_SETTINGS)}")
        model, decoder = asked.get("model", self.first), asked.get("decoder", "best")
        if model not in self._decoders:
            raise InputError(f"there is no model {model!r} here: choose one that the page lists")
        decoders = self._decoders[model]
        if decoder not in decoders:
            raise InputError(f"{model} has no decoder {decoder!r}: choose {', '.join(decoders)}")
        lowest, threshold = (_score(asked.get(name, ""), name) for name in ("min_score", "threshold"))
        if threshold is not None and not decoders[decoder]:
            raise InputError(f"decoder {decoder!r} has no threshold: leave it empty")
        return Wish(
            model,
            decoder,
            MIN_SCORE if lowest is None else lowest,
            threshold,
            _switch(asked.get("masks", "0"), "masks"),
            _switch(asked.get("boxes", "0"), "boxes"),
            asked.get("name", "photo")[:_LONGEST_NAME],
        )

    def answer(self, wish: Wish, content: bytes) -> dict[str, Any]:
        """Return the people in a photo, as `bottomup predict` writes them, and a picture that shows them.

        Raises
        ------
        BottomupError
            If the content is not a photo, or the model or decoder cannot be used.
        """
        pixels = decode_image(content, wish.name)
        estimator = self._set(self._estimator(wish.model, wish.decoder), wish)
        started = time.perf_counter()
        poses, masks = self._find(estimator, pixels, wish)
        seconds = time.perf_counter() - started
        tinted = pixels if masks is None else draw_masks(pixels, masks)
        picture = draw_poses(tinted, poses, min_score=0, boxes=wish.has_boxes, scores=True)
        height, width = pixels.shape[:2]
        document = {
            "image": wish.name,
            "model": wish.model,
            "decoder": wish.decoder,
            "skeleton": skeleton_json(poses.skeleton),
            "width": width,
            "height": height,
            "poses": poses_json(poses),
        }
        if masks is not None:
            document["masks"] = [{"segmentation": coco_rle(mask)} for mask in masks]
        return {
            "document": document,
            "picture": "data:image/jpeg;base64," + base64.b64encode(jpeg_for_page(picture)).decode(),
            "seconds": round(seconds, 3),
            "note": "This network has no masks." if wish.has_masks and masks is None else "",
        }

    def stop_downloads_when(self, is_over: Callable[[], bool]) -> None:
        """End a download under way as soon as `is_over()`."""
        self._is_over = is_over

    def _find(
        self, estimator: PoseEstimator, pixels: NDArray[np.uint8], wish: Wish
    ) -> tuple[Poses, NDArray[np.bool_] | None]:
        """Return the people in a photo, and their masks if they were asked for and the network has any."""
        if wish.has_masks and estimator.family.segment is not None and wish.model not in self._has_no_masks:
            try:
                found = estimator.masks(pixels)
            except ModelError:
                self._has_no_masks.add(wish.model)
            else:
                return found.poses, found.masks
        return estimator(pixels), None

    def _estimator(self, model: str, decoder: str) -> PoseEstimator:
        """Return a model with a decoder; the last few stay loaded."""
        key = model, decoder
        if model not in self._files and key not in self._loaded:  # fetching reads the whole file to check it
            catalogue.fetch(model, progress=self._go_on)
        with self._loading, self._around_loading():
            if key not in self._loaded:
                self._loaded[key] = load(self._files.get(model, model), decoder=None if decoder == "best" else decoder)
            self._loaded.move_to_end(key)
            if len(self._loaded) > _MOST_LOADED:
                self._loaded.popitem(last=False)
            return self._loaded[key]

    def _go_on(self, there: int, size: int) -> None:
        """End a download once the server ends."""
        if self._is_over():
            raise BottomupError("the server is ending")

    def _set(self, estimator: PoseEstimator, wish: Wish) -> PoseEstimator:
        """Return the estimator with a request's thresholds."""
        decoder: Any = estimator.decoder
        if wish.threshold is not None:
            if not dataclasses.is_dataclass(decoder):
                raise InputError(f"{wish.model} decodes by itself: leave the threshold empty")
            decoder = dataclasses.replace(decoder, **{estimator.family.threshold: wish.threshold})  # type: ignore[type-var]
        return dataclasses.replace(estimator, decoder=decoder, min_score=wish.min_score)


def _is_offered(card: catalogue.Card) -> bool:
    """Return whether a card's model runs on any machine, and has a file."""
    return bool(card.files) and card.delegate is None


def _decoders_of(family: Family) -> dict[str, bool]:
    """Return the decoders of a family by name, and whether each has the family's threshold."""
    return {**{name: hasattr(make(), family.threshold) for name, make in family.decoders.items()}, _FILE: False}


def _score(text: str, name: str) -> float | None:
    """Parse a score; None if it is empty."""
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise InputError(f"{name} must be a score from 0 to 1, got {text!r}")
    return value


def _switch(text: str, name: str) -> bool:
    """Parse a checkbox."""
    if text not in ("0", "1"):
        raise InputError(f"{name} must be 0 or 1, got {text!r}")
    return text == "1"
