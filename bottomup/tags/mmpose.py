"""mmpose's decoder: parameters, check, call."""

from dataclasses import dataclass

from bottomup.batch import BatchDecoder
from bottomup.parameters import check, number, score, switch, whole
from bottomup.poses import Poses
from bottomup.tags.fields import TagFields, as_tag_fields
from bottomup.tags.systems import SystemRules, decode_system

__all__ = ["MmposeTagDecoder"]


@dataclass(frozen=True)
class MmposeTagDecoder(BatchDecoder[TagFields]):
    """Decode as mmpose's codec AssociativeEmbedding does.

    Its order of parts, thresholds, pairing by Munkres' method, quarter shift
    or UDP's Newton step, and filling. Left out: filling by the logarithms of
    blurred heatmaps after UDP; filled parts that are neither shifted nor
    centred; tags as names of people, by which people of equal tags are one.

    Attributes
    ----------
    udp : bool
        Refine by a Newton step on the blurred heatmap, and scale as UDP does:
        the outermost cells on the outermost pixels.
    delta : float
        Cells that parts are moved right and down, without `udp`: its `decode_center_shift`.
    max_people : int
        Most peaks of each part, and most people.
    score_threshold : float
        A peak's score is above this.
    tag_threshold : float
        A part's tag and its person's are less apart than this.
    fill : bool
        Fill all missing parts in where the tag is nearest to the person's.
        All cells are looked at four times at most, and 17 million more;
        people beyond are left as found.

    References
    ----------
    open-mmlab/mmpose, commit 759b39c, `codecs/associative_embedding.py`. UDP: arXiv:1911.07524
    """

    udp: bool = switch(False)
    delta: float = number(0.5, low=-2, high=2)
    max_people: int = whole(30, high=100)
    score_threshold: float = score(0.1)
    tag_threshold: float = number(1.0, low=0, high=1e6)
    fill: bool = switch(True)

    def __post_init__(self) -> None:
        check(self)

    def decode(self, fields: TagFields) -> Poses:
        """Return the poses of one image, best first, in input pixels.

        Raises
        ------
        InputError
            If `fields` is not a TagFields.
        """
        delta = 0.0 if self.udp else self.delta
        rules = SystemRules(1, self.max_people, self.tag_threshold, 0.0, delta, self.udp, self.fill)
        return decode_system(as_tag_fields(fields), rules, self.score_threshold)
