"""HigherHRNet's decoder: parameters, check, call."""

from dataclasses import dataclass

from bottomup.batch import BatchDecoder
from bottomup.parameters import check, number, score, switch, whole
from bottomup.poses import Poses
from bottomup.tags.fields import TagFields, as_tag_fields
from bottomup.tags.systems import SystemRules, decode_system

__all__ = ["HigherHrnetDecoder"]


@dataclass(frozen=True)
class HigherHrnetDecoder(BatchDecoder[TagFields]):
    """Decode as HigherHRNet's HeatmapParser does.

    Its order of parts, thresholds, pairing by Munkres' method, quarter shift
    that is never 0, half a cell to the middle, and filling. Left out: tags as
    names of people, by which people of equal tags are one.

    Attributes
    ----------
    max_people : int
        Most peaks of each part; people beyond are kept, but get no more parts.
    score_threshold : float
        A peak's score is above this.
    tag_threshold : float
        A part's tag and its person's are less apart than this.
    fill : bool
        Fill missing parts in where the tag is the person's. All cells are
        looked at four times at most, and 17 million more; people beyond
        are left as found.

    References
    ----------
    HRNet/HigherHRNet-Human-Pose-Estimation, commit aa23881, `lib/core/group.py`. arXiv:1908.10357
    """

    max_people: int = whole(30, high=100)
    score_threshold: float = score(0.1)
    tag_threshold: float = number(1.0, low=0, high=1e6)
    fill: bool = switch(True)

    def __post_init__(self) -> None:
        check(self)

    def decode(self, fields: TagFields) -> Poses:
        """Return the poses of one image, best first, in input pixels: cells times stride.

        Raises
        ------
        InputError
            If `fields` is not a TagFields.
        """
        rules = SystemRules(2, self.max_people, self.tag_threshold, 0.0, 0.5, False, self.fill)
        return decode_system(as_tag_fields(fields), rules, self.score_threshold)
