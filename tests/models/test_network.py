"""The network that ships: shapes, losses, and that the files compute what PyTorch computes."""

import copy
from functools import partial

import numpy as np
import pytest

import bottomup as bu
from bottomup.networks.opening import open_network

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("ai_edge_litert", reason="the writer needs ai-edge-litert")

from models.train.data import Window  # noqa: E402
from models.train.examples import scene_example  # noqa: E402
from models.train.export import MAPS, OFFSETS, PEOPLE, blended, calibrated, main, written  # noqa: E402
from models.train.losses import losses  # noqa: E402
from models.train.network import Convolution, TinyNetwork  # noqa: E402
from models.train.scenes import render_scene  # noqa: E402
from models.train.targets import Targets, openpose_targets, posenet_targets  # noqa: E402

SIZE = (161, 129)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = TinyNetwork()
    with torch.no_grad():
        network.train()(torch.rand(4, 3, 97, 97) * 2 - 1)  # statistics for the BatchNorms
    return network.eval()


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (1, SIZE[1], SIZE[0], 3)).astype(np.uint8)


def test_heads_have_the_channels_and_grids_of_both_families(network):
    outputs = network(torch.zeros(2, 3, SIZE[1], SIZE[0]))
    shapes = {name: tuple(values.shape) for name, values in outputs.items()}
    assert shapes == {
        "heatmaps": (2, 17, 9, 11),
        "short_offsets": (2, 34, 9, 11),
        "mid_offsets": (2, 64, 9, 11),
        "segments": (2, 1, 9, 11),
        "long_offsets": (2, 34, 9, 11),
        "openpose": (2, 57, 17, 21),
    }


def test_the_float_file_is_small_and_computes_what_pytorch_computes(network, pixels, tmp_path):
    writer = written(network, SIZE)
    assert len(writer.float32(half_weights=True)) < 3_000_000
    content = writer.float32()
    (tmp_path / "tiny.tflite").write_bytes(content)
    images = pixels.astype(np.float32) / 127.5 - 1
    with torch.inference_mode():
        wanted = network(torch.from_numpy(images).permute(0, 3, 1, 2))
    wanted = {name: values.permute(0, 2, 3, 1).numpy() for name, values in wanted.items()}
    openpose = wanted.pop("openpose")
    wanted |= {"confidence_maps": openpose[..., :19], "pafs": openpose[..., 19:]}
    runner = open_network(tmp_path / "tiny.tflite")
    runner.resize_input(bu.ImageSize(*SIZE))
    found = runner.run(images)
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, atol=1e-4 * max(np.abs(values).max(), 1))


def test_calibration_lowers_parts_and_limbs_shortens_offsets_and_raises_people(network):
    images = torch.zeros(1, 3, 33, 33)
    other = copy.deepcopy(network)
    with torch.inference_mode():
        wanted, found = network(images), calibrated(other)(images)
    for name in ("heatmaps", "mid_offsets", "long_offsets"):
        torch.testing.assert_close(found[name], wanted[name])
    torch.testing.assert_close(found["short_offsets"], OFFSETS * wanted["short_offsets"])
    torch.testing.assert_close(found["segments"], wanted["segments"] + PEOPLE)
    parts, background, limbs = found["openpose"].split([18, 1, 38], dim=1)
    torch.testing.assert_close(parts, MAPS * wanted["openpose"][:, :18])
    torch.testing.assert_close(1 - background, MAPS * (1 - wanted["openpose"][:, 18:19]))
    torch.testing.assert_close(limbs, MAPS * wanted["openpose"][:, 19:])


def test_a_blend_of_a_network_and_its_own_file_is_that_network(network, tmp_path):
    (tmp_path / "tiny.tflite").write_bytes(written(network).float32())
    other = copy.deepcopy(network)
    with torch.no_grad():
        other.heads.bias += 1
        images = torch.rand(1, 3, 33, 33)
        same, mean = (blended(each, tmp_path / "tiny.tflite", 0.2)(images) for each in (network, other))
        wanted = network(images)
    torch.testing.assert_close(same["heatmaps"], wanted["heatmaps"], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(mean["heatmaps"], wanted["heatmaps"] + 0.8, atol=1e-4, rtol=1e-4)


def test_a_start_that_was_exported_is_not_calibrated_again(network, tmp_path, monkeypatch):
    wanted = calibrated(copy.deepcopy(network))
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    (tmp_path / "start.tflite").write_bytes(written(wanted).float32())
    exported = []
    monkeypatch.setattr("models.train.export.export", lambda network, *_, **__: exported.append(network))
    arguments = ["export", str(tmp_path / "weights.pt"), str(tmp_path), "--start", str(tmp_path / "start.tflite")]
    monkeypatch.setattr("sys.argv", arguments)
    main()
    images = torch.rand(1, 3, 33, 33)
    with torch.inference_mode():
        found, wanted = exported[0](images), wanted(images)
    for name in ("openpose", "short_offsets", "segments"):
        torch.testing.assert_close(found[name], wanted[name], atol=1e-3, rtol=1e-3)


def test_perfect_outputs_have_no_loss_but_for_their_certainty():
    keypoints = bu.synthetic.random_poses(2, (161, 161), seed=1).keypoints
    heat, offsets, weights, displacements, displacement_weights = posenet_targets(keypoints, 161)
    maps = openpose_targets(keypoints, 161)
    grid = np.ones((1, 11, 11), np.float32)
    nothing = np.zeros((17, 2, 11, 11), np.float32)
    targets = Targets(heat, grid, offsets, weights, displacements, displacement_weights, grid, grid, nothing,
                      nothing[:, 0], maps, np.ones((1, 21, 21), np.float32))  # fmt: skip
    as_batch = {name: torch.from_numpy(np.asarray(values)[None]) for name, values in targets._asdict().items()}
    swapped = partial(np.moveaxis, source=0, destination=1)  # (C, 2) to (2, C)
    mid = swapped(displacements).reshape(2, 2, 16, 11, 11).swapaxes(0, 1)
    outputs = {
        "heatmaps": 40 * heat - 20,
        "short_offsets": swapped(offsets).reshape(34, 11, 11),
        "mid_offsets": mid.reshape(64, 11, 11),
        "segments": 20 * grid,
        "long_offsets": nothing.reshape(34, 11, 11),
        "openpose": maps,
    }
    terms = losses({name: torch.from_numpy(np.ascontiguousarray(v)[None]) for name, v in outputs.items()}, as_batch)
    assert sum(terms.values()) < 1e-5


def test_a_network_whose_batchnorm_is_fixed_computes_the_same_in_training(network):
    images = torch.rand(2, 3, 97, 97, generator=torch.Generator().manual_seed(2)) * 2 - 1
    fixed = TinyNetwork()
    fixed.load_state_dict(network.state_dict())
    fixed.fix()
    with torch.inference_mode():
        wanted = network(images)
    found = fixed.train()(images)
    for name, values in wanted.items():
        torch.testing.assert_close(found[name], values, atol=1e-4 * float(values.abs().max()), rtol=0)
    assert torch.equal(fixed.blocks[8].depthwise[1].running_mean, network.blocks[8].depthwise[1].running_mean)


@pytest.mark.parametrize("size", [(9, 9), (8, 9), (6, 8)])
def test_a_dilated_convolution_in_training_is_the_one_in_use(size):
    layer = Convolution(4, 4, 3, dilation=2, groups=4)
    features = torch.rand(2, 4, *size)
    wanted = layer.eval()(features)
    layer.is_fixed = True  # BatchNorm by the same statistics
    torch.testing.assert_close(layer.train()(features), wanted)


def test_a_scene_is_annotated_as_coco_does():
    scene = render_scene(7, (320, 240), num_people=2)
    example = scene_example(scene)
    for person, mask in zip(example.annotations, scene.masks, strict=True):
        left, top, width, height = person["bbox"]
        assert mask[top : top + height, left : left + width].sum() == person["area"] == mask.sum()
    assert Window(0, 0, 33, False).pixels == (slice(0, 33), slice(0, 33))
