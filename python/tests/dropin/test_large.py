"""Maps larger than 4 GiB: positions, indexes and ranges that do not fit in 32 bits."""

import mmap as standard_mmap
import sys

import pytest

PAGE = standard_mmap.PAGESIZE
GIB = 1 << 30
SIZE = 5 * GIB
# Below and above the limits of signed and unsigned 32 bits, and at both ends.
MARKS = {
    0: b"<start>",
    2 * GIB - 4: b"<2 GiB>",
    2 * GIB + 5000: b"<above 2>",
    4 * GIB - 4: b"<4 GiB>",
    4 * GIB + 5000: b"<above 4>",
    SIZE - 5: b"<end>",
}
LIMITS = [2 * GIB - 1, 2 * GIB, 2 * GIB + 1, 4 * GIB - 1, 4 * GIB, 4 * GIB + 1]

pytestmark = pytest.mark.skipif(sys.maxsize < 2**32, reason="needs a 64-bit address space")


@pytest.fixture(scope="module")
def large_file(tmp_path_factory):
    """A file of 5 GiB that is nearly all hole."""
    path = tmp_path_factory.mktemp("large") / "sparse"
    with path.open("wb") as file:
        file.truncate(SIZE)
        for offset, mark in MARKS.items():
            file.seek(offset)
            file.write(mark)
    yield path
    path.unlink()


@pytest.fixture
def m(map_file, large_file):
    with map_file(large_file, access=3) as m:
        yield m


def test_length(m):
    assert (len(m), m.size()) == (SIZE, SIZE)
    assert repr(m) == f"<mmap.mmap closed=False, access=ACCESS_COPY, length={SIZE}, pos=0, offset=0>"


@pytest.mark.parametrize("offset", MARKS)
def test_items_and_slices(m, offset):
    mark = MARKS[offset]
    assert m[offset] == mark[0]
    assert m[offset - SIZE] == mark[0]
    assert m[offset : offset + len(mark)] == mark
    assert m[offset - SIZE : (offset + len(mark) - SIZE) or None] == mark
    assert m[offset : offset + len(mark) : 2] == mark[::2]
    if offset:
        assert m[offset + len(mark) - 1 : offset - 1 : -1] == mark[::-1]


def test_steps_beyond_the_limits(m):
    assert m[:: 4 * GIB] == bytes([m[0], m[4 * GIB]])
    assert m[:: 2 * GIB + 5000] == bytes([m[0], m[2 * GIB + 5000], m[4 * GIB + 10000]])
    assert m[SIZE - 5 :: -(4 * GIB)] == bytes([m[SIZE - 5], m[GIB - 5]])


@pytest.mark.parametrize("offset", LIMITS)
def test_assignment(m, offset):
    m[offset] = 65
    assert (m[offset - 1], m[offset]) == (m[offset - 1 : offset][0], 65)
    m[offset - 2 : offset + 3] = b"12345"
    assert m[offset - 3 : offset + 4][1:6] == b"12345"
    m[offset : offset + 6 : 2] = b"xyz"
    assert m[offset : offset + 5 : 2] == b"xyz"


def test_index_beyond_the_end(m, raises):
    for index in (SIZE, -SIZE - 1):
        with raises(IndexError, "mmap index out of range"):
            m[index]
        with raises(IndexError, "mmap index out of range"):
            m[index] = 1


@pytest.mark.parametrize("offset", MARKS)
def test_find(m, offset):
    mark = MARKS[offset]
    low, high = max(0, offset - 3000), min(SIZE, offset + 3000)
    assert m.find(mark, low, high) == offset
    assert m.rfind(mark, low, high) == offset
    assert m.find(mark, low - SIZE, high) == offset
    m.seek(offset)
    assert m.find(mark[:1]) == offset
    assert m.find(mark, low, offset + len(mark) - 1) == -1
    assert m.rfind(mark, offset + 1, high) == -1


def test_rfind_from_the_end(m):
    m.seek(SIZE - 100)
    assert m.rfind(b"<") == SIZE - 5
    assert m.rfind(b"") == SIZE


@pytest.mark.standard_since((3, 13), "seek() returns the position")
@pytest.mark.parametrize("offset", [*MARKS, *LIMITS])
def test_seek(m, raises, offset):
    assert m.seek(offset) == offset
    assert m.tell() == offset
    assert m.seek(0, 1) == offset
    assert m.seek(offset - SIZE, 2) == offset
    m.seek(GIB)
    assert m.seek(offset - GIB, 1) == offset
    with raises(ValueError, "seek out of range"):
        m.seek(SIZE - offset + 1, 1)
    assert m.tell() == offset


@pytest.mark.parametrize("offset", MARKS)
def test_read(m, offset):
    mark = MARKS[offset]
    m.seek(offset)
    assert (m.read(len(mark)), m.tell()) == (mark, offset + len(mark))
    m.seek(offset)
    assert (m.read_byte(), m.tell()) == (mark[0], offset + 1)


@pytest.mark.parametrize("offset", LIMITS)
def test_write(m, offset):
    m.seek(offset - 3)
    assert m.write(b"abcdef") == 6
    assert m.write_byte(65) is None
    assert (m.tell(), m[offset - 3 : offset + 4]) == (offset + 4, b"abcdefA")


def test_readline(m):
    m[4 * GIB - 2 : 4 * GIB + 8] = b"line\nnext\n"
    m.seek(4 * GIB - 2)
    assert (m.readline(), m.readline(), m.tell()) == (b"line\n", b"next\n", 4 * GIB + 8)


@pytest.mark.parametrize(("dest", "src"), [(4 * GIB, 0), (1, 4 * GIB + 5000), (4 * GIB - 4096, 4 * GIB)])
def test_move(m, dest, src):
    expected = m[src : src + 5000]
    m.move(dest, src, 5000)
    assert m[dest : dest + 5000] == expected


def test_move_out_of_range(m, raises):
    for args in ((SIZE - 5, 0, 6), (0, SIZE - 5, 6), (0, 4 * GIB, 4 * GIB), (SIZE + 1, 0, 0)):
        with raises(ValueError, "source, destination, or count out of range"):
            m.move(*args)


def test_view(m):
    with memoryview(m) as view:
        assert view.nbytes == SIZE
        assert view[4 * GIB + 5000 : 4 * GIB + 5009].tobytes() == b"<above 4>"
        assert view[-5:].tobytes() == b"<end>"


@pytest.mark.unix("Windows has no madvise()")
def test_flush_and_madvise(mmap, map_file, large_file):
    with map_file(large_file) as m:
        assert m.flush(4 * GIB, PAGE) is None
        assert m.madvise(mmap.MADV_RANDOM, 4 * GIB) is None
        assert m.madvise(mmap.MADV_NORMAL, 2 * GIB, 2 * GIB) is None


@pytest.mark.parametrize("offset", [2 * GIB, 4 * GIB])
def test_offset_of_the_map(map_file, large_file, offset):
    with map_file(large_file, offset=offset, access=1) as m:
        assert (len(m), m.size(), m[5000:5003]) == (SIZE - offset, SIZE, b"<ab")
        assert repr(m).endswith(f"length={SIZE - offset}, pos=0, offset={offset}>")
    with map_file(large_file, 10, offset=offset, access=1) as m:
        assert len(m) == 10


@pytest.mark.unix("flags and prot are for Unix")
def test_resize_of_anonymous_memory(mmap):
    with mmap.mmap(-1, PAGE, flags=mmap.MAP_PRIVATE) as m:
        m[0] = 7
        m.resize(SIZE)
        m[SIZE - 1] = 8
        assert (len(m), m[0], m[SIZE - 1], m[4 * GIB]) == (SIZE, 7, 8, 0)
        m.resize(4 * GIB + 10)
        assert (len(m), m[4 * GIB + 9]) == (4 * GIB + 10, 0)
        m.resize(PAGE)
        assert (len(m), m[0]) == (PAGE, 7)
