"""Distances: from least squares, weak perspective and bones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bottomup as bu
from bottomup.errors import InputError
from bottomup.metric3d import Camera, RootFit, absolute_by_bones, bone_lengths_of, reconstruct_absolute, reference
from bottomup.metric3d.distance.absolute import fit_rays

INTRINSICS = np.array([[1100.0, 3, 600], [0, 1050, 400], [0, 0, 1]])
EDGES = [(0, 1), (1, 2), (2, 3), (0, 4), (4, 5)]


def scene(seed, count=6, parts=8, noise=0.0):
    """Return relative poses, where they are, and their pixels."""
    random = np.random.default_rng(seed)
    relative = random.uniform(-700, 700, (count, parts, 3))
    roots = np.column_stack([random.uniform(-900, 900, (count, 2)), random.uniform(2000, 15000, count)])
    seen = Camera(INTRINSICS).project(relative + roots[:, None])
    return relative, roots, seen + random.normal(0, 1, seen.shape) * noise


def rays_of(pixels):
    return Camera(INTRINSICS).normalise(pixels)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_exact_data_give_exact_poses(seed):
    relative, roots, seen = scene(seed)
    found = bu.metric3d.reconstruct_absolute(seen, relative, INTRINSICS)
    np.testing.assert_allclose(found.roots, roots, atol=1e-6)
    np.testing.assert_allclose(np.asarray(found), relative + roots[:, None], atol=1e-6)
    assert found.problems == (None,) * 6


@settings(deadline=None, max_examples=20)
@given(
    st.integers(0, 10**6),
    st.sampled_from([{}, {"ridge": 0.01}, {"ridge": 0.01, "weight_outside": 1e-4, "batch_scaling": True}]),
    st.sampled_from([0.0, 0.5, 1.0]),
)
def test_the_kernel_equals_the_normal_equations(seed, settings_of_fit, mix):
    relative, _, seen = scene(seed, noise=1.0)
    in_view = np.random.default_rng(seed).random(seen.shape[:2]) < 0.7
    in_view[:, :4] = True
    rays = rays_of(seen)
    fitted = fit_rays(rays, relative, in_view, RootFit(mix=mix, **settings_of_fit))
    wanted = reference.fit_roots(rays, relative, in_view, **settings_of_fit)
    np.testing.assert_allclose(fitted.roots, wanted, rtol=1e-8, atol=1e-6)
    merged = reference.merge(rays, relative, in_view, wanted, mix=mix)
    np.testing.assert_allclose(fitted.poses3d, merged, rtol=1e-8, atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6))
def test_weak_perspective_equals_its_reference(seed):
    relative, _, seen = scene(seed)
    in_view = np.full(seen.shape[:2], True)
    in_view[:, -2:] = False
    roots = fit_rays(rays_of(seen), relative, in_view, RootFit(weak_perspective=True)).roots
    np.testing.assert_allclose(roots, reference.fit_roots_weakly(rays_of(seen), relative, in_view), rtol=1e-9)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.permutations(range(6)))
def test_order_and_companions_change_nothing(seed, order):
    relative, _, seen = scene(seed, noise=2.0)
    together = reconstruct_absolute(seen, relative, INTRINSICS).poses3d
    assert np.array_equal(reconstruct_absolute(seen[order], relative[order], INTRINSICS).poses3d, together[order])
    alone = reconstruct_absolute(seen[0], relative[0], INTRINSICS)
    assert alone.poses3d.shape == (8, 3)
    assert np.array_equal(alone.poses3d, together[0])


def test_metrabs_scaling_lets_companions_change_the_answer():
    relative, _, seen = scene(0)
    together = reconstruct_absolute(seen, relative, INTRINSICS, fit=RootFit.metrabs()).poses3d
    alone = reconstruct_absolute(seen[:1], relative[:1], INTRINSICS, fit=RootFit.metrabs()).poses3d
    assert abs(together[0] - alone[0]).max() > 1


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.floats(0.1, 10))
def test_a_larger_scene_is_further_away(seed, factor):
    relative, _, seen = scene(seed, noise=1.0)
    once = reconstruct_absolute(seen, relative, INTRINSICS).poses3d
    np.testing.assert_allclose(reconstruct_absolute(seen, relative * factor, INTRINSICS).poses3d, once * factor)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.floats(0.2, 5))
def test_larger_pixels_change_nothing(seed, factor):
    relative, _, seen = scene(seed, noise=1.0)
    zoomed = np.diag([factor, factor, 1]) @ INTRINSICS
    once = reconstruct_absolute(seen, relative, INTRINSICS).poses3d
    np.testing.assert_allclose(reconstruct_absolute(seen * factor, relative, zoomed).poses3d, once, rtol=1e-6)


def test_the_ridge_pulls_towards_the_camera():
    relative, roots, seen = scene(1)
    found = reconstruct_absolute(seen, relative, INTRINSICS, fit=RootFit(ridge=0.01)).roots
    assert (found[:, 2] < roots[:, 2] - 0.1).all()


def test_a_lens_is_undone():
    relative, roots, _ = scene(2)
    eye = Camera(INTRINSICS, [-0.2, 0.05, 0.001, 0.002, 0.01])
    seen = eye.project(relative + roots[:, None])
    np.testing.assert_allclose(reconstruct_absolute(seen, relative, eye).roots, roots, atol=1e-5)


def test_each_person_may_have_a_camera_and_a_bad_one_is_their_own_problem():
    relative, roots, seen = scene(3)
    matrices = np.tile(INTRINSICS, (6, 1, 1))
    matrices[2, 0, 0] = matrices[2, 1, 1] = matrices[2, 0, 1] = 0
    matrices[4, 0, 0] = np.nan
    found = reconstruct_absolute(seen, relative, matrices)
    assert found.problems == (None, None, "the focal length is zero", None, "the intrinsics are not finite", None)
    assert np.isnan(found.poses3d[[2, 4]]).all()
    np.testing.assert_allclose(found.roots[[0, 1, 3, 5]], roots[[0, 1, 3, 5]], atol=1e-6)


def test_what_is_wrong_with_a_person_is_said_of_that_person():
    relative, roots, seen = scene(4, count=7)
    seen[0, 1:] = np.nan  # one part
    seen[1] = np.nan
    seen[2] = seen[2, 0]  # one ray
    seen[3] = 2 * INTRINSICS[:2, 2] - seen[3]  # upside down: only behind the camera
    seen[4, 3], relative[4, 4] = np.nan, np.nan  # two parts missing, one of them in 2D alone
    seen[5] = np.inf
    found = reconstruct_absolute(seen, relative, INTRINSICS)
    assert found.problems == (
        "fewer than two parts are in view",
        "fewer than two parts are in view",
        "all parts in view lie on one ray",
        "the parts in view would lie behind the camera",
        "1 of 8 parts have no relative position",
        "fewer than two parts are in view",
        None,
    )
    assert np.isnan(found.poses3d[[0, 1, 2, 3, 5]]).all()
    assert np.isnan(found.poses3d[4, 4]).all()
    np.testing.assert_allclose(found.poses3d[4, :4], (relative + roots[:, None])[4, :4], atol=1e-6)


def test_the_fallback_is_a_number_and_is_said():
    relative, roots, seen = scene(5)
    in_view = np.full(seen.shape[:2], True)
    in_view[0, 1:] = False
    seen[1, 1:] = np.nan
    found = reconstruct_absolute(seen, relative, INTRINSICS, in_view=in_view, fit=RootFit(fallback=True))
    assert found.problems[0] == "fewer than two parts are in view: placed by weak perspective"
    assert abs(found.roots[0, 2] / roots[0, 2] - 1) < 0.3
    assert found.problems[1] == "fewer than two parts are in view"
    assert np.isnan(found.roots[1]).all()


def test_parts_out_of_view_only_move_along():
    relative, roots, seen = scene(6)
    in_view = np.full(seen.shape[:2], True)
    in_view[:, 3] = False
    seen[:, 3] = 0  # nonsense
    found = reconstruct_absolute(seen, relative, INTRINSICS, in_view=in_view)
    np.testing.assert_allclose(found.poses3d, relative + roots[:, None], atol=1e-6)


def test_nobody_is_no_error():
    found = reconstruct_absolute(np.zeros((0, 8, 2)), np.zeros((0, 8, 3)), INTRINSICS)
    assert found.poses3d.shape == (0, 8, 3)
    assert found.problems == ()


@pytest.mark.parametrize(
    ("seen", "relative", "matrix", "said"),
    [
        (np.zeros((2, 8, 3)), np.zeros((2, 8, 3)), INTRINSICS, "keypoints_2d"),
        (np.zeros((2, 7, 2)), np.zeros((2, 8, 3)), INTRINSICS, "same people and parts"),
        (np.zeros((2, 8, 2)), np.zeros((2, 8, 3)), np.zeros((3, 3, 3)), "intrinsics"),
        ("photo", np.zeros((2, 8, 3)), INTRINSICS, "numbers"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(seen, relative, matrix, said):
    with pytest.raises(InputError, match=said):
        reconstruct_absolute(seen, relative, matrix)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6))
def test_known_bones_tell_the_distance(seed):
    relative, roots, seen = scene(seed)
    depths = relative[..., 2] - relative[:, :1, 2]
    wanted = relative + roots[:, None]
    found = absolute_by_bones(seen, depths, Camera(INTRINSICS), EDGES, bone_lengths_of(relative, EDGES))
    np.testing.assert_allclose(found.poses3d[:, :6], wanted[:, :6], atol=1e-3)
    np.testing.assert_allclose(found.roots[:, 2], wanted[:, 0, 2], atol=1e-3)


def test_without_bones_in_view_there_is_no_distance():
    relative, _, seen = scene(0)
    in_view = np.full(seen.shape[:2], True)
    in_view[0, [0, 2, 4]] = False
    seen[1, 1:] = seen[1, 0]
    lengths = bone_lengths_of(relative, EDGES)
    found = absolute_by_bones(
        seen, relative[..., 2], Camera(INTRINSICS), EDGES[:3] + EDGES[4:], lengths[:, [0, 1, 2, 4]]
    )
    assert found.problems == (None, "all parts in view lie on one ray", None, None, None, None)
    found = absolute_by_bones(seen, relative[..., 2], Camera(INTRINSICS), EDGES, lengths, in_view=in_view)
    assert found.problems[0] == "no bone has both ends in view"
    assert np.isnan(found.poses3d[0]).all()


@pytest.mark.parametrize("wrong", [{"ridge": -1}, {"mix": 1.5}, {"weight_outside": np.nan}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        RootFit(**wrong)


def test_defaults_and_presets_are_what_they_say():
    plain, theirs = RootFit(), RootFit.metrabs()
    assert (plain.ridge, plain.weight_outside, plain.batch_scaling, plain.mix) == (0, 0, False, 0.5)
    assert (plain.weak_perspective, plain.fallback) == (False, False)
    assert (theirs.ridge, theirs.weight_outside, theirs.batch_scaling, theirs.mix) == (0.01, 0.0001, True, 0.5)


@pytest.mark.parametrize(("spread", "problem"), [(1.1e-6, None), (0.9e-6, "all parts in view lie on one ray")])
def test_rays_must_spread_by_a_thousandth_of_a_pixel(spread, problem):
    rays = np.array([[[-spread, 0], [spread, 0], [-spread, 0], [spread, 0]]])
    relative = np.array([[[-1.0, 0, 0], [1, 0, 0], [-1, 0, 0], [1, 0, 0]]])
    found = fit_rays(rays, relative, np.ones((1, 4), bool), RootFit())
    assert found.problems == (problem,)


@pytest.mark.parametrize(("extent", "problem"), [(1.1e-6, None), (0.9e-6, "all parts in view lie on one ray")])
def test_bones_must_be_seen_to_have_an_extent(extent, problem):
    seen = np.array([[[0.0, 0], [extent, 0]]])
    found = absolute_by_bones(seen, np.zeros((1, 2)), Camera(np.eye(3)), [(0, 1)], [0.004])
    assert found.problems == (problem,)


def test_the_distance_by_bones_does_not_hang_on_where_the_search_starts():
    """Bones from 1 mm to 100 m: the first guess is right for none of them."""
    seen = np.array([[[0.0, 0], [0.1, 0], [0.1, 0.2]]])
    for scale in (1e-3, 1.0, 1e5):
        lengths = np.array([0.1, 0.2]) * 3000 * scale
        found = absolute_by_bones(seen, np.zeros((1, 3)), Camera(np.eye(3)), [(0, 1), (1, 2)], lengths)
        np.testing.assert_allclose(found.roots[0, 2], 3000 * scale, rtol=1e-6)
