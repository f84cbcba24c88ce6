r"""Teachers' answers to training photos: computed once, kept outside the repository, and read by every training.

    python -m models.train.teachers --photos DIR --out DIR --poses human-pose-estimation-0001-FP16-INT8.xml \
        --segments bodypix_mobilenet_v1_075_512_512_16_quant_decoder.tflite --input-size 656 480

Each photo gets a file OUT/NAME.npz with its people, as the first network sees them and their mirror image, and with
the second network's map of where people are. Photos that have one are skipped, so an interrupted run resumes.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

import bottomup as bu
from bottomup.geometry import image_to_input
from bottomup.posenet.bundles import real

#: Photo pixels per cell of the stored map of people, and the lowest score of a stored pose.
STEP, LOWEST = 4, 0.1


class Answers(NamedTuple):
    """What teachers say of a photo, in its pixels."""

    keypoints: NDArray[np.float32]  #: (M, 17, 3) x, y, score; a part that was not found is (nan, nan, 0)
    scores: NDArray[np.float32]  #: (M,)
    people: NDArray[np.uint8]  #: (H, W) 0 to 255: how surely somebody is there, one cell every `STEP` pixels


def read_answers(folder: Path, photo: Path) -> Answers:
    """Return the stored answers to a photo."""
    with np.load(folder / f"{photo.stem}.npz") as stored:
        return Answers(*(stored[name] for name in Answers._fields))


def ask(image: NDArray[np.uint8], poses: bu.PoseEstimator, segments: bu.PoseEstimator) -> Answers:
    """Run both teachers on a photo."""
    found = poses(image).to_coco17()
    fields, placement = segments.look(image)
    height, width = (-(-side // STEP) for side in image.shape[:2])
    places = (np.moveaxis(np.indices((height, width)), 0, 2)[..., ::-1] + 0.5) * STEP - 0.5
    at = ((image_to_input(places, placement) - fields.shift) / fields.output_stride).astype(np.float32)
    people = 1 / (1 + np.exp(-real(fields.segments)[..., 0]))
    resampled = cv2.remap(people, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return Answers(found.keypoints, found.scores, np.round(resampled * 255).astype(np.uint8))


def ask_all(photos: Path, out: Path, poses: bu.PoseEstimator, segments: bu.PoseEstimator) -> None:
    """Write the answers to all photos of a folder that have none yet."""
    out.mkdir(parents=True, exist_ok=True)
    for path in tqdm(sorted(photos.glob("*.jpg")), photos.name):
        if not (out / f"{path.stem}.npz").exists():
            answers = ask(cv2.imread(str(path)), poses, segments)
            partial = out / f"{path.stem}.partial.npz"
            np.savez(partial, **answers._asdict())
            partial.replace(out / f"{path.stem}.npz")


def main() -> None:
    """Read the command line and ask."""
    parser = argparse.ArgumentParser(prog="python -m models.train.teachers", description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos")
    parser.add_argument("--out", type=Path, required=True, help="folder of answers")
    parser.add_argument(
        "--poses", required=True, help="a model that finds people's parts: a file or the catalogue's name"
    )
    parser.add_argument("--segments", required=True, help="a BodyPix model, for where people are")
    parser.add_argument("--input-size", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"), help="of the first model")
    arguments = parser.parse_args()
    look_twice = bu.Augmentation(flip=True)
    poses = bu.load(arguments.poses, input_size=arguments.input_size, augmentation=look_twice, min_score=LOWEST)
    ask_all(arguments.photos, arguments.out, poses, bu.load(arguments.segments))


if __name__ == "__main__":
    main()
