"""The annotated photos: where their files are, and whether their sizes fit the annotations."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from bottomup.errors import InputError
from bottomup.geometry import ImageSize

__all__ = ["photo_paths", "size_problem"]


def photo_paths(images: Mapping[int, Mapping[str, Any]], folder: str | Path) -> dict[int, Path]:
    """Return the path of each annotated image: its file name, in that folder.

    Parameters
    ----------
    images : mapping
        The annotations' image records by id, as in `Truth.images`.
    folder : str or Path
        The folder of the photos.

    Raises
    ------
    InputError
        If a record has no file name, or one that leads out of the folder: annotations may come from strangers.
    """
    paths = {}
    for number, image in images.items():
        name = image.get("file_name")
        if not isinstance(name, str) or not name:
            raise InputError(f"image {number} of the annotations has no 'file_name': it cannot be found")
        kinds = (PurePosixPath(name), PureWindowsPath(name))
        if any(path.anchor or ".." in path.parts for path in kinds) or "\0" in name:
            raise InputError(
                f"image {number} of the annotations is {name[:80]!r}, which leads out of the folder of images: "
                "use paths relative to that folder"
            )
        paths[number] = Path(folder) / name
    return paths


def size_problem(image: Mapping[str, Any], size: ImageSize) -> str | None:
    """Return why a photo's size does not fit its annotations; None if it does, or they do not give one.

    Parameters
    ----------
    image : mapping
        The photo's record in the annotations.
    size : ImageSize
        The photo's size, once it is upright by its EXIF data.
    """
    annotated = (image.get("width"), image.get("height"))
    if not all(isinstance(side, (int, float)) and side > 0 for side in annotated) or annotated == tuple(size):
        return None
    name, (width, height) = str(image.get("file_name", image.get("id"))), annotated
    if annotated == (size.height, size.width):
        return (
            f"{name} is {size.width} x {size.height} pixels once upright, the annotations say {width} x {height}: "
            "they were made on the photo as it is stored; store it upright, then annotate it"
        )
    return (
        f"{name} is {size.width} x {size.height} pixels, the annotations say {width} x {height}: positions would not "
        "fit; pass the photos that were annotated"
    )
