"""Kind and size of an image file, read from its first bytes before anything is decoded."""

import struct
import zlib
from typing import NamedTuple

__all__ = ["Header", "is_whole_png", "kind_of", "read_header"]

_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_SAMPLE_FORMAT = 256, 257, 339
_FLOATS = 3  # a TIFF sample format
_JPEG_SIZES = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})
_MOST_STEPS = 1 << 16  # from segment to segment of a JPEG
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}
_MARKS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"%PDF": "PDF",
    b"\x93NUMPY": "NumPy array",
    b"PK\x03\x04": "ZIP archive",
    b"\x1f\x8b": "gzip file",
    b"\x1a\x45\xdf\xa3": "Matroska or WebM video",
    b"8BPS": "Photoshop file",
    b"<svg": "SVG drawing",
    b"<?xml": "XML file",
    b"<!DO": "HTML page",
    b"<htm": "HTML page",
}


class Header(NamedTuple):
    """What an image file's header says."""

    kind: str  #: such as "JPEG"; "" if unknown
    width: int = 0  #: pixels; 0 if unknown
    height: int = 0
    is_float: bool = False  #: whether the pixels are floats, as in some TIFFs


def read_header(data: bytes | memoryview) -> Header:
    """Return the kind of a file's content, and the size of a PNG, JPEG, GIF, BMP, TIFF or WebP.

    Examples
    --------
    >>> read_header(b"GIF89a" + bytes([64, 1, 240, 0]))
    Header(kind='GIF', width=320, height=240, is_float=False)
    """
    kind = kind_of(data)
    reader = {"PNG": _png, "JPEG": _jpeg, "GIF": _gif, "BMP": _bmp, "TIFF": _tiff, "WebP": _webp}.get(kind)
    try:
        return Header(kind) if reader is None else reader(data)
    except (struct.error, IndexError):
        return Header(kind)


def kind_of(data: bytes | memoryview) -> str:
    """Return the kind of file that begins with these bytes."""
    if data[:4] == b"RIFF":
        return {b"WEBP": "WebP", b"AVI ": "AVI video"}.get(bytes(data[8:12]), "RIFF file")
    if data[4:8] == b"ftyp":
        return _BRANDS.get(bytes(data[8:12]), "MP4 or QuickTime video")
    for mark, kind in _MARKS.items():
        if data[: len(mark)] == mark:
            return kind
    start = bytes(data[:512])
    if start and all(byte >= 32 or byte in b"\t\n\r\f" for byte in start) and not start.startswith((b"P", b"#?")):
        return "text file"
    return ""


def is_whole_png(data: memoryview) -> bool:
    """Return whether a PNG has all chunks up to the last, and its critical chunks are undamaged."""
    place = 8
    while place + 12 <= len(data):
        size, kind = int.from_bytes(data[place : place + 4], "big"), bytes(data[place + 4 : place + 8])
        end = place + 8 + size
        if end + 4 > len(data):
            return False
        is_critical = kind[:1].isupper()
        if is_critical and zlib.crc32(data[place + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return False
        if kind == b"IEND":
            return True
        place = end + 4
    return False


def _png(data: bytes | memoryview) -> Header:
    return Header("PNG", *struct.unpack(">II", data[16:24]))


def _gif(data: bytes | memoryview) -> Header:
    return Header("GIF", *struct.unpack("<HH", data[6:10]))


def _bmp(data: bytes | memoryview) -> Header:
    (size,) = struct.unpack("<I", data[14:18])
    width, height = struct.unpack("<HH", data[18:22]) if size == 12 else struct.unpack("<ii", data[18:26])
    return Header("BMP", abs(width), abs(height))


def _jpeg(data: bytes | memoryview) -> Header:
    place = 2
    for _ in range(_MOST_STEPS):
        if data[place] != 0xFF:
            place += 1
            continue
        marker = data[place + 1]
        if marker in _JPEG_SIZES:
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return Header("JPEG", width, height)
        if marker in (0xFF, 0x01) or 0xD0 <= marker <= 0xD8:
            place += 1 if marker == 0xFF else 2
        else:
            place += 2 + struct.unpack(">H", data[place + 2 : place + 4])[0]
    return Header("JPEG")


def _webp(data: bytes | memoryview) -> Header:
    chunk = bytes(data[12:16])
    if chunk == b"VP8X":
        return Header("WebP", 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little"))
    if chunk == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return Header("WebP", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    width, height = struct.unpack("<HH", data[26:30])
    return Header("WebP", width & 0x3FFF, height & 0x3FFF)


def _tiff(data: bytes | memoryview) -> Header:
    order = "<" if data[:2] == b"II" else ">"
    is_big = struct.unpack(order + "H", data[2:4])[0] == 43
    entry_size, count_form, entry_form = (20, "Q", "HHQ") if is_big else (12, "H", "HHI")
    (place,) = struct.unpack_from(order + ("Q" if is_big else "I"), data, 8 if is_big else 4)
    (count,) = struct.unpack_from(order + count_form, data, place)
    values = {}
    first = place + struct.calcsize(order + count_form)
    for number in range(min(count, 4096)):
        tag, form, length = struct.unpack_from(order + entry_form, data, first + number * entry_size)
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_SAMPLE_FORMAT):
            inside = first + number * entry_size + struct.calcsize(order + entry_form)
            if 2 * length > entry_size - struct.calcsize(
                order + entry_form
            ):  # too long to be stored here: this is its offset
                (inside,) = struct.unpack_from(order + ("Q" if is_big else "I"), data, inside)
            values[tag] = struct.unpack_from(order + ("H" if form == 3 else "I"), data, inside)[0]
    return Header(
        "TIFF", values.get(_TIFF_WIDTH, 0), values.get(_TIFF_HEIGHT, 0), values.get(_TIFF_SAMPLE_FORMAT) == _FLOATS
    )
