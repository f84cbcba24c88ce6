"""People whose absolute poses are known, and a crop network that sees them perfectly."""

import numpy as np

import bottomup as bu
from bottomup.metric3d import Camera, Heads, Schedule, crops, synthetic
from bottomup.metric3d.arrays import turned
from bottomup.metric3d.cameras.camera import to_pixels

IMAGE_SIZE = (1280, 960)
LENS = (-0.12, 0.05, 0.001, -0.0005, 0.01)
INTRINSICS = np.array([[1000.0, 0, 640], [0, 1000, 480], [0, 0, 1]])
SKELETON = bu.skeletons.get("h36m_17")
#: MeTRAbs's grid on crops of a quarter of the pixels, which are rendered in a quarter of the time.
HEADS = Heads(len(SKELETON.parts), crop_size=64, output_stride=8)


def camera(**rest):
    return Camera(INTRINSICS, LENS, **rest)


def blank():
    return np.zeros((IMAGE_SIZE[1], IMAGE_SIZE[0], 3), np.uint8)


def people(count, *, seed=0, eye=None, truncated=4, shape=(200, 400, 200)):
    """Return poses (M, N, 3) at 3.5 to 6 m in the camera's frame, of all sizes, and boxes around them.

    Every `truncated`th box leaves out the lower 45 %.
    """
    random, eye = np.random.default_rng(seed), eye or camera()
    poses, boxes = [], []
    for person in range(count):
        pose = random.normal(0, 1, (len(SKELETON.parts), 3)) * shape * random.uniform(0.3, 1)
        pose -= pose.mean(axis=0)
        pose *= np.minimum(1, 900 / np.linalg.norm(pose, axis=-1, keepdims=True))
        depth = random.uniform(3500, 6000)
        place = eye.normalise(random.uniform([150, 150], [IMAGE_SIZE[0] - 150, IMAGE_SIZE[1] - 150]))
        poses.append(pose + np.append(place * depth, depth))
        box = box_around(eye.project(poses[-1]))
        if person % truncated == 0:
            box[3] *= 0.55
        boxes.append(box)
    return np.array(poses), np.array(boxes)


def box_around(pixels, expansion=1.2):
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    middle, half = (low + high) / 2, (high - low) / 2 * expansion
    return np.array([*(middle - half), *(2 * half)])


class PerfectNetwork:
    """Gives the tensors of known people, in the order in which their crops come."""

    def __init__(self, eye, poses, boxes, num_aug, *, heads=HEADS, schedule=Schedule.default, skeleton=SKELETON):
        self.heads, self.seen, self.relative, self.next = heads, [], [], 0
        chosen = schedule(num_aug)
        for pose, box in zip(poses, boxes, strict=True):
            cameras = crops.crop_cameras(eye, box, IMAGE_SIZE, heads.crop_size, chosen)
            if cameras.problem is not None:
                continue
            for crop in range(num_aug):
                inside = turned(pose, cameras.rotations[crop].T)
                inside = inside[list(skeleton.mirror)] if chosen.flips[crop] else inside
                self.seen.append(to_pixels(inside[:, :2] / inside[:, 2:], cameras.intrinsics[crop]))
                self.relative.append(inside - inside.mean(axis=0))

    def __call__(self, pictures):
        chosen = slice(self.next, self.next + len(pictures))
        self.next += len(pictures)
        return synthetic.encode(self.heads, self.seen[chosen], self.relative[chosen])
