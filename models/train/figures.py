"""Bodies in three dimensions: proportions, postures, and where the camera sees each joint.

A body's own axes are x to its left, y down, z forward; lengths are shares of
its height. The camera looks along -z, so that people who face it have their
left side on the right of the picture.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.skeletons import COCO17

#: Joints that are drawn but not among COCO's parts, which are joints 0 to 16.
NECK, PELVIS, HEAD, LEFT_TOE, RIGHT_TOE = range(17, 22)
NUM_JOINTS = 22
_HEAD = {"nose": (0, 0.012, 0.066), "eye": (0.02, -0.008, 0.054), "ear": (0.044, 0.006, 0.0)}


class Figure(NamedTuple):
    """A body as the camera sees it, one unit tall, the pelvis at (0, 0)."""

    joints: NDArray[np.float64]  #: (22, 3) x, y and nearness of COCO's 17 parts, then neck, pelvis, head, toes
    facing: NDArray[np.float64]  #: (3,) where the face points: x, y, nearness
    breadth: float  #: how broad the body is built, about 1
    is_child: bool


def random_figure(generator: np.random.Generator) -> Figure:
    """Make up a body: standing, walking, sitting, at sport, seldom lying."""
    is_child = bool(generator.uniform() < 0.15)
    breadth = float(np.clip(generator.normal(1, 0.1), 0.75, 1.35))
    posture = generator.choice(["stand", "walk", "active", "sit", "lie"], p=[0.38, 0.2, 0.22, 0.15, 0.05])
    joints = np.zeros((NUM_JOINTS, 3))
    spine = _turn("x", generator.normal(0.05, 0.12 if posture != "active" else 0.35)) @ _turn(
        "z", generator.normal(0, 0.1 if posture != "active" else 0.25)
    )
    shoulders = spine @ _turn("y", generator.normal(0, 0.2))
    joints[NECK] = spine @ (0, -0.3, 0)
    head = shoulders @ _turn("y", generator.normal(0, 0.45)) @ _turn("x", generator.normal(0.05, 0.2))
    size = 1.35 if is_child else 1.0
    joints[HEAD] = joints[NECK] + head @ np.array([0, -0.1, 0.012]) * size
    for name, (x, y, z) in _HEAD.items():
        for side in (1, -1):
            part = COCO17.index(name if name == "nose" else f"{'left' if side == 1 else 'right'}_{name}")
            joints[part] = joints[HEAD] + head @ np.array([side * x, y, z]) * size
    for side, other in ((1, 0), (-1, 1)):
        _add_arm(joints, side, other, shoulders, breadth, posture, generator)
        _add_leg(joints, side, other, breadth, posture, generator)
    facing = head @ np.array([0.0, 0.0, 1.0])
    around = generator.normal(0, 0.7) if generator.uniform() < 0.65 else generator.uniform(-np.pi, np.pi)
    camera = _turn("x", generator.normal(0.06, 0.12)) @ _turn("y", around)
    camera = _turn("z", generator.uniform(-1.7, 1.7) if posture == "lie" else generator.normal(0, 0.06)) @ camera
    return Figure(joints @ camera.T, camera @ facing, breadth, is_child)


def _add_arm(joints, side, other, shoulders, breadth, posture, generator) -> None:  # type: ignore[no-untyped-def]
    """Set shoulder, elbow and wrist of one side; the arm hangs, swings, reaches or rests."""
    joints[5 + other] = joints[NECK] + shoulders @ (side * 0.105 * breadth, 0.025, 0)
    raised = generator.uniform() < (0.55 if posture == "active" else 0.2)
    outwards = generator.uniform(0.3, 2.8) if raised else abs(generator.normal(0.12, 0.2))
    forward = generator.normal(0.2, 0.5)
    bend = generator.uniform(0, 2.2) if generator.uniform() < 0.6 else generator.uniform(0, 0.4)
    upper = shoulders @ _turn("z", -side * outwards) @ _turn("x", -forward)
    lower = upper @ _turn("y", -side * generator.uniform(-0.3, 1.2)) @ _turn("x", -bend)
    joints[7 + other] = joints[5 + other] + upper @ (0, 0.172, 0)
    joints[9 + other] = joints[7 + other] + lower @ (0, 0.152, 0)


def _add_leg(joints, side, other, breadth, posture, generator) -> None:  # type: ignore[no-untyped-def]
    """Set hip, knee, ankle and toe of one side."""
    joints[11 + other] = (side * 0.056 * breadth, 0, 0)
    lift, spread, bend = {
        "stand": (generator.normal(0, 0.08), abs(generator.normal(0.06, 0.06)), abs(generator.normal(0, 0.1))),
        "walk": (generator.normal(0.1, 0.4), abs(generator.normal(0.03, 0.05)), abs(generator.normal(0.2, 0.35))),
        "active": (generator.normal(0.4, 0.5), generator.normal(0.25, 0.25), abs(generator.normal(0.4, 0.5))),
        "sit": (generator.normal(1.4, 0.2), generator.normal(0.15, 0.2), generator.normal(1.4, 0.35)),
        "lie": (generator.normal(0.2, 0.4), abs(generator.normal(0.1, 0.2)), abs(generator.normal(0.3, 0.5))),
    }[posture]
    thigh = _turn("z", -side * spread) @ _turn("x", -lift)
    shin = thigh @ _turn("x", max(bend, 0))
    joints[13 + other] = joints[11 + other] + thigh @ (0, 0.245, 0)
    joints[15 + other] = joints[13 + other] + shin @ (0, 0.245, 0)
    toe = LEFT_TOE if side == 1 else RIGHT_TOE
    joints[toe] = joints[15 + other] + shin @ _turn("y", side * 0.25) @ np.array([0, 0.035, 0.085])


def _turn(axis: str, angle: float) -> NDArray[np.float64]:
    """Return the rotation about an axis; positive about x leans forward, about y turns the front to the left."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return {
        "x": np.array([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]]),
        "y": np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]),
        "z": np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]),
    }[axis]
