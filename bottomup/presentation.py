"""How poses are shown: as a line, a table in notebooks, a picture, or in a window."""

import html
import os
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bottomup
from bottomup.errors import MissingRuntimeError
from bottomup.images import as_pixels, import_cv2

__all__ = [
    "Drawing",
    "check_screen",
    "close_windows",
    "count_of",
    "drawn",
    "one_line",
    "show_until_key",
    "table",
    "with_window",
]

_MOST_ROWS = 20
_QUIT = (27, ord("q"))  # 27 is escape


class Drawing(NDArray[np.uint8]):
    """A BGR array (H, W, 3) like any other, which a notebook shows as a picture."""

    def _repr_png_(self) -> bytes | None:
        if self.ndim != 3 or self.dtype != np.uint8 or not self.size:
            return None
        return bytes(import_cv2().imencode(".png", np.asarray(self))[1])


def count_of(number: int, one: str = "person", many: str = "people") -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> count_of(1), count_of(3), count_of(0, "image", "images")
    ('1 person', '3 people', '0 images')
    """
    return f"{number} {one if number == 1 else many}"


def one_line(poses: Any) -> str:
    """Return `repr(poses)`: their number, skeleton, scores and image size."""
    facts = [count_of(len(poses)), poses.skeleton.name]
    if len(poses):
        low, high = (f"{score:.2f}" for score in (poses.scores.min(), poses.scores.max()))
        facts.append(f"score {high}" if low == high else f"scores {high} to {low}")
    if poses.image_size is not None:
        facts.append("in {} x {}".format(*poses.image_size))
    return f"Poses({', '.join(facts)})"


def table(poses: Any) -> str:
    """Return an HTML table of the poses: score, box, number of parts found."""
    has_ids = poses.ids is not None
    heads = ["", *(["id"] if has_ids else []), "score", "left", "top", "width", "height", "parts"]
    rows = []
    for number, box in enumerate(poses.boxes[:_MOST_ROWS].tolist()):
        found = int(np.isfinite(poses.xy[number]).all(axis=1).sum())
        cells = [str(number), *([str(poses.ids[number])] if has_ids else []), f"{poses.scores[number]:.2f}"]
        cells += [f"{side:.0f}" for side in box] + [f"{found} of {len(poses.skeleton.parts)}"]
        rows.append("".join(f"<td>{html.escape(cell)}</td>" for cell in cells))
    more = f"<p>and {len(poses) - _MOST_ROWS} more</p>" if len(poses) > _MOST_ROWS else ""
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"<p>{html.escape(one_line(poses))}</p><table><tr>{head}</tr>{body}</table>{more}"


def drawn(poses: Any, image: Any, settings: dict[str, Any]) -> Drawing:
    """Return the image with the poses drawn on it."""
    order = settings.pop("channel_order", "bgr")
    picture: Drawing = bottomup.draw_poses(as_pixels(image, order), poses, **settings).view(Drawing)
    return picture


def show_until_key(image: NDArray[np.uint8], title: str = "bottomup") -> None:
    """Show a picture in a window until a key is pressed or the window is closed."""
    with_window(image, title, 0)
    close_windows()


def with_window(image: NDArray[np.uint8], title: str = "bottomup", milliseconds: int = 1) -> bool:
    """Show a picture and wait, for a key if `milliseconds` is 0; return whether to stop: q, escape or a closed window.

    Raises
    ------
    MissingRuntimeError
        If there is no screen, or OpenCV was built without windows.
    """
    check_screen()
    cv2 = import_cv2()
    try:
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        cv2.imshow(title, np.asarray(image))
        key = cv2.waitKey(milliseconds or 50)
        while not milliseconds and key < 0 and cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) >= 1:
            key = cv2.waitKey(50)
        is_closed = cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) < 1
    except cv2.error as error:
        raise MissingRuntimeError(
            "cannot open a window: this OpenCV was built without windows; pip uninstall opencv-python-headless, "
            "then pip install opencv-python"
        ) from error
    return key & 0xFF in _QUIT if key >= 0 else is_closed


def check_screen() -> None:
    """Raise if there is no screen: OpenCV would abort the process."""
    has_screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform.startswith("linux") and not has_screen:
        raise MissingRuntimeError("cannot open a window: there is no screen; write a file instead")


def close_windows() -> None:
    """Close all windows."""
    cv2 = import_cv2()
    cv2.destroyAllWindows()
    cv2.waitKey(1)
