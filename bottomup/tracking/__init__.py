"""Ids that people keep from frame to frame, and motion without jitter."""

from bottomup.tracking.motion import ConstantVelocity
from bottomup.tracking.smoothing import OneEuro
from bottomup.tracking.tracker import Tracker, similarities

__all__ = ["ConstantVelocity", "OneEuro", "Tracker", "similarities"]
