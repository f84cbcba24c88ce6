"""Render every picture of README and guide anew, from our own scenes and the model that ships.

    python .ci/gallery.py          write them
    python .ci/gallery.py --check  say which are stale; status 1 if any is

Writing needs Chromium, for the page of `bottomup inspect`. Checking does not look at that page, whose fonts differ from
machine to machine.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from inspection.browser import CHROMIUM, open_browser  # noqa: E402

import bottomup as bu  # noqa: E402
from bottomup.inspection import inspect_image  # noqa: E402
from bottomup.metric3d.example import lift  # noqa: E402
from models.train.demo import NUM_PEOPLE, SEED  # noqa: E402
from models.train.scenes import render_scene  # noqa: E402

FOLDER = ROOT / ".github" / "pictures"
SOURCES = [ROOT / "models" / "bottomup-tiny-uint8.tflite", ROOT / "bottomup" / "demo.jpg"]
PANEL = 320, 240
FRAMES, STEP = 24, 7  # of the clip: pixels that a person moves from frame to frame
# A decoder of JPEGs, a rounding of the network or a font may differ; a line that lies elsewhere does more.
SHRUNK, LEVELS, SHARE = 4, 40, 0.01


def main() -> int:
    """Write or check the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the pictures that are there")
    is_check = parser.parse_args().check
    if not is_check and CHROMIUM is None:
        raise SystemExit("the picture of the inspect page needs Chromium: install it")
    pictures, record = render(with_page=not is_check), FOLDER / "made-from.json"
    sources = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in SOURCES}
    if not is_check:
        FOLDER.mkdir(exist_ok=True)
        for name, picture in pictures.items():
            cv2.imwrite(str(FOLDER / name), picture, [cv2.IMWRITE_JPEG_QUALITY, 82])
            print(f"{FOLDER.relative_to(ROOT) / name}: {(FOLDER / name).stat().st_size // 1000} kB")
        record.write_text(json.dumps(sources, indent=2) + "\n")
        return 0
    stale = [] if record.exists() and json.loads(record.read_text()) == sources else ["all (model or scene changed)"]
    stale += [name for name, picture in pictures.items() if differs(FOLDER / name, picture)]
    for name in stale:
        print(f"stale: {name}; run python .ci/gallery.py", file=sys.stderr)
    return 1 if stale else 0


def differs(path: Path, picture: np.ndarray) -> bool:
    """Tell whether a picture is missing, or is another one than `picture`."""
    old = cv2.imread(str(path))
    if old is None or old.shape[0] != picture.shape[0] or old.shape[1] < picture.shape[1]:
        return True
    old = old[:, : picture.shape[1]]  # a strip's last panel may be left out
    size = (picture.shape[1] // SHRUNK, picture.shape[0] // SHRUNK)
    small, new = (cv2.resize(each, size, interpolation=cv2.INTER_AREA).astype(int) for each in (old, picture))
    return bool((np.abs(small - new).max(axis=2) > LEVELS).mean() > SHARE)


def render(*, with_page: bool) -> dict[str, np.ndarray]:
    """Return the pictures by their files' names, the inspect page among them or not."""
    estimator = bu.load()
    scene = cv2.imread(str(ROOT / "bottomup" / "demo.jpg"))
    poses = estimator(scene)
    if len(poses) < NUM_PEOPLE:
        raise SystemExit(
            f"the model finds {len(poses)} of {NUM_PEOPLE} people in its demo: choose a seed in models.train.demo"
        )
    found = estimator.masks(scene)
    masks = bu.draw_masks(scene, found.masks)
    hidden = bu.draw.blur_people(scene, found.poses, what="faces")
    trails, clip = tracked(estimator)
    space = in_space(scene, poses)
    drawn = bu.draw_poses(scene, poses)
    around = part_with(poses, scene.shape)
    panels = [("poses", drawn[around]), ("masks", masks[around]), ("tracking", trails), ("3D", space)]
    pictures = {
        "masks.jpg": np.hstack([shrunk(masks, 480, 360), shrunk(hidden, 480, 360)]),
        "tracking.jpg": np.hstack([shrunk(clip, 480, 360), shrunk(trails, 480, 360)]),
        "metric3d.jpg": np.hstack([shrunk(drawn, 480, 360), shrunk(space, 480, 360)]),
    }
    if with_page:
        page = inspected(estimator)
        pictures["inspect.jpg"] = shrunk(page, 960, 720)
        panels.append(("inspect", page))
    strip = np.hstack([captioned(name, picture) for name, picture in panels])
    pictures["front.jpg"] = strip[:, :-4]
    return pictures


def shrunk(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return a picture of this size, cut where its aspect is another."""
    scale = max(width / picture.shape[1], height / picture.shape[0])
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    resized = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return resized[top : top + height, left : left + width]


def part_with(poses: bu.Poses, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the rows and columns of a picture that show the people, in the panels' aspect."""
    left, top, width, height = poses.boxes.T
    middle = (left.min() + (left + width).max()) / 2, (top.min() + (top + height).max()) / 2
    tall = max((top + height).max() - top.min(), ((left + width).max() - left.min()) * PANEL[1] / PANEL[0]) * 1.2
    tall = min(tall, shape[0], shape[1] * PANEL[1] / PANEL[0])
    slices = []
    for size, whole, place in ((tall, shape[0], middle[1]), (tall * PANEL[0] / PANEL[1], shape[1], middle[0])):
        start = round(min(max(place - size / 2, 0), whole - size))
        slices.append(slice(start, start + round(size)))
    return slices[0], slices[1]


def captioned(name: str, picture: np.ndarray) -> np.ndarray:
    """Return one panel of the strip, with its name below and a gap beside."""
    panel = cv2.copyMakeBorder(shrunk(picture, *PANEL), 0, 28, 0, 4, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    (width, _), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, 0.55, 1)
    place = ((PANEL[0] - width) // 2, PANEL[1] + 20)
    return cv2.putText(panel, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.55, (40, 40, 40), 1, cv2.LINE_AA)


def tracked(estimator: bu.PoseEstimator) -> tuple[np.ndarray, np.ndarray]:
    """Return the last frame of a clip with people's ids and where they came from, and its first frame."""
    people, empty = (render_scene(SEED, num_people=count) for count in (NUM_PEOPLE, 0))
    tracker, trails = bu.tracking.Tracker(), bu.draw.Trails()
    frames = []
    for frame in range(FRAMES):
        image = empty.image.copy()
        for person, mask in enumerate(people.masks):
            ahead = (frame - FRAMES + 1) * STEP * (1 if person % 2 else -1)
            bob = round(4 * abs(np.sin(frame / 3 + person)))
            motion = np.array([[1, 0, ahead], [0, 1, -bob]], np.float32)
            size = (image.shape[1], image.shape[0])
            cut = cv2.warpAffine(people.image, motion, size)
            where = cv2.warpAffine(mask.astype(np.uint8), motion, size) > 0
            image[where] = cut[where]
        poses = tracker.update(estimator(image), frame / 15)
        trails.add(poses, frame / 15)
        frames.append(bu.draw_poses(trails.draw(image), poses, colour="id"))
    return frames[-1], frames[0]


def in_space(scene: np.ndarray, poses: bu.Poses) -> np.ndarray:
    """Return a plot of the people in metres."""
    camera = bu.metric3d.Camera.from_fov((scene.shape[1], scene.shape[0]))
    placed = bu.metric3d.reconstruct_absolute(poses.xy, lift(poses), camera)
    figure = bu.metric3d.plot_poses3d(placed.poses3d, poses.skeleton)
    figure.set_size_inches(6.4, 4.8)
    figure.canvas.draw()
    plot = np.asarray(figure.canvas.buffer_rgba())[..., 2::-1]
    rows, columns = np.nonzero((plot < 255).any(axis=2))
    cut = plot[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    tall, wide = max(cut.shape[0], cut.shape[1] * 3 // 4) + 20, max(cut.shape[1], cut.shape[0] * 4 // 3) + 26
    down, right = (tall - cut.shape[0]) // 2, (wide - cut.shape[1]) // 2
    white = (255, 255, 255)
    return cv2.copyMakeBorder(cut, down, tall - cut.shape[0] - down, right, wide - cut.shape[1] - right, 0, value=white)


def inspected(estimator: bu.PoseEstimator) -> np.ndarray:
    """Return what a browser shows of the inspect page, with one person seen alone."""
    page = inspect_image(estimator, ROOT / "bottomup" / "demo.jpg", command="bottomup predict")
    with tempfile.TemporaryDirectory() as folder, open_browser() as browser:
        path = Path(folder) / "demo.html"
        path.write_text(page, encoding="utf-8")
        browser.size(960, 720, scale=2)
        browser.open(path, "#person=1")
        return cv2.imdecode(np.frombuffer(browser.picture(), np.uint8), cv2.IMREAD_COLOR)


if __name__ == "__main__":
    raise SystemExit(main())
