"""Ray's side of it: actors that estimate parts, and that may die."""

import itertools
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bottomup.distributed.parts import count_rows, estimate_part
from bottomup.distributed.results import Format, is_whole, part_path, read_part, row_of, row_of_error, write_part
from bottomup.distributed.sources import Image, Part, images_of
from bottomup.errors import InputError, MissingRuntimeError, ModelError
from bottomup.estimation.estimator import PoseEstimator

__all__ = ["Worker", "estimate_on_ray", "import_ray"]

_MOST_BLOCKS = 2000  # of Ray: each is at least a part
_MOST_DEATHS = 2  # of actors at a part, before its images are taken singly; then at an image, before it is left out


def estimate_on_ray(
    ray: Any, parts: list[Part], arguments: tuple[Any, ...], actors: int
) -> Iterator[tuple[int, int, int]]:
    """Estimate parts on Ray's actors; yield of each part how many images, people and errors it had."""
    if not parts:
        return
    with _running(ray):
        rows = ray.data.from_items(
            [{"part": json.dumps(part)} for part in parts], override_num_blocks=min(len(parts), _MOST_BLOCKS)
        )
        done = rows.map(
            Worker,
            fn_constructor_args=arguments,
            compute=ray.data.ActorPoolStrategy(size=min(actors, len(parts))),
            num_cpus=1,
        )
        for row in done.iter_rows():
            yield row["images"], row["people"], row["errors"]


@contextmanager
def _running(ray: Any) -> Iterator[None]:
    """Run Ray without bars of its own, unless it runs already: then leave it as it is."""
    if ray.is_initialized():
        yield
        return
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        yield
    finally:
        ray.shutdown()


def import_ray() -> Any:
    """Return Ray, with Ray Data."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingRuntimeError(f"Ray cannot be imported, {error}: pip install 'bottomup[ray]'") from error
    return ray


class Worker:
    """What an actor is: an estimator, and where its results go.

    It notes what it begins in a file beside the part's, where the next actor
    sees what this one died of: Ray itself would try the same for ever.
    """

    def __init__(self, make_estimator: Callable[[], PoseEstimator], folder: str, format: Format, base: str) -> None:
        self._estimator, self._folder, self._format, self._base = make_estimator(), Path(folder), format, base

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Estimate a part, written as JSON, unless that is done; return its counts."""
        number, paths, *rest = json.loads(row["part"])
        part = Part(number, tuple(paths), *rest)
        path = part_path(self._folder, part.number, self._format)
        if is_whole(path, part.size):  # its actor died before it could say so
            return dict(zip(("images", "people", "errors"), count_rows(read_part(path)), strict=True))
        notes = path.with_name(f".{path.name}.begun")
        before = notes.read_text(encoding="ascii").split() if notes.exists() else []
        if before.count("part") < _MOST_DEATHS:
            _note(notes, "part")
            rows = estimate_part(self._estimator, part, self._base)
        else:
            words = [*before, "singly"]
            died = [word for word, following in itertools.pairwise(words) if following == "singly"]
            _note(notes, "singly")
            every = enumerate(images_of(part, self._base))
            rows = [self._estimate(image, str(index), notes, died.count(str(index))) for index, image in every]
        write_part(path, rows)
        notes.unlink(missing_ok=True)
        return dict(zip(("images", "people", "errors"), count_rows(rows), strict=True))

    def _estimate(self, image: Image, index: str, notes: Path, deaths: int) -> dict[str, Any]:
        """Return the row of one image, at which so many processes have died."""
        if deaths >= _MOST_DEATHS:
            return row_of_error(image.name, ModelError(f"image {image.name!r} ended {deaths} processes: not estimated"))
        _note(notes, index)
        try:
            return row_of(image.name, self._estimator(image.read()))
        except InputError as error:
            return row_of_error(image.name, error)


def _note(notes: Path, what: str) -> None:
    """Append a word to a file, at once."""
    with notes.open("a", encoding="ascii") as file:
        file.write(f"{what}\n")
