"""Open Model Zoo's decoder: parameters, check, call."""

from dataclasses import dataclass

from bottomup.batch import BatchDecoder
from bottomup.parameters import check, number, score, switch, whole
from bottomup.poses import Poses
from bottomup.tags.fields import TagFields, as_tag_fields
from bottomup.tags.systems import SystemRules, decode_system

__all__ = ["OmzTagDecoder"]


@dataclass(frozen=True)
class OmzTagDecoder(BatchDecoder[TagFields]):
    """Decode as Open Model Zoo's demo of human-pose-estimation-0005 to 0007 does.

    Its order of parts, thresholds, pairing by tag and nearness, quarter
    shift, and filling. Left out: the filling that goes by other people's tags
    once somebody is below `min_score`, and that takes tags of one number
    only. A part that nothing is left for is not found.

    Attributes
    ----------
    delta : float
        Cells that found parts are moved right and down: 0 for Intel's
        networks, 0.5 for higher-hrnet-w32. Filled ones are not, as there.
    max_people : int
        Most peaks of each part.
    score_threshold : float
        A peak's score is above this.
    tag_threshold : float
        A part's tag and its person's are less apart than this.
    min_score : float
        A person's score, the mean of all parts before filling, is above this.
    fill : bool
        Fill missing parts in where the tag is the person's. All cells are
        looked at four times at most, and 17 million more; people beyond
        are left as found.

    References
    ----------
    openvinotoolkit/open_model_zoo, commit 7ef5b91, `model_api/models/hpe_associative_embedding.py`.
    """

    delta: float = number(0.0, low=-2, high=2)
    max_people: int = whole(30, high=100)
    score_threshold: float = score(0.1)
    tag_threshold: float = number(1.0, low=0, high=1e6)
    min_score: float = score(0.1)
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
        rules = SystemRules(0, self.max_people, self.tag_threshold, self.min_score, self.delta, False, self.fill)
        return decode_system(as_tag_fields(fields), rules, self.score_threshold)
