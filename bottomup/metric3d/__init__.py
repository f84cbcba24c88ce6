"""Absolute 3D poses in millimetres, from a crop network's heatmaps and volumes or from any lifter's poses."""

from bottomup.metric3d import boxes, evaluation, plausibility, reference
from bottomup.metric3d.boxes import boxes_from_poses
from bottomup.metric3d.cameras import camera, crops, lens
from bottomup.metric3d.cameras.camera import Camera
from bottomup.metric3d.cameras.schedules import Schedule
from bottomup.metric3d.distance.absolute import Reconstruction, RootFit, reconstruct_absolute
from bottomup.metric3d.distance.bones import absolute_by_bones, bone_lengths_of, median_bone_lengths
from bottomup.metric3d.estimator import PoseEstimator3D
from bottomup.metric3d.evaluation import align, auc, mpjpe, ncps, pa_mpjpe, pck
from bottomup.metric3d.heads import heatmaps, synthetic
from bottomup.metric3d.heads.heatmaps import Heads
from bottomup.metric3d.network import TfliteCropModel
from bottomup.metric3d.plausibility import suppress_implausible_poses
from bottomup.metric3d.plot import plot_poses3d
from bottomup.metric3d.results import Poses3D, Poses3DBatch
from bottomup.metric3d.settings import Settings

__all__ = [
    "Camera",
    "Heads",
    "PoseEstimator3D",
    "Poses3D",
    "Poses3DBatch",
    "Reconstruction",
    "RootFit",
    "Schedule",
    "Settings",
    "TfliteCropModel",
    "absolute_by_bones",
    "align",
    "auc",
    "bone_lengths_of",
    "boxes",
    "boxes_from_poses",
    "camera",
    "crops",
    "evaluation",
    "heatmaps",
    "lens",
    "median_bone_lengths",
    "mpjpe",
    "ncps",
    "pa_mpjpe",
    "pck",
    "plausibility",
    "plot_poses3d",
    "reconstruct_absolute",
    "reference",
    "suppress_implausible_poses",
    "synthetic",
]
