"""People in videos: `Reader` gives frames, `estimate` finds the people in them, `Writer` writes a video."""

from bottomup.video.estimating import Frame, estimate
from bottomup.video.reading import Picture, Reader
from bottomup.video.writing import Writer

__all__ = ["Frame", "Picture", "Reader", "Writer", "estimate"]
