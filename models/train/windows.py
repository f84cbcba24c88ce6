r"""A store of windows: cut out of photos and scenes once, with targets, and shown many times.

    python -m models.train.windows --out DIR \
        --photos DIR ANNOTATIONS.json ANSWERS --rough-photos DIR ANNOTATIONS.json ANSWERS

Rendered scenes come first, into OUT/scenes. A store that was begun is continued.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from tqdm import tqdm

from bottomup.catalogue import find
from models.train.data import SceneViews, random_window, render_views
from models.train.lessons import Lesson, lessons
from models.train.mixing import mixed
from models.train.photos import read_photos
from models.train.sights import Sight, Teachers, taught
from models.train.targets import PAF_STRIDE, STRIDE, Targets

SIDE = 321  #: pixels of a window, whole strides plus 1
#: Share of windows that show scenes, and of the photos' windows that show photos with rough labels: they have odd
#: poses, and few people.
SCENES, ROUGH = 0.2, 0.35
#: Networks of the catalogue whose answers are learnt.
TEACHERS = {"maps": "omz-human-pose-0001", "posenet": "coral-posenet-641x481"}


class Sample(NamedTuple):
    """Pixels and targets of one window."""

    image: NDArray[np.uint8]
    targets: Targets


class Sources:
    """Where windows come from; each has a number, which decides all that is random about it.

    Photos are several lists of lessons, each with its share of the windows that are no scenes.
    """

    def __init__(
        self,
        scenes: SceneViews,
        photos: Sequence[tuple[float, Sequence[Lesson]]],
        look: Callable[[NDArray[np.uint8]], Sight],
        seed: int,
    ) -> None:
        self._scenes, self._photos, self._look, self._seed = scenes, photos, look, seed

    def sample(self, number: int) -> Sample:
        """Make a window."""
        generator = np.random.default_rng([self._seed, number])
        if not self._photos or generator.uniform() < SCENES:
            view = int(generator.integers(len(self._scenes)))
            return Sample(*self._scenes.sample(view, random_window(SIDE, generator)))
        shares = np.array([share for share, _ in self._photos])
        image, targets = mixed(self._photos[generator.choice(len(shares), p=shares / shares.sum())][1], SIDE, generator)
        return Sample(image, taught(targets, self._look(image)))


class Store:
    """Windows in a folder: an array for the pixels, and one for each target."""

    def __init__(self, folder: Path, count: int | None = None) -> None:
        self._count = folder / "count.json"
        self.arrays: dict[str, NDArray[Any]] = {}
        mode = "r" if count is None else "r+" if self._count.exists() else "w+"
        for name, (dtype, shape) in _kinds().items():
            whole = None if count is None else (count, *shape)
            self.arrays[name] = open_memmap(folder / f"{name}.npy", mode, dtype, whole)

    def __len__(self) -> int:
        return int(json.loads(self._count.read_text())) if self._count.exists() else 0

    def write(self, number: int, sample: Sample) -> None:
        """Keep a window."""
        values = sample.targets._asdict() | {"image": sample.image}
        for name, array in self.arrays.items():
            array[number] = values[name]
        partial = self._count.with_suffix(".partial")
        partial.write_text(json.dumps(number + 1))
        partial.replace(self._count)

    def read(self, number: int, row: int, column: int, side: int) -> dict[str, NDArray[Any]]:
        """Return a square part of a window, whose first cell is given, by name."""
        part = {}
        for name, array in self.arrays.items():
            if name == "image":
                part[name] = array[number, row * STRIDE :, column * STRIDE :][:side, :side]
                continue
            ratio = (array.shape[-1] - 1) * STRIDE // (SIDE - 1)
            cells = (side - 1) * ratio // STRIDE + 1
            part[name] = array[number, ..., row * ratio :, column * ratio :][..., :cells, :cells]
        return part


def _kinds() -> dict[str, tuple[type, tuple[int, ...]]]:
    """Return the type and the shape of each array of a window."""
    coarse, fine = ((SIDE // stride + 1,) * 2 for stride in (STRIDE, PAF_STRIDE))
    kinds: dict[str, tuple[type, tuple[int, ...]]] = {"image": (np.uint8, (SIDE, SIDE, 3))}
    channels: dict[str, tuple[int, ...]] = {
        "heatmaps": (17,),
        "offsets": (17, 2),
        "offset_weights": (17,),
        "displacements": (32, 2),
        "displacement_weights": (32,),
        "segments": (1,),
        "segment_weights": (1,),
        "long_offsets": (17, 2),
        "long_weights": (17,),
    }
    kinds |= {name: (np.float16, (*count, *coarse)) for name, count in channels.items()}
    return kinds | {"maps": (np.float16, (57, *fine))}


_sources: list[Sources] = []  # of a worker


def _prepare(arguments: argparse.Namespace) -> None:
    cv2.setNumThreads(1)
    photos = []
    for share, given, is_rough in ((1 - ROUGH, arguments.photos, False), (ROUGH, arguments.rough_photos, True)):
        if given:
            folder, annotations, answers = given
            photos.append((share, lessons(read_photos(folder, annotations), answers, is_rough)))
    teachers = Teachers(arguments.maps, arguments.posenet, SIDE)
    _sources.append(Sources(SceneViews(arguments.scenes), photos, teachers.look, arguments.seed))


def _make(number: int) -> Sample:
    return _sources[0].sample(number)


def _made(arguments: argparse.Namespace, numbers: range) -> Iterator[Sample]:
    """Yield windows, in order, from several processes."""
    new = get_context("spawn")  # OpenCV's threads do not survive a fork
    with ProcessPoolExecutor(arguments.workers, new, _prepare, (arguments,)) as pool:
        ahead = 16 * arguments.workers
        for first in range(numbers.start, numbers.stop, ahead):
            yield from pool.map(_make, range(first, min(first + ahead, numbers.stop)))


def main() -> None:
    """Read the command line and make windows."""
    parser = argparse.ArgumentParser(prog="python -m models.train.windows", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the store")
    parser.add_argument("--count", type=int, default=18000, help="number of windows, 0.8 MB each")
    parser.add_argument("--scenes", type=Path, help="folder of rendered scenes; default: OUT/scenes")
    parser.add_argument("--num-scenes", type=int, default=6000, help="number of scenes to render")
    for name in TEACHERS:
        parser.add_argument(f"--{name}", default=TEACHERS[name], help=f"its file, or default: {TEACHERS[name]}")
    photos = ("DIR", "ANNOTATIONS", "ANSWERS")
    parser.add_argument("--photos", type=Path, nargs=3, metavar=photos, help="photos with exact labels")
    parser.add_argument("--rough-photos", type=Path, nargs=3, metavar=photos, help="photos with rough labels")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    arguments.scenes = arguments.scenes or arguments.out / "scenes"
    render_views(arguments.scenes, arguments.num_scenes)
    arguments.maps, arguments.posenet = (find(model)[0] for model in (arguments.maps, arguments.posenet))
    store = Store(arguments.out, arguments.count)
    numbers = range(len(store), arguments.count)
    made = tqdm(_made(arguments, numbers), "windows", initial=len(store), total=arguments.count)
    for number, sample in zip(numbers, made, strict=True):
        store.write(number, sample)


if __name__ == "__main__":
    main()
