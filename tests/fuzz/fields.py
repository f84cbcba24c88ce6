"""Small hostile fields by the million, in every decoder of every family.

    python -m tests.fuzz.fields --fields 1000000 --seed 1

Every field goes through every decoder of its family, with its default settings or others. A pose must have scores in
[0, 1] and keypoints that are finite or (nan, nan, 0); one field of `--every` is compared with the reference, too. Where
two numbers are equal but for rounding, such as a distance and the radius it is compared with, both answers are right:
such a difference goes away when a parameter is changed by a hair, and is counted apart. A field that fails is told by
its seed and number: `--seed 1 --first 4711 --fields 1 --every 1` makes it again.
"""

import argparse
import collections
import dataclasses
import sys
import time
import traceback

import numpy as np

import bottomup as bu
from bottomup import boxes, centers, families, paf, posenet, tags
from tests.fuzz.hostile import MAKERS, Maker

REFERENCES = {"posenet": posenet, "paf": paf, "centers": centers, "boxes": boxes, "tags": tags}
_VARIANTS = 12  # of each decoder, beside its defaults
_LARGE = {"max_peaks": 20, "max_poses": 8, "max_people": 6}  # what is drawn below this
_HAIR = 1e-5
_STEPS = ("local_maximum_radius", "refinement_steps", "vote_passes")


def make_decoders(family, seed=0):
    """Return each decoder of a family by name, as it is, and with other settings."""
    random = np.random.default_rng(seed)
    decoders = {}
    for name, make in families.get(family).decoders.items():
        usual = make()
        decoders[name] = [usual] * (_VARIANTS // 2) + [varied(usual, random) for _ in range(_VARIANTS)]
    return decoders


def varied(decoder, random):
    """Return a decoder of which some settings are others, as far as it takes them."""
    changes = {}
    for parameter in dataclasses.fields(decoder):
        value = getattr(decoder, parameter.name)
        if not parameter.init or random.random() < 0.6:
            continue
        if isinstance(value, bool):
            changes[parameter.name] = not value
        elif parameter.name in _LARGE:
            changes[parameter.name] = int(random.integers(1, _LARGE[parameter.name]))
        elif parameter.name in _STEPS:
            changes[parameter.name] = int(random.integers(0, 4))
        elif isinstance(value, (int, float)):
            changes[parameter.name] = type(value)(value * random.choice([0.25, 0.5, 1.5, 3]))
        elif isinstance(value, tuple):
            changes[parameter.name] = (1.5, -2.0)
    while changes:
        try:
            return dataclasses.replace(decoder, **changes)
        except bu.InputError:  # out of its range, or at odds with another one
            changes.popitem()
    return decoder


def complaints(poses, decoder):
    """Return what is wrong with poses by themselves."""
    found = np.isfinite(poses.xy).all(axis=2)
    missing = np.isnan(poses.xy).all(axis=2) & (poses.keypoint_scores == 0)
    if not (found | missing).all():
        yield "a keypoint is neither finite nor (nan, nan, 0)"
    if not ((poses.keypoint_scores >= 0) & (poses.keypoint_scores <= 1)).all():
        yield "a keypoint's score is outside [0, 1]"
    if not ((poses.scores >= 0) & (poses.scores <= 1)).all():
        yield "a pose's score is outside [0, 1]"
    is_whole = np.isfinite(poses.boxes).all(axis=1)
    if not (is_whole | np.isnan(poses.boxes).all(axis=1)).all():
        yield "a box is neither finite nor nan"
    if len(poses) > getattr(decoder, "max_poses", len(poses)):
        yield "there are more poses than asked for"


def differences(poses, expected):
    """Return how poses differ from those of the reference."""
    if len(poses) != len(expected):
        yield f"{len(poses)} poses where the reference has {len(expected)}"
        return
    pairs = {"scores": (1e-4, 1e-5), "keypoints": (1e-5, 2e-3), "filled": (0, 0), "boxes": (1e-5, 2e-3)}
    for name, (relative, absolute) in pairs.items():
        ours, theirs = getattr(poses, name), getattr(expected, name)
        if not np.allclose(ours, theirs, rtol=relative, atol=absolute, equal_nan=True):
            yield f"{name} differ from the reference's"


def is_a_tie(fields, decoder, poses, expected):
    """Tell whether poses of one score changed places, or a parameter changed by a hair gives what was expected."""
    if not any(differences(sorted_by_place(poses), sorted_by_place(expected))):
        return True
    for parameter in dataclasses.fields(decoder):
        value = getattr(decoder, parameter.name)
        if not parameter.init or not isinstance(value, float):
            continue
        for hair in (-_HAIR, _HAIR):
            try:
                near = dataclasses.replace(decoder, **{parameter.name: value * (1 + hair) if value else hair})
            except bu.InputError:  # out of its range
                continue
            if not any(differences(near.decode(fields), expected)):
                return True
    return False


def sorted_by_place(poses):
    """Return poses by score, roughly, and then by where they are."""
    places = np.nan_to_num(poses.keypoints, nan=-1.0).round(1).reshape(len(poses), -1)
    rough = np.round(poses.scores, 4)
    return poses[np.array(sorted(range(len(poses)), key=lambda pose: (-rough[pose], *places[pose])), np.intp)]


def make_field(seed, number):
    """Return a family's name and a field; None in its place where the family refuses it."""
    family = list(MAKERS)[number % len(MAKERS)]
    random = np.random.default_rng([seed, number])
    with np.errstate(all="ignore"):
        try:
            return family, MAKERS[family](Maker(random)), random
        except bu.InputError:
            return family, None, random


class Outcome:
    """What came of the fields tried so far."""

    def __init__(self):
        self.accepted, self.refused = collections.Counter(), collections.Counter()
        self.decodes = self.compared = self.ties = 0
        self.complaints = []  #: seed, number, family, decoder's name, decoder, what is wrong

    def try_field(self, seed, number, decoders, is_compared):
        """Decode one field in every way."""
        family, fields, random = make_field(seed, number)
        if fields is None:
            self.refused[family] += 1
            return
        self.accepted[family] += 1
        for name, variants in decoders[family].items():
            decoder = variants[random.integers(len(variants))]
            self.decodes += 1
            try:
                poses = decoder.decode(fields)
                told = [*complaints(poses, decoder)]
                if is_compared:
                    self.compared += 1
                    expected = REFERENCES[family].reference.decode(fields, decoder)
                    differing = [*differences(poses, expected)]
                    if differing and is_a_tie(fields, decoder, poses, expected):
                        self.ties += 1
                    else:
                        told += differing
            except Exception:
                told = [traceback.format_exc()]
            self.complaints += [(seed, number, family, name, decoder, what) for what in told]


def run(seed, first, count, every, seconds=1e9, report=print):
    """Try `count` accepted fields; return their `Outcome`."""
    decoders = {family: make_decoders(family, seed) for family in MAKERS}
    outcome = Outcome()
    number, start = first, time.monotonic()
    while outcome.accepted.total() < count and time.monotonic() - start < seconds:
        told = len(outcome.complaints)
        outcome.try_field(seed, number, decoders, number % every == 0)
        for complaint in outcome.complaints[told:]:
            report("seed {}, number {}: {} {}: {}: {}".format(*complaint[:4], complaint[5], complaint[4]))
        number += 1
    return outcome


def main():
    """Fuzz what was asked for; status 1 if anything was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.fields", description="small hostile fields by the million"
    )
    parser.add_argument("--fields", type=int, default=10_000, help="how many that are accepted")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first field")
    parser.add_argument("--every", type=int, default=11, help="compare one field of so many with the reference")
    parser.add_argument("--seconds", type=float, default=1e9)
    asked = parser.parse_args()

    def report(line):
        print(line, flush=True)

    start = time.monotonic()
    outcome = run(asked.seed, asked.first, asked.fields, asked.every, asked.seconds, report)
    print(
        f"{outcome.accepted.total()} fields, {outcome.refused.total()} refused, {outcome.decodes} decodes, "
        f"{outcome.compared} of them compared with the reference, {outcome.ties} ties, {len(outcome.complaints)} "
        f"complaints, {time.monotonic() - start:.0f} s"
    )
    for family in MAKERS:
        print(f"{family:>10}: {outcome.accepted[family]} accepted, {outcome.refused[family]} refused")
    return int(bool(outcome.complaints))


if __name__ == "__main__":
    sys.exit(main())
