"""The catalogue: cards that are true, kinds of files told by their tensors, files that arrive whole or not at all."""

import dataclasses
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from tiny_posenet import TinyPoseNet

import bottomup as bu
from bottomup.catalogue import cards as catalogue
from bottomup.catalogue import fetching
from bottomup.families import FAMILIES
from bottomup.networks.opening import open_network
from bottomup.networks.pixels import INPUT_RULES, InputRule
from bottomup.networks.tflite.graph import read_graph
from bottomup.posenet.operator import coral_cut

FETCHED = [name for name in catalogue.names() if (file := catalogue.get(name).file) and file.address]
SHIPPED = [name for name in catalogue.names() if (file := catalogue.get(name).file) and not file.address]
KINDS = [name for name in catalogue.names() if catalogue.get(name).file is None]

# --- cards


def test_the_models_that_ship_come_first():
    assert catalogue.names()[:2] == ("bottomup-tiny-uint8", "bottomup-tiny")
    assert catalogue.names()[0] == catalogue.SHIPPED


def test_the_families_that_exist_are_covered():
    sizes = ["481x353", "641x481", "1281x721"]
    wanted = [f"coral-posenet-{size}{kind}" for size in sizes for kind in ("", "-edgetpu", "-components", "-16")]
    wanted += [f"mobilenet-v2-pose-{kind}" for kind in ("dm05", "dm07", "dm10", "dm14")]
    wanted += ["coral-bodypix-512x512", "tfjs-posenet-mobilenet", "tfjs-posenet-resnet50", "bodyposenet", "trt-pose"]
    assert set(wanted) < set(catalogue.names())


@pytest.mark.parametrize("name", catalogue.names())
def test_a_card_is_complete(name):
    card = catalogue.get(name)
    assert card.title.strip()
    assert card.family in [family.name for family in FAMILIES]
    assert set(card.output_strides) <= {2, 4, 8, 16, 32}
    roles = {output.role: output.channels for output in card.outputs}
    parts = len(bu.skeletons.get(card.skeleton).parts)
    if card.family == "posenet":
        assert (roles["heatmaps"], roles["offsets"]) == (parts, 2 * parts)
    elif card.family == "paf":
        assert sum(roles.values()) in (19 + 38, 18 + 42)
    else:
        assert roles["heatmaps"] == parts
    assert all(0 < measured.ap < 1 and measured.images and measured.decoder for measured in card.measured)


@pytest.mark.parametrize("name", FETCHED)
def test_a_file_has_a_fixed_address_a_hash_and_a_licence(name):
    card = catalogue.get(name)
    assert card.licence in ("Apache-2.0", "MIT")
    for file in card.files:
        scheme, _, host, *path = file.address.split("/")
        assert scheme == "https:"
        assert path[-1] == file.name or host == "storage.googleapis.com"
        assert sum(map(bool, (file.sha256, file.sha384, file.git_blob))) == 1
        assert len(file.pin) == {"SHA-256": 64, "SHA-384": 96, "git blob": 40}[file.pinned_by]
        assert int(file.pin, 16)
        if host == "raw.githubusercontent.com":
            assert len(path[2]) == 40
            assert int(path[2], 16)
        else:
            assert host in ("storage.openvinotoolkit.org", "storage.googleapis.com")
        assert file.size > 1000 or file.git_blob


def test_no_two_cards_share_a_file():
    addresses = [file.address for name in FETCHED for file in catalogue.get(name).files]
    assert len(set(addresses)) == len(addresses)


@pytest.mark.parametrize("name", catalogue.names())
def test_names_say_width_by_height(name):
    said = re.search(r"(\d+)x(\d+)", name)
    if said is not None:
        assert catalogue.get(name).input.size == tuple(map(int, said.groups()))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_is_the_cards(name):
    card = catalogue.get(name)
    if not card.path.is_file():
        pytest.skip(f"{card.path.name} is not trained yet")
    content = card.path.read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (card.file.size, card.file.sha256)


def files_of(shared):
    by_hash = {catalogue.get(name).file.sha256: catalogue.get(name) for name in FETCHED}
    for path in sorted([*shared.glob("models/*/*.tflite"), *shared.glob("models/*/*.xml")]):
        card = by_hash.get(hashlib.sha256(path.read_bytes()).hexdigest())
        if card is not None:
            yield path, card


def test_sizes_hashes_and_names_are_those_of_the_files(shared):
    found = list(files_of(shared))
    assert len(found) == 18
    for path, card in found:
        assert path.stat().st_size == card.file.size
        assert path.name.replace("-FP16-INT8", "") == card.file.name
        for file in card.files[1:]:
            assert file.digest(path.with_suffix(Path(file.name).suffix)) == file.pin


def test_cards_say_what_the_files_take_and_give(shared):
    for path, card in files_of(shared):
        if card.delegate is not None or (path.suffix == ".xml" and not importlib.util.find_spec("openvino")):
            continue
        if card.family == "centers":
            continue
        network = open_network(path, cut=coral_cut)
        shapes = {output.name: output.shape for output in network.outputs}
        assert network.input_size == card.input.size
        assert card.gives(network.input.dtype.name, shapes)


def test_cards_say_the_stride_that_the_files_decoders_are_set_to(shared):
    for path, card in files_of(shared):
        if path.suffix == ".tflite":
            options = read_graph(path, coral_cut).options
            assert card.output_strides == (options.get("output_stride", card.output_strides[0]),)


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(bu.InputError, match="did you mean 'coral-posenet-641x481'"):
        catalogue.get("coral-posenet-641x48")
    with pytest.raises(bu.InputError, match="bottomup models list names those that there are"):
        catalogue.get("q")
    with pytest.raises(bu.InputError, match="bottomup models list names those that there are"):
        catalogue.get("nonsense")
    with pytest.raises(bu.InputError, match="did you mean 'movenet-multipose'"):
        catalogue.get("multipose")


def test_the_catalogue_costs_nothing_until_it_is_asked():
    code = "import bottomup, sys; print({'tomllib', 'tomli', 'urllib.request', 'hashlib'} & set(sys.modules))"
    root = Path(bu.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True).stdout == "set()\n"


# --- whose file this is


def shapes_of(outputs, cells=(9, 9)):
    return {name: (1, *cells, channels) for name, channels in outputs.items()}


MOBILENET = {f"MobilenetV1/{name}_2/BiasAdd": channels for name, channels in
             [("heatmap", 17), ("offset", 34), ("displacement_fwd", 32), ("displacement_bwd", 32)]}  # fmt: skip
RESNET = {
    "float_heatmaps:0": 17,
    "float_short_offsets:0": 34,
    "resnet_v1_50/displacement_fwd_2/BiasAdd:0": 32,
    "resnet_v1_50/displacement_bwd_2/BiasAdd:0": 32,
}
MULTI_PERSON = {"float_heatmaps": 17, "float_short_offsets": 34, "float_mid_offsets": 64, "float_segments": 1}


@pytest.mark.parametrize(
    ("name", "dtype", "size", "outputs"),
    [
        ("posenet-257-stripped", "float32", (257, 257), MOBILENET),
        ("tfjs-posenet-mobilenet", "float32", (513, 513), MOBILENET),
        ("tfjs-posenet-mobilenet", "int8", (257, 257), MOBILENET),
        ("tfjs-posenet-resnet50", "float32", (257, 257), RESNET),
        ("posenet-multi-person-float", "float32", (257, 353), MULTI_PERSON),
        ("tf-pose", "float32", (432, 368), {"Openpose/concat_stage7": 57}),
        ("tf-pose-uint8", "uint8", (432, 368), {"Openpose/concat_stage7": 57}),
        ("bodyposenet", "float32", (384, 288), {"heatmap_out/BiasAdd:0": 19, "conv2d_transpose_1/BiasAdd:0": 38}),
        ("trt-pose", "float32", (224, 224), {"cmap": 18, "paf": 42}),
    ],
)
def test_kinds_of_files_are_told_by_their_tensors(tmp_path, name, dtype, size, outputs):
    (tmp_path / "mine.tflite").write_bytes(b"of no card")
    assert catalogue.recognise(tmp_path / "mine.tflite", dtype, size, shapes_of(outputs)).name == name


def test_channels_may_come_first(tmp_path):
    (tmp_path / "mine.tflite").write_bytes(b"of no card")
    shapes = {"cmap": (1, 18, 56, 56), "paf": (1, 42, 56, 56)}
    assert catalogue.recognise(tmp_path / "mine.tflite", "float32", (224, 224), shapes).name == "trt-pose"


@pytest.mark.parametrize("outputs", [{"heatmaps": 17}, {**MOBILENET, "more": 3}, {"cmap": 18, "paf": 38}])
def test_other_tensors_are_of_no_kind(tmp_path, outputs):
    (tmp_path / "mine.tflite").write_bytes(b"of no card")
    assert catalogue.recognise(tmp_path / "mine.tflite", "float32", (257, 257), shapes_of(outputs)) is None


def test_a_catalogued_file_is_known_under_any_name(shared):
    estimator = bu.load(shared / "models/coral/posenet_mobilenet_v1_075_353_481_quant.tflite")
    assert estimator.card.name == "coral-posenet-481x353-components"


def test_a_resnets_images_are_less_the_mean(tmp_path):
    estimator = bu.load(TinyPoseNet("float32", channels=RESNET).write(tmp_path / "resnet.tflite"))
    assert estimator.card.name == "tfjs-posenet-resnet50"
    assert estimator.scaling == INPUT_RULES["mean"]


def test_another_scaling_may_be_asked_for(tmp_path):
    path = TinyPoseNet("float32", channels=RESNET).write(tmp_path / "resnet.tflite")
    assert bu.load(path, scaling="signed").scaling == INPUT_RULES["signed"]


def test_a_model_of_no_card_is_signed(tmp_path):
    estimator = bu.load(TinyPoseNet().write(tmp_path / "tiny.tflite"))
    assert estimator.card is None
    assert estimator.scaling == INPUT_RULES["signed"]


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_gives_a_rule_for_its_images(name):
    from bottomup.estimation.loading import _input_rule

    rule = _input_rule(catalogue.get(name), None)
    black, white = (np.array(rule.shift) + level * np.array(rule.scale) for level in (0, 255))
    taken = catalogue.get(name).input
    np.testing.assert_allclose(black, -np.array(taken.mean) / taken.divisor)
    np.testing.assert_allclose(white, (255 - np.array(taken.mean)) / taken.divisor)
    assert isinstance(rule, InputRule)


# --- fetching, from a server of our own

TEMPLATE = catalogue.get("coral-posenet-641x481")
CONTENT = np.random.default_rng(0).integers(0, 256, 200_000).astype(np.uint8).tobytes()


class Server:
    """Answers each request with the next of `answers`, the last one again and again, and remembers the ranges."""

    def __init__(self):
        self.answers, self.ranges, self.paths = [whole], [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.paths.append(self.path)
                outer.ranges.append(self.headers["Range"])
                answer = outer.answers[0] if len(outer.answers) == 1 else outer.answers.pop(0)
                answer(self)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *_: None
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


def answer(request, status, body, **headers):
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


def whole(request):
    """The file, or the rest of it that was asked for."""
    begin = int((request.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
    if begin >= len(CONTENT):
        answer(request, 416, b"", Content_Range=f"bytes */{len(CONTENT)}")
    elif begin:
        given = f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}"
        answer(request, 206, CONTENT[begin:], Content_Range=given, Content_Length=len(CONTENT) - begin)
    else:
        answer(request, 200, CONTENT, Content_Length=len(CONTENT))


def without_ranges(request):
    answer(request, 200, CONTENT, Content_Length=len(CONTENT))


def broken(count):
    """An answer that ends after so many bytes of those that it promised."""

    def broken(request):
        begin = int((request.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        given = f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}"
        body = CONTENT[begin : begin + count]
        answer(request, 206 if begin else 200, body, Content_Range=given, Content_Length=len(CONTENT) - begin)

    return broken


def wrong(body, **headers):
    return lambda request: answer(request, 200, body, **headers)


def refused(status):
    return lambda request: answer(request, status, b"no", Content_Length=2)


def silent(request):
    threading.Event().wait(0.2)


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server, a card "remote" of the file that it has, and an empty cache."""
    for variable in list(os.environ):
        if variable.lower().endswith("_proxy"):
            monkeypatch.delenv(variable)
    server = Server()
    monkeypatch.setenv(fetching.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(fetching, "_SCHEMES", ("https", "http"))
    monkeypatch.setattr(fetching, "_PAUSE", 0)
    offer(monkeypatch, f"{server.address}/remote.tflite")
    yield server
    server.close()


def offer(monkeypatch, address, content=CONTENT):
    file = fetching.ModelFile("remote.tflite", address, len(content), hashlib.sha256(content).hexdigest())
    card = dataclasses.replace(TEMPLATE, name="remote", files=(file,))
    monkeypatch.setattr(catalogue, "_cards", lambda: {"remote": card})


def kept():
    """What lies in the cache: names and sizes."""
    folder = fetching.cache_folder()
    return {path.name: path.stat().st_size for path in folder.iterdir()} if folder.is_dir() else {}


COMPLETE = {"remote.tflite": len(CONTENT)}


def test_a_file_is_fetched_once(server):
    first = catalogue.fetch("remote")
    assert first.read_bytes() == CONTENT
    assert catalogue.fetch("remote") == first
    assert server.ranges == [None]
    assert kept() == COMPLETE


def test_progress_is_told(server):
    told = []
    catalogue.fetch("remote", progress=lambda there, total: told.append((there, total)))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert told == sorted(told)


def test_a_damaged_file_in_the_cache_is_fetched_again(server):
    path = catalogue.fetch("remote")
    path.write_bytes(CONTENT[:-1] + b"?")
    assert catalogue.fetch("remote").read_bytes() == CONTENT
    assert len(server.ranges) == 2


def test_a_broken_transfer_goes_on_where_it_ended(server):
    server.answers = [broken(50_000), broken(30_000), whole]
    assert catalogue.fetch("remote").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=50000-", "bytes=80000-"]
    assert kept() == COMPLETE


def test_a_server_that_knows_no_ranges_begins_again(server):
    server.answers = [broken(50_000), without_ranges]
    assert catalogue.fetch("remote").read_bytes() == CONTENT


def test_what_came_is_kept_for_the_next_call(server):
    server.answers = [broken(50_000), refused(503)]
    with pytest.raises(bu.ModelError, match=r"answers 503 .* \(50000 of 200000 bytes came, and are kept"):
        catalogue.fetch("remote")
    assert kept() == {"remote.tflite.part": 50_000}
    server.answers = [whole]
    assert catalogue.fetch("remote").read_bytes() == CONTENT
    assert server.ranges[-1] == "bytes=50000-"
    assert kept() == COMPLETE


def test_an_interrupted_transfer_is_kept_too(server):
    def interrupt(there, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catalogue.fetch("remote", progress=interrupt)
    (name,) = kept()
    assert name == "remote.tflite.part"
    assert catalogue.fetch("remote").read_bytes() == CONTENT


def test_a_beginning_of_another_file_is_dropped(server):
    fetching.cache_folder().mkdir()
    (fetching.cache_folder() / "remote.tflite.part").write_bytes(b"of another file")
    assert catalogue.fetch("remote").read_bytes() == CONTENT
    assert server.ranges == ["bytes=15-", None]
    assert kept() == COMPLETE


def test_a_beginning_longer_than_the_file_is_dropped(server):
    fetching.cache_folder().mkdir()
    (fetching.cache_folder() / "remote.tflite.part").write_bytes(CONTENT + b"more")
    assert catalogue.fetch("remote").read_bytes() == CONTENT
    assert kept() == COMPLETE


def test_a_wrong_rest_is_not_appended(server):
    fetching.cache_folder().mkdir()
    (fetching.cache_folder() / "remote.tflite.part").write_bytes(CONTENT[:100])
    misplaced = f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"
    server.answers = [lambda request: answer(request, 206, CONTENT, Content_Range=misplaced), whole]
    assert catalogue.fetch("remote").read_bytes() == CONTENT


OTHER = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
PAGE = b"<!DOCTYPE html><title>Sign in</title>"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (wrong(OTHER, Content_Length=len(OTHER)), f"SHA-256 {hashlib.sha256(OTHER).hexdigest()}, expected"),
        (wrong(OTHER), "SHA-256"),
        (wrong(PAGE, Content_Length=len(PAGE)), "gives 37 bytes, expected 200000"),
        (wrong(CONTENT[:-1], Content_Length=len(CONTENT) - 1), "gives 199999 bytes, expected 200000"),
        (wrong(CONTENT + b"more"), "gives more than the 200000 bytes expected"),
        (refused(404), "answers 404 Not Found"),
        (refused(403), "answers 403 Forbidden"),
    ],
)
def test_another_file_is_refused_and_nothing_kept(server, given, reason):
    server.answers = [given]
    with pytest.raises(bu.ModelError, match=rf"remote was not fetched: {server.address}/remote.tflite .*{reason}") as e:
        catalogue.fetch("remote")
    assert "\n" not in str(e.value)
    assert "get remote.tflite elsewhere and pass its path" in str(e.value)
    assert kept() == {}
    assert len(server.ranges) == 1


def test_a_file_that_is_cut_short_without_a_word_is_refused(server):
    server.answers = [wrong(CONTENT[:1000]), refused(416)]
    with pytest.raises(bu.ModelError, match="answers 416"):
        catalogue.fetch("remote")
    assert kept() == {}


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_in_trouble_is_asked_again(server, status):
    server.answers = [refused(status), refused(status), whole]
    assert catalogue.fetch("remote").read_bytes() == CONTENT


def test_a_server_that_stays_in_trouble_is_left(server):
    server.answers = [refused(503)]
    with pytest.raises(bu.ModelError, match=r"not in the cache and cannot be fetched from .*answers 503"):
        catalogue.fetch("remote")
    assert len(server.ranges) == 3
    assert kept() == {}


def test_a_server_that_gives_a_byte_at_a_time_is_left_too(server):
    server.answers = [broken(1)]
    with pytest.raises(bu.ModelError, match="20 of 200000 bytes came"):
        catalogue.fetch("remote")


def test_a_silent_server_is_not_waited_for_forever(server, monkeypatch):
    monkeypatch.setattr(fetching, "_TIMEOUT", 0.05)
    server.answers = [silent]
    with pytest.raises(bu.ModelError, match="timed out"):
        catalogue.fetch("remote")


def test_without_a_network_it_says_what_to_do(server, monkeypatch):
    offer(monkeypatch, "http://127.0.0.1:1/remote.tflite")
    with pytest.raises(bu.ModelError, match=r"[Rr]efused.*Check the network, and HTTPS_PROXY.*pass its path") as error:
        catalogue.fetch("remote")
    assert "\n" not in str(error.value)


def test_a_proxy_is_asked_where_there_is_one(server, monkeypatch):
    offer(monkeypatch, "http://models.invalid/remote.tflite")
    monkeypatch.setenv("http_proxy", server.address)
    assert catalogue.fetch("remote").read_bytes() == CONTENT
    assert server.paths == ["http://models.invalid/remote.tflite"]


def test_threads_that_want_one_file_all_get_it(server):
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(catalogue.fetch, ["remote"] * 8))
    assert {path.read_bytes() for path in paths} == {CONTENT}
    assert kept() == COMPLETE


def test_a_cache_that_cannot_be_written_is_named(server, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv(fetching.CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    with pytest.raises(bu.ModelError, match=r"remote cannot be kept in .*: set BOTTOMUP_CACHE to a folder"):
        catalogue.fetch("remote")


def test_a_model_is_loaded_by_its_name(server, monkeypatch, tmp_path):
    content = TinyPoseNet().content()
    offer(monkeypatch, f"{server.address}/remote.tflite", content)
    server.answers = [wrong(content, Content_Length=len(content))]
    estimator = bu.load("remote")
    assert estimator.path == tmp_path / "cache" / "remote.tflite"
    assert estimator.card.name == "remote"
    assert len(server.ranges) == 1


def test_a_file_beside_us_comes_before_a_card_of_its_name(server, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    TinyPoseNet().write(tmp_path / "remote")
    assert bu.load("remote").path == Path("remote")
    assert server.ranges == []


def test_a_file_that_is_not_there_but_catalogued_says_so(server):
    with pytest.raises(bu.ModelError, match=r"no model file 'remote\.tflite': pass 'remote', and it is fetched"):
        bu.load("remote.tflite")


@pytest.mark.parametrize("name", KINDS)
def test_kinds_have_no_file_to_fetch(name):
    with pytest.raises(bu.ModelError, match="stands for files that users bring"):
        catalogue.fetch(name)
    assert catalogue.get(name).path is None


# --- where files are


def test_the_cache_is_where_the_system_has_caches(monkeypatch, tmp_path):
    monkeypatch.delenv(fetching.CACHE_VARIABLE, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert fetching.cache_folder() == tmp_path / "bottomup"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert fetching.cache_folder() == Path.home() / ".cache" / "bottomup"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert fetching.cache_folder() == Path.home() / "Library" / "Caches" / "bottomup"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert fetching.cache_folder() == tmp_path / "bottomup" / "Cache"


def test_the_cache_may_be_elsewhere(monkeypatch):
    monkeypatch.setenv(fetching.CACHE_VARIABLE, "~/models")
    assert fetching.cache_folder() == Path.home() / "models"


def test_a_shipped_model_that_is_missing_says_so(monkeypatch, tmp_path):
    catalogue.names()
    monkeypatch.setattr(catalogue, "cards_folder", lambda: tmp_path)
    with pytest.raises(bu.ModelError, match=r"bottomup-tiny-uint8\.tflite is missing, which ships with bottomup"):
        bu.load()


# --- what a cache and an address may hold


@pytest.mark.parametrize("scheme", ["http", "file", "ftp"])
def test_models_come_over_https_alone(server, monkeypatch, scheme):
    monkeypatch.setattr(fetching, "_SCHEMES", ("https",))
    offer(monkeypatch, f"{scheme}://127.0.0.1/remote.tflite")
    with pytest.raises(bu.ModelError, match=f"leads to {scheme}, and models come over https alone"):
        catalogue.fetch("remote")
    assert server.ranges == []
    assert kept() == {}


def test_a_redirection_off_https_is_not_followed(server, monkeypatch):
    monkeypatch.setattr(fetching, "_SCHEMES", ("http",))
    server.answers = [lambda request: answer(request, 302, b"", Location="ftp://127.0.0.1/remote.tflite")]
    with pytest.raises(bu.ModelError, match="leads to ftp"):
        catalogue.fetch("remote")
    assert kept() == {}


def test_a_transfer_that_drips_ends_at_its_deadline(server, monkeypatch):
    def dripping(request):
        request.send_response(200)
        request.send_header("Content-Length", str(len(CONTENT)))
        request.end_headers()
        for byte in CONTENT[:100]:
            request.wfile.write(bytes([byte]))
            time.sleep(0.02)

    server.answers = [dripping]
    monkeypatch.setattr(fetching, "_DEADLINE", 0.2)
    monkeypatch.setattr(fetching, "_SLOWEST", 1 << 30)
    start = time.monotonic()
    with pytest.raises(bu.ModelError, match="it takes too long"):
        catalogue.fetch("remote")
    assert time.monotonic() - start < 3


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="there are no links here")
def test_a_link_in_the_cache_is_not_written_through(server, tmp_path):
    fetching.cache_folder().mkdir()
    (tmp_path / "precious").write_bytes(b"do not touch")
    (fetching.cache_folder() / "remote.tflite.part").symlink_to(tmp_path / "precious")
    (fetching.cache_folder() / "remote.tflite").symlink_to(tmp_path / "precious")
    path = catalogue.fetch("remote")
    assert (tmp_path / "precious").read_bytes() == b"do not touch"
    assert path.read_bytes() == CONTENT
    assert not path.is_symlink()
    assert kept() == COMPLETE


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_in_the_cache_is_not_waited_for(server):
    fetching.cache_folder().mkdir()
    os.mkfifo(fetching.cache_folder() / "remote.tflite.part")
    os.mkfifo(fetching.cache_folder() / "remote.tflite")
    assert catalogue.fetch("remote").read_bytes() == CONTENT
    assert kept() == COMPLETE


def test_what_a_killed_transfer_left_is_adopted_and_the_rest_removed(server):
    fetching.cache_folder().mkdir()
    for number, count in enumerate((100, 70_000, 30)):
        orphan = fetching.cache_folder() / f"remote.tflite-{number}.part"
        orphan.write_bytes(CONTENT[:count])
        os.utime(orphan, (0, 0))
    assert catalogue.fetch("remote").read_bytes() == CONTENT
    assert server.ranges == ["bytes=70000-"]
    assert kept() == COMPLETE


def test_what_another_process_is_fetching_is_left_alone(server):
    fetching.cache_folder().mkdir()
    (fetching.cache_folder() / "remote.tflite-busy.part").write_bytes(CONTENT[:100])
    catalogue.fetch("remote")
    assert kept() == {**COMPLETE, "remote.tflite-busy.part": 100}


@pytest.mark.parametrize("pin", ["sha256", "sha384", "git_blob"])
@pytest.mark.parametrize("size", [len(CONTENT), 0])
def test_any_of_three_hashes_pins_a_file(server, monkeypatch, pin, size):
    hashes = {
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "sha384": hashlib.sha384(CONTENT).hexdigest(),
        "git_blob": hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest(),
    }

    def offer_pinned(digest):
        file = fetching.ModelFile("remote.tflite", f"{server.address}/remote.tflite", size, **{pin: digest})
        card = dataclasses.replace(TEMPLATE, name="remote", files=(file,))
        monkeypatch.setattr(catalogue, "_cards", lambda: {"remote": card})

    offer_pinned("0" * len(hashes[pin]))
    with pytest.raises(bu.ModelError, match=f"gives a file with {'git' if pin == 'git_blob' else 'SHA-'}"):
        catalogue.fetch("remote")
    offer_pinned(hashes[pin])
    assert catalogue.fetch("remote").read_bytes() == CONTENT


def test_a_model_of_two_files_has_both_beside_each_other(server, monkeypatch):
    digest = hashlib.sha256(CONTENT).hexdigest()
    files = tuple(
        fetching.ModelFile(f"net.{suffix}", f"{server.address}/{suffix}", len(CONTENT), digest)
        for suffix in ("xml", "bin")
    )
    card = dataclasses.replace(TEMPLATE, name="remote", files=files)
    monkeypatch.setattr(catalogue, "_cards", lambda: {"remote": card})
    told = []
    assert not card.is_fetched
    path = catalogue.fetch("remote", progress=lambda there, total: told.append((there, total)))
    assert path.name == "remote.xml"
    assert card.is_fetched
    assert kept() == {"remote.xml": len(CONTENT), "remote.bin": len(CONTENT)}
    assert told[-1] == (2 * len(CONTENT), 2 * len(CONTENT))
    assert told == sorted(told)
