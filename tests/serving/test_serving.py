"""`bottomup serve`: by HTTP as a browser would, and by what other sites and clients try."""

import asyncio
import http.client
import json
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import bottomup as bu
from bottomup.errors import InputError
from bottomup.images import encode_image
from bottomup.serving import MAX_UPLOAD, Networks, open_socket
from bottomup.serving.app import make_app
from bottomup.serving.networks import Wish

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

ROOT = Path(bu.__file__).parents[1]
DEMO = (ROOT / "bottomup" / "demo.jpg").read_bytes()
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def start():
    """Start the command; return it and its port."""
    command = [sys.executable, "-m", "bottomup", "serve", "--no-open", "--port", "0"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = server.stdout.readline()
    assert line.startswith("http://127.0.0.1:"), server.stderr.read()
    return server, int(line.split("/: ")[0].rpartition(":")[2])


def end(server):
    """Press Ctrl-C; return the status and the complaints."""
    server.send_signal(signal.SIGINT)
    _, complaints = server.communicate(timeout=20)
    return server.returncode, complaints


@pytest.fixture(scope="module")
def port():
    server, port = start()
    yield port
    assert end(server) == (0, "")


def ask(port, method, path, body=None, **headers):
    """Send a request; return its status, its headers and its content."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def problem(answer):
    """Return the status and the line of a refusal."""
    status, _, content = answer
    line = json.loads(content)["error"] if content.startswith("{") else content.rstrip("\n")
    assert "\n" not in line
    return status, line


# Photos


def test_the_page_needs_nothing_from_elsewhere(port):
    status, headers, content = ask(port, "GET", "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "http" not in content
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert "unsafe" not in policy
    for path in ("/page.css", "/page.js"):
        assert ask(port, "GET", path)[0] == 200


def test_a_photo_gives_the_poses_and_masks_that_the_library_finds(port):
    status, _, content = ask(port, "POST", "/poses?masks=1&name=demo.jpg", DEMO)
    assert status == 200
    answer = json.loads(content)
    expected = bu.load().masks(DEMO)
    document = answer["document"]
    assert document["poses"] == bu.export.poses_json(expected.poses)
    assert [mask["segmentation"] for mask in document["masks"]] == [bu.export.coco_rle(m) for m in expected.masks]
    assert (document["image"], document["width"], document["height"]) == ("demo.jpg", 640, 480)
    assert answer["picture"].startswith("data:image/jpeg;base64,")


def test_thresholds_and_decoders_are_those_that_were_asked_for(port):
    def poses(**asked):
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        return json.loads(ask(port, "POST", f"/poses?{query}", DEMO)[2])["document"]["poses"]

    assert poses() == bu.export.poses_json(bu.load()(DEMO))
    assert poses(decoder="tfjs") == bu.export.poses_json(bu.load(decoder="tfjs")(DEMO))
    scores = [pose["score"] for pose in poses()]
    assert len(poses(min_score=(scores[1] + scores[2]) / 2)) == 2
    assert poses(threshold=1) == []


def test_the_models_are_those_of_the_catalogue_that_have_a_file(port):
    offers = json.loads(ask(port, "GET", "/models")[2])
    names = [model["name"] for model in offers["models"]]
    assert offers["first"] == names[0] == "bottomup-tiny-uint8"
    assert "movenet-multipose" in names
    assert not any("edgetpu" in name for name in names)
    assert offers["max_upload"] == MAX_UPLOAD


@pytest.mark.parametrize(
    ("path", "body", "line"),
    [
        ("/poses", b"Dear all,\n", "image 'photo' is not an image: it is a text file"),
        ("/poses?name=%3Cb%3E.jpg", DEMO[:900], "image '<b>.jpg' cannot be read: it starts as a"),
        ("/poses", b"", "image 'photo' is empty"),
        ("/poses?decoder=corral", DEMO, "bottomup-tiny-uint8 has no decoder 'corral': choose best, coral, tfjs,"),
        ("/poses?model=/etc/passwd", DEMO, "there is no model '/etc/passwd' here: choose one that the page lists"),
        ("/poses?model=models/bottomup-tiny.tflite", DEMO, "there is no model 'models/bottomup-tiny.tflite' here"),
        ("/poses?min_score=nan", DEMO, "min_score must be a score from 0 to 1, got 'nan'"),
        ("/poses?threshold=2", DEMO, "threshold must be a score from 0 to 1, got '2'"),
        ("/poses?decoder=file&threshold=0.5", DEMO, "decoder 'file' has no threshold: leave it empty"),
        ("/poses?masks=yes", DEMO, "masks must be 0 or 1, got 'yes'"),
        ("/poses?colour=side", DEMO, "there is no setting 'colour': there are model, decoder,"),
    ],
)
def test_bad_input_is_one_line(port, path, body, line):
    status, said = problem(ask(port, "POST", path, body))
    assert (status, said[: len(line)]) == (400, line)


def test_photos_of_too_many_pixels_are_refused_before_they_are_decoded(port):
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    status, line = problem(ask(port, "POST", "/poses", header))
    assert (status, "has 60000 x 60000 pixels" in line) == (400, True)


def test_too_many_bytes_are_refused_before_they_are_read(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("POST", "/poses")
    connection.putheader("Content-Length", str(MAX_UPLOAD + 1))
    connection.endheaders()
    answer = connection.getresponse()  # though nothing was sent
    said = json.loads(answer.read())["error"]
    connection.close()
    assert (answer.status, said) == (413, "the photo has more than 32 MB: make it smaller")


def test_nothing_else_is_there(port):
    for path in ("/page.html", "/../server.py", "/page.js/../app.py", "/%2e%2e/app.py", "/demo.jpg", "/docs"):
        assert ask(port, "GET", path)[0] == 404
    assert ask(port, "GET", "/poses")[0] == 405
    assert ask(port, "DELETE", "/poses")[0] == 405


# Other sites


@pytest.mark.parametrize("path", ["/", "/models", "/page.js", "/none"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:{port}", "127.0.0.1", "127.0.0.1:1", ""])
def test_other_hosts_names_are_refused(port, path, host):
    status, line = problem(ask(port, "GET", path, Host=host.format(port=port)))
    assert (status, line.split(":")[0]) == (403, "this page answers under its own name only")


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST"])
def test_its_own_names_are_not(port, name):
    assert ask(port, "GET", "/models", Host=f"{name}:{port}")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://localhost:{port}"},  # not the name in Host
        {"Origin": "https://127.0.0.1:{port}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_other_sites_may_not_send_photos(port, headers):
    headers = {name: value.format(port=port) for name, value in headers.items()}
    status, line = problem(ask(port, "POST", "/poses", DEMO, **headers))
    assert (status, line) == (403, "only the page itself may send photos, another site may not")


def test_the_page_itself_may(port):
    headers = {"Origin": f"http://127.0.0.1:{port}", "Sec_Fetch_Site": "same-origin"}
    assert ask(port, "POST", "/poses", DEMO, **headers)[0] == 200


# Several at once


def test_two_at_once_both_get_their_answer(port):
    grey = encode_image(np.full((60, 80, 3), 90, np.uint8), ".png", "grey")
    counts = {}

    def count(name, body):
        counts[name] = len(json.loads(ask(port, "POST", "/poses", body)[2])["document"]["poses"])

    photos = [("demo", DEMO), ("grey", grey), ("demo again", DEMO)]
    threads = [threading.Thread(target=count, args=photo) for photo in photos]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == {"demo": 3, "grey": 0, "demo again": 3}


class SlowNetworks:
    """Two networks that note how many requests each works on at once."""

    def __init__(self, failure=None):
        self.at_work, self.most, self.all_at_once = {}, 0, 0
        self._change, self._failure = threading.Condition(), failure

    def wish(self, asked):
        return Wish(asked["model"], "best", 0.2, None, False, False, "photo")

    def answer(self, wish, content):
        if self._failure:
            raise self._failure
        with self._change:
            self.at_work[wish.model] = self.at_work.get(wish.model, 0) + 1
            self.most = max(self.most, self.at_work[wish.model])
            self.all_at_once = max(self.all_at_once, sum(self.at_work.values()))
            self._change.notify_all()
            self._change.wait_for(lambda: self.all_at_once > 1, timeout=0.2)
            self.at_work[wish.model] -= 1
        return {}


async def call(app, *, query=b"model=a", pieces=(b"photo",), headers=()):
    """Send a POST request to an ASGI application; return the status and the content."""
    waiting = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})
    sent = []

    async def receive():
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/poses",
        "raw_path": b"/poses",
        "root_path": "",
        "query_string": query,
        "headers": [(b"host", b"127.0.0.1"), *headers],
    }
    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent), len(waiting)


async def call_many(app, queries):
    return await asyncio.gather(*(call(app, query=query) for query in queries))


def test_each_network_has_one_request_at_a_time():
    networks = SlowNetworks()
    answers = asyncio.run(call_many(make_app(networks, port=80), [b"model=a"] * 3 + [b"model=b"] * 2))
    assert [status for status, _, _ in answers] == [200] * 5
    assert networks.most == 1
    assert networks.all_at_once == 2


def test_too_many_at_once_are_told_to_try_again():
    answers = asyncio.run(call_many(make_app(SlowNetworks(), port=80), [b"model=a"] * 6))
    assert sorted(status for status, _, _ in answers) == [200] * 4 + [503] * 2
    assert all(b"a is busy: try again" in content for status, content, _ in answers if status == 503)


def test_a_photo_that_turns_out_too_long_is_refused_while_it_is_read():
    app = make_app(SlowNetworks(), port=80, max_upload=1000)
    status, content, unread = asyncio.run(call(app, pieces=[b"x" * 400] * 9))
    assert (status, json.loads(content)) == (413, {"error": "the photo has more than 0.001 MB: make it smaller"})
    assert unread == 7


@pytest.mark.parametrize(
    ("failure", "status", "line"),
    [
        (InputError("no\nphoto"), 400, "no photo"),
        (MemoryError(), 400, "out of memory"),
        (KeyError("x"), 500, "a defect, please report it: KeyError: 'x'"),
    ],
)
def test_what_fails_is_one_line(failure, status, line):
    got, content, _ = asyncio.run(call(make_app(SlowNetworks(failure), port=80)))
    assert (got, json.loads(content)["error"][: len(line)]) == (status, line)


# The command


def test_a_file_is_served_under_its_name(tmp_path):
    path = tmp_path / "mine.tflite"
    shutil.copy(ROOT / "models" / "bottomup-tiny.tflite", path)
    networks = Networks(path)
    assert networks.first == networks.offers()[0]["name"] == "mine.tflite"
    assert len(networks.answer(networks.wish({}), DEMO)["document"]["poses"]) == 3


def test_a_taken_port_and_a_bad_model_are_one_line(command_line):
    with open_socket(0) as taken:
        port = taken.getsockname()[1]
        assert command_line("serve", "--port", port, "--no-open") == (
            2,
            "",
            f"bottomup: port {port} cannot be used: Address already in use; choose another, or 0\n",
        )
    status, out, complaints = command_line("serve", "--port", 0, "--no-open", "--model", "bogus")
    assert (status, out, complaints.count("\n")) == (2, "", 1)
    assert "there is no model 'bogus'" in complaints
    assert "must be a port" in command_line("serve", "--port", "70000")[2]


def test_a_missing_library_is_named_with_its_extra(command_line, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    status, out, complaints = command_line("serve", "--no-open")
    assert (status, out, complaints.count("\n")) == (2, "", 1)
    assert complaints.endswith("pip install 'bottomup[serve]'\n")


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_the_page_runs_in_a_browser(port):
    options = ["--headless", "--no-sandbox", "--no-proxy-server", "--virtual-time-budget=9000", "--dump-dom"]
    page = subprocess.run(
        [BROWSER, *options, f"http://localhost:{port}/"], capture_output=True, text=True, timeout=120, check=True
    ).stdout
    assert 'data-state="ready"' in page
    assert '<option value="bottomup-tiny-uint8">' in page
    assert '<option value="coral">coral</option>' in page
