"""Candidates into people, part after part, as OMZ, mmpose and HigherHRNet do."""

import math

import numpy as np

from bottomup.kernels.jit import helper
from bottomup.tags.kernels.assignment import assign, assign_by_covers
from bottomup.tags.kernels.peaks import tag_at

OMZ = 0
MMPOSE = 1
HIGHERHRNET = 2
_FAR = 1e10  # what a column costs that stands for nobody, and what no pair exceeds


@helper
def group(tensors, candidates, people, pairing, order, system_rules):
    """Fill `people` with the candidates of all parts, in this order of parts; return how many people there are.

    Each part's candidates and the people so far are paired so that the sum of 100 times the distance of their tags,
    rounded, less the candidate's score is least. A pair whose tags are `tag_threshold` apart is none; its candidate
    opens a new person, as do those of the first part.
    """
    (_heatmaps, _heat_reals, _tags, _tag_reals, _num_parts, _tag_size, _height, width, _is_negated) = tensors
    (cells, scores, counts) = candidates
    (costs, distances, chosen, solver, marks, covers, path) = pairing
    (system, max_people, tag_threshold, _min_score, _delta, _udp, _fill) = system_rules
    num_people = np.int64(0)
    for part in order:
        num_candidates = counts[part]
        if num_candidates == 0:
            continue
        if num_people == 0:
            for candidate in range(num_candidates):
                join(people, num_people, part, cells[part, candidate], scores[part, candidate], tensors, system)
                num_people += 1
            continue
        if system == MMPOSE:
            num_people = min(num_people, max_people)
        num_groups = num_people if system == OMZ else min(num_people, max_people)
        compare(tensors, part, cells[part], num_candidates, people, num_groups, distances)
        for candidate in range(num_candidates):
            for group in range(num_groups):
                costs[candidate, group] = distances[candidate, group]
        if system == OMZ:
            prefer_near(cells[part], num_candidates, people, num_groups, width, tag_threshold, costs, distances)
        for candidate in range(num_candidates):
            for group in range(num_groups):
                cost = np.rint(costs[candidate, group]) * 100.0 - np.float64(scores[part, candidate])
                cost = cost if cost < _FAR else _FAR  # NaN is far
                costs[candidate, group] = cost if cost > -_FAR else -_FAR
            for column in range(num_groups, num_candidates):
                costs[candidate, column] = _FAR
        if system == OMZ:
            assign(costs, num_candidates, max(num_candidates, num_groups), chosen, solver)
        else:
            size = max(num_candidates, num_groups)
            for row in range(num_candidates, size):
                costs[row, :size] = 0
            assign_by_covers(costs, size, chosen, marks, covers, path)
        for candidate in range(num_candidates):
            group = chosen[candidate]
            if not (0 <= group < num_groups and distances[candidate, group] < tag_threshold):
                group = num_people
                num_people += 1
            join(people, group, part, cells[part, candidate], scores[part, candidate], tensors, system)
    return min(num_people, max_people) if system == MMPOSE else num_people


@helper
def compare(tensors, part, cells, num_candidates, people, num_groups, distances):
    """Write the distances between the tags of candidates and people, in float32 as those systems do."""
    (_heatmaps, _heat_reals, tags, tag_reals, num_parts, tag_size, height, width, _is_negated) = tensors
    (_person_cells, _person_scores, person_tags, _person_counts, _centres) = people
    for candidate in range(num_candidates):
        for group in range(num_groups):
            total = np.float32(0)
            for number in range(tag_size):
                index = (number * num_parts + part) * height * width + cells[candidate]
                apart = tag_at(tags, tag_reals, index) - person_tags[group, number]
                total += apart * apart
            distances[candidate, group] = np.sqrt(total)


@helper
def prefer_near(cells, num_candidates, people, num_groups, width, tag_threshold, costs, distances):
    """Multiply the distances of close tags by how much further than the nearest candidate one is from the person."""
    (_person_cells, _person_scores, _person_tags, _person_counts, centres) = people
    for group in range(num_groups):
        nearest = np.inf
        for candidate in range(num_candidates):
            nearest = min(nearest, distance_to(cells[candidate], width, centres, group))
        for candidate in range(num_candidates):
            if distances[candidate, group] < tag_threshold:
                ratio = distance_to(cells[candidate], width, centres, group) / (nearest + 1e-10)
                costs[candidate, group] = np.float32(costs[candidate, group] * ratio)


@helper
def distance_to(cell, width, centres, group):
    """Return how far a cell is from a person's centre, in cells."""
    right = cell % width - centres[group, 0]
    down = cell // width - centres[group, 1]
    return math.sqrt(right * right + down * down)


@helper
def join(people, person, part, cell, score, tensors, system):
    """Give a person a part; a person who has none yet is opened.

    A person's tag is the mean of their parts'. OMZ multiplies the old mean by the number of parts and divides again,
    the others sum in float32: the last bits differ, which rounding may show.
    """
    (_heatmaps, _heat_reals, tags, tag_reals, num_parts, tag_size, height, width, _is_negated) = tensors
    (person_cells, person_scores, person_tags, person_counts, centres) = people
    is_new = person_counts[person] == 0
    count = np.float32(person_counts[person])
    more = count + np.float32(1)
    for number in range(tag_size):
        tag = tag_at(tags, tag_reals, (number * num_parts + part) * height * width + cell)
        if is_new:
            person_tags[person, number] = tag
            person_tags[person, tag_size + number] = tag
        else:
            total = person_tags[person, number] * count if system == OMZ else person_tags[person, tag_size + number]
            person_tags[person, tag_size + number] = total + tag
            person_tags[person, number] = (total + tag) / more
    column = np.float64(cell % width)
    row = np.float64(cell // width)
    number_before = np.float64(count)
    centres[person, 0] = column if is_new else (centres[person, 0] * number_before + column) / np.float64(more)
    centres[person, 1] = row if is_new else (centres[person, 1] * number_before + row) / np.float64(more)
    person_cells[person, part] = cell
    person_scores[person, part] = score
    person_counts[person] += 1
