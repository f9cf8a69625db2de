"""resize(): files, anonymous memory, refusals and the order of the checks."""

import errno
import mmap as standard_mmap
import os
import sys

import pytest

PAGE = standard_mmap.PAGESIZE
EXPORTED = (BufferError, "mmap can't resize with extant buffers exported.")
UNTRACKED = (ValueError, "mmap can't resize with trackfd=False.")
NOT_WRITABLE = (TypeError, "mmap can't resize a readonly or copy-on-write memory map.")
OUT_OF_RANGE = (ValueError, "new size out of range")
SHARED_ANONYMOUS = (ValueError, "mmap: can't expand a shared anonymous mapping")
SSIZE = (OverflowError, "Python int too large to convert to C ssize_t")

# Its new pages could not be used. The text is younger than the refusal.
CANNOT_GROW = pytest.mark.standard_since((3, 15, 2), "shared anonymous memory is not made larger")


@pytest.mark.parametrize("access", [0, 2])
@pytest.mark.parametrize(
    ("old", "new"),
    [(10, 20), (10, 5), (10, 10), (10, PAGE + 1), (3 * PAGE, 10), (3 * PAGE, 2 * PAGE), (1, 50 * PAGE), (10, 1)],
)
def test_file(map_file, make_file, access, old, new):
    data = os.urandom(old)
    path = make_file(data)
    with map_file(path, access=access) as m:
        assert m.resize(new) is None
        assert (len(m), m.size(), path.stat().st_size) == (new, new, new)
        assert m[:] == data[:new] + bytes(max(0, new - old))
        m[new - 1] = 7
    assert path.read_bytes()[-1] == 7


def test_file_that_grows_and_shrinks_again_and_again(map_file, make_file):
    path = make_file(b"x")
    with map_file(path) as m:
        for size in [PAGE, 3 * PAGE + 5, 2, 40 * PAGE, 41 * PAGE, 1, 100]:
            m.resize(size)
            m[size - 1] = size % 251
            assert (m[size - 1], len(m), path.stat().st_size) == (size % 251, size, size)


@pytest.mark.unix("offsets are multiples of ALLOCATIONGRANULARITY, which is a page on Unix")
def test_file_with_an_offset(map_file, make_file):
    path = make_file(bytes(PAGE) + b"data")
    with map_file(path, offset=PAGE) as m:
        m.resize(100)
        assert (len(m), m.size(), path.stat().st_size) == (100, PAGE + 100, PAGE + 100)
        m[99] = 1
        m.resize(2)
        assert (m[:], m.size(), path.stat().st_size) == (b"da", PAGE + 2, PAGE + 2)


def test_part_of_a_file_cuts_the_rest(map_file, make_file):
    """The file ends where the map ends, also when the map was not all of it."""
    path = make_file(bytes(3 * PAGE))
    with map_file(path, 10) as m:
        m.resize(20)
        assert path.stat().st_size == 20


def test_other_maps_see_the_new_part(map_file, make_file):
    path = make_file(b"data")
    with map_file(path) as m:
        m.resize(8)
        with map_file(path) as other:
            m[4:] = b"more"
            assert other[:] == b"datamore"


@pytest.mark.unix("flags and prot are for Unix")
def test_private_map_of_a_file_changes_the_size_of_the_file(map_file, make_file):
    path = make_file(bytes(PAGE))
    with map_file(path, flags=2) as m:
        m[0] = 1
        m.resize(2 * PAGE)
        assert (m[0], len(m), path.stat().st_size) == (1, 2 * PAGE, 2 * PAGE)
    assert path.read_bytes() == bytes(2 * PAGE)


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.parametrize(("old", "new"), [(10, 20), (10, 5), (10, 100 * PAGE), (100 * PAGE, 10), (PAGE, 2 * PAGE)])
def test_private_anonymous_memory(mmap, old, new):
    with mmap.mmap(-1, old, flags=mmap.MAP_PRIVATE) as m:
        m[:] = b"x" * old
        m.resize(new)
        assert len(m) == new
        assert m[: min(old, new)] == b"x" * min(old, new)
        if new > old and old % PAGE == 0:
            assert m[old:] == bytes(new - old)
        m[new - 1] = 1


@pytest.mark.parametrize(("old", "new"), [(10, 5), (10, 10), (100 * PAGE, 10), (3 * PAGE, 2 * PAGE)])
def test_shared_anonymous_memory_can_shrink(mmap, old, new):
    with mmap.mmap(-1, old) as m:
        m[:] = b"x" * old
        m.resize(new)
        assert m[:] == b"x" * new


@pytest.mark.unix("Windows resizes by other rules")
@CANNOT_GROW
@pytest.mark.parametrize("new", [11, PAGE, 100 * PAGE])
def test_shared_anonymous_memory_cannot_grow(mmap, raises, new):
    with mmap.mmap(-1, 10) as m:
        with raises(*SHARED_ANONYMOUS):
            m.resize(new)
        assert (len(m), m[:]) == (10, bytes(10))


@pytest.mark.unix("Windows resizes by other rules")
@CANNOT_GROW
def test_shared_anonymous_memory_cannot_grow_back(mmap, raises):
    with mmap.mmap(-1, 2 * PAGE) as m:
        m.resize(PAGE)
        with raises(*SHARED_ANONYMOUS):
            m.resize(2 * PAGE)
        assert len(m) == PAGE


@pytest.mark.unix("the numbers and texts of errors are those of Unix")
def test_to_nothing(map_file, make_file, raises_os_error):
    """The file is cut, then the system refuses a map of no length, which stays as long as it was."""
    path = make_file(b"data")
    with map_file(path) as m:
        with raises_os_error(errno.EINVAL):
            m.resize(0)
        assert (len(m), path.stat().st_size, m.closed) == (4, 0, False)


@pytest.mark.unix("Windows resizes by other rules")
def test_anonymous_memory_to_nothing(mmap, raises_os_error):
    with mmap.mmap(-1, 10, flags=mmap.MAP_PRIVATE) as m:
        with raises_os_error(errno.EINVAL):
            m.resize(0)
        assert (len(m), m[:]) == (10, bytes(10))


def test_position_stays(new_map):
    with new_map(b"0123456789") as m:
        m.seek(7)
        m.resize(20)
        assert m.tell() == 7
        m.resize(5)
        assert m.tell() == 7


@pytest.mark.parametrize(
    ("size", "error"),
    [
        (-1, OUT_OF_RANGE),
        (-sys.maxsize - 1, OUT_OF_RANGE),
        (2**70, SSIZE),
        (-(2**70), SSIZE),
        ("a", (TypeError, "'str' object cannot be interpreted as an integer")),
        (1.0, (TypeError, "'float' object cannot be interpreted as an integer")),
        (None, (TypeError, "'NoneType' object cannot be interpreted as an integer")),
    ],
)
def test_errors(map_file, make_file, raises, size, error):
    path = make_file(b"data")
    with map_file(path) as m:
        with raises(*error):
            m.resize(size)
        assert (m[:], path.stat().st_size) == (b"data", 4)


@pytest.mark.unix("offsets are multiples of ALLOCATIONGRANULARITY, which is a page on Unix")
def test_offset_and_size_must_fit(map_file, make_file, raises):
    path = make_file(bytes(PAGE + 10))
    with map_file(path, offset=PAGE) as m:
        with raises(*OUT_OF_RANGE):
            m.resize(sys.maxsize - PAGE + 1)
        assert path.stat().st_size == PAGE + 10


def test_larger_than_any_file(map_file, make_file):
    path = make_file(b"data")
    with map_file(path) as m:
        with pytest.raises(OSError) as caught:
            m.resize(sys.maxsize)
        assert caught.value.errno in (errno.EFBIG, errno.EINVAL, errno.ENOSPC, errno.ENOMEM)
        assert len(m) == 4


@pytest.mark.parametrize("args", [(), (1, 2)])
def test_number_of_arguments(new_map, args):
    with new_map(b"data") as m, pytest.raises(TypeError):
        m.resize(*args)


def test_no_argument_by_keyword(new_map):
    with new_map(b"data") as m, pytest.raises(TypeError):
        m.resize(newsize=10)


def test_index_like_size(new_map):
    class Index:
        def __index__(self):
            return 8

    with new_map(b"data") as m:
        m.resize(Index())
        assert m[:] == b"data\0\0\0\0"


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.parametrize("options", [{"access": 1}, {"access": 3}, {"prot": 1}])
@pytest.mark.parametrize("size", [0, 2, 4, 10, -1])
def test_not_writable(map_file, make_file, raises, options, size):
    path = make_file(b"data")
    with map_file(path, **options) as m:
        with raises(*NOT_WRITABLE):
            m.resize(size)
        assert (m[:], path.stat().st_size) == (b"data", 4)


class TestOrder:
    """Exports, then the descriptor, then the access, then the range."""

    def test_exports_first(self, new_map, raises):
        for options in ({}, {"access": 1}, {"access": 3}):
            with new_map(b"data", **options) as m, memoryview(m), raises(*EXPORTED):
                m.resize(-1)

    @pytest.mark.standard_since((3, 13), "trackfd is new")
    def test_exports_before_the_descriptor(self, new_map, raises):
        with new_map(b"data", trackfd=False) as m, memoryview(m), raises(*EXPORTED):
            m.resize(10)

    @pytest.mark.standard_since((3, 13), "trackfd is new")
    def test_descriptor_before_the_access(self, new_map, raises):
        for access in (1, 3):
            with new_map(b"data", trackfd=False, access=access) as m, raises(*UNTRACKED):
                m.resize(-1)

    @pytest.mark.standard_since((3, 13), "trackfd is new")
    def test_descriptor_before_the_range(self, new_map, raises):
        with new_map(b"data", trackfd=False) as m, raises(*UNTRACKED):
            m.resize(-1)

    def test_conversion_before_everything(self, new_map, raises):
        with new_map(b"data", access=1) as m, memoryview(m), raises(*SSIZE):
            m.resize(2**70)

    @CANNOT_GROW
    def test_range_before_shared_memory(self, mmap, raises):
        with mmap.mmap(-1, 10) as m, raises(*OUT_OF_RANGE):
            m.resize(-1)


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.standard_since((3, 13), "trackfd is new")
def test_untracked_anonymous_memory(mmap, raises):
    with mmap.mmap(-1, 10, flags=mmap.MAP_PRIVATE, trackfd=False) as m, raises(*UNTRACKED):
        m.resize(20)


@pytest.mark.unix("flags and prot are for Unix")
def test_file_opened_for_reading_by_a_private_map(map_file, make_file, raises_os_error):
    """The map may be written, the file may not be cut."""
    path = make_file(b"data")
    with map_file(path, flags=2, mode=os.O_RDONLY) as m:
        with raises_os_error(errno.EINVAL):
            m.resize(10)
        assert (m[:], path.stat().st_size) == (b"data", 4)
