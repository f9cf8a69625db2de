"""flush() and madvise(): ranges, flags, what they refuse."""

import errno
import mmap as standard_mmap
import sys

import pytest
from arguments import no_index

PAGE = standard_mmap.PAGESIZE
SIZE = 3 * PAGE
OUT_OF_RANGE = (ValueError, "flush values out of range")
SSIZE = (OverflowError, "Python int too large to convert to C ssize_t")
C_INT = (OverflowError, "Python int too large to convert to C int")
START = (ValueError, "madvise start out of bounds")
LENGTH = (ValueError, "madvise length invalid")

WHOLE = pytest.mark.standard_since((3, 15), "flush(offset) goes to the end of the map; -1 stands for that")
FLAGS = pytest.mark.standard_since((3, 15), "flush() takes flags")
TAKES_NONE = pytest.mark.standard_since((3, 14, 1), "madvise() takes None for the length")


@pytest.fixture
def m(new_map):
    with new_map(bytes(SIZE)) as m:
        yield m


def test_flush_brings_the_bytes_to_the_file(map_file, make_file):
    path = make_file(b"data")
    with map_file(path) as m:
        m[:] = b"DATA"
        assert m.flush() is None
        assert path.read_bytes() == b"DATA"


@pytest.mark.parametrize(
    "args",
    [
        (),
        (0,),
        (0, 0),
        (0, 5),
        (0, PAGE),
        (PAGE, PAGE),
        (PAGE, 5),
        (SIZE, 0),
        (0, SIZE),
        pytest.param((PAGE,), marks=WHOLE),
        pytest.param((SIZE,), marks=WHOLE),
        pytest.param((0, -1), marks=WHOLE),
        pytest.param((PAGE, -1), marks=WHOLE),
        pytest.param((SIZE, -1), marks=WHOLE),
    ],
)
def test_flush_ranges(m, args):
    assert m.flush(*args) is None


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ((-1,), OUT_OF_RANGE),
        ((-PAGE, PAGE), OUT_OF_RANGE),
        ((0, -2), OUT_OF_RANGE),
        ((0, SIZE + 1), OUT_OF_RANGE),
        ((PAGE, SIZE), OUT_OF_RANGE),
        ((SIZE, 1), OUT_OF_RANGE),
        ((SIZE + 1, 0), OUT_OF_RANGE),
        ((SIZE + 1,), OUT_OF_RANGE),
        ((1, SIZE), OUT_OF_RANGE),
        ((sys.maxsize, sys.maxsize), OUT_OF_RANGE),
        ((sys.maxsize,), OUT_OF_RANGE),
        ((2**70,), SSIZE),
        ((0, 2**70), SSIZE),
        (("a",), no_index("str")),
        ((0, "a"), no_index("str")),
        ((0, 1.0), no_index("float")),
        ((None,), no_index("NoneType")),
        pytest.param((0, None), no_index("NoneType"), marks=WHOLE),
    ],
)
def test_flush_errors(m, raises, args, error):
    with raises(*error):
        m.flush(*args)


@pytest.mark.unix("Windows flushes any range, and knows no flags")
@pytest.mark.parametrize("args", [(1, 5), (PAGE - 1, 1), pytest.param((1,), marks=WHOLE)])
def test_flush_wants_whole_pages(m, raises_os_error, args):
    with raises_os_error(errno.EINVAL):
        m.flush(*args)


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.parametrize("options", [{"access": 1}, {"access": 3}, {"prot": 1}])
def test_flush_of_a_map_that_does_not_write_is_nothing(new_map, raises, options):
    with new_map(bytes(SIZE), **options) as m:
        assert m.flush() is None
        assert m.flush(1, 5) is None
        with raises(*OUT_OF_RANGE):
            m.flush(0, SIZE + 1)
        with raises(*OUT_OF_RANGE):
            m.flush(-1)


@FLAGS
def test_flags_of_a_map_that_does_not_write_are_not_looked_at(new_map, raises):
    with new_map(bytes(SIZE), access=1) as m:
        assert m.flush(flags=99) is None
        with raises(*no_index("str")):
            m.flush(flags="a")


@FLAGS
@pytest.mark.parametrize("flags", [0, 1, 2, 3, 4, 6, True])
def test_flush_flags(m, flags):
    m[PAGE] = 1
    assert m.flush(flags=flags) is None
    assert m.flush(PAGE, PAGE, flags=flags) is None


@pytest.mark.unix("Windows flushes any range, and knows no flags")
@FLAGS
def test_flush_flags_by_name(mmap, m):
    for flags in (mmap.MS_SYNC, mmap.MS_ASYNC, mmap.MS_INVALIDATE, mmap.MS_SYNC | mmap.MS_INVALIDATE):
        assert m.flush(flags=flags) is None


@pytest.mark.unix("Windows flushes any range, and knows no flags")
@FLAGS
@pytest.mark.parametrize("flags", [5, 7, 8, 99, -1])
def test_flush_flags_that_the_system_refuses(m, raises_os_error, flags):
    with raises_os_error(errno.EINVAL):
        m.flush(flags=flags)


@FLAGS
@pytest.mark.parametrize(
    ("flags", "error"),
    [("a", no_index("str")), (None, no_index("NoneType")), (1.0, no_index("float")), (2**31, C_INT)],
)
def test_flush_flags_errors(m, raises, flags, error):
    with raises(*error):
        m.flush(flags=flags)
    with raises(*error):
        m.flush(SIZE + 1, flags=flags)


@FLAGS
def test_range_is_found_before_the_flags(m, raises):
    with raises(*OUT_OF_RANGE):
        m.flush(SIZE + 1, flags=99)


@pytest.mark.parametrize(("args", "options"), [((0, 0, 0), {}), ((), {"offset": 0}), ((), {"size": 0})])
def test_flush_arguments(m, args, options):
    with pytest.raises(TypeError):
        m.flush(*args, **options)


def test_flush_of_anonymous_memory(mmap):
    with mmap.mmap(-1, SIZE) as m:
        assert m.flush() is None
        assert m.flush(PAGE, PAGE) is None


@pytest.mark.unix("Windows has no madvise()")
@pytest.mark.parametrize(
    "args",
    [
        (0,),
        (0, 0),
        (0, PAGE),
        (0, 0, PAGE),
        (0, PAGE, PAGE),
        (0, 0, 0),
        (0, 0, 1),
        (0, 2 * PAGE, 100 * PAGE),
        (0, 0, sys.maxsize),
        pytest.param((0, 0, None), marks=TAKES_NONE),
        pytest.param((0, PAGE, None), marks=TAKES_NONE),
    ],
)
def test_madvise_ranges(m, args):
    assert m.madvise(*args) is None


@pytest.mark.unix("Windows has no madvise()")
@pytest.mark.parametrize("name", ["NORMAL", "RANDOM", "SEQUENTIAL", "WILLNEED", "DONTNEED", "DONTDUMP", "DODUMP"])
def test_madvise_options(mmap, m, name):
    m[0] = 1
    assert m.madvise(getattr(mmap, f"MADV_{name}")) is None
    assert m[0] == 1


@pytest.mark.unix("Windows has no madvise()")
def test_madvise_dontneed_forgets_private_memory(mmap):
    with mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE) as m:
        m[:] = b"x" * SIZE
        m.madvise(mmap.MADV_DONTNEED, PAGE, 1)
        assert m[:] == b"x" * PAGE + bytes(PAGE) + b"x" * PAGE


@pytest.mark.unix("Windows has no madvise()")
@pytest.mark.parametrize(
    ("args", "error"),
    [
        ((0, -1), START),
        ((0, SIZE), START),
        ((0, SIZE + 1), START),
        ((0, -1, -1), START),
        ((9999, -1), START),
        ((0, 0, -1), LENGTH),
        ((9999, 0, -1), LENGTH),
        ((0, PAGE, sys.maxsize), (OverflowError, "madvise length too large")),
        ((0, 1, sys.maxsize), (OverflowError, "madvise length too large")),
        ((0, 2**70), SSIZE),
        ((0, 0, 2**70), SSIZE),
        pytest.param(
            (2**31,),
            C_INT,
            marks=pytest.mark.standard_since((3, 14, 1), "another text when an int does not fit in C"),
        ),
        (("a",), no_index("str")),
        ((None,), no_index("NoneType")),
        ((0, "a"), no_index("str")),
        ((0, None), no_index("NoneType")),
        ((0, 0, "a"), no_index("str")),
        (("a", 1.0), no_index("str")),
    ],
)
def test_madvise_errors(m, raises, args, error):
    with raises(*error):
        m.madvise(*args)


@pytest.mark.unix("Windows has no madvise()")
@pytest.mark.parametrize("args", [(0, 1), (0, 1, 5), (0, SIZE - 1), (9999,), (-1,)])
def test_madvise_that_the_system_refuses(m, raises_os_error, args):
    with raises_os_error(errno.EINVAL):
        m.madvise(*args)


@pytest.mark.unix("Windows has no madvise()")
@pytest.mark.parametrize(("args", "options"), [((), {}), ((0, 0, 0, 0), {}), ((), {"option": 0}), ((0,), {"start": 0})])
def test_madvise_arguments(m, args, options):
    with pytest.raises(TypeError):
        m.madvise(*args, **options)


@pytest.mark.unix("Windows has no madvise()")
@pytest.mark.parametrize("options", [{"access": 1}, {"access": 3}])
def test_madvise_of_a_map_that_does_not_write(mmap, new_map, options):
    with new_map(bytes(SIZE), **options) as m:
        assert m.madvise(mmap.MADV_RANDOM) is None
