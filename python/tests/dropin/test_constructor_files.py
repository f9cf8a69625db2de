"""Mapping files, devices and descriptors: sizes, offsets, protections, tracked descriptors."""

import errno
import mmap as standard_mmap
import os
import sys

import pytest

PAGE = standard_mmap.PAGESIZE
EMPTY = (ValueError, "cannot mmap an empty file")
OFFSET_TOO_LARGE = (ValueError, "mmap offset is greater than file size")
LENGTH_TOO_LARGE = (ValueError, "mmap length is greater than file size")
NO_RESIZE = (TypeError, "mmap can't resize a readonly or copy-on-write memory map.")


@pytest.mark.unix("offsets are multiples of ALLOCATIONGRANULARITY, which is a page on Unix")
@pytest.mark.parametrize(
    ("size", "length", "offset", "expected"),
    [
        (10, 0, 0, 10),
        (10, 10, 0, 10),
        (10, 3, 0, 3),
        (PAGE + 10, 0, PAGE, 10),
        (PAGE + 10, 4, PAGE, 4),
        (3 * PAGE, 0, PAGE, 2 * PAGE),
    ],
)
def test_length_and_offset(map_file, make_file, size, length, offset, expected):
    data = os.urandom(size)
    with map_file(make_file(data), length, offset=offset) as m:
        assert m[:] == data[offset : offset + expected]
        assert len(m) == expected
        assert m.size() == size


@pytest.mark.unix("on Windows a map that is longer makes its file longer")
@pytest.mark.parametrize(
    ("size", "length", "offset", "error"),
    [
        (0, 0, 0, EMPTY),
        (0, 0, PAGE, EMPTY),
        (0, 0, 1, EMPTY),
        (0, 1, 0, LENGTH_TOO_LARGE),
        (0, 1, PAGE, LENGTH_TOO_LARGE),
        (10, 0, 10, OFFSET_TOO_LARGE),
        (10, 0, 11, OFFSET_TOO_LARGE),
        (10, 0, PAGE, OFFSET_TOO_LARGE),
        (PAGE, 0, PAGE, OFFSET_TOO_LARGE),
        (10, 11, 0, LENGTH_TOO_LARGE),
        (10, 1, 10, LENGTH_TOO_LARGE),
        (10, 1, PAGE, LENGTH_TOO_LARGE),
        (PAGE + 10, 11, PAGE, LENGTH_TOO_LARGE),
        (10, sys.maxsize, 0, LENGTH_TOO_LARGE),
        (10, sys.maxsize, sys.maxsize, LENGTH_TOO_LARGE),
    ],
)
def test_length_or_offset_out_of_the_file(map_file, make_file, raises, size, length, offset, error):
    path = make_file(bytes(size))
    with raises(*error):
        map_file(path, length, offset=offset)
    assert path.stat().st_size == size


@pytest.mark.unix("the numbers and texts of errors are those of Unix")
@pytest.mark.parametrize(("length", "offset"), [(0, 1), (1, 1), (10, PAGE - 1), (10, PAGE + 1)])
def test_offset_must_be_aligned(map_file, make_file, raises_os_error, length, offset):
    with raises_os_error(errno.EINVAL):
        map_file(make_file(bytes(3 * PAGE)), length, offset=offset)


@pytest.mark.parametrize("fd", [-2, -100, 10**6])
@pytest.mark.parametrize("length", [0, 10])
def test_bad_descriptor(mmap, raises_os_error, fd, length):
    with raises_os_error(errno.EBADF):
        mmap.mmap(fd, length)


@pytest.mark.unix("the numbers and texts of errors are those of Unix")
@pytest.mark.parametrize("options", [{}, {"flags": 2}, {"access": 1}])
def test_closed_descriptor(mmap, make_file, raises_os_error, options):
    fd = os.open(make_file(b"data"), os.O_RDWR)
    os.close(fd)
    with raises_os_error(errno.EBADF):
        mmap.mmap(fd, 4, **options)


@pytest.mark.standard_since((3, 13), "trackfd is new")
@pytest.mark.parametrize("fd", [-2, 10**6])
def test_bad_descriptor_untracked(mmap, raises_os_error, fd):
    with raises_os_error(errno.EBADF):
        mmap.mmap(fd, 10, trackfd=False)


@pytest.mark.unix("the numbers and texts of errors are those of Unix")
@pytest.mark.parametrize(
    ("mode", "options"),
    [
        (os.O_RDONLY, {}),
        (os.O_RDONLY, {"access": 2}),
        (os.O_RDONLY, {"prot": 2}),
        (os.O_WRONLY, {}),
        (os.O_WRONLY, {"access": 1}),
        (os.O_WRONLY, {"access": 3}),
        (os.O_WRONLY, {"flags": 2}),
    ],
)
def test_descriptor_without_the_right(map_file, make_file, raises_os_error, mode, options):
    with raises_os_error(errno.EACCES):
        map_file(make_file(b"data"), mode=mode, **options)


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.parametrize("options", [{"access": 1}, {"access": 3}, {"flags": 2}, {"prot": 1}, {"prot": 1, "flags": 2}])
def test_descriptor_for_reading_is_enough(map_file, make_file, options):
    with map_file(make_file(b"data"), mode=os.O_RDONLY, **options) as m:
        assert m[:] == b"data"


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.parametrize(
    ("options", "name", "writable", "reaches_file"),
    [
        ({}, "ACCESS_DEFAULT", True, True),
        ({"access": 0}, "ACCESS_DEFAULT", True, True),
        ({"access": 1}, "ACCESS_READ", False, False),
        ({"access": 2}, "ACCESS_WRITE", True, True),
        ({"access": 3}, "ACCESS_COPY", True, False),
        ({"flags": 1}, "ACCESS_DEFAULT", True, True),
        ({"flags": 2}, "ACCESS_DEFAULT", True, False),
        ({"prot": 1}, "ACCESS_READ", False, False),
        ({"prot": 1 | 4}, "ACCESS_READ", False, False),
        ({"prot": 3}, "ACCESS_DEFAULT", True, True),
        ({"prot": 3 | 4}, "ACCESS_DEFAULT", True, True),
        ({"prot": 2}, "ACCESS_WRITE", True, True),
        ({"prot": 1, "flags": 2}, "ACCESS_READ", False, False),
    ],
)
def test_access(mmap, map_file, make_file, raises, options, name, writable, reaches_file):
    path = make_file(b"data")
    with map_file(path, **options) as m:
        assert repr(m) == f"<mmap.mmap closed=False, access={name}, length=4, pos=0, offset=0>"
        if writable:
            m[0] = ord("D")
        else:
            with raises(TypeError, "mmap can't modify a readonly memory map."):
                m[0] = ord("D")
    assert path.read_bytes() == (b"Data" if reaches_file else b"data")


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.parametrize("prot", [0, 4])
def test_protection_without_read_or_write_is_read_only(mmap, prot):
    with mmap.mmap(-1, 10, prot=prot) as m:
        assert repr(m) == "<mmap.mmap closed=False, access=ACCESS_READ, length=10, pos=0, offset=0>"


def test_shared_maps_see_each_other(map_file, make_file):
    path = make_file(b"data")
    with map_file(path) as one, map_file(path) as other:
        one[1:3] = b"--"
        assert other[:] == b"d--a"


def test_copy_does_not_reach_other_maps(map_file, make_file):
    path = make_file(b"data")
    with map_file(path, access=3) as copy, map_file(path, access=1) as other:
        copy[:] = b"1234"
        assert (copy[:], other[:]) == (b"1234", b"data")


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.parametrize("options", [{}, {"access": 3}, {"access": 2}, {"flags": 2}])
def test_anonymous_memory_is_zero_and_writable(mmap, options):
    with mmap.mmap(-1, PAGE + 10, **options) as m:
        assert m[:] == bytes(PAGE + 10)
        m[:] = b"x" * (PAGE + 10)
        assert m[:] == b"x" * (PAGE + 10)


@pytest.mark.unix("Windows has no such device, link or descriptor")
def test_device(mmap):
    with open("/dev/zero", "r+b", buffering=0) as file:
        with mmap.mmap(file.fileno(), 3 * PAGE, flags=mmap.MAP_PRIVATE) as m:
            assert m[:] == bytes(3 * PAGE)
            m[5] = 7
            assert m[5] == 7
        with mmap.mmap(file.fileno(), 10, access=mmap.ACCESS_COPY, offset=PAGE) as m:
            assert m[:] == bytes(10)


@pytest.mark.unix("Windows has no such device, link or descriptor")
def test_device_size_is_that_of_the_descriptor(mmap):
    with open("/dev/zero", "r+b", buffering=0) as file, mmap.mmap(file.fileno(), 10) as m:
        assert m.size() == 0


@pytest.mark.unix("Windows has no such device, link or descriptor")
def test_device_needs_a_length(mmap, raises_os_error):
    with open("/dev/zero", "r+b", buffering=0) as file, raises_os_error(errno.EINVAL):
        mmap.mmap(file.fileno(), 0)


@pytest.mark.unix("the numbers and texts of errors are those of Unix")
@pytest.mark.parametrize("length", [0, 10])
def test_pipe(mmap, raises_os_error, length):
    read, write = os.pipe()
    try:
        with raises_os_error(errno.EINVAL if length == 0 else errno.ENODEV):
            mmap.mmap(read, length, access=mmap.ACCESS_READ)
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.unix("Windows has no such device, link or descriptor")
def test_directory(mmap, tmp_path, raises_os_error):
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        with raises_os_error(errno.ENODEV):
            mmap.mmap(fd, 10, access=mmap.ACCESS_READ)
    finally:
        os.close(fd)


def test_file_of_the_proc_file_system_says_it_is_empty(mmap, raises):
    with open("/proc/self/maps", "rb") as file, raises(*EMPTY):
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def open_descriptors():
    return {int(name) for name in os.listdir("/proc/self/fd")}


def new_descriptor(before):
    """The descriptor that is open now and was not before; the listing's own is closed when the test looks."""
    [fd] = [fd for fd in open_descriptors() - before if is_open(fd)]
    return fd


def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.mark.unix("Windows has no such device, link or descriptor")
def test_descriptor_is_duplicated_and_not_inherited(map_file, make_file):
    path = make_file(b"data")
    before = open_descriptors()
    m = map_file(path)
    fd = new_descriptor(before)
    assert os.fstat(fd).st_ino == path.stat().st_ino
    assert os.get_inheritable(fd) is False
    m.close()
    assert not is_open(fd)


@pytest.mark.unix("Windows removes no file that is mapped")
def test_map_lives_on_without_the_descriptor_and_the_name(map_file, make_file):
    path = make_file(b"data")
    with map_file(path) as m:
        path.unlink()
        assert m[:] == b"data"
        assert m.size() == 4


@pytest.mark.standard_since((3, 13), "trackfd is new")
def test_untracked_map_holds_no_descriptor(map_file, make_file):
    path = make_file(b"data")
    before = open_descriptors()
    with map_file(path, trackfd=False) as m:
        assert not [fd for fd in open_descriptors() - before if is_open(fd)]
        m[0] = ord("D")
        m.flush()
        assert m[:] == b"Data"
    assert path.read_bytes() == b"Data"


@pytest.mark.standard_since((3, 13), "trackfd is new")
def test_untracked_map_cannot_be_resized(map_file, make_file, raises):
    path = make_file(b"data")
    with map_file(path, trackfd=False) as m:
        with raises(ValueError, "mmap can't resize with trackfd=False."):
            m.resize(2)
        assert len(m) == 4
    assert path.read_bytes() == b"data"


@pytest.mark.standard_since((3, 13), "trackfd is new")
def test_untracked_is_found_before_read_only(map_file, make_file, raises):
    with (
        map_file(make_file(b"data"), access=1, trackfd=False) as m,
        raises(ValueError, "mmap can't resize with trackfd=False."),
    ):
        m.resize(2)


@pytest.mark.standard_since((3, 13), "trackfd is new")
@pytest.mark.parametrize("trackfd", [True, False])
def test_trackfd_of_anonymous_memory(mmap, trackfd):
    with mmap.mmap(-1, 10, trackfd=trackfd) as m:
        assert m[:] == bytes(10)


@pytest.mark.parametrize("access", [1, 3])
def test_resize_of_read_only_and_copy(map_file, make_file, raises, access):
    path = make_file(b"data")
    with map_file(path, access=access) as m, raises(*NO_RESIZE):
        m.resize(2)
    assert path.read_bytes() == b"data"


def test_failed_map_leaves_no_descriptor(map_file, make_file):
    path = make_file(bytes(2 * PAGE))
    before = open_descriptors()
    for _ in range(100):
        with pytest.raises(OSError):
            map_file(path, 1, offset=1)
    assert not [fd for fd in open_descriptors() - before if is_open(fd)]


@pytest.mark.unix("Windows has no such device, link or descriptor")
def test_symbolic_link_and_sparse_file(map_file, make_file, tmp_path):
    path = make_file()
    os.truncate(path, 10 * PAGE)
    link = tmp_path / "link"
    link.symlink_to(path)
    with map_file(link) as m:
        assert len(m) == 10 * PAGE
        m[9 * PAGE] = 1
    assert path.read_bytes()[9 * PAGE] == 1
