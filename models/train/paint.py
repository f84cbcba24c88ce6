"""Painting a figure into a picture: clothes, skin, hair and a face, far parts first."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from models.train.figures import HEAD, LEFT_TOE, NECK, PELVIS, RIGHT_TOE, Figure

_SHIFT = 4  # fixed-point bits of OpenCV's coordinates
_SKIN = np.array([[190, 214, 245], [140, 175, 224], [105, 140, 198], [70, 100, 160], [45, 65, 110], [30, 42, 72]])
_HAIR = np.array([[20, 20, 25], [30, 45, 70], [45, 75, 115], [110, 165, 205], [170, 170, 175], [40, 60, 150]])


class Outfit(NamedTuple):
    """Colours are BGR, 0 to 255."""

    skin: NDArray[np.float64]
    hair: NDArray[np.float64]
    hair_style: str  #: "short", "long", "bald", "bun" or "cap"
    shirt: NDArray[np.float64]
    pattern: NDArray[np.float64]
    pattern_style: str  #: "plain", "stripes", "bands" or "patch"
    sleeves: float  #: how far down the arm: 0 none, 1 the elbow, 2 the wrist
    trousers: NDArray[np.float64]
    legs: float  #: how far down the leg: 0.5 shorts, 2 the ankle
    has_skirt: bool
    shoes: NDArray[np.float64]
    has_glasses: bool


def random_outfit(generator: np.random.Generator) -> Outfit:
    """Make up someone's looks and clothes."""

    def cloth() -> NDArray[np.float64]:
        colour = generator.uniform(10, 245, 3)
        return np.asarray(colour * 0.35 + colour.mean() * 0.65 if generator.uniform() < 0.45 else colour)

    shade = generator.uniform(0, len(_SKIN) - 1)
    skin = _SKIN[int(shade)] + (shade % 1) * (_SKIN[min(int(shade) + 1, len(_SKIN) - 1)] - _SKIN[int(shade)])
    return Outfit(
        skin=skin,
        hair=_HAIR[generator.integers(len(_HAIR))] * generator.uniform(0.6, 1.2),
        hair_style=str(generator.choice(["short", "long", "bald", "bun", "cap"], p=[0.45, 0.27, 0.06, 0.07, 0.15])),
        shirt=cloth(),
        pattern=cloth(),
        pattern_style=str(generator.choice(["plain", "stripes", "bands", "patch"], p=[0.55, 0.15, 0.12, 0.18])),
        sleeves=float(generator.choice([0.0, 0.6, 1.0, 1.95], p=[0.12, 0.3, 0.13, 0.45])),
        trousers=cloth() if generator.uniform() < 0.6 else np.array([110, 70, 45]) * generator.uniform(0.5, 1.5),
        legs=float(generator.choice([0.3, 0.8, 1.95], p=[0.12, 0.23, 0.65])),
        has_skirt=bool(generator.uniform() < 0.12),
        shoes=cloth() * generator.uniform(0.3, 1),
        has_glasses=bool(generator.uniform() < 0.15),
    )


class Brush:
    """Draws on a picture, and the same shape on the mask of what it covers."""

    def __init__(self, image: NDArray[np.uint8], light: NDArray[np.float64]) -> None:
        self.image = image
        self.mask = np.zeros(image.shape[:2], np.uint8)
        self.light = light  # (2,) the direction, in the picture, that light comes from

    def polygon(self, points: Any, colour: NDArray[np.float64], *, marks: bool = True) -> None:
        """Fill a convex polygon of (K, 2) pixels."""
        corners = np.round(np.asarray(points) * 2**_SHIFT).astype(np.int32)
        cv2.fillConvexPoly(self.image, corners, _bgr(colour), cv2.LINE_AA, _SHIFT)
        if marks:
            cv2.fillConvexPoly(self.mask, corners, 255, cv2.LINE_8, _SHIFT)

    def blob(self, centre: Any, axes: Any, angle: float, colour: NDArray[np.float64], *, marks: bool = True) -> None:
        """Fill an ellipse; `angle` is in radians."""
        around = np.linspace(0, 2 * np.pi, 21)[:-1]
        circle = np.stack([np.cos(around) * axes[0], np.sin(around) * axes[1]], axis=1)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        self.polygon(np.asarray(centre) + circle @ turn.T, colour, marks=marks)

    def limb(self, start: Any, end: Any, radii: tuple[float, float], colour: NDArray[np.float64]) -> None:
        """Fill a capsule that tapers, darker where it turns away from the light."""
        start, end = np.asarray(start)[:2], np.asarray(end)[:2]
        self.polygon(_capsule(start, end, radii), colour * 0.72)
        lit = (radii[0] * 0.68, radii[1] * 0.68)
        self.polygon(_capsule(start + self.light * radii[0] * 0.28, end + self.light * radii[1] * 0.28, lit), colour)


def paint_figure(
    image: NDArray[np.uint8], figure: Figure, joints: NDArray[np.float64], height: float, outfit: Outfit, light: Any
) -> NDArray[np.bool_]:
    """Paint a figure whose joints lie at these pixels, and return the mask of it.

    Parameters
    ----------
    image : (H, W, 3) uint8
        The picture to paint on.
    figure : Figure
        Has each joint's nearness, and where the face points.
    joints : (22, 2) array
        Pixels.
    height : float
        Height of the body in pixels when it stands.
    outfit : Outfit
        Colours and clothes.
    light : (2,) array
        Where light comes from.
    """
    brush = Brush(image, np.asarray(light, np.float64))
    nearness = figure.joints[:, 2]
    thickness = height * figure.breadth
    torso_depth = nearness[[5, 6, 11, 12]].mean()
    steps = [(torso_depth, lambda: _torso(brush, joints, thickness, outfit))]
    for side in (0, 1):
        arm, leg = (5 + side, 7 + side, 9 + side), (11 + side, 13 + side, 15 + side)
        toe = (LEFT_TOE, RIGHT_TOE)[side]
        arm_depth = nearness[[arm[1], arm[2]]].mean() + 0.004
        leg_depth = (
            min(nearness[list(leg)].mean(), torso_depth - 1e-3) if abs(nearness[leg[1]]) < 0.1 else nearness[leg[1]]
        )
        steps.append((arm_depth, lambda arm=arm: _arm(brush, joints, arm, thickness, outfit)))
        steps.append((leg_depth, lambda leg=leg, toe=toe: _leg(brush, joints, leg, toe, thickness, outfit)))
    head_depth = max(nearness[HEAD], torso_depth) if figure.facing[2] > -0.2 else nearness[HEAD]
    steps.append((head_depth + 1e-3, lambda: _head(brush, figure, joints, height, outfit)))
    for _, step in sorted(steps, key=lambda item: item[0]):
        step()
    return brush.mask > 0


def _torso(brush: Brush, joints: NDArray[np.float64], thickness: float, outfit: Outfit) -> None:
    """Neck, hips and trunk; a pattern on it."""
    brush.limb(
        joints[NECK],
        joints[NECK] * 0.45 + joints[HEAD] * 0.55,
        (thickness * 0.034, thickness * 0.03),
        outfit.skin * 0.9,
    )
    shoulders, hips = (joints[5], joints[6]), (joints[11], joints[12])
    waist = [hip * 0.62 + shoulder * 0.38 for hip, shoulder in zip(hips, shoulders, strict=True)]
    _hull(brush, [(*hips, 0.056), (*waist, 0.05)], thickness, outfit.trousers)
    trunk = [
        (*shoulders, 0.042),
        (*waist, 0.052),
        (hips[0] * 0.85 + waist[0] * 0.15, hips[1] * 0.85 + waist[1] * 0.15, 0.056),
    ]
    _hull(brush, trunk, thickness, outfit.shirt)
    down = (hips[0] + hips[1] - shoulders[0] - shoulders[1]) / 2
    across = (shoulders[0] - shoulders[1]) / 2
    middle = (shoulders[0] + shoulders[1]) / 2
    brush.limb(middle + down * 0.1, middle + down * 0.8, (0.055 * thickness, 0.05 * thickness), outfit.shirt * 1.08)
    if outfit.pattern_style == "patch":
        corners = [middle + down * y + across * x for x, y in ((-0.4, 0.2), (0.4, 0.2), (0.35, 0.5), (-0.35, 0.5))]
        brush.polygon(corners, outfit.pattern, marks=False)
    elif outfit.pattern_style != "plain":
        count = 4 if outfit.pattern_style == "bands" else 7
        for row in range(count):
            top, bottom = 0.08 + 0.85 * row / count, 0.08 + 0.85 * (row + 0.45) / count
            corners = [
                middle + down * y + across * x for x, y in ((-0.95, top), (0.95, top), (0.95, bottom), (-0.95, bottom))
            ]
            brush.polygon(corners, outfit.pattern, marks=False)


def _arm(
    brush: Brush, joints: NDArray[np.float64], arm: tuple[int, int, int], thickness: float, outfit: Outfit
) -> None:
    """Skin, sleeve and hand of one arm."""
    shoulder, elbow, wrist = (joints[part] for part in arm)
    hand = wrist + (wrist - elbow) * 0.22
    brush.limb(wrist, hand, (thickness * 0.02, thickness * 0.021), outfit.skin)
    brush.limb(elbow, wrist, (thickness * 0.026, thickness * 0.019), outfit.skin)
    brush.limb(shoulder, elbow, (thickness * 0.034, thickness * 0.027), outfit.skin)
    _cover(brush, (shoulder, elbow, wrist), outfit.sleeves, (0.039, 0.032, 0.026), thickness, outfit.shirt * 0.93)


def _leg(brush, joints, leg, toe, thickness, outfit) -> None:  # type: ignore[no-untyped-def]
    """Skin, trousers or skirt, and shoe of one leg."""
    hip, knee, ankle = (joints[part] for part in leg)
    brush.limb(knee, ankle, (thickness * 0.036, thickness * 0.024), outfit.skin)
    brush.limb(hip, knee, (thickness * 0.052, thickness * 0.037), outfit.skin)
    brush.limb(ankle, joints[toe], (thickness * 0.028, thickness * 0.023), outfit.shoes)
    _cover(
        brush,
        (hip, knee, ankle),
        0.4 if outfit.has_skirt else outfit.legs,
        (0.06, 0.044, 0.034),
        thickness,
        outfit.trousers,
    )
    if outfit.has_skirt:
        hem = hip + (knee - hip) * 0.85
        brush.limb(
            (joints[PELVIS] + hip) / 2,
            (hem + joints[PELVIS]) / 2 + (hem - hip) / 2,
            (thickness * 0.06, thickness * 0.09),
            outfit.trousers,
        )


def _cover(brush, bones, how_far, radii, thickness, colour) -> None:  # type: ignore[no-untyped-def]
    """Cover two bones with cloth down to `how_far`: 1 is the middle joint, 2 the end."""
    first, second, third = bones
    if how_far > 1:
        part = how_far - 1
        end = second + (third - second) * part
        brush.limb(second, end, (radii[1] * thickness, (radii[1] + (radii[2] - radii[1]) * part) * thickness), colour)
    if how_far > 0:
        part = min(how_far, 1)
        end = first + (second - first) * part
        brush.limb(first, end, (radii[0] * thickness, (radii[0] + (radii[1] - radii[0]) * part) * thickness), colour)


def _head(brush: Brush, figure: Figure, joints: NDArray[np.float64], height: float, outfit: Outfit) -> None:
    """Skull, ears, hair and the visible part of the face."""
    size = height * (0.062 if not figure.is_child else 0.084)
    centre, up = joints[HEAD], joints[HEAD] - joints[NECK]
    up = up / max(np.linalg.norm(up), 1e-6)
    angle = np.arctan2(up[0], -up[1])
    axes = (size * 0.82, size * 1.1)
    face, away = figure.facing[:2] * size, figure.facing[2] < 0.15
    is_long = outfit.hair_style == "long"
    if is_long and not away:
        brush.blob(centre - up * size * 0.35 - face * 0.2, (size * 1.02, size * 1.5), angle, outfit.hair * 0.8)
    for part in (3, 4):
        if figure.joints[part, 2] - figure.joints[HEAD, 2] > -0.03:
            brush.blob(joints[part], (size * 0.16, size * 0.24), angle, outfit.skin * 0.85)
    brush.blob(centre, axes, angle, outfit.skin * 0.86)
    brush.blob(centre + brush.light * size * 0.12, (axes[0] * 0.82, axes[1] * 0.85), angle, outfit.skin, marks=False)
    if outfit.hair_style != "bald":
        hair = outfit.shirt if outfit.hair_style == "cap" else outfit.hair
        if figure.facing[2] < 0:
            brush.blob(centre - face * 0.1, (axes[0] * 1.05, axes[1] * 1.02), angle, hair)
            if is_long:
                brush.blob(centre - up * size * 0.6, (size * 0.95, size * 1.3), angle, hair)
        else:
            brush.blob(centre + up * size * 0.62 - face * 0.3, (axes[0] * 1.04, axes[1] * 0.62), angle, hair)
            if abs(figure.facing[0]) > 0.4:
                brush.blob(centre + up * size * 0.2 - face * 0.62, (axes[0] * 0.62, axes[1] * 0.85), angle, hair)
        if outfit.hair_style == "bun":
            brush.blob(centre + up * size * 1.15 - face * 0.5, (size * 0.4, size * 0.4), angle, hair)
        if outfit.hair_style == "cap" and figure.facing[2] > 0:
            brush.blob(centre + up * size * 0.45 + face * 0.75, (size * 0.75, size * 0.22), angle, hair * 0.7)
    if figure.facing[2] > -0.05:
        _face(brush, figure, joints, size, angle, up, outfit)


def _face(brush, figure, joints, size, angle, up, outfit) -> None:  # type: ignore[no-untyped-def]
    """Eyes, brows, nose and mouth; glasses."""
    dark = np.array([25.0, 20, 20])
    for part in (1, 2):
        if figure.joints[part, 2] - figure.joints[HEAD, 2] > 0:
            if outfit.has_glasses:
                brush.blob(joints[part], (size * 0.27, size * 0.2), angle, dark, marks=False)
                continue
            brush.blob(joints[part], (size * 0.17, size * 0.11), angle, np.array([235.0, 235, 235]), marks=False)
            brush.blob(joints[part], (size * 0.09, size * 0.1), angle, dark, marks=False)
            brush.blob(
                joints[part] + up * size * 0.24, (size * 0.2, size * 0.05), angle, outfit.hair * 0.7, marks=False
            )
    brush.blob(joints[0], (size * 0.13, size * 0.17), angle, outfit.skin * 0.74, marks=False)
    mouth = joints[0] - up * size * 0.42 - figure.facing[:2] * size * 0.12
    brush.blob(mouth, (size * 0.27, size * 0.07), angle, np.array([70.0, 60, 140]), marks=False)


def _hull(brush: Brush, rows: list[tuple[Any, Any, float]], thickness: float, colour: NDArray[np.float64]) -> None:
    """Fill the hull of pairs of circles."""
    around = np.linspace(0, 2 * np.pi, 13)[:-1]
    circle = np.stack([np.cos(around), np.sin(around)], axis=1)
    points = np.concatenate(
        [side + circle * radius * thickness for left, right, radius in rows for side in (left, right)]
    )
    brush.polygon(cv2.convexHull(points.astype(np.float32))[:, 0], colour)


def _capsule(start: NDArray[np.float64], end: NDArray[np.float64], radii: tuple[float, float]) -> NDArray[np.float64]:
    """Return the outline of two half circles and what lies between."""
    along = end - start
    angle = np.arctan2(along[1], along[0])
    first = angle + np.linspace(np.pi / 2, 3 * np.pi / 2, 7)
    last = angle + np.linspace(-np.pi / 2, np.pi / 2, 7)
    return np.concatenate(
        [
            start + radii[0] * np.stack([np.cos(first), np.sin(first)], axis=1),
            end + radii[1] * np.stack([np.cos(last), np.sin(last)], axis=1),
        ]
    )


def _bgr(colour: NDArray[np.float64]) -> tuple[int, int, int]:
    blue, green, red = (int(min(max(value, 0), 255)) for value in colour)
    return blue, green, red
