r"""Train the model that ships.

    python -m models.train --out DIR --photos DIR --annotations FILE --teacher MODEL.tflite \
        --dev DIR --dev-annotations FILE

renders scenes, cuts views out of the photos, runs the teacher on them, and
trains; each step resumes where it was stopped. Without photos, it trains on
rendered scenes alone; teacher and dev photos are optional too. With
`--start models/bottomup-tiny.tflite` it trains that file's network further, mostly on scenes.
"""

import argparse
from pathlib import Path

import torch

from models.train.data import PhotoViews, SceneViews, render_views
from models.train.examples import photo_examples
from models.train.photos import build_views, read_photos
from models.train.train import Training


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of views, checkpoints, weights.pt and log.jsonl"
    )
    parser.add_argument("--photos", type=Path, help="folder of photos to train on")
    parser.add_argument("--annotations", type=Path, help="their COCO keypoints")
    parser.add_argument("--teacher", type=Path, help="a PoseNet .tflite file with segments and long offsets")
    parser.add_argument("--dev", type=Path, help="folder of photos to measure AP on")
    parser.add_argument("--dev-annotations", type=Path, help="their COCO keypoints")
    parser.add_argument("--start", type=Path, help="a float .tflite file from an earlier training, to train further")
    parser.add_argument("--minutes", type=float, default=180, help="of training, including earlier runs")
    parser.add_argument("--scenes", type=int, default=6000, help="number of scenes to render")
    parser.add_argument("--rounds", type=int, default=6, help="views of every photo")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    render_views(arguments.out / "scenes", arguments.scenes)
    photos, dev = None, []
    if arguments.photos:
        known = read_photos(arguments.photos, arguments.annotations)
        build_views(known, arguments.teacher, arguments.out / "photos", arguments.rounds, arguments.seed)
        photos = PhotoViews(arguments.out / "photos", known)
    if arguments.dev:
        dev = photo_examples(arguments.dev, arguments.dev_annotations)
    training = Training(arguments.out, arguments.minutes, arguments.seed, arguments.start)
    training.run(SceneViews(arguments.out / "scenes"), photos, dev)


if __name__ == "__main__":
    main()
