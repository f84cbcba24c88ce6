"""Networks trained on other parts: animals, hands, any tree of edges."""

import dataclasses

import numpy as np
import pytest

import bottomup as bu
from bottomup.posenet import reference
from bottomup.posenet.augment import average_fields, mirror_fields
from bottomup.posenet.family import POSENET
from bottomup.posenet.masks import CoralMasks, TfjsMasks
from bottomup.posenet.reference.masks import find_masks
from bottomup.posenet.rendering import posenet_fields
from bottomup.posenet.trees import EDGES, kernel_tree, tree_of

#: Four fingers' joints hang on the wrist one after another, as in MediaPipe's and trt_pose's hands.
_FINGERS = ("thumb", "index", "middle", "ring", "little")
HAND = bu.Skeleton(
    "hand_21",
    ("wrist", *(f"{finger}_{joint}" for finger in _FINGERS for joint in range(4))),
    tuple((4 * finger + joint if joint else 0, 4 * finger + joint + 1) for finger in range(5) for joint in range(4)),
)
_HEAD = ["nose", "left_eye", "right_eye", "left_ear", "right_ear", "throat", "withers", "tail"]
_JOINTS = [f"{end}_{joint}" for end in ("front", "hind") for joint in ("elbow", "knee", "paw")]
_PAWS = [f"{side}_{joint}" for joint in _JOINTS for side in ("left", "right")]
#: 20 parts of animals, as Animal Pose has them; its tree begins in the middle, and its edges come in no special order.
ANIMAL = bu.Skeleton(
    "animal_20",
    (*_HEAD, *_PAWS),
    (
        (6, 5), (5, 0), (0, 1), (0, 2), (1, 3), (2, 4), (6, 7), (5, 8), (5, 9), (8, 10), (9, 11), (10, 12), (11, 13),
        (7, 14), (7, 15), (14, 16), (15, 17), (16, 18), (17, 19),
    ),
    mirror=(0, 2, 1, 4, 3, 5, 6, 7, 9, 8, 11, 10, 13, 12, 15, 14, 17, 16, 19, 18),
)  # fmt: skip
SKELETONS = {"hand": HAND, "animal": ANIMAL}
of_each = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
SIZE = (481, 353)


def some(skeleton, count=2, seed=0, size=SIZE):
    """Bodies of that skeleton, side by side, whose parts lie 20 to 45 pixels from their parents."""
    random = np.random.default_rng(seed)
    keypoints = np.zeros((count, len(skeleton.parts), 3), np.float32)
    keypoints[..., 2] = 1
    for number in range(count):
        places = {tree_of(skeleton)[0][0]: np.array([(number + 0.5) * size[0] / count, size[1] / 2])}
        while len(places) < len(skeleton.parts):
            for parent, child in skeleton.edges:
                if parent in places and child not in places:
                    angle = random.uniform(0, 2 * np.pi)
                    step = random.uniform(20, 45) * np.array([np.cos(angle), np.sin(angle)])
                    places[child] = places[parent] + step
        low, high = (number * size[0] / count + 10, 10), ((number + 1) * size[0] / count - 10, size[1] - 10)
        keypoints[number, :, :2] = np.clip([places[part] for part in range(len(skeleton.parts))], low, high)
    return bu.Poses(keypoints, np.ones(count, np.float32), skeleton)


@of_each
@pytest.mark.parametrize("name", ["best", "coral"])
@pytest.mark.parametrize("quantized", [False, True])
def test_rendered_bodies_come_back(skeleton, name, quantized):
    known = some(skeleton)
    poses = POSENET.decoders[name]().decode(posenet_fields(known, SIZE, quantized=quantized))
    assert poses.skeleton is skeleton
    poses = poses[poses.scores > 0.3]
    assert len(poses) == 2
    distances = np.linalg.norm(poses.xy[:, None] - known.xy[None], axis=3).mean(axis=2)
    assert sorted(distances.argmin(axis=0)) == [0, 1]
    assert distances.min(axis=0).max() < (3 if quantized else 1.5)


@of_each
@pytest.mark.parametrize("name", POSENET.decoders)
def test_kernels_answer_as_the_definition(skeleton, name):
    random = np.random.default_rng(3)
    parts, edges = len(skeleton.parts), len(skeleton.edges)
    tensors = [
        bu.Quantized(random.integers(0, 5, (5, 6, size), np.uint8) * 50, scale, 128)
        for size, scale in ((parts, 0.05), (2 * parts, 0.2), (4 * edges, 0.6))
    ]
    for given in (tensors, [tensor.dequantize() for tensor in tensors]):
        fields = bu.PoseNetFields.from_mid_offsets(*given, skeleton=skeleton, shift=(3, 0))
        for decoder in (POSENET.decoders[name](), POSENET.decoders[name](max_poses=1)):
            poses, expected = decoder.decode(fields), reference.decode(fields, decoder)
            assert len(poses) == len(expected) > 0
            np.testing.assert_allclose(poses.keypoints, expected.keypoints, rtol=1e-5, atol=1e-4)
            np.testing.assert_allclose(poses.scores, expected.scores, rtol=1e-4, atol=1e-6)
        together = POSENET.decoders[name]().decode_batch([fields] * 16)
        np.testing.assert_array_equal(together[7].keypoints, POSENET.decoders[name]().decode(fields).keypoints)


@pytest.mark.parametrize("name", POSENET.decoders)
def test_seventeen_parts_of_another_tree_are_followed_along_it(name):
    """The kernels are made for 17 parts; the tree is the skeleton's all the same."""
    chain = bu.Skeleton("chain", tuple("abcdefghijklmnopq"), tuple((part, part + 1) for part in range(16)))
    random = np.random.default_rng(4)
    tensors = (random.normal(size=(6, 7, size)) * scale for size, scale in ((17, 2), (34, 9), (64, 30)))
    fields = bu.PoseNetFields.from_mid_offsets(*tensors, skeleton=chain)
    decoder = POSENET.decoders[name]()
    poses, expected = decoder.decode(fields), reference.decode(fields, decoder)
    assert len(poses) == len(expected) > 0
    np.testing.assert_allclose(poses.keypoints, expected.keypoints, rtol=1e-5, atol=1e-4)


def test_two_parts_are_a_tree():
    line = bu.Skeleton("line", ("head", "tail"), ((0, 1),))
    known = some(line, 3)
    poses = bu.PoseNetDecoder.coral().decode(posenet_fields(known, SIZE))
    assert len(poses) == 3
    np.testing.assert_allclose(np.sort(poses.xy[:, 0, 0]), np.sort(known.xy[:, 0, 0]), atol=1)


@of_each
@pytest.mark.parametrize("rule", [bu.PoseNetMasks(), CoralMasks(), TfjsMasks(segment_threshold=0.5)], ids=repr)
def test_masks_know_bodies_of_any_parts(skeleton, rule):
    known = some(skeleton, size=(65, 49))
    masks = np.zeros((2, 49, 65), bool)
    masks[0, :, :32] = masks[1, 5:-5, 32:] = True
    fields = posenet_fields(known, (65, 49), output_stride=8, masks=masks, radius=16)
    found = rule.masks(fields, known, (65, 49))
    np.testing.assert_array_equal(found, find_masks(fields, known, rule, (65, 49)))
    assert (found & masks).sum() > 0.85 * masks.sum()
    with pytest.raises(bu.InputError, match=f"masks need the {len(skeleton.parts)} parts of {skeleton.name}"):
        rule.masks(fields, bu.Poses.empty(bu.COCO17))


def test_mirrored_fields_give_mirrored_bodies_of_any_parts():
    known = some(ANIMAL)
    fields = posenet_fields(known, SIZE)
    mirrored = mirror_fields(fields, SIZE[0])
    poses = bu.PoseNetDecoder().decode(mirrored).mirrored(width=SIZE[0], swap_sides=True)
    expected = bu.PoseNetDecoder().decode(fields)
    np.testing.assert_allclose(poses[poses.scores > 0.3].xy, expected[expected.scores > 0.3].xy, atol=0.1)
    twice = mirror_fields(mirrored, SIZE[0])
    for name in ("heatmaps", "offsets", "displacements_fwd", "displacements_bwd"):
        np.testing.assert_array_equal(getattr(twice, name), getattr(fields, name))
    average = average_fields(fields, twice)
    np.testing.assert_allclose(average.offsets, fields.offsets, atol=1e-4)


def test_an_edge_whose_mirror_image_runs_the_other_way_is_turned_round():
    arms = bu.Skeleton("arms", ("left", "middle", "right"), ((0, 1), (1, 2)), mirror=(2, 1, 0))
    fields = posenet_fields(some(arms, 1), SIZE)
    mirrored = mirror_fields(fields, SIZE[0])
    np.testing.assert_array_equal(mirrored.displacements_fwd[..., 0], fields.displacements_bwd[:, ::-1, 1])
    np.testing.assert_array_equal(mirrored.displacements_bwd[..., 3], -fields.displacements_fwd[:, ::-1, 2])


def test_a_skeleton_that_cannot_be_mirrored_says_so():
    lame = dataclasses.replace(ANIMAL, mirror=(0, 1, 2, 4, 3, *range(5, 20)))
    with pytest.raises(bu.InputError, match="skeleton 'animal_20' cannot be mirrored"):
        mirror_fields(posenet_fields(some(lame), SIZE), SIZE[0])


def test_cocos_parts_have_posenets_tree():
    assert tree_of(bu.COCO17) == EDGES
    assert kernel_tree(bu.COCO17)[1] is None
    assert kernel_tree(HAND)[1] == 21


@pytest.mark.parametrize(
    "edges",
    [((0, 1), (1, 2)), ((0, 1), (1, 2), (2, 0)), ((0, 1), (1, 0), (2, 3)), ()],
    ids=["too few", "a circle", "two trees", "none"],
)
def test_edges_that_are_no_tree_are_refused_with_the_way_out(edges):
    skeleton = bu.Skeleton("odd", ("a", "b", "c", "d"), edges)
    with pytest.raises(bu.InputError, match="skeleton 'odd' must have 3 edges that join its 4 parts as a tree"):
        bu.PoseNetFields.from_mid_offsets(
            np.zeros((3, 3, 4)), np.zeros((3, 3, 8)), np.zeros((3, 3, 12)), skeleton=skeleton
        )


def test_channels_of_another_skeleton_are_counted():
    with pytest.raises(bu.InputError, match="heatmaps must have 21 channels"):
        bu.PoseNetFields.from_mid_offsets(
            np.zeros((3, 3, 17)), np.zeros((3, 3, 42)), np.zeros((3, 3, 80)), skeleton=HAND
        )


def test_outputs_of_a_network_of_your_own_are_read_with_its_skeleton():
    fields = posenet_fields(some(HAND), SIZE)
    outputs = {"a": fields.heatmaps, "b": fields.offsets, "c": fields._mid_offsets}
    read = bu.read_outputs(outputs, SIZE, skeleton=HAND)
    assert read.skeleton == HAND
    assert (bu.PoseNetDecoder().decode(read).scores > 0.3).sum() == 2
