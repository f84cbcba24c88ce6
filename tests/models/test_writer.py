"""The writer of .tflite files: networks it writes compute what PyTorch and plain NumPy compute."""

import json
from importlib import import_module

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from bottomup.errors import InputError
from bottomup.networks.litert import RUNTIMES
from bottomup.networks.opening import open_network
from models.tflite_writer import METADATA, TfliteWriter, fold_batch_norm

LEGAL_SIZES = [(17, 17), (65, 49), (129, 33)]  # width and height: whole strides of 16, plus 1


@pytest.fixture
def random():
    """Numbers like a small network's weights."""
    generator = np.random.default_rng(0)
    return lambda *shape: generator.normal(0, 0.4, shape).astype(np.float32)


def image_of(size):
    return np.random.default_rng(1).integers(0, 256, (1, size[1], size[0], 3)).astype(np.uint8)


def as_float(pixels):
    return (pixels.astype(np.float32) - 128) / 128


def run(content, image, runtime="litert"):
    """Return the outputs by name, dequantised, of a file at the image's own size."""
    interpreter = import_module(RUNTIMES[runtime]).Interpreter(model_content=content, num_threads=1)
    index = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(index, image.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(index, image)
    interpreter.invoke()
    outputs = {}
    for detail in interpreter.get_output_details():
        values, (scale, zero_point) = interpreter.get_tensor(detail["index"]), detail["quantization"]
        outputs[detail["name"]] = (values.astype(np.float32) - zero_point) * scale if scale else values
    return outputs


def convolved(fields, weights, bias, stride=1, dilation=1, padding=None):
    """Convolve as PyTorch does, padded alike on all sides; weights are (out, height, width, in)."""
    reach = dilation * (weights.shape[1] - 1)
    margin = reach // 2 if padding is None else padding
    padded = np.pad(fields[0], ((margin, margin), (margin, margin), (0, 0)))
    height, width = padded.shape[0] - reach, padded.shape[1] - reach
    total = np.zeros((-(-height // stride), -(-width // stride), len(weights)), np.float32)
    for row in range(weights.shape[1]):
        for column in range(weights.shape[2]):
            top, left = row * dilation, column * dilation
            seen = padded[top : top + height : stride, left : left + width : stride]
            total += seen @ weights[:, row, column].T
    return (total + bias)[None]


def depthwise(weights):
    """Return the weights of the full convolution that equals a depthwise one."""
    return np.eye(weights.shape[2], dtype=np.float32)[:, None, None] * weights


def every_operator(random):
    """Return a writer whose outputs need every operator it knows, and a function that computes them with NumPy."""
    net = TfliteWriter((65, 49))
    stem, stem_bias = random(8, 3, 3, 3), random(8)
    deep, deep_bias = random(3, 3, 8), random(8)
    wide, wide_bias = random(3, 3, 8), random(8)
    head, head_bias = random(5, 1, 1, 24), random(5)
    first = net.conv(net.image, stem, stem_bias, stride=2, activation="relu6")
    second = net.depthwise_conv(first, deep, deep_bias, stride=2, activation="relu")
    third = net.depthwise_conv(second, wide, wide_bias, dilation=2)
    total = net.add(second, third, activation="relu")
    smooth, blocky = net.resize(total, like=first), net.resize(total, like=first, method="nearest")
    net.output("field", net.conv(net.concat([first, smooth, blocky]), head, head_bias))
    net.output("total", total)

    def expected(image):
        first = convolved(image, stem, stem_bias, 2).clip(0, 6)
        second = convolved(first, depthwise(deep), deep_bias, 2).clip(0)
        total = (second + convolved(second, depthwise(wide), wide_bias, dilation=2)).clip(0)
        height, width = first.shape[1:3]
        resized = [first, bilinear(total, height, width), nearest(total, height, width)]
        return {"field": convolved(np.concatenate(resized, axis=3), head, head_bias), "total": total}

    return net, expected


def bilinear(fields, height, width):
    """Resize, corners on corners."""
    for axis, size in ((1, height), (2, width)):
        position = np.linspace(0, fields.shape[axis] - 1, size)
        lower = np.minimum(position.astype(int), fields.shape[axis] - 2)
        share = (position - lower).reshape([-1 if place == axis else 1 for place in range(4)])
        fields = fields.take(lower, axis) * (1 - share) + fields.take(lower + 1, axis) * share
    return fields.astype(np.float32)


def nearest(fields, height, width):
    rows, columns = (
        np.arange(size) * own // size for size, own in ((height, fields.shape[1]), (width, fields.shape[2]))
    )
    return fields[:, rows][:, :, columns]


@pytest.mark.parametrize("size", LEGAL_SIZES)
def test_the_float_file_computes_what_numpy_computes(random, runtime, size):
    net, expected = every_operator(random)
    image = as_float(image_of(size))
    found, wanted = run(net.float32(), image, runtime), expected(image)
    for name in ("field", "total"):
        assert found[name].shape == wanted[name].shape
        np.testing.assert_allclose(found[name], wanted[name], atol=1e-5)


@pytest.mark.parametrize("size", LEGAL_SIZES)
def test_the_uint8_file_comes_near_it(random, runtime, size):
    net, expected = every_operator(random)
    pixels = image_of(size)
    ranges = net.ranges([as_float(image_of(each)) for each in LEGAL_SIZES])
    found, wanted = run(net.uint8(ranges), pixels, runtime), expected(as_float(pixels))
    for name in ("field", "total"):
        assert np.abs(found[name] - wanted[name]).mean() < 0.01 * np.ptp(wanted[name])
        assert np.abs(found[name] - wanted[name]).max() < 0.05 * np.ptp(wanted[name])


def test_half_weights_halve_the_file_and_hardly_change_the_outputs(random, runtime):
    net = TfliteWriter()
    net.output("field", net.conv(net.image, random(64, 5, 5, 3), activation="relu6"))
    full, half = net.float32(), net.float32(half_weights=True)
    image = as_float(image_of((33, 33)))
    np.testing.assert_allclose(run(half, image, runtime)["field"], run(full, image, runtime)["field"], atol=0.01)
    assert len(full) - len(half) > 64 * 5 * 5 * 3 * 2 * 0.9


def test_valid_padding_leaves_out_the_margin(random, runtime):
    net, weights = TfliteWriter((33, 33)), random(4, 3, 3, 3)
    net.output("field", net.conv(net.image, weights, stride=2, dilation=3, padding="valid"))
    image = as_float(image_of((33, 33)))
    wanted = convolved(image, weights, 0, 2, 3, padding=0)
    np.testing.assert_allclose(run(net.float32(), image, runtime)["field"], wanted, atol=1e-5)


@pytest.mark.parametrize("size", LEGAL_SIZES)
def test_a_separable_network_with_batch_norm_equals_pytorch(runtime, size):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, 2, 1, bias=False),
        torch.nn.BatchNorm2d(16),
        torch.nn.ReLU6(),
        torch.nn.Conv2d(16, 16, 3, 2, 1, groups=16, bias=False),
        torch.nn.BatchNorm2d(16),
        torch.nn.ReLU6(),
        torch.nn.Conv2d(16, 7, 1),
    )
    layers.train()(torch.rand(4, 3, 33, 33))  # statistics for the BatchNorms
    layers.eval()
    image = as_float(image_of(size))
    with torch.no_grad():
        wanted = layers(torch.from_numpy(image).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()

    def folded(weights, norm):
        parts = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        return fold_batch_norm(weights.detach().numpy(), *(part.detach().numpy() for part in parts), norm.eps)

    net = TfliteWriter()
    stem = folded(layers[0].weight.permute(0, 2, 3, 1), layers[1])
    deep = folded(layers[3].weight.permute(2, 3, 0, 1)[..., 0], layers[4])
    head = layers[6].weight.permute(0, 2, 3, 1).detach().numpy(), layers[6].bias.detach().numpy()
    x = net.conv(net.image, *stem, stride=2, activation="relu6")
    x = net.depthwise_conv(x, *deep, stride=2, activation="relu6")
    net.output("field", net.conv(x, *head))
    np.testing.assert_allclose(run(net.float32(), image, runtime)["field"], wanted, atol=1e-5)


def test_folding_a_batch_norm_scales_each_output_channel():
    weights, bias = fold_batch_norm(np.ones((2, 1, 1, 3)), [2, 4], [0, 1], [1, 1], [1, 4], epsilon=0)
    assert weights[:, 0, 0, 0].tolist() == [2, 2]
    assert bias.tolist() == [-2, -1]


def test_ranges_are_the_extremes_that_were_seen():
    net = TfliteWriter((17, 17))
    net.output("red", net.conv(net.image, np.array([[[[2, 0, 0]]]])))
    images = [np.full((1, 17, 17, 3), red, np.float32) for red in (-0.5, 0.25)]
    assert net.ranges(images) == [(-1.0, 127 / 128), (-1.0, 0.5)]


def test_ranges_may_leave_out_the_rarest_numbers():
    net = TfliteWriter((17, 17))
    net.output("red", net.conv(net.image, np.array([[[[1, 0, 0]]]])))
    image = np.zeros((1, 17, 17, 3), np.float32)
    image[0, 0, 0] = 100
    assert net.ranges([image], coverage=0.98)[1] == (0, 0)


def test_concatenated_tensors_share_one_scale(random):
    net = TfliteWriter((17, 17))
    small, large = (net.conv(net.image, random(2, 1, 1, 3) * factor) for factor in (1, 50))
    net.output("both", net.concat([small, large]))
    ranges = net.ranges([as_float(image_of((17, 17)))])
    model = schema.ModelT.InitFromPackedBuf(net.uint8(ranges), 0)
    concat = model.subgraphs[0].operators[-2]
    tensors = [model.subgraphs[0].tensors[index] for index in [*concat.inputs, *concat.outputs]]
    assert len({float(tensor.quantization.scale[0]) for tensor in tensors}) == 1


@pytest.mark.parametrize("kind", ["float32", "uint8"])
def test_the_library_reads_names_units_and_the_open_size(random, tmp_path, kind):
    net, _ = every_operator(random)
    content = net.float32() if kind == "float32" else net.uint8(net.ranges([as_float(image_of((65, 49)))]))
    (tmp_path / "net.tflite").write_bytes(content)
    network = open_network(tmp_path / "net.tflite")
    assert [output.name for output in network.outputs] == ["field", "total"]
    assert network.input.dtype == network.outputs[0].dtype == kind
    assert network.graph.input_size is None
    if kind == "uint8":
        assert (network.input.scale, network.input.zero_point) == (1 / 128, 128)
        assert all(output.scale > 0 for output in network.outputs)


def test_a_size_that_is_not_left_open_is_the_one_that_was_given(random, tmp_path):
    net = TfliteWriter((97, 81), open_size=False)
    net.output("field", net.conv(net.image, random(2, 1, 1, 3)))
    (tmp_path / "net.tflite").write_bytes(net.float32())
    assert open_network(tmp_path / "net.tflite").input_size == (97, 81)


def test_a_file_says_what_it_is(random):
    net = TfliteWriter()
    net.output("field", net.conv(net.image, random(2, 1, 1, 3)))
    content = net.float32(name="tiny", version="1.2", description="Two fields.")
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    assert model.description == b"Two fields."
    assert [entry.name for entry in model.metadata] == [METADATA.encode()]
    assert json.loads(bytes(model.buffers[model.metadata[0].buffer].data)) == {"name": "tiny", "version": "1.2"}
    signature = model.signatureDefs[0]
    assert [output.name for output in signature.outputs] == [b"field"]


def test_what_does_not_fit_is_refused(random):
    net = TfliteWriter((33, 33))
    x = net.conv(net.image, random(4, 3, 3, 3), stride=2)
    with pytest.raises(InputError, match=r"weights must be \(out, height, width, 4\), got \(2, 1, 1, 3\)"):
        net.conv(x, random(2, 1, 1, 3))
    with pytest.raises(InputError, match=r"weights must be \(height, width, 4\), got \(3, 3, 5\)"):
        net.depthwise_conv(x, random(3, 3, 5))
    with pytest.raises(InputError, match=r"bias must be \(2,\), got \(3,\)"):
        net.conv(x, random(2, 1, 1, 4), random(3))
    with pytest.raises(InputError, match="only tensors of one shape can be added"):
        net.add(x, net.image)
    with pytest.raises(InputError, match="only tensors of one height and width"):
        net.concat([x, net.image])
    with pytest.raises(InputError, match="must be a new name"):
        net.output("image", net.image)
    with pytest.raises(InputError, match="2 tensors need as many ranges, got 1"):
        net.uint8([(0, 1)])
    with pytest.raises(InputError, match="at least one image"):
        net.ranges([])
