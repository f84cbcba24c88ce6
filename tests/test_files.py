import os
import stat

import pytest

from bottomup.errors import InputError
from bottomup.files import replacing, write_file


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "a.json"
    write_file(path, b"old")
    path.chmod(0o640)
    write_file(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert names(tmp_path) == ["a.json"]


def write_half(path, error):
    with replacing(path) as waiting:
        waiting.write_bytes(b"half")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, MemoryError])
def test_whatever_ends_the_writing_leaves_the_earlier_file(tmp_path, error):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with pytest.raises(error):
        write_half(path, error())
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.json"]


def test_a_full_disk_is_told_in_one_line_and_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with pytest.raises(InputError, match=r"a\.json' cannot be written: No space left"):
        write_half(path, OSError(28, "No space left on device"))
    assert path.read_bytes() == b"old"


def test_links_are_followed_and_stay_links(tmp_path):
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    write_file(tmp_path / "link.json", b"new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_bytes() == b"new"


def test_devices_are_written_to_as_they_are():
    write_file(os.devnull, b"anything")
    assert not os.path.isfile(os.devnull)


def test_missing_folders_folders_and_read_only_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        write_file(tmp_path / "none" / "a.json", b"")
    with pytest.raises(InputError, match="cannot be written: it is a folder"):
        write_file(tmp_path, b"")
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    path.chmod(0o400)
    if not os.access(path, os.W_OK):  # root may write anything
        with pytest.raises(InputError, match="it is read-only"):
            write_file(path, b"new")


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_names_that_no_file_has_are_refused(name):
    with pytest.raises(InputError, match="the name contains a NUL"):
        write_file(name, b"")
