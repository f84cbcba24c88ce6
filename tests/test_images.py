import io
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest

import bottomup as bu
from bottomup import images
from bottomup.errors import InputError, MissingRuntimeError
from bottomup.image_headers import kind_of, read_header
from bottomup.images import as_pixels, decode_image, read_image, write_image

PICTURE = np.zeros((12, 20, 3), np.uint8)
PICTURE[:, :10] = 250, 40, 10  # blue on the left
PIL = pytest.importorskip("PIL.Image")


def encoded(suffix, image=PICTURE):
    return cv2.imencode(suffix, image)[1].tobytes()


def png_of(width, height):
    """A PNG of one bit a pixel whose header alone is true."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("suffix", "kind"), [(".png", "PNG"), (".jpg", "JPEG"), (".webp", "WebP"), (".bmp", "BMP"), (".tiff", "TIFF")]
)
def test_headers_tell_the_size_before_anything_is_decoded(suffix, kind):
    assert read_header(encoded(suffix))[:3] == (kind, 20, 12)
    with PIL.fromarray(PICTURE) as image:
        for options in ({}, {"lossless": True}) if kind == "WebP" else ({},):
            file = io.BytesIO()
            image.save(file, kind, **options)
            assert read_header(file.getvalue())[:3] == (kind, 20, 12)


def test_headers_cut_anywhere_are_no_trouble():
    for suffix in (".png", ".jpg", ".webp", ".bmp", ".tiff"):
        content = encoded(suffix)
        for end in range(min(len(content), 300)):
            assert isinstance(read_header(content[:end]).kind, str)


def test_everything_that_people_call_an_image_gives_the_same_pixels(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(".png"))
    with path.open("rb") as file, PIL.open(path) as opened:
        kinds = [str(path), path, path.read_bytes(), bytearray(path.read_bytes()), file, opened, PICTURE]
        for kind in kinds:
            np.testing.assert_array_equal(as_pixels(kind), PICTURE)
    np.testing.assert_array_equal(as_pixels(PICTURE[..., ::-1], "rgb"), PICTURE)


def test_pillow_images_of_any_mode_become_colours_and_are_turned_upright():
    for mode in ("L", "P", "RGBA", "LA", "CMYK", "1"):
        assert as_pixels(PIL.new(mode, (5, 4))).shape == (4, 5, 3)
    turned = PIL.fromarray(PICTURE)
    turned.getexif()[0x0112] = 6
    assert as_pixels(turned).shape == (20, 12, 3)
    for mode in ("I;16", "F", "I"):
        with pytest.raises(InputError, match="holds more than 8 bits"):
            as_pixels(PIL.new(mode, (5, 4)))


@pytest.mark.parametrize(
    ("image", "way_out"),
    [
        (None, "cv2.imread returns for a file that it cannot read"),
        ([PICTURE], r"got list: pass one image, or many to estimator\.batch"),
        (7, "got int: pass a path, the bytes of a file"),
        (io.StringIO("words"), r"must be opened in binary mode, open\(path, 'rb'\)"),
        (np.full((4, 4, 3), 4095, np.uint16), r"for 12-bit levels pass \(image >> 4\)"),
        (np.full((4, 4, 3), 65535, np.uint16), r"for 16-bit levels pass \(image >> 8\)"),
        (np.full((4, 4, 3), 200, np.uint16), r"levels from 0 to 255 pass image\.clip"),
        (np.full((4, 4, 3), 200, np.int64), r"levels from 0 to 255 pass image\.clip"),
        (np.ones((4, 4, 3), bool), r"pass image\.astype\(np\.uint8\) \* 255"),
        (np.ones((4, 4, 3)), r"values in \[0, 1\] pass \(image \* 255\)"),
        (np.full((4, 4, 3), 200.0), r"levels from 0 to 255 pass image\.clip"),
        (np.full((4, 4, 3), 4000.0), "its highest value is 4000"),
        (np.full((4, 4, 3), np.nan), r"pass \(image \* 255\)"),
        (np.array([["a"]]), "got <U1"),
    ],
)
def test_other_things_are_told_how_to_become_an_image(image, way_out):
    with pytest.raises(InputError, match=way_out) as told:
        as_pixels(image)
    assert "\n" not in str(told.value)


def test_the_advice_for_twelve_bit_cameras_keeps_the_picture():
    deep = PICTURE.astype(np.uint16) << 4
    with pytest.raises(InputError, match=r"\(image >> 4\)\.astype\(np\.uint8\)"):
        as_pixels(deep)
    np.testing.assert_array_equal((deep >> 4).astype(np.uint8), PICTURE)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"shopping: milk, bread", "not an image: it is a text file"),
        (b"%PDF-1.7\n", "not an image: it is a PDF"),
        (b"\0\0\0\x20ftypisom" + bytes(20), "not an image: it is a MP4 or QuickTime video"),
        (b"PK\x03\x04" + bytes(20), "not an image: it is a ZIP archive"),
        (encoded(".jpg")[:300], "starts as a .*JPEG"),
        (encoded(".png")[:-20], "starts as a 20 x 12 PNG, but is truncated or damaged"),
        (encoded(".webp")[:-20], "starts as a 20 x 12 WebP, but is truncated or damaged"),
        (encoded(".tiff")[:100], "starts as a TIFF, but is truncated or damaged"),
        (encoded(".tiff", np.ones((4, 5, 3), np.float32)), "holds real numbers"),
        (bytes(40), "is not an image of a known kind"),
        (png_of(32000, 32000), "has 32000 x 32000 pixels, more than"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_apart(content, why, tmp_path, capfd):
    path = tmp_path / "odd.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=why):
        read_image(path)
    assert capfd.readouterr().err == ""


def test_half_a_photo_is_cut_short():
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    with pytest.raises(InputError, match="starts as a 100 x 100 JPEG, but is truncated"):
        decode_image(encoded(".jpg", noise)[:4000], "half.jpg")


@pytest.mark.parametrize("name", ["a\0b.jpg", "\ud800.jpg", "n" * 5000, "."])
def test_names_that_no_file_has_are_told_in_one_line(name):
    with pytest.raises(InputError, match="cannot be opened"):
        read_image(name)
    if name != ".":
        with pytest.raises(InputError, match="cannot be written"):
            write_image(name if name.endswith(".jpg") else name + ".jpg", PICTURE)


def test_the_limits_can_be_moved(monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 100)
    with pytest.raises(InputError, match=r"set bottomup\.images\.MAX_PIXELS"):
        decode_image(encoded(".png"), "a.png")
    monkeypatch.setattr(images, "MAX_BYTES", 10)
    with pytest.raises(InputError, match=r"set bottomup\.images\.MAX_BYTES"):
        decode_image(encoded(".png"), "a.png")


@pytest.mark.skipif(sys.platform == "win32", reason="needs /dev/zero")
def test_an_endless_file_ends(monkeypatch):
    monkeypatch.setattr(images, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match="has more than 1000 bytes"):
        read_image("/dev/zero")


def test_heic_is_read_where_pillow_heif_is_installed():
    heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    heif.from_pillow(PIL.fromarray(np.ascontiguousarray(PICTURE[..., ::-1])).resize((64, 48))).save(file, quality=90)
    assert kind_of(file.getvalue()) == "HEIC"
    pixels = decode_image(file.getvalue(), "a.heic")
    assert pixels.shape == (48, 64, 3)
    assert np.abs(pixels[24, 10].astype(int) - PICTURE[6, 3]).max() < 25


def test_without_pillow_heif_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingRuntimeError, match=r"is HEIC, which needs pillow-heif: pip install 'bottomup\[heic\]'"):
        decode_image(b"\0\0\0\x20ftypheic" + bytes(20), "a.heic")


@pytest.mark.parametrize("suffix", sorted(images.IMAGE_SUFFIXES))
def test_pictures_are_written_whole_or_not_at_all(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    write_image(path, PICTURE)
    assert np.abs(read_image(path).astype(int) - PICTURE).max() < 60
    assert list(tmp_path.iterdir()) == [path]


def test_a_picture_of_an_unknown_ending_or_beyond_a_formats_size_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"must end with one of \.bmp"):
        write_image(tmp_path / "a.xyz", PICTURE)
    with pytest.raises(InputError, match=r"a\.webp' cannot hold 17000 x 2 pixels: name a \.png file"):
        write_image(tmp_path / "a.webp", np.zeros((2, 17000, 3), np.uint8))


def test_estimators_take_them_all(tmp_path):
    estimator = bu.load()
    content = (images.Path(bu.__file__).parent / "demo.jpg").read_bytes()
    expected = estimator(content)
    assert len(expected) > 1
    with PIL.open(io.BytesIO(content)) as opened:
        found = estimator(opened, channel_order="rgb")  # the order is an array's alone
    np.testing.assert_allclose(found.scores, expected.scores, atol=0.1)  # another JPEG decoder


def test_pillow_is_not_imported_by_images():
    code = (
        "import sys, bottomup.images as i, numpy as np; i.as_pixels(np.zeros((2, 2, 3), np.uint8)); "
        "assert 'PIL' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
