"""Rows of results: one an image, in files that are there whole or not at all."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from bottomup.distributed.sources import import_arrow
from bottomup.errors import InputError
from bottomup.export import poses_json
from bottomup.files import replacing, write_file
from bottomup.poses import Poses

__all__ = [
    "FORMATS",
    "PLAN",
    "Format",
    "begin",
    "is_whole",
    "part_path",
    "read_part",
    "read_plan",
    "read_rows",
    "row_of",
    "row_of_error",
    "write_part",
]

Format: TypeAlias = Literal["jsonl", "parquet"]
FORMATS: tuple[Format, ...] = ("jsonl", "parquet")
_MOST_PARTS = 10**8
PLAN = "_plan.json"  # Parquet's readers pass over names that begin so


def row_of(name: str, poses: Poses) -> dict[str, Any]:
    """Return the row of an image whose people were found."""
    width, height = poses.image_size or (None, None)
    return {"image": _plain(name), "width": width, "height": height, "poses": poses_json(poses), "error": None}


def row_of_error(name: str, error: Exception) -> dict[str, Any]:
    """Return the row of an image that could not be read."""
    return {
        "image": _plain(name),
        "width": None,
        "height": None,
        "poses": [],
        "error": _plain(" ".join(str(error).split())),
    }


def _plain(name: str) -> str:
    """Return a name that UTF-8 can write, which those of files need not be."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def part_path(folder: str | Path, number: int, format: Format) -> Path:
    """Return where a part's rows go."""
    return Path(folder) / f"part-{number:06d}.{format}"


def write_part(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write a part's rows, so that the file is there whole or not at all, whatever ends the process."""
    with replacing(path) as waiting:
        if path.suffix == ".parquet":
            arrow, parquet = import_arrow()
            parquet.write_table(arrow.Table.from_pylist(list(rows), _schema(arrow)), waiting)
        else:
            waiting.write_text("".join(json.dumps(row, allow_nan=False) + "\n" for row in rows), encoding="utf-8")


def read_part(path: Path) -> list[dict[str, Any]]:
    """Return a part's rows.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    try:
        if path.suffix != ".parquet":
            rows: list[dict[str, Any]] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        else:
            rows = import_arrow()[1].ParquetFile(path).read().to_pylist()
            for row in rows:  # a column is there for all poses, an entry of JSON where it says something
                row["poses"] = [
                    {name: told for name, told in pose.items() if told is not None} for pose in row["poses"]
                ]
        if not all(isinstance(row, dict) and isinstance(row.get("poses"), list) for row in rows):
            raise ValueError("a row has no poses")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:  # Arrow's are among them
        raise InputError(f"{str(path)!r} is damaged: {error}: delete it, and run estimate_images again") from error
    return rows


def is_whole(path: Path, rows: int) -> bool:
    """Tell whether a part's file is there, with so many rows."""
    try:
        if path.suffix == ".parquet":
            with import_arrow()[1].ParquetFile(path) as table:
                return bool(table.metadata.num_rows == rows)
        content = path.read_bytes()
        return content.count(b"\n") == rows and content.endswith(b"\n" if rows else b"")
    except (OSError, ValueError):
        return False


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
    rows = plan.get("rows") or [None] * len(paths)
    missing = sum(not path.exists() for path in paths)
    if missing:
        raise InputError(f"{missing} of {len(paths)} parts are missing in {str(folder)!r}: run estimate_images again")
    broken = sum(count is not None and not is_whole(path, count) for path, count in zip(paths, rows, strict=True))
    if broken:
        raise InputError(f"{broken} of {len(paths)} parts are not whole in {str(folder)!r}: run estimate_images again")
    return (row for path in paths for row in read_part(path))


def read_plan(folder: Path) -> dict[str, Any] | None:
    """Return what a folder's results are of; None if it has none."""
    try:
        plan: dict[str, Any] = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        _check_plan(plan)
        return plan
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{str(folder / PLAN)!r} cannot be read: {error}: name another folder") from error


def _check_plan(plan: Any) -> None:
    """Refuse what no call of ours has written."""
    if not isinstance(plan, dict) or plan.get("format") not in FORMATS:
        raise ValueError("it is no plan of estimate_images")
    parts, rows = plan.get("parts"), plan.get("rows", [])
    if isinstance(parts, bool) or not isinstance(parts, int) or not 0 <= parts <= _MOST_PARTS:
        raise ValueError(f"'parts' must be a whole number, got {str(parts)[:40]}")
    if not isinstance(rows, list) or (rows and len(rows) != parts) or not all(isinstance(it, int) for it in rows):
        raise ValueError("'rows' must be a whole number a part")


def begin(folder: Path, plan: dict[str, Any]) -> None:
    """Make a folder for results of this plan, or make sure that what is there is of it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = read_plan(folder)
        if before is None:
            write_file(folder / PLAN, json.dumps(plan, indent=1).encode())
            return
    except OSError as error:
        raise InputError(f"folder {str(folder)!r} cannot be written to: {error.strerror or error}") from error
    changed = [name for name in plan if before.get(name) != plan[name] and not (name == "rows" and name not in before)]
    if changed:
        was, now = before.get(changed[0]), plan[changed[0]]
        raise InputError(
            f"folder {str(folder)!r} holds results of another run, whose {changed[0]} was {was!r}, not {now!r}: "
            "name another folder, or ask for the same"
        )


def _schema(arrow: Any) -> Any:
    """Return the columns of a Parquet file of results."""
    numbers = arrow.list_(arrow.float32())
    pose = arrow.struct(
        [
            ("score", arrow.float32()),
            ("box", numbers),
            ("keypoints", arrow.list_(numbers)),
            ("filled", arrow.list_(arrow.int32())),
        ]
    )
    return arrow.schema(
        [
            ("image", arrow.string()),
            ("width", arrow.int32()),
            ("height", arrow.int32()),
            ("poses", arrow.list_(pose)),
            ("error", arrow.string()),
        ]
    )
