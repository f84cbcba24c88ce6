import functools
import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_posenet import TinyPoseNet

import bottomup as bu
from bottomup.distributed import Report, estimate_images, read_rows
from bottomup.distributed.on_ray import Worker
from bottomup.distributed.sources import images_of, split
from bottomup.geometry import ImageSize
from bottomup.poses import Poses
from bottomup.skeletons import COCO17

has_arrow = pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed")
has_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")


class Dead(BaseException):
    """What stands for a process that ends."""


class FakeEstimator:
    """Finds as many people as the image's grey level says, in the corners; dies of level 66 once allowed so many."""

    path, decoder, skeleton = Path("fake.tflite"), None, COCO17
    estimated = None
    lives = 10_000

    def __call__(self, image):
        level = int(image[0, 0, 0])
        type(self).lives -= 1
        if level == 66 or self.lives < 0:
            raise Dead
        self.estimated.append(level)
        keypoints = np.full((level, 17, 3), (np.nan, np.nan, 0), np.float32)
        keypoints[:, 0] = 1.5, 2, 0.5
        return Poses(keypoints, np.full(level, 0.25), COCO17, ImageSize(image.shape[1], image.shape[0]))

    def batch(self, images):
        yield from map(self, images)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Seven images in two folders, in which 0 to 6 people are found; `photos(...)` estimates them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(FakeEstimator, "estimated", [])
    monkeypatch.setattr(FakeEstimator, "lives", 10_000)
    for number in range(7):
        save(f"photos/{'ab'[number > 3]}/{number}.png", number)
    return functools.partial(estimate_images, "photos", "out", make_estimator=FakeEstimator, part_size=3)


def save(path, level):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(path, np.full((20, 30, 3), level, np.uint8))


def people():
    return [len(row["poses"]) for row in read_rows("out")]


# Results


FORMATS = ["jsonl", pytest.param("parquet", marks=has_arrow)]


@pytest.mark.parametrize("format", FORMATS)
def test_every_image_below_a_folder_is_a_row(photos, format):
    assert photos(format=format) == Report(images=7, people=21, errors=0, parts=3, resumed=0)
    rows = list(read_rows("out"))
    assert [row["image"] for row in rows] == [f"photos/{'ab'[number > 3]}/{number}.png" for number in range(7)]
    assert people() == list(range(7))
    pose = {"score": 0.25, "keypoints": [[1.5, 2.0, 0.5]] + [None] * 16}
    assert rows[1] == {"image": "photos/a/1.png", "width": 30, "height": 20, "poses": [pose], "error": None}
    assert sorted(path.name for path in Path("out").iterdir())[1:] == [
        f"part-00000{part}.{format}" for part in range(3)
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_an_image_that_cannot_be_read_is_a_row_with_its_error(photos, format):
    Path("photos/a/2.png").write_bytes(b"no image")
    Path("photos/b/5.png").write_bytes(b"")
    assert photos(format=format)[:3] == (7, 14, 2)
    rows = list(read_rows("out"))
    assert [row["error"] is None for row in rows] == [True, True, False, True, True, False, True]
    assert rows[2] == {**rows[2], "width": None, "height": None, "poses": []}
    assert "is not an image: it is a text file" in rows[2]["error"]
    assert people() == [0, 1, 0, 3, 4, 0, 6]


def test_a_list_of_paths_keeps_its_order_and_may_name_what_is_missing(photos):
    report = estimate_images(["photos/b/5.png", "gone.png", "photos/a/1.png"], "out", make_estimator=FakeEstimator)
    assert report == Report(3, 6, 1, 1, 0)
    assert people() == [5, 0, 1]


def test_one_image_is_a_source(photos):
    assert estimate_images("photos/b/5.png", "out", make_estimator=FakeEstimator).people == 5


def test_hidden_files_and_others_are_passed_over(photos):
    save("photos/.hidden/9.png", 9)
    save("photos/a/.9.png", 9)
    Path("photos/note.txt").write_text("note")
    assert photos().images == 7


# Resuming


def test_what_was_cut_off_is_resumed(photos, monkeypatch):
    monkeypatch.setattr(FakeEstimator, "lives", 5)
    with pytest.raises(Dead):
        photos()
    assert [path.name for path in Path("out").glob("*part*")] == ["part-000000.jsonl"]
    with pytest.raises(bu.InputError, match="2 of 3 parts are missing in 'out': run estimate_images again"):
        read_rows("out")
    monkeypatch.setattr(FakeEstimator, "lives", 10_000)
    FakeEstimator.estimated.clear()
    assert photos() == Report(images=4, people=18, errors=0, parts=2, resumed=1)
    assert FakeEstimator.estimated == [3, 4, 5, 6]
    assert people() == list(range(7))
    assert photos() == Report(0, 0, 0, 0, 3)


def test_a_write_that_fails_leaves_no_part(photos, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises((OSError, bu.InputError)):
        photos()
    assert not list(Path("out").glob("part*"))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"part_size": 2}, "parts"),
        ({"format": "jsonl", "make_estimator": lambda: Other()}, "model"),
        ({"make_estimator": lambda: Strict()}, "decoder"),
    ],
)
def test_results_of_another_run_are_not_mixed_with(photos, changes, name):
    photos()
    with pytest.raises(bu.InputError, match=f"holds results of another run, whose {name} was .*: name another folder"):
        photos(**changes)
    save("photos/a/0b.png", 1)
    with pytest.raises(bu.InputError, match="whose source was"):
        photos()


class Other(FakeEstimator):
    path = Path("other.tflite")


class Strict(FakeEstimator):
    decoder = "strict"


# What is refused


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("missing", "there is no 'missing': pass a folder, a list of images, or a Parquet file"),
        ("empty", "folder 'empty' holds no images"),
        ([], "source names no image"),
    ],
)
def test_a_source_of_nothing_is_refused(photos, source, complaint):
    Path("empty").mkdir()
    with pytest.raises(bu.InputError, match=complaint):
        estimate_images(source, "out", make_estimator=FakeEstimator)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"actors": -1}, "actors must be a whole number, at least 0, got -1"),
        ({"part_size": 0}, "part_size must be a whole number, at least 1, got 0"),
        ({"part_size": 2.5}, "part_size"),
        ({"format": "csv"}, "format must be one of jsonl, parquet, got 'csv'"),
    ],
)
def test_settings_that_cannot_be_are_refused(photos, settings, complaint):
    with pytest.raises(bu.InputError, match=complaint):
        photos(**settings)


def test_a_folder_that_cannot_be_made_is_refused(photos):
    Path("out").write_text("a file")
    with pytest.raises(bu.InputError, match="cannot be written to"):
        photos()


def test_a_folder_without_results_is_refused(photos):
    with pytest.raises(bu.InputError, match="holds no results of estimate_images"):
        read_rows("photos")


@pytest.mark.parametrize(
    ("library", "extra", "settings"), [("ray", "ray", {"actors": 2}), ("pyarrow", "parquet", {"format": "parquet"})]
)
def test_a_missing_library_is_named_with_its_extra(photos, monkeypatch, library, extra, settings):
    monkeypatch.setitem(__import__("sys").modules, library, None)
    with pytest.raises(bu.MissingRuntimeError, match=rf"pip install 'bottomup\[{extra}\]'"):
        photos(**settings)


# Parquet


def write_table(file, /, row_group_size=None, **columns):
    pyarrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    parquet.write_table(pyarrow.table(columns), file, row_group_size=row_group_size)


@has_arrow
def test_a_parquet_file_may_name_images(photos):
    write_table("images.parquet", path=["photos/b/6.png", "gone.png", "photos/a/3.png"])
    assert estimate_images("images.parquet", "out", make_estimator=FakeEstimator)[:3] == (3, 9, 1)
    assert [row["image"] for row in read_rows("out")] == ["photos/b/6.png", "gone.png", "photos/a/3.png"]


@has_arrow
@pytest.mark.parametrize("shape", ["bytes", "image", "struct"])
def test_a_parquet_file_may_hold_images(photos, shape):
    files = [*sorted(Path("photos").rglob("*.png")), None]
    contents = [file and file.read_bytes() for file in files]
    columns = {"struct": {"image": [{"bytes": content, "path": None} for content in contents]}}
    write_table("images.parquet", row_group_size=5, **columns.get(shape, {shape: contents}))
    report = estimate_images("images.parquet", "out", make_estimator=FakeEstimator, part_size=2)
    assert report == Report(images=8, people=21, errors=1, parts=5, resumed=0)  # row groups of 5 and 3
    assert people() == [*range(7), 0]
    assert [row["image"] for row in read_rows("out")] == [f"images.parquet#{row}" for row in range(8)]


@has_arrow
def test_parts_of_a_long_row_group_are_its_rows(tmp_path):
    names = [f"{number}.png" for number in range(300)]
    write_table(tmp_path / "a.parquet", row_group_size=200, path=names)
    write_table(tmp_path / "b.parquet", path=names[:7])
    parts, _ = split(tmp_path, 90)
    assert [part.rows for part in parts] == [90, 90, 20, 90, 10, 7]
    assert [image.name for part in parts for image in images_of(part)] == names + names[:7]


@has_arrow
def test_a_parquet_file_that_cannot_be_is_refused(photos):
    write_table("other.parquet", label=["a"])
    with pytest.raises(bu.InputError, match=r"must have a column 'path' of image paths, .* got label: rename one"):
        estimate_images("other.parquet", "out", make_estimator=FakeEstimator)
    Path("broken.parquet").write_bytes(b"nothing")
    with pytest.raises(bu.InputError, match=r"'broken.parquet' cannot be read as Parquet"):
        estimate_images("broken.parquet", "out", make_estimator=FakeEstimator)
    write_table("photos/list.parquet", path=["a"])
    with pytest.raises(bu.InputError, match="holds both images and Parquet files"):
        photos()


# Actors


def work(images, actors=100):
    """Give a part to one actor after the other, until one lives through it; return how many died, and its counts."""
    Path("out").mkdir(exist_ok=True)
    (part,), _ = split(images, 100)
    for deaths in range(actors):
        worker = Worker(FakeEstimator, "out", "jsonl", "")
        try:
            counts = worker({"part": json.dumps(part)})
        except Dead:
            continue
        return deaths, counts
    return None


def test_a_part_is_done_once(photos):
    assert work(["photos/a/2.png", "photos/b/4.png"]) == (0, {"images": 2, "people": 6, "errors": 0})
    assert work(["photos/a/2.png", "photos/b/4.png"]) == (0, {"images": 2, "people": 6, "errors": 0})
    assert FakeEstimator.estimated == [2, 4]


def test_an_actor_that_dies_by_chance_loses_nothing(photos, monkeypatch):
    monkeypatch.setattr(FakeEstimator, "lives", 5)
    assert work("photos", actors=1) is None
    monkeypatch.setattr(FakeEstimator, "lives", 10_000)
    assert work("photos") == (0, {"images": 7, "people": 21, "errors": 0})


def test_images_that_end_every_process_are_rows_with_that_error(photos):
    save("photos/a/66.png", 66)
    save("photos/b/67.png", 66)
    Path("photos/a/2.png").write_bytes(b"no image")
    deaths, counts = work("photos")
    assert deaths == 2 + 2 * 2  # of the part, then of each image
    assert counts == {"images": 9, "people": 19, "errors": 3}
    rows = [json.loads(line) for line in Path("out/part-000000.jsonl").read_text().splitlines()]
    assert [row["image"] for row in rows if row["error"] and "ended 2 processes" in row["error"]] == [
        "photos/a/66.png",
        "photos/b/67.png",
    ]
    assert [path.name for path in Path("out").iterdir()] == ["part-000000.jsonl"]


@has_ray
@has_arrow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_actors_of_ray_give_the_same_rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = TinyPoseNet().write(tmp_path / "tiny.tflite")
    noise = np.random.default_rng(0)
    for number in range(5):
        Path("photos").mkdir(exist_ok=True)
        cv2.imwrite(f"photos/{number}.png", noise.integers(0, 256, (49, 65, 3), np.uint8))
    Path("photos/3.png").write_bytes(b"no image")
    make = functools.partial(bu.load, str(model), decoder=bu.PoseNetDecoder.tfjs())
    photos = tmp_path / "photos"
    here = estimate_images(photos, "here", make_estimator=make, part_size=2)
    there = estimate_images(photos, "there", make_estimator=make, part_size=2, actors=2)
    assert here == there
    assert here.images == 5
    assert here.people > 0
    assert list(read_rows("here")) == list(read_rows("there"))
    assert estimate_images(photos, "there", make_estimator=make, part_size=2, actors=2).resumed == 3


# What is damaged, missing or of another kind


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[: len(content) // 2]])
def test_a_part_that_is_not_whole_is_never_counted_as_done(photos, format, damage):
    photos(format=format)
    whole = list(read_rows("out"))
    part = Path(f"out/part-000001.{format}")
    part.write_bytes(damage(part.read_bytes()))
    with pytest.raises(bu.InputError, match="1 of 3 parts are not whole"):
        read_rows("out")
    report = photos(format=format)
    assert (report.parts, report.resumed) == (1, 2)
    assert list(read_rows("out")) == whole


def test_a_part_with_the_right_number_of_broken_rows_is_told(photos):
    photos(format="jsonl")
    part = Path("out/part-000001.jsonl")
    part.write_text("{\n" * part.read_text().count("\n"))
    with pytest.raises(bu.InputError, match=r"part-000001\.jsonl' is damaged"):
        list(read_rows("out"))


@pytest.mark.parametrize(
    "plan", ["[]", "3", '{"parts": "x", "format": "jsonl"}', '{"parts": 1e400, "format": "jsonl"}',
             '{"parts": -1, "format": "jsonl"}', '{"parts": 3, "format": ["jsonl"]}',
             '{"parts": 3, "format": "jsonl", "rows": [1]}', "[" * 100_000],
)  # fmt: skip
def test_a_plan_of_another_form_is_one_line(tmp_path, plan):
    (tmp_path / "_plan.json").write_text(plan)
    with pytest.raises(bu.InputError, match=r"cannot be read: .*: name another folder") as told:
        read_rows(tmp_path)
    assert "\n" not in str(told.value)


def test_columns_of_numbers_lists_and_odd_paths_are_rows_with_errors(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    from bottomup.distributed.sources import images_of, split

    for name, values in (("path", ["a\0b.jpg", "x" * 5000, None]), ("image", [1, 2, 3]), ("bytes", [[1], [2], [3]])):
        path = str(tmp_path / f"{name}.parquet")
        parquet.write_table(arrow.table({name: values}), path)
        (part,), _ = split([path], 10)
        images = list(images_of(part))
        assert len(images) == part.size == 3
        for image in images:
            with pytest.raises(bu.InputError):
                image.read()


def test_a_damaged_page_is_rows_with_errors(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    from bottomup.distributed.sources import images_of, split

    path = tmp_path / "a.parquet"
    rng = np.random.default_rng(0)
    parquet.write_table(arrow.table({"bytes": [rng.bytes(3000) for _ in range(20)]}), path, compression="snappy")
    (part,), _ = split([str(path)], 50)
    content = bytearray(path.read_bytes())
    content[200:2200] = bytes(2000)
    path.write_bytes(content)
    images = list(images_of(part))
    assert len(images) == 20
    for image in images:
        with pytest.raises(bu.InputError):
            image.read()


def test_a_small_file_of_large_values_is_read_one_by_one(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    from bottomup.distributed.sources import images_of, split

    path = tmp_path / "a.parquet"
    parquet.write_table(arrow.table({"bytes": [bytes(20_000_000)] * 30}), path, compression="zstd")
    assert path.stat().st_size < 100_000
    (part,), _ = split([str(path)], 200)
    before = arrow.total_allocated_bytes()
    most = 0
    for image in images_of(part):
        most = max(most, arrow.total_allocated_bytes() - before)
        assert len(image.encoded) == 20_000_000
    assert most < 300_000_000
