"""People in videos: `estimate` finds them frame by frame, `Reader` and `Writer` are the ends of it."""

from bottomup.video.estimating import Frame, estimate
from bottomup.video.reading import Picture, Reader
from bottomup.video.writing import Writer

__all__ = ["Frame", "Picture", "Reader", "Writer", "estimate"]
