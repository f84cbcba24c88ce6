"""HigherHRNet's decoder, said aloud."""

import numpy as np

from bottomup.poses import Poses
from bottomup.tags.fields import TagFields
from bottomup.tags.higherhrnet import HigherHrnetDecoder
from bottomup.tags.reference.mmpose import mean_distances, tag_of_places
from bottomup.tags.reference.munkres import pair_by_covers
from bottomup.tags.reference.peaks import read_fields
from bottomup.tags.reference.systems import Pose, find_filling, group, slopes, to_poses

__all__ = ["decode_higherhrnet"]


def decode_higherhrnet(fields: TagFields, decoder: HigherHrnetDecoder) -> Poses:
    """Return what `HigherHrnetDecoder.decode` returns."""
    if 0 in fields.grid:
        return to_poses([], fields)
    maps = read_fields(fields)

    def place(part: int, row: int, column: int) -> tuple[float, float]:
        right, down = slopes(maps.scores[part], row, column)
        return column + (0.25 if right > 0 else -0.25) + 0.5, row + (0.25 if down > 0 else -0.25) + 0.5

    found = []
    for person in group(maps, decoder, mean_distances, pair_by_covers, decoder.max_people, False):
        pose = Pose(person.score(len(maps.scores)), {}, {}, set())
        for part, peak in person.peaks.items():
            pose.places[part], pose.scores[part] = place(part, peak.row, peak.column), float(peak.score)
        tag = tag_of_places(maps, pose.places)
        for part in range(len(maps.scores)) if decoder.fill else ():
            if part not in person.peaks:
                cell = find_filling(maps, part, tag, 1, np.rint)
                if cell is not None and maps.scores[part][cell] > 0:
                    pose.places[part], pose.scores[part] = place(part, *cell), float(maps.scores[part][cell])
                    pose.filled.add(part)
        found.append(pose)
    return to_poses(found, fields)
