"""An exported file is read back as the network that it was."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("ai_edge_litert", reason="the writer needs ai-edge-litert")

from models.train.export import written  # noqa: E402
from models.train.network import TinyNetwork  # noqa: E402
from models.train.restart import read_network, settle  # noqa: E402


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    network = TinyNetwork()
    with torch.no_grad():
        for _ in range(4):
            network.train()(images(1))  # statistics for the BatchNorms
    return network.eval()


@pytest.fixture(scope="module")
def file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny.tflite"
    path.write_bytes(written(network).float32())
    return path


def images(seed, count=4):
    return torch.rand((count, 3, 97, 97), generator=torch.Generator().manual_seed(seed)) * 2 - 1


def assert_close(one, other, tolerance):
    with torch.inference_mode():
        one, other = one(images(5)), other(images(5))
    for name, values in one.items():
        torch.testing.assert_close(values, other[name], atol=tolerance * float(values.abs().max()), rtol=0)


def test_a_file_is_read_back_to_the_network_it_was_written_from(network, file):
    assert_close(network, read_network(file), 1e-5)


def test_a_network_that_has_settled_computes_the_same_and_trains_by_the_statistics_it_has(network, file):
    settled = read_network(file)
    settle(settled, [images(7, 16)])
    assert_close(network, settled, 1e-4)
    with torch.no_grad():
        one, other = settled(images(7, 16)), settled.train()(images(7, 16))
    for name, values in one.items():
        torch.testing.assert_close(values, other[name], atol=0.02 * float(values.abs().max()), rtol=0)


def test_half_weights_are_read_too(network, tmp_path):
    (tmp_path / "half.tflite").write_bytes(written(network).float32(half_weights=True))
    assert_close(network, read_network(tmp_path / "half.tflite"), 0.01)


def test_another_networks_file_is_refused(tmp_path):
    from models.tflite_writer import TfliteWriter

    net = TfliteWriter((33, 33))
    net.output("maps", net.conv(net.image, torch.zeros(2, 1, 1, 3).numpy()))
    (tmp_path / "other.tflite").write_bytes(net.float32())
    with pytest.raises(ValueError, match="not an export of this network: it has 1 convolutions"):
        read_network(tmp_path / "other.tflite")


def test_an_integer_file_is_refused(network, tmp_path):
    net = written(network, (97, 97))
    (tmp_path / "twin.tflite").write_bytes(net.uint8(net.ranges([images(1, 1).permute(0, 2, 3, 1).numpy()])))
    with pytest.raises(ValueError, match="computes in integers: the float file"):
        read_network(tmp_path / "twin.tflite")
