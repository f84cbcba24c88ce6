import dataclasses

import numpy as np
import pytest

from bottomup.centers.augment import averaged, mirrored
from bottomup.centers.best import CenterDecoder
from bottomup.centers.fields import CenterFields
from bottomup.errors import InputError
from bottomup.geometry import ImageSize
from bottomup.skeletons import COCO17, Skeleton
from bottomup.synthetic import center_fields, random_poses
from bottomup.tensors import Quantized

CHANNELS = {"center": 1, "heatmaps": 17, "regressions": 34, "offsets": 34, "box_sizes": 2, "box_offsets": 2}


def tensors(grid=(6, 8), seed=0):
    generator = np.random.default_rng(seed)
    return {name: generator.normal(size=(*grid, count)).astype(np.float32) for name, count in CHANNELS.items()}


@pytest.mark.parametrize(
    "laid_out",
    [
        lambda values: values,
        lambda values: values[None],
        lambda values: values.transpose(2, 0, 1),
        lambda values: values.transpose(2, 0, 1)[None],
        lambda values: values.astype(np.float64).tolist(),
        np.asfortranarray,
    ],
)
def test_any_layout_gives_the_same_fields(laid_out):
    given = tensors()
    fields = CenterFields(**{name: laid_out(values) for name, values in given.items()})
    assert fields.grid == (6, 8)
    for name, values in given.items():
        np.testing.assert_array_equal(getattr(fields, name), values)


def test_vectors_with_x_first_are_turned_round_once():
    given = tensors()
    other = {
        name: values.reshape(6, 8, -1, 2)[..., ::-1].reshape(values.shape) if name in list(CHANNELS)[2:] else values
        for name, values in given.items()
    }
    fields = dataclasses.replace(CenterFields(**other, x_first=True))
    for name, values in given.items():
        np.testing.assert_array_equal(getattr(fields, name), values)


def test_quantised_vectors_with_x_first_are_turned_round():
    levels = {name: Quantized((values * 20).astype(np.int8), 0.05, 2) for name, values in tensors().items()}
    plain, turned = CenterFields(**levels), CenterFields(**levels, x_first=True)
    np.testing.assert_array_equal(turned.as_floats["offsets"][..., 0], plain.as_floats["offsets"][..., 1])
    assert turned.is_quantized


def test_one_float_among_levels_makes_all_floats():
    given = tensors()
    levels = {name: Quantized((values * 20).astype(np.int8), 0.05, 2) for name, values in given.items()}
    fields = CenterFields(**(levels | {"center": given["center"]}))
    assert not fields.is_quantized
    assert len(CenterDecoder().decode(fields)) >= 0


def test_offsets_may_be_shared_or_missing():
    given = tensors()
    shared = CenterFields(**(given | {"offsets": given["offsets"][..., :2]}))
    assert shared.offsets.shape == (6, 8, 2)
    assert CenterFields(**(given | {"offsets": None})).offsets is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heatmaps": np.zeros((6, 8, 16))}, "heatmaps must have 17 channels"),
        ({"regressions": np.zeros((6, 9, 34))}, "regressions has a grid of"),
        ({"box_sizes": None}, "box_sizes and box_offsets come together"),
        ({"center": np.zeros((6, 8, 1), np.uint8)}, "center is uint8"),
        ({"output_stride": 0}, "output_stride must be above 0"),
        ({"output_stride": np.nan}, "output_stride must be above 0"),
        ({"shift": 3}, "shift must be x and y"),
        ({"shift": (np.inf, 0)}, "shift must be x and y"),
        ({"skeleton": "coco"}, "skeleton"),
        ({"heatmaps": np.full((6, 8, 17), np.nan)}, "heatmaps holds nothing but NaN"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        CenterFields(**(tensors() | change))


def test_scores_are_no_logits():
    given = tensors()
    scores = given | {name: np.abs(given[name]) % 1 for name in ("center", "heatmaps")}
    with pytest.raises(InputError, match="pass logits=False"):
        CenterFields(**scores)
    assert not CenterFields(**scores, logits=False).logits


def test_a_skeleton_of_ones_own():
    arm = Skeleton("arm", ("shoulder", "elbow", "wrist"), ((0, 1), (1, 2)))
    given = {"center": 1, "heatmaps": 3, "regressions": 6, "offsets": 6}
    fields = CenterFields(**{name: np.full((4, 4, count), -3.0) for name, count in given.items()}, skeleton=arm)
    assert CenterDecoder().decode(fields).skeleton == arm


def test_dekrs_tensors_with_the_centre_first_or_last_leading_out_or_back():
    generator = np.random.default_rng(1)
    heat = generator.random((18, 5, 7)).astype(np.float32)
    vectors = generator.normal(size=(34, 5, 7)).astype(np.float32)
    fields = CenterFields.from_dekr(heat, vectors)
    np.testing.assert_array_equal(fields.center[..., 0], heat[17])
    np.testing.assert_array_equal(fields.regressions[..., 0], vectors[1])
    other = CenterFields.from_dekr(np.roll(heat, 1, axis=0), -vectors, center_last=False, outward=False)
    for name in ("center", "heatmaps", "regressions"):
        np.testing.assert_array_equal(getattr(other, name), getattr(fields, name))


def test_given_arrays_are_shared_and_never_written_to():
    given = tensors()
    for values in given.values():
        values.flags.writeable = False
    fields = CenterFields(**given)
    assert fields.heatmaps is given["heatmaps"]
    CenterDecoder().decode(fields)
    CenterDecoder.movenet().decode(fields)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (1.5, -0.5)])
def test_mirroring_twice_gives_the_same_fields(shared, shift):
    given = tensors()
    if shared:
        given["offsets"] = given["offsets"][..., :2]
    fields = CenterFields(**given, shift=shift)
    twice = mirrored(mirrored(fields, ImageSize(32, 24)), ImageSize(32, 24))
    for name, values in fields.present.items():
        np.testing.assert_allclose(getattr(twice, name), values, atol=1e-6)


@pytest.mark.parametrize("decoder", [CenterDecoder(), CenterDecoder.movenet(), CenterDecoder.movenet_single()])
def test_mirrored_fields_give_mirrored_poses(decoder):
    size = ImageSize(256, 192)
    fields = center_fields(random_poses(1, size, seed=2), size)
    poses = decoder.decode(fields)[:1]
    seen = decoder.decode(mirrored(fields, size))[:1]
    np.testing.assert_allclose(seen.xy, poses.flipped(width=256).xy, atol=1e-3)


def test_the_mean_of_fields():
    several = [CenterFields(**tensors(seed=seed)) for seed in range(3)]
    mean = averaged(several)
    np.testing.assert_allclose(mean.offsets, np.mean([fields.offsets for fields in several], axis=0), atol=1e-6)
    assert averaged([several[0]]).grid == (6, 8)


def test_fields_that_differ_have_no_mean():
    one = CenterFields(**tensors())
    for other in (CenterFields(**tensors((6, 9))), CenterFields(**tensors(), output_stride=8)):
        with pytest.raises(InputError, match="have no mean"):
            averaged([one, other])
    with pytest.raises(InputError, match="at least one"):
        averaged([])


def test_the_skeleton_names_the_parts():
    assert CenterFields(**tensors()).skeleton is COCO17
