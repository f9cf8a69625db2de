"""faultless.open() in its five modes."""

import errno
import mmap as standard_mmap
import os
import sys

import pytest

import faultless
import faultless.mmap

PAGE = standard_mmap.PAGESIZE
DATA = b"0123456789"
READ_ONLY = (TypeError, "mmap can't modify a readonly memory map.")
MODES = ["r", "r+", "w+", "c", "x+"]
OLD_MODES = ["r", "r+", "c"]
NEW_MODES = ["w+", "x+"]

# Offsets need not be whole pages.
OFFSETS = [0, 1, 7, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE + 100]


@pytest.fixture
def path(make_file):
    return make_file(DATA)


@pytest.fixture
def long_path(make_file):
    return make_file(os.urandom(3 * PAGE + 500))


@pytest.fixture
def new_path(tmp_path):
    return tmp_path / "new"


def test_the_map_is_that_of_the_module(path):
    with faultless.open(path) as m:
        assert isinstance(m, faultless.mmap.mmap)
        assert (m[:], len(m), m.size(), m.tell()) == (DATA, 10, 10, 0)
    assert m.closed


@pytest.mark.parametrize("mode", OLD_MODES)
def test_no_map_here_is_private_for_want_of_shared_ones(path, mode):
    m = faultless.open(path, mode)
    assert m.private_fallback is False
    m.close()
    with pytest.raises(ValueError, match="closed"):
        _ = m.private_fallback


def test_read(path, raises):
    with faultless.open(path, "r") as m:
        with raises(*READ_ONLY):
            m[0] = 65
        with memoryview(m) as view:
            assert view.readonly
    assert path.read_bytes() == DATA


def test_read_is_the_default(path, raises):
    with faultless.open(path) as m, raises(*READ_ONLY):
        m.write(b"x")


def test_read_and_write(path):
    with faultless.open(path, "r+") as m:
        m[0:3] = b"abc"
        m.flush()
        assert path.read_bytes() == b"abc3456789"
        m.resize(12)
        m[10:] = b"!!"
    assert path.read_bytes() == b"abc3456789!!"


def test_copy_on_write(path):
    with faultless.open(path, "c") as m:
        m[0:3] = b"abc"
        m.flush()
        assert m[:] == b"abc3456789"
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("mode", NEW_MODES)
@pytest.mark.parametrize("length", [1, 10, PAGE, 3 * PAGE + 5])
@pytest.mark.parametrize("offset", [0, 5, PAGE, PAGE + 5])
def test_new_file(new_path, mode, length, offset):
    with faultless.open(new_path, mode, offset=offset, length=length) as m:
        assert (len(m), m[:], m.size()) == (length, bytes(length), offset + length)
        m[0] = 65
        m[length - 1] = 66
    data = new_path.read_bytes()
    assert len(data) == offset + length
    assert data[:offset] == bytes(offset)
    assert data[offset:] == (b"B" if length == 1 else b"A" + bytes(length - 2) + b"B")


@pytest.mark.parametrize(("offset", "length"), [(0, 4), (0, 10), (0, 100), (3, 4), (0, 0)])
def test_write_over_a_file(path, offset, length):
    with faultless.open(path, "w+", offset=offset, length=length) as m:
        assert m[:] == bytes(length)
    assert path.read_bytes() == bytes(offset + length)


def test_exclusive_mode_refuses_a_file_that_is_there(path):
    with pytest.raises(FileExistsError) as caught:
        faultless.open(path, "x+", length=10)
    assert (caught.value.errno, os.fspath(caught.value.filename)) == (errno.EEXIST, str(path))
    assert path.read_bytes() == DATA


@pytest.mark.unix("links are for administrators on Windows")
def test_exclusive_mode_refuses_a_dangling_link(new_path, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(new_path)
    with pytest.raises(FileExistsError):
        faultless.open(link, "x+", length=10)
    assert not new_path.exists()


@pytest.mark.unix("Windows has no mask of rights")
@pytest.mark.parametrize("mode", NEW_MODES)
def test_new_file_obeys_the_mask(new_path, mode):
    mask = os.umask(0o027)
    try:
        faultless.open(new_path, mode, length=10).close()
    finally:
        os.umask(mask)
    assert new_path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("mode", NEW_MODES)
def test_new_file_needs_a_length(new_path, mode):
    with pytest.raises(ValueError, match="length"):
        faultless.open(new_path, mode)
    assert not new_path.exists()


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_directory_without_a_length(tmp_path, mode):
    with pytest.raises((IsADirectoryError, PermissionError)) as caught:
        faultless.open(tmp_path, mode)
    assert caught.value.filename == str(tmp_path)


@pytest.mark.parametrize("options", [{}, {"length": None}, {"length": -1}, {"length": 10, "offset": -1}])
def test_wrong_arguments_do_not_harm_the_file(path, options):
    with pytest.raises((ValueError, OverflowError)):
        faultless.open(path, "w+", **options)
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("mode", OLD_MODES)
@pytest.mark.parametrize("offset", OFFSETS)
def test_any_offset(long_path, mode, offset):
    data = long_path.read_bytes()[offset:]
    with faultless.open(long_path, mode, offset=offset) as m:
        assert (len(m), m[:]) == (len(data), data)
        assert (m[0], m[-1], m[5:50:3]) == (data[0], data[-1], data[5:50:3])
        assert m.find(data[10:30], 0) == 10
        assert m.rfind(data[-30:]) == len(data) - 30
        assert m.size() == long_path.stat().st_size
        m.seek(3)
        assert (m.read(4), m.tell(), m.read_byte()) == (data[3:7], 7, data[7])
        assert bytes(m) == data
        with memoryview(m) as view:
            assert view[7:9] == data[7:9]
        assert m.flush() is None


@pytest.mark.parametrize("mode", OLD_MODES)
@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("length", [0, 1, 10, PAGE - 1, PAGE])
def test_any_offset_and_length(long_path, mode, offset, length):
    data = long_path.read_bytes()[offset : offset + length]
    with faultless.open(long_path, mode, offset=offset, length=length) as m:
        assert (len(m), m[:]) == (length, data)


@pytest.mark.parametrize("offset", OFFSETS)
def test_writing_at_any_offset(long_path, offset):
    expected = bytearray(long_path.read_bytes())
    with faultless.open(long_path, "r+", offset=offset) as m:
        m[3:6] = b"abc"
        m.seek(10)
        m.write(b"defg")
        m.move(20, 0, 10)
        m.flush()
    expected[offset + 3 : offset + 6] = b"abc"
    expected[offset + 10 : offset + 14] = b"defg"
    expected[offset + 20 : offset + 30] = expected[offset : offset + 10]
    assert long_path.read_bytes() == expected


@pytest.mark.parametrize("offset", OFFSETS)
def test_resizing_at_any_offset(long_path, offset):
    data = long_path.read_bytes()
    with faultless.open(long_path, "r+", offset=offset) as m:
        m.resize(5 * PAGE)
        assert long_path.stat().st_size == offset + 5 * PAGE
        assert m[: len(data) - offset] == data[offset:]
        assert m[len(data) - offset :] == bytes(5 * PAGE - len(data) + offset)
        m.resize(10)
        assert m[:] == data[offset : offset + 10]
    assert long_path.read_bytes() == data[: offset + 10]


@pytest.mark.parametrize("mode", OLD_MODES)
@pytest.mark.parametrize(
    ("offset", "length"), [(0, 11), (5, 6), (10, 1), (11, 0), (11, None), (PAGE, 1), (0, sys.maxsize)]
)
def test_beyond_the_end_of_the_file(path, mode, offset, length):
    with pytest.raises(ValueError, match="greater than file size") as caught:
        faultless.open(path, mode, offset=offset, length=length)
    assert caught.type is ValueError
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("options", [{"offset": -1}, {"length": -1}, {"offset": -1, "length": -1}])
def test_negative_arguments(path, new_path, mode, options):
    target = new_path if mode == "x+" else path
    with pytest.raises(OverflowError, match="-1 is not an integer from 0 to"):
        faultless.open(target, mode, **{"length": 5, **options})
    assert path.read_bytes() == DATA
    assert not new_path.exists()


def empty_maps(make_file, mode):
    """Every way to a map of no bytes in this mode."""
    if mode == "x+":
        new = make_file()
        new.unlink()
        return [faultless.open(new, mode, length=0)]
    if mode == "w+":
        return [faultless.open(make_file(data), mode, length=0) for data in (b"", DATA)]
    return [
        faultless.open(make_file(), mode),
        faultless.open(make_file(), mode, length=0),
        faultless.open(make_file(DATA), mode, length=0),
        faultless.open(make_file(DATA), mode, length=0, offset=5),
        faultless.open(make_file(DATA), mode, offset=10),
    ]


@pytest.mark.parametrize("mode", MODES)
def test_empty_map(make_file, raises, mode):
    for m in empty_maps(make_file, mode):
        with m:
            assert (len(m), bool(m), m[:], m[::-1], list(m), bytes(m)) == (0, False, b"", b"", [], b"")
            assert (m.read(), m.readline(), m.tell(), m.seek(0), m.seek(0, 2)) == (b"", b"", 0, 0, 0)
            assert (m.find(b"x"), m.rfind(b"x"), m.find(b""), m.rfind(b"")) == (-1, -1, 0, 0)
            assert (b"x" in m, m.closed) == (False, False)
            assert m.flush() is None
            with raises(IndexError, "mmap index out of range"):
                m[0]
            with raises(ValueError, "read byte out of range"):
                m.read_byte()
            with raises(ValueError, "seek out of range"):
                m.seek(1)
            with memoryview(m) as view:
                assert (view.nbytes, view.tobytes()) == (0, b"")
                with raises(BufferError, "cannot close exported pointers exist"):
                    m.close()
        assert m.closed
        with raises(ValueError, "mmap closed or invalid"):
            len(m)


@pytest.mark.parametrize("mode", ["r+", "w+", "c", "x+"])
def test_writing_to_an_empty_map(make_file, raises, mode):
    for m in empty_maps(make_file, mode):
        with m:
            assert m.write(b"") == 0
            m[:] = b""
            m.move(0, 0, 0)
            with raises(ValueError, "data out of range"):
                m.write(b"x")
            with raises(ValueError, "write byte out of range"):
                m.write_byte(1)
            with raises(IndexError, "mmap slice assignment is wrong size"):
                m[:] = b"x"


def test_empty_map_can_grow(make_file):
    path = make_file()
    with faultless.open(path, "r+") as m:
        m.resize(10)
        m[:] = DATA
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("mode", OLD_MODES)
def test_missing_file(new_path, mode):
    with pytest.raises(FileNotFoundError) as caught:
        faultless.open(new_path, mode)
    assert (caught.value.errno, os.fspath(caught.value.filename)) == (errno.ENOENT, str(new_path))
    assert not new_path.exists()


@pytest.mark.parametrize("mode", NEW_MODES)
def test_missing_directory(new_path, mode):
    with pytest.raises(FileNotFoundError) as caught:
        faultless.open(new_path / "file", mode, length=10)
    assert os.fspath(caught.value.filename) == str(new_path / "file")


@pytest.mark.parametrize("mode", MODES)
def test_directory(tmp_path, mode):
    with pytest.raises(OSError):
        faultless.open(tmp_path, mode, length=10)


@pytest.mark.parametrize("mode", ["", "rb", "w", "a", "r +", "R", "rw", "w+b", "readonly", "r+c"])
def test_unknown_mode(path, mode):
    with pytest.raises(ValueError) as caught:
        faultless.open(path, mode, length=5)
    for known in MODES:
        assert f"'{known}'" in str(caught.value)
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("mode", [None, 5, b"r"])
def test_mode_of_a_wrong_type(path, mode):
    with pytest.raises(TypeError):
        faultless.open(path, mode)


@pytest.mark.parametrize("target", [None, 1.5, ["path"]])
def test_path_of_a_wrong_type(target):
    with pytest.raises(TypeError):
        faultless.open(target)


class PathLike:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


@pytest.mark.parametrize("kind", [str, PathLike, lambda path: path])
def test_kinds_of_paths(path, kind):
    with faultless.open(kind(path)) as m:
        assert m[:] == DATA


def test_path_with_other_letters(tmp_path):
    path = tmp_path / "naïve файл 文件"
    path.write_bytes(DATA)
    with faultless.open(path) as m:
        assert m[:] == DATA


def test_path_relative_to_the_working_directory(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    with faultless.open(path.name) as m:
        assert m[:] == DATA


def test_null_character_in_the_path(tmp_path):
    with pytest.raises(ValueError, match="null"):
        faultless.open(str(tmp_path / "a\0b"))


def test_options_are_by_keyword(path):
    with pytest.raises(TypeError):
        faultless.open(path, "r", 0)
    with faultless.open(path=path, mode="r", offset=1, length=2) as m:
        assert m[:] == b"12"


@pytest.mark.unix("Windows shows no list of descriptors")
def test_no_descriptor_is_left(path, new_path):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        with faultless.open(path, "r+"):
            assert len(os.listdir("/proc/self/fd")) <= before + 1
        with pytest.raises(ValueError, match="greater than file size"):
            faultless.open(path, "r+", length=100)
        with pytest.raises(FileExistsError):
            faultless.open(path, "x+", length=1)
        with pytest.raises(FileNotFoundError):
            faultless.open(new_path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_descriptor_is_not_inherited(path):
    before = set(os.listdir("/proc/self/fd"))
    with faultless.open(path) as m:
        for name in set(os.listdir("/proc/self/fd")) - before:
            # The listing's own descriptor is among the new ones and is closed by now.
            if os.path.lexists(f"/proc/self/fd/{name}"):
                assert not os.get_inheritable(int(name))
        assert m.size() == 10
