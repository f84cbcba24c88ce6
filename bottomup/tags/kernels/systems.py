"""The run of the decoders of other systems."""

import math

import numpy as np

from bottomup.kernels.jit import helper, kernel
from bottomup.tags.kernels.filling import find_filling
from bottomup.tags.kernels.grouping import MMPOSE, OMZ, group
from bottomup.tags.kernels.peaks import find_candidates, score_at, tag_at
from bottomup.tags.kernels.placing import place_part

_NMS_RADIUS = 2


@kernel
def decode_system(tensors, candidates, people, pairing, searching, ranking, order, system_rules, lowest, frame, found):
    """Fill `found` with the people of another system's decoder, best first; return how many.

    `order` is that in which parts are grouped, `lowest` what the elements of peaks are above.
    """
    (heatmaps, heat_reals, _tags, _tag_reals, num_parts, _tag_size, height, width, is_negated) = tensors
    (person_cells, person_scores, _person_tags, person_counts, _centres) = people
    (system, _max_people, _tag_threshold, min_score, delta, _udp, fill) = system_rules
    (means, ranks, blur_scales, person_tag, places) = ranking
    (_planes, _highs, is_known, _block_costs, _lines, blocks_left) = searching
    (keypoints, scores, filled) = found
    find_candidates(tensors, lowest, _NMS_RADIUS, False, candidates)
    person_cells[:] = -1
    person_scores[:] = 0
    person_counts[:] = 0
    num_people = group(tensors, candidates, people, pairing, order, system_rules)
    num_kept = np.int64(0)
    for person in range(num_people):
        total = 0.0
        for part in range(num_parts):
            total += person_scores[person, part]
        means[person] = total / num_parts
        if system != OMZ or means[person] > min_score:
            place = num_kept
            while place > 0 and means[ranks[place - 1]] < means[person]:
                ranks[place] = ranks[place - 1]
                place -= 1
            ranks[place] = person
            num_kept += 1
    is_known[:] = False
    blocks_left[0] = blocks_left[1]
    blur_scales[:] = -1
    for rank in range(num_kept):
        person = ranks[rank]
        scores[rank] = min(max(means[person], 0.0), 1.0)
        for part in range(num_parts):
            filled[rank, part] = False
            keypoints[rank, part, 0] = np.nan
            keypoints[rank, part, 1] = np.nan
            keypoints[rank, part, 2] = 0
            cell = person_cells[person, part]
            if cell >= 0:
                score = person_scores[person, part]
                places[part] = place_part(tensors, part, cell, system_rules, delta, searching, blur_scales)
                write_part(keypoints[rank], part, places[part], score, frame)
        if not fill:
            continue
        find_person_tag(tensors, people, person, places, system, person_tag)
        for part in range(num_parts):
            if person_cells[person, part] < 0:
                weight = np.float32(100) if system == MMPOSE else np.float32(1)
                cell = find_filling(tensors, part, person_tag, weight, system == OMZ, searching)
                if cell < 0:
                    continue
                score = score_at(heatmaps, heat_reals, is_negated, part * height * width + cell)
                if score > 0 or system == MMPOSE:
                    shift = 0.0 if system == OMZ else delta
                    places[part] = place_part(tensors, part, cell, system_rules, shift, searching, blur_scales)
                    write_part(keypoints[rank], part, places[part], score, frame)
                    filled[rank, part] = True
    return num_kept


@helper
def find_person_tag(tensors, people, person, places, system, person_tag):
    """Write the tag that a person's missing parts are sought by.

    OMZ's is the mean of the tags of the candidates; that of the others the mean of the tags where the parts were
    placed, read again there.
    """
    (_heatmaps, _heat_reals, tags, tag_reals, num_parts, tag_size, height, width, _is_negated) = tensors
    (person_cells, _person_scores, person_tags, _person_counts, _centres) = people
    for number in range(tag_size):
        if system == OMZ:
            person_tag[number] = person_tags[person, number]
            continue
        total = np.float32(0)
        count = np.float32(0)
        for part in range(num_parts):
            if person_cells[person, part] >= 0:
                column = np.int64(min(max(places[part, 0], 0.0), width - 1.0))
                row = np.int64(min(max(places[part, 1], 0.0), height - 1.0))
                index = ((number * num_parts + part) * height + row) * width + column
                total += tag_at(tags, tag_reals, index)
                count += np.float32(1)
        person_tag[number] = total / count


@helper
def write_part(keypoints, part, place, score, frame):
    """Write x and y in input pixels and the score of a part at `place`, x and y in cells."""
    (scale_x, scale_y, shift_x, shift_y) = frame
    x = np.float32(place[0] * scale_x + shift_x)
    y = np.float32(place[1] * scale_y + shift_y)
    if math.isfinite(x) and math.isfinite(y):
        keypoints[part, 0] = x
        keypoints[part, 1] = y
        keypoints[part, 2] = min(max(score, np.float32(0)), np.float32(1))
