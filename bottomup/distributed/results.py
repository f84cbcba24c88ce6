"""Rows of results: one an image, in files that are there whole or not at all."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from bottomup.distributed.sources import import_arrow
from bottomup.errors import InputError
from bottomup.export import poses_json
from bottomup.poses import Poses

Format: TypeAlias = Literal["jsonl", "parquet"]
FORMATS: tuple[Format, ...] = ("jsonl", "parquet")
PLAN = "_plan.json"  # Parquet's readers pass over names that begin so


def row_of(name: str, poses: Poses) -> dict[str, Any]:
    """Return the row of an image whose people were found."""
    assert poses.image_size is not None
    width, height = poses.image_size
    return {"image": name, "width": width, "height": height, "poses": poses_json(poses), "error": None}


def row_of_error(name: str, error: Exception) -> dict[str, Any]:
    """Return the row of an image that could not be read."""
    return {"image": name, "width": None, "height": None, "poses": [], "error": " ".join(str(error).split())}


def part_path(folder: str | Path, number: int, format: Format) -> Path:
    """Return where a part's rows go."""
    return Path(folder) / f"part-{number:06d}.{format}"


def write_part(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write a part's rows, so that the file is there whole or not at all, whatever ends the process."""
    waiting = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.suffix == ".parquet":
            arrow, parquet = import_arrow()
            parquet.write_table(arrow.Table.from_pylist(list(rows), _schema(arrow)), waiting)
        else:
            waiting.write_text("".join(json.dumps(row, allow_nan=False) + "\n" for row in rows), encoding="utf-8")
        os.replace(waiting, path)
    finally:
        waiting.unlink(missing_ok=True)


def read_part(path: Path) -> list[dict[str, Any]]:
    """Return a part's rows."""
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = import_arrow()[1].ParquetFile(path).read().to_pylist()
        return rows
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_rows(folder: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the rows that `estimate_images` wrote into a folder, one an image, in the source's order.

    A row has "image", the path, or FILE.parquet#ROW; "width" and "height"; "poses", as `export.poses_json` gives them;
    and "error", None where the image could be read.

    Raises
    ------
    InputError
        If the folder holds no such results, or not all of them yet.
    """
    plan = read_plan(Path(folder))
    if plan is None:
        raise InputError(f"{str(folder)!r} holds no results of estimate_images")
    paths = [part_path(folder, number, plan["format"]) for number in range(plan["parts"])]
    missing = sum(not path.exists() for path in paths)
    if missing:
        raise InputError(f"{missing} of {len(paths)} parts are missing in {str(folder)!r}: run estimate_images again")
    return (row for path in paths for row in read_part(path))


def read_plan(folder: Path) -> dict[str, Any] | None:
    """Return what a folder's results are of; None if it has none."""
    try:
        plan: dict[str, Any] = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        return plan
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{str(folder / PLAN)!r} cannot be read: {error}: name another folder") from error


def begin(folder: Path, plan: dict[str, Any]) -> None:
    """Make a folder for results of this plan, or make sure that what is there is of it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = read_plan(folder)
        if before is None:
            waiting = folder / f".{PLAN}.{os.getpid()}"
            waiting.write_text(json.dumps(plan, indent=1), encoding="utf-8")
            os.replace(waiting, folder / PLAN)
            return
    except OSError as error:
        raise InputError(f"folder {str(folder)!r} cannot be written to: {error.strerror or error}") from error
    changed = [name for name in plan if before.get(name) != plan[name]]
    if changed:
        was, now = before.get(changed[0]), plan[changed[0]]
        raise InputError(
            f"folder {str(folder)!r} holds results of another run, whose {changed[0]} was {was!r}, not {now!r}: "
            "name another folder, or ask for the same"
        )


def _schema(arrow: Any) -> Any:
    """Return the columns of a Parquet file of results."""
    pose = arrow.struct([("score", arrow.float32()), ("keypoints", arrow.list_(arrow.list_(arrow.float32())))])
    return arrow.schema(
        [
            ("image", arrow.string()),
            ("width", arrow.int32()),
            ("height", arrow.int32()),
            ("poses", arrow.list_(pose)),
            ("error", arrow.string()),
        ]
    )
