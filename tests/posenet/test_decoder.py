"""The PoseNet decoders against their definition, and on fields that no network should give."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unchecked import with_tensors

import bottomup as bu
from bottomup.posenet import reference

P = bu.PoseNetDecoder
FLAVOURS = {
    "best": P(),
    "coral": P.coral(),
    "tfjs": P.tfjs(),
    "tfjs_single": P.tfjs(max_poses=1),
    "personlab": P.personlab(),
}
flavours = pytest.mark.parametrize("decoder", FLAVOURS.values(), ids=FLAVOURS)
radii = st.sampled_from([0.0, 8.0, 20.0])
counts = st.integers(1, 6)
decoders = st.one_of(
    st.builds(P, max_poses=counts, nms_radius=radii, vote_passes=st.integers(0, 2)),
    st.builds(P.personlab, max_poses=counts, nms_radius=radii, nms_similarity=st.sampled_from([0.3, 0.7, 1])),
    st.builds(P.coral, max_poses=counts, nms_radius=radii, score_threshold=st.sampled_from([0.0, 0.2, 0.5])),
    st.builds(
        P.tfjs, max_poses=counts, local_maximum_radius=st.integers(1, 2), score_threshold=st.sampled_from([0, 0.5])
    ),
)


@st.composite
def quantized_fields(draw):
    """Small fields of few levels: plateaus and ties are the rule."""
    height, width = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    num_levels = draw(st.sampled_from([1, 2, 5, 200]))

    def field(channels, scale):
        levels = random.integers(0, num_levels, (height, width, channels)) * (250 // num_levels)
        return bu.Quantized(levels.astype(np.uint8), scale, draw(st.sampled_from([0, 110, 128])))

    fields = [field(17, 0.047), field(34, draw(st.sampled_from([0.1, 0.39]))), field(64, 1.3)]
    if draw(st.booleans()):
        fields = [tensor.dequantize() for tensor in fields]
    return bu.PoseNetFields.from_mid_offsets(*fields, output_stride=draw(st.sampled_from([8, 16])))


def assert_same(poses, expected):
    assert len(poses) == len(expected)
    np.testing.assert_allclose(poses.keypoints, expected.keypoints, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(poses.scores, expected.scores, rtol=1e-4, atol=1e-6)


@settings(max_examples=150, deadline=None)
@given(quantized_fields(), decoders)
def test_kernels_answer_as_the_definition(fields, decoder):
    assert_same(decoder.decode(fields), reference.decode(fields, decoder))


@pytest.mark.slow
@flavours
def test_a_batch_of_many_kinds_answers_as_one_by_one(decoder):
    levels = bu.synthetic.posenet_fields(bu.synthetic.random_poses(2, seed=4), quantized=True)
    read_only = bu.synthetic.posenet_fields(bu.synthetic.random_poses(1, seed=5))
    for tensor in (read_only.heatmaps, read_only.offsets):
        tensor.flags.writeable = False
    some = [people(1), levels, bu.synthetic.posenet_fields(bu.synthetic.random_poses(1), input_size=(353, 257))]
    fields = [levels] * 17 + some + [people(count % 3) for count in range(18)] + [read_only]
    expected = [decoder.decode(item) for item in fields]
    for threads in (1, 3):
        answers = decoder.decode_batch(iter(fields), threads=threads)
        assert [len(poses) for poses in answers] == [len(poses) for poses in expected]
        for poses, other in zip(answers, expected, strict=True):
            np.testing.assert_array_equal(poses.keypoints, other.keypoints)
            np.testing.assert_array_equal(poses.scores, other.scores)


@pytest.mark.slow
def test_a_batch_makes_room_for_roots_without_number():
    random = np.random.default_rng(3)
    noise = [random.normal(size=(40, 40, size)).astype(np.float32) for size in (17, 34, 64)]
    fields = [bu.PoseNetFields.from_mid_offsets(*noise)] * 16
    decoder = P.coral(score_threshold=0.01)
    with ThreadPoolExecutor(1) as fresh:
        [first, *others] = fresh.submit(decoder.decode_batch, fields).result()
    assert_same(first, decoder.decode(fields[0]))
    assert all(np.array_equal(first.keypoints, other.keypoints) for other in others)


def test_a_batch_says_what_was_wrong_with_one_item():
    with pytest.raises(bu.InputError, match="fields must be PoseNetFields"):
        P().decode_batch([people(1), None], threads=2)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_of_people_who_are_alike_kernels_keep_the_one_that_the_definition_keeps(size):
    heatmaps, offsets, mid_offsets = (np.zeros((size, size, channels), np.uint8) for channels in (17, 34, 64))
    fields = bu.PoseNetFields.from_mid_offsets(
        bu.Quantized(heatmaps, 0.047, 0), bu.Quantized(offsets, 0.1, 128), bu.Quantized(mid_offsets, 1.3, 0)
    )
    decoder = P.personlab(max_poses=2, nms_radius=0.0, nms_similarity=0.3)
    assert_same(decoder.decode(fields), reference.decode(fields, decoder))


def test_levels_are_compared_as_levels_where_their_scores_do_not_tie():
    random = np.random.default_rng(5)
    fields = bu.PoseNetFields.from_mid_offsets(
        *(bu.Quantized(random.integers(0, 3, (6, 6, size), np.uint8) * 60, 0.047, 0) for size in (17, 34, 64))
    )
    decoder = P.tfjs(score_threshold=0, max_poses=6)
    assert_same(decoder.decode(fields), reference.decode(fields, decoder))


@flavours
def test_kernels_answer_as_the_definition_on_people(decoder):
    fields = people(3)
    assert_same(decoder.decode(fields), reference.decode(fields, decoder))


def unchecked_fields(heatmaps, offsets, mid_offsets):
    """Fields of three tensors, whatever they hold."""
    nothing = map(np.zeros_like, (heatmaps, offsets, mid_offsets))
    return with_tensors(
        bu.PoseNetFields.from_mid_offsets(*nothing), heatmaps=heatmaps, offsets=offsets, _mid_offsets=mid_offsets
    )


def people(count, **options):
    known = bu.synthetic.random_poses(count, input_size=(321, 241), seed=count)
    return bu.synthetic.posenet_fields(known, input_size=(321, 241), **options)


def tensors_of(fields):
    return [fields.heatmaps, fields.offsets, fields.displacements_fwd, fields.displacements_bwd]


@pytest.mark.parametrize("decoder", [P(), P.coral(nms_radius=10)], ids=["best", "coral"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_rendered_people_come_back(decoder, count):
    known = bu.synthetic.random_poses(count, input_size=(641, 481), seed=7)
    poses = decoder.decode(bu.synthetic.posenet_fields(known, input_size=(641, 481)))
    poses = poses[poses.scores > 0.3]
    assert len(poses) == count
    distances = np.linalg.norm(poses.xy[:, None] - known.xy[None], axis=-1).mean(axis=2)
    assert sorted(distances.argmin(axis=1)) == list(range(count))
    assert distances.min(axis=1).max() < 1.0


@flavours
def test_levels_and_their_real_numbers_decode_alike(decoder):
    tensors = [np.random.default_rng(1).integers(0, 256, (7, 9, channels), np.uint8) for channels in (17, 34, 64)]
    quantized = [bu.Quantized(levels, 0.05, 128) for levels in tensors]
    expected = decoder.decode(bu.PoseNetFields.from_mid_offsets(*quantized))
    assert len(expected)
    signed = [bu.Quantized((levels ^ 128).view(np.int8), 0.05, 0) for levels in tensors]
    assert_same(decoder.decode(bu.PoseNetFields.from_mid_offsets(*signed)), expected)
    real = [tensor.dequantize() for tensor in quantized]
    assert_same(decoder.decode(bu.PoseNetFields.from_mid_offsets(*real)), expected)
    mixed = [real[0], quantized[1], quantized[2]]
    assert_same(decoder.decode(bu.PoseNetFields.from_mid_offsets(*mixed)), expected)
    first, second = (bu.Quantized(tensors[2][..., half], 0.05, 128) for half in (slice(32), slice(32, None)))
    assert_same(decoder.decode(bu.PoseNetFields.from_displacements(*quantized[:2], first, second)), expected)


@flavours
def test_scores_and_their_logits_decode_alike(decoder):
    logits = np.random.default_rng(2).normal(size=(6, 7, 17)).astype(np.float32) * 3
    rest = [np.random.default_rng(3).normal(size=(6, 7, channels)).astype(np.float32) * 9 for channels in (34, 64)]
    from_logits = decoder.decode(bu.PoseNetFields.from_mid_offsets(logits, *rest))
    scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
    from_scores = decoder.decode(bu.PoseNetFields.from_mid_offsets(scores, *rest, logits=False))
    assert len(from_logits) == len(from_scores) > 0
    np.testing.assert_allclose(from_scores.keypoints, from_logits.keypoints, rtol=1e-3, atol=1e-2)


@flavours
def test_fields_shifted_by_a_cell_shift_poses_by_a_stride(decoder):
    fields = people(2)
    shifted = [np.pad(tensor, ((0, 0), (1, 0), (0, 0)), mode="edge") for tensor in tensors_of(fields)]
    shifted[0][:, 0] = -9
    poses = decoder.decode(fields)
    moved = decoder.decode(bu.PoseNetFields.from_displacements(*shifted))
    confident = poses.scores > 0.5
    np.testing.assert_allclose(moved[confident].xy, poses[confident].xy + np.array([16, 0]), atol=1e-2)


def test_mirrored_fields_give_mirrored_poses():
    fields = people(2)
    skeleton = bu.COCO17
    mirrored_parts = list(skeleton.mirror)
    edges = bu.posenet.fields.EDGES
    mirrored_edges = [edges.index((skeleton.mirror[a], skeleton.mirror[b])) for a, b in edges]

    def mirror(tensor, channels):
        vectors = tensor[:, ::-1].reshape(*tensor.shape[:2], 2, -1)[..., channels]
        return (vectors * np.array([1, -1])[:, None]).reshape(tensor.shape)

    mirrored = bu.PoseNetFields.from_displacements(
        fields.heatmaps[:, ::-1, mirrored_parts],
        mirror(fields.offsets, mirrored_parts),
        mirror(fields.displacements_fwd, mirrored_edges),
        mirror(fields.displacements_bwd, mirrored_edges),
    )
    poses, seen = P().decode(fields), P().decode(mirrored).mirrored(width=321, swap_sides=True)
    np.testing.assert_allclose(seen[seen.scores > 0.5].xy, poses[poses.scores > 0.5].xy, atol=0.1)


HOSTILE = {
    "nan in places": lambda random, shape: np.where(random.random(shape) < 0.2, np.nan, random.normal(size=shape) * 5),
    "infinite": lambda random, shape: random.choice([np.inf, -np.inf, 3.0, -3.0], shape),
    "huge": lambda random, shape: random.choice([1e30, -1e30, 1.0], shape),
    "equal": lambda random, shape: np.full(shape, 2.0),
    "zero": lambda random, shape: np.zeros(shape),
}


@flavours
@pytest.mark.parametrize("grid", [(1, 1), (1, 7), (5, 4), (0, 3), (0, 0)], ids=str)
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_fields_give_poses_or_nobody(decoder, kind, grid):
    random = np.random.default_rng(5)
    tensors = [HOSTILE[kind](random, (*grid, channels)).astype(np.float32) for channels in (17, 34, 64)]
    poses = decoder.decode(unchecked_fields(*tensors))
    found = ~np.isnan(poses.xy).any(axis=2)
    assert np.isfinite(poses.scores).all()
    assert np.isfinite(poses.keypoints[found]).all()
    assert (poses.keypoint_scores[~found] == 0).all()
    assert ((poses.keypoint_scores >= 0) & (poses.keypoint_scores <= 1)).all()


@flavours
def test_hostile_offsets_on_real_heatmaps_stay_in_the_grid(decoder):
    random = np.random.default_rng(6)
    fields = people(3)
    for value in (np.nan, np.inf, -np.inf, 1e30, -1e30):
        heatmaps, *vectors = tensors_of(fields)
        vectors = [np.where(random.random(field.shape) < 0.5, np.float32(value), field) for field in vectors]
        poses = decoder.decode(unchecked_fields(heatmaps, vectors[0], np.concatenate(vectors[1:], axis=2)))
        assert len(poses) == len(poses.scores)
        assert np.isfinite(poses.scores).all()


@pytest.mark.slow
@flavours
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_kernels_answer_as_the_definition_where_a_heatmap_is_no_number(decoder, value):
    random = np.random.default_rng(8)
    for number in range(8):
        tensors = [random.normal(-1, 2, (7, 9, 17)), *(random.normal(0, 12, (7, 9, size)) for size in (34, 64))]
        tensors[0][random.random((7, 9, 17)) < 0.04] = value
        if number % 2:
            tensors[1][random.random((7, 9, 34)) < 0.04] = value
        fields = unchecked_fields(*tensors)
        with np.errstate(all="ignore"):
            expected = reference.decode(fields, decoder)
        assert_same(decoder.decode(fields), expected)


@flavours
def test_nobody_is_found_where_all_is_dark(decoder):
    tensors = (np.full((5, 6, 17), -20.0), np.zeros((5, 6, 34)), np.zeros((5, 6, 64)))
    expected = 1 if decoder == P.tfjs(max_poses=1) else 0
    assert len(decoder.decode(bu.PoseNetFields.from_mid_offsets(*tensors))) == expected


@flavours
def test_more_peaks_than_the_first_workspace_holds_are_all_seen(decoder):
    heatmaps = np.full((8, 9, 17), 3.0, np.float32)
    fields = bu.PoseNetFields.from_mid_offsets(heatmaps, np.zeros((8, 9, 34)), np.zeros((8, 9, 64)))
    assert_same(decoder.decode(fields), reference.decode(fields, decoder))


@flavours
def test_inputs_are_never_written_to(decoder):
    fields = people(2)
    tensors = [tensor.copy() for tensor in tensors_of(fields)]
    for tensor in tensors:
        tensor.setflags(write=False)
    poses = decoder.decode(bu.PoseNetFields.from_displacements(*tensors))
    assert_same(poses, decoder.decode(fields))


@pytest.mark.slow
@flavours
def test_threads_agree_with_one_thread(decoder):
    batch = [people(count) for count in (1, 2, 3, 4)] * 4
    expected = [decoder.decode(fields) for fields in batch]
    for poses, same in zip(decoder.decode_batch(batch, threads=4), expected, strict=True):
        np.testing.assert_array_equal(poses.keypoints, same.keypoints)
    with ThreadPoolExecutor(4) as pool:
        for poses, same in zip(pool.map(decoder.decode, batch), expected, strict=True):
            np.testing.assert_array_equal(poses.keypoints, same.keypoints)


def test_our_own_scores_descend_and_lie_in_0_to_1():
    scores = P().decode(people(5)).scores
    assert (np.diff(scores) <= 0).all()
    assert scores.min() >= 0
    assert scores.max() < 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"max_poses": 0}, "max_poses must be a whole number from 1 to 1000, got 0"),
        ({"refinement_steps": 10**30}, "refinement_steps must be a whole number from 0 to 64"),
        ({"nms_radius": "20"}, "nms_radius must be one number, got '20'"),
        ({"max_poses": 2.5}, "max_poses must be a whole number"),
        ({"score_threshold": 1.5}, r"score_threshold must be a finite number in \[0, 1\], got 1.5"),
        ({"score_threshold": float("nan")}, "score_threshold must be a finite number"),
        ({"nms_radius": -1}, r"nms_radius must be a finite number in \[0, 10000\], got -1"),
    ],
)
def test_parameters_that_cannot_be_are_refused(parameters, message):
    for make in (P, P.coral, P.tfjs, P.personlab):
        with pytest.raises(bu.InputError, match=message):
            make(**parameters)


@flavours
def test_anything_but_fields_is_refused_with_the_way_out(decoder):
    with pytest.raises(
        bu.InputError, match=r"fields must be PoseNetFields, got ndarray: build them with PoseNetFields\.from"
    ):
        decoder.decode(np.zeros((3, 3, 17)))


def test_a_decoder_is_its_parameters():
    assert P.coral(max_poses=3) == P.coral(max_poses=3) != P.coral()
    assert "max_poses=3" in repr(P.tfjs(max_poses=3))


def test_the_definition_says_what_it_takes():
    fields = people(1)
    for arguments in ((None, P()), (fields, None), (fields, bu.PafDecoder()), (fields, P)):
        with pytest.raises(bu.InputError, match=r"PoseNetFields|decoder must be a PoseNet decoder"):
            reference.decode(*arguments)


@pytest.mark.parametrize("far", [-100.0, -1e4, -1e30])
def test_the_definition_scores_what_is_far_below_zero_as_kernels_do(far):
    for seed in range(10):
        random = np.random.default_rng(seed)
        tensors = [
            random.normal(size=(9, 8, size)).astype(np.float32) * spread
            for size, spread in ((17, 4), (34, 10), (64, 30))
        ]
        tensors[0][random.random(tensors[0].shape) < 0.1] = far
        fields = bu.PoseNetFields.from_mid_offsets(*tensors)
        assert_same(P().decode(fields), reference.decode(fields, P()))


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("decoder", [P(), P.coral()], ids=["best", "coral"])
def test_images_of_different_units_are_decoded_together_as_they_are_alone(decoder, quantized):
    size = (321, 241)
    every = [
        bu.synthetic.posenet_fields(bu.synthetic.random_poses(1 + seed % 4, size, seed), size, quantized=quantized)
        for seed in range(18)
    ]
    assert not quantized or len({fields.displacements_fwd.scale for fields in every}) > 1
    for fields, poses in zip(every, decoder.decode_batch(every, threads=2), strict=True):
        np.testing.assert_array_equal(np.asarray(poses), np.asarray(decoder.decode(fields)))
        np.testing.assert_array_equal(poses.scores, decoder.decode(fields).scores)
