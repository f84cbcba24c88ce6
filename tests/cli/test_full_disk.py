"""A full disk: the earlier file stays, one line says what happened, and the status is 2.

A limit on the size of files stands in for the disk. It holds in a process of its own, which this file is run as: it
runs all the commands below and prints what came of each.
"""

import contextlib
import hashlib
import importlib.util
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import bottomup as bu
from bottomup import cli
from bottomup.catalogue import fetching
from bottomup.catalogue.fetching import ModelFile, fetch_file
from bottomup.distributed.results import row_of, write_part
from bottomup.errors import BottomupError
from bottomup.synthetic import posenet_fields, random_poses

resource = pytest.importorskip("resource", reason="needs the limits of POSIX")

ROOT = Path(bu.__file__).parents[1]
DEMO = str(ROOT / "bottomup" / "demo.jpg")
EARLIER = b"from an earlier run"
LAST_BYTE = -1  # a limit one byte below the size of the whole file
PREDICT = ["predict", "--out", "."]
# Command, the file that does not fit, and how many bytes do.
CASES = {
    "picture": ([*PREDICT, DEMO], "demo.jpg", 20_000),
    "poses": ([*PREDICT, DEMO, "--no-pictures"], "poses.json", 700),
    "csv": ([*PREDICT, DEMO, "--no-pictures", "--csv", "t.csv"], "t.csv", 2500),
    "lines": ([*PREDICT, DEMO, "--no-pictures", "--json", "t.jsonl"], "t.jsonl", 700),
    "masks": ([*PREDICT, DEMO, "--no-pictures", "--masks"], "masks/demo-1.png", 700),
    "openpose": ([*PREDICT, DEMO, "--no-pictures", "--openpose", "."], "demo_keypoints.json", 700),
    "frames": ([*PREDICT, "../clip.mp4", "--no-pictures"], "clip.jsonl", 2000),
    "h264": ([*PREDICT, "../clip.mp4", "--codec", "h264"], "clip.mp4", 9000),
    "h264-at-once": ([*PREDICT, "../clip.mp4", "--codec", "h264"], "clip.mp4", 0),
    "h264-at-last": ([*PREDICT, "../clip.mp4", "--codec", "h264"], "clip.mp4", LAST_BYTE),
    "gif": ([*PREDICT, "../clip.mp4", "--codec", "gif"], "clip.gif", 9000),
    "mp4v": ([*PREDICT, "../clip.mp4", "--codec", "mp4v"], "clip.mp4", 20_000),
    "mp4v-at-once": ([*PREDICT, "../clip.mp4", "--codec", "mp4v"], "clip.mp4", 0),
    "inspect": (["inspect", DEMO, "--out", "page.html"], "page.html", 50_000),
    "decode": (["decode", "../raw.npz", "--json", "d.json"], "d.json", 700),
    "blur": (["blur", DEMO, "--out", "."], "demo.jpg", 9000),
    "blur-video": (["blur", "../clip.mp4", "--out", "."], "clip.mp4", 9000),
    "rows": ("write_rows", "part.jsonl", 700),
    "parquet": ("write_rows", "part.parquet", 700),
    "model": ("fetch_model", "model.tflite", 700),
    "saved": ("save_picture", "saved.png", 700),
}
NEEDED = {"h264": "av", "gif": "av", "parquet": "pyarrow"}


def write_rows(path):
    write_part(path, [row_of("a.jpg", random_poses(5))] * 300)


def fetch_model(path):
    content = bytes(5000)

    class Response(io.BytesIO):
        status, headers = 200, {"Content-Length": "5000"}

    fetching._ask = lambda *_: Response(content)
    file = ModelFile(path.name, "https://models.example/model", 5000, sha256=hashlib.sha256(content).hexdigest())
    fetch_file(file, path, "model")


def save_picture(path):
    random_poses(5).save(path, np.zeros((480, 640, 3), np.uint8))


def run(what, file):
    """Run a command or one of the functions above; return the status and the complaints."""
    complaints = io.StringIO()
    with contextlib.redirect_stderr(complaints), contextlib.redirect_stdout(io.StringIO()):
        if isinstance(what, list):
            return cli.main(what), complaints.getvalue()
        try:
            globals()[what](Path(file))
        except BottomupError as error:
            return 2, f"bottomup: {error}\n"
    return 0, complaints.getvalue()


def run_within_limits(folder, name):
    """Run a case where an earlier file is in its way; return what came of it."""
    what, file, limit = CASES[name]
    os.chdir(folder)
    Path(name, file).parent.mkdir(parents=True)
    os.chdir(name)
    if limit == LAST_BYTE:
        assert run(what, file)[0] == 0
        limit = Path(file).stat().st_size - 1
    Path(file).write_bytes(EARLIER)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        status, complaints = run(what, file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    left_over = [path.name for path in Path().rglob(".bottomup-*")]
    return {
        "status": status,
        "complaints": complaints,
        "kept": Path(file).read_bytes() == EARLIER,
        "left_over": left_over,
    }


def cases():
    return [name for name in CASES if importlib.util.find_spec(NEEDED.get(name.partition("-")[0], "numpy"))]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    fields = posenet_fields(random_poses(5))
    names = ("heatmaps", "offsets", "displacements_fwd", "displacements_bwd")
    np.savez(folder / "raw.npz", output_stride=16, **{name: getattr(fields, name) for name in names})
    demo, noise = cv2.imread(DEMO), np.random.default_rng(0)
    clip = cv2.VideoWriter(str(folder / "clip.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (640, 480))
    for shift in range(4):
        clip.write(np.roll(demo, 6 * shift, axis=1) ^ noise.integers(0, 16, demo.shape, np.uint8))
    clip.release()
    ran = subprocess.run(
        [sys.executable, __file__, str(folder)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize("name", cases())
def test_a_full_disk_leaves_the_earlier_file_and_is_one_line(results, name):
    result = results[name]
    assert result["complaints"].startswith("bottomup: ")
    assert result["complaints"].count("\n") == 1
    assert "File too large" in result["complaints"] or "is the disk full?" in result["complaints"]
    assert (result["status"], result["kept"], result["left_over"]) == (2, True, [])


if __name__ == "__main__":
    for source in (DEMO, f"{sys.argv[1]}/clip.mp4"):  # compile and load everything before files are limited
        run(["predict", source, "--out", f"{sys.argv[1]}/warm", "--masks"], "")
    json.dump({name: run_within_limits(sys.argv[1], name) for name in cases()}, sys.stdout)
