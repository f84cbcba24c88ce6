r"""Train the model that ships.

    python -m models.train --out DIR --photos DIR ANNOTATIONS.json ANSWERS --rough-photos DIR ANNOTATIONS.json ANSWERS \
        --dev DIR ANNOTATIONS.json

renders scenes, reads photos, their labels and the answers that
`models.train.teachers` wrote, and trains; a run that was stopped resumes.
Without photos, it trains on rendered scenes alone. With
`--start models/bottomup-tiny.tflite` it trains that file's network further, mostly on photos.
"""

import argparse
from pathlib import Path

import torch

from models.train.data import SceneViews, render_views
from models.train.examples import photo_examples
from models.train.lessons import Lesson, lessons
from models.train.photos import read_photos
from models.train.train import Training

_PHOTOS = ("DIR", "ANNOTATIONS", "ANSWERS")
#: Share of the photos with rough labels: they show odd poses, and few people.
_ROUGH = 0.3


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoints, weights.pt and log.jsonl")
    parser.add_argument("--scenes", type=Path, help="folder of rendered scenes; default: OUT/scenes")
    parser.add_argument("--num-scenes", type=int, default=6000, help="number of scenes to render")
    parser.add_argument(
        "--photos", type=Path, nargs=3, metavar=_PHOTOS, help="photos, their COCO keypoints, teachers' answers"
    )
    parser.add_argument(
        "--rough-photos", type=Path, nargs=3, metavar=_PHOTOS, help="photos of which one person is labelled roughly"
    )
    parser.add_argument("--dev", type=Path, nargs=2, metavar=_PHOTOS[:2], help="photos to measure AP on")
    parser.add_argument("--start", type=Path, help="a float .tflite file from an earlier training, to train further")
    parser.add_argument("--minutes", type=float, default=180, help="of training, including earlier runs")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    scenes = arguments.scenes or arguments.out / "scenes"
    render_views(scenes, arguments.num_scenes)
    photos: list[tuple[float, list[Lesson]]] = []
    for share, given, is_rough in ((1 - _ROUGH, arguments.photos, False), (_ROUGH, arguments.rough_photos, True)):
        if given:
            folder, annotations, answers = given
            photos.append((share, lessons(read_photos(folder, annotations), answers, is_rough)))
    dev = photo_examples(*arguments.dev) if arguments.dev else []
    training = Training(arguments.out, arguments.minutes, arguments.seed, arguments.start)
    training.run(SceneViews(scenes), photos, dev)


if __name__ == "__main__":
    main()
