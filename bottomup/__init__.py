"""Bottom-up multi-person 2D pose decoding.

Importing this package is cheap: each name is loaded when it is first used,
and numba, OpenCV and a TFLite runtime only by the calls that need them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bottomup import boxes as boxes
    from bottomup import catalogue as catalogue
    from bottomup import centers as centers
    from bottomup import distributed as distributed
    from bottomup import draw as draw
    from bottomup import evaluate as evaluate
    from bottomup import export as export
    from bottomup import inspection as inspection
    from bottomup import metric3d as metric3d
    from bottomup import paf as paf
    from bottomup import posenet as posenet
    from bottomup import skeletons as skeletons
    from bottomup import synthetic as synthetic
    from bottomup import tags as tags
    from bottomup import tracking as tracking
    from bottomup import video as video
    from bottomup.boxes.best import BoxDecoder as BoxDecoder
    from bottomup.boxes.fields import BoxFields as BoxFields
    from bottomup.centers.best import CenterDecoder as CenterDecoder
    from bottomup.centers.fields import CenterFields as CenterFields
    from bottomup.draw import draw_masks as draw_masks
    from bottomup.draw import draw_parts as draw_parts
    from bottomup.draw import draw_poses as draw_poses
    from bottomup.errors import BottomupError as BottomupError
    from bottomup.errors import InputError as InputError
    from bottomup.errors import MissingRuntimeError as MissingRuntimeError
    from bottomup.errors import ModelError as ModelError
    from bottomup.estimation.augmentation import Augmentation as Augmentation
    from bottomup.estimation.estimator import PoseEstimator as PoseEstimator
    from bottomup.estimation.loading import load as load
    from bottomup.families import read_outputs as read_outputs
    from bottomup.geometry import ImageSize as ImageSize
    from bottomup.geometry import Letterbox as Letterbox
    from bottomup.geometry import Stretch as Stretch
    from bottomup.paf.best import PafDecoder as PafDecoder
    from bottomup.paf.fields import PafFields as PafFields
    from bottomup.posenet.best import PoseNetDecoder as PoseNetDecoder
    from bottomup.posenet.fields import BODY_PARTS as BODY_PARTS
    from bottomup.posenet.fields import PoseNetFields as PoseNetFields
    from bottomup.posenet.layout import read_masks as read_masks
    from bottomup.posenet.masks import PoseNetMasks as PoseNetMasks
    from bottomup.poses import Poses as Poses
    from bottomup.skeletons import BODY25 as BODY25
    from bottomup.skeletons import BODYPOSE18 as BODYPOSE18
    from bottomup.skeletons import COCO17 as COCO17
    from bottomup.skeletons import MPI15 as MPI15
    from bottomup.skeletons import OPENPOSE18 as OPENPOSE18
    from bottomup.skeletons import TRTPOSE18 as TRTPOSE18
    from bottomup.skeletons import Skeleton as Skeleton
    from bottomup.tags.best import TagDecoder as TagDecoder
    from bottomup.tags.fields import TagFields as TagFields
    from bottomup.tensors import Quantized as Quantized

__version__ = "0.2.0"

# Where each public name lives; a name that is its own home is a module.
_HOME = {
    "BODY25": "skeletons",
    "BODYPOSE18": "skeletons",
    "BODY_PARTS": "posenet.fields",
    "Augmentation": "estimation.augmentation",
    "BottomupError": "errors",
    "BoxDecoder": "boxes.best",
    "BoxFields": "boxes.fields",
    "COCO17": "skeletons",
    "CenterDecoder": "centers.best",
    "CenterFields": "centers.fields",
    "ImageSize": "geometry",
    "InputError": "errors",
    "Letterbox": "geometry",
    "MPI15": "skeletons",
    "MissingRuntimeError": "errors",
    "ModelError": "errors",
    "OPENPOSE18": "skeletons",
    "PafDecoder": "paf.best",
    "PafFields": "paf.fields",
    "PoseNetDecoder": "posenet.best",
    "PoseNetFields": "posenet.fields",
    "PoseNetMasks": "posenet.masks",
    "Poses": "poses",
    "Quantized": "tensors",
    "Skeleton": "skeletons",
    "Stretch": "geometry",
    "TRTPOSE18": "skeletons",
    "TagDecoder": "tags.best",
    "TagFields": "tags.fields",
    "boxes": "boxes",
    "catalogue": "catalogue",
    "centers": "centers",
    "draw": "draw",
    "draw_masks": "draw",
    "draw_parts": "draw",
    "draw_poses": "draw",
    "distributed": "distributed",
    "evaluate": "evaluate",
    "export": "export",
    "inspection": "inspection",
    "load": "estimation.loading",
    "PoseEstimator": "estimation.estimator",
    "metric3d": "metric3d",
    "paf": "paf",
    "posenet": "posenet",
    "read_masks": "posenet.layout",
    "read_outputs": "families",
    "skeletons": "skeletons",
    "synthetic": "synthetic",
    "tags": "tags",
    "tracking": "tracking",
    "video": "video",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_HOME[name]}")
    return module if _HOME[name] == name else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
