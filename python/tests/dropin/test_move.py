"""move(), size() and set_name()."""

import mmap as standard_mmap
import random
import sys

import pytest
from arguments import no_index

DATA = b"0123456789"
PAGE = standard_mmap.PAGESIZE
OUT_OF_RANGE = (ValueError, "source, destination, or count out of range")
SSIZE = (OverflowError, "Python int too large to convert to C ssize_t")
READ_ONLY = (TypeError, "mmap can't modify a readonly memory map.")
NAMES = pytest.mark.standard_since((3, 15), "set_name() is new")


def moved(data, dest, src, count):
    result = bytearray(data)
    result[dest : dest + count] = data[src : src + count]
    return result


@pytest.mark.parametrize(
    ("dest", "src", "count"),
    [
        (0, 5, 5),
        (5, 0, 5),
        (0, 1, 9),
        (1, 0, 9),
        (0, 0, 10),
        (3, 3, 4),
        (2, 4, 5),
        (4, 2, 5),
        (0, 0, 0),
        (10, 10, 0),
        (10, 0, 0),
        (0, 10, 0),
        (True, False, 2),
    ],
)
def test_move(new_map, dest, src, count):
    with new_map(DATA) as m:
        m.seek(4)
        assert m.move(dest, src, count) is None
        assert (m[:], m.tell()) == (moved(DATA, dest, src, count), 4)


def test_move_many_lengths(new_map):
    rng = random.Random(5)
    data = rng.randbytes(20000)
    with new_map(data) as m:
        for _ in range(300):
            dest, src = rng.randrange(len(data)), rng.randrange(len(data))
            count = rng.randrange(len(data) - max(dest, src))
            m[:] = data
            m.move(dest, src, count)
            assert m[:] == moved(data, dest, src, count)


MOVE_ERRORS = [
    ((11, 0, 0), OUT_OF_RANGE),
    ((0, 11, 0), OUT_OF_RANGE),
    ((0, 0, 11), OUT_OF_RANGE),
    ((5, 0, 6), OUT_OF_RANGE),
    ((0, 5, 6), OUT_OF_RANGE),
    ((10, 0, 1), OUT_OF_RANGE),
    ((0, 10, 1), OUT_OF_RANGE),
    ((-1, 0, 0), OUT_OF_RANGE),
    ((0, -1, 0), OUT_OF_RANGE),
    ((0, 0, -1), OUT_OF_RANGE),
    ((sys.maxsize, sys.maxsize, sys.maxsize), OUT_OF_RANGE),
    ((sys.maxsize, 0, 1), OUT_OF_RANGE),
    ((0, 1, sys.maxsize), OUT_OF_RANGE),
    ((-sys.maxsize - 1, 0, 1), OUT_OF_RANGE),
    ((2**70, 0, 0), SSIZE),
    ((0, 2**70, 0), SSIZE),
    ((0, 0, -(2**70)), SSIZE),
    (("a", 0, 0), no_index("str")),
    ((0, 1.0, 0), no_index("float")),
    ((0, 0, None), no_index("NoneType")),
    ((11, 0, "a"), no_index("str")),
]


@pytest.mark.parametrize(("args", "error"), MOVE_ERRORS)
def test_move_errors(new_map, raises, args, error):
    with new_map(DATA) as m:
        with raises(*error):
            m.move(*args)
        assert m[:] == DATA


@pytest.mark.parametrize(("args", "error"), MOVE_ERRORS)
def test_move_in_a_read_only_map(new_map, raises, args, error):
    """Conversion comes first, then the protection, then the range."""
    with new_map(DATA, access=1) as m:
        with raises(*(READ_ONLY if error == OUT_OF_RANGE else error)):
            m.move(*args)
        with raises(*READ_ONLY):
            m.move(0, 0, 0)


@pytest.mark.parametrize("args", [(), (0,), (0, 0), (0, 0, 0, 0)])
def test_move_number_of_arguments(new_map, args):
    with new_map(DATA) as m, pytest.raises(TypeError):
        m.move(*args)


def test_move_in_a_copy(map_file, make_file):
    path = make_file(DATA)
    with map_file(path, access=3) as m:
        m.move(0, 5, 5)
        assert m[:] == b"5678956789"
    assert path.read_bytes() == DATA


@pytest.mark.unix("offsets are multiples of ALLOCATIONGRANULARITY, which is a page on Unix")
def test_size_is_that_of_the_file(map_file, make_file):
    path = make_file(bytes(2 * PAGE))
    with map_file(path, 10) as m:
        assert (len(m), m.size()) == (10, 2 * PAGE)
        with path.open("ab") as file:
            file.write(b"more")
        assert (len(m), m.size()) == (10, 2 * PAGE + 4)
    with map_file(path, 10, offset=PAGE) as m:
        assert (len(m), m.size()) == (10, 2 * PAGE + 4)


@pytest.mark.parametrize("access", [0, 1, 2, 3])
def test_size_of_every_access(new_map, access):
    with new_map(DATA, access=access) as m:
        assert m.size() == 10


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.standard_since((3, 15), "size() of anonymous memory is its length")
@pytest.mark.parametrize("length", [1, 10, PAGE, 3 * PAGE + 1])
@pytest.mark.parametrize("flags", [1, 2])
def test_size_of_anonymous_memory(mmap, length, flags):
    with mmap.mmap(-1, length, flags=flags) as m:
        assert m.size() == length


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.standard_since((3, 15), "size() of anonymous memory is its length")
def test_size_of_anonymous_memory_after_a_resize(mmap):
    with mmap.mmap(-1, 10, flags=mmap.MAP_PRIVATE) as m:
        m.resize(20)
        assert m.size() == 20


@pytest.mark.standard_since((3, 15), "size() without the descriptor is a ValueError")
def test_size_of_an_untracked_map(mmap, new_map):
    # The own tests of 3.13 and 3.14 want an OSError: an exception that is both is right there.
    for m in (new_map(DATA, trackfd=False), mmap.mmap(-1, 10, trackfd=False)):
        with pytest.raises(ValueError, match=r"^can't get size with trackfd=False$"):
            m.size()
        m.close()


@pytest.mark.unix("flags and prot are for Unix")
@NAMES
@pytest.mark.parametrize("name", ["", "name", "n" * 66, "é" * 33])
@pytest.mark.parametrize("flags", [1, 2])
def test_set_name(mmap, name, flags):
    if sys.flags.dev_mode:
        pytest.skip("in development mode the kernel is asked, which may lack names")
    with mmap.mmap(-1, PAGE, flags=flags) as m:
        assert m.set_name(name) is None


SET_NAME_ERRORS = [
    (1, (TypeError, "set_name() argument must be str, not int")),
    (b"name", (TypeError, "set_name() argument must be str, not bytes")),
    (None, (TypeError, "set_name() argument must be str, not None")),
    ("a\0b", (ValueError, "embedded null character")),
    ("n" * 67, (ValueError, "name is too long")),
    ("é" * 34, (ValueError, "name is too long")),
    ("\0" * 100, (ValueError, "embedded null character")),
]


@NAMES
@pytest.mark.parametrize(("name", "error"), SET_NAME_ERRORS)
def test_set_name_errors(mmap, raises, name, error):
    with mmap.mmap(-1, PAGE) as m, raises(*error):
        m.set_name(name)


@NAMES
@pytest.mark.parametrize(("name", "error"), SET_NAME_ERRORS)
def test_set_name_checks_the_name_before_the_map(new_map, raises, name, error):
    with new_map(DATA) as m, raises(*error):
        m.set_name(name)


@NAMES
@pytest.mark.parametrize("options", [{}, {"access": 1}, {"access": 3}, {"trackfd": False}])
def test_set_name_is_for_anonymous_memory(new_map, raises, options):
    with new_map(DATA, **options) as m, raises(ValueError, "Cannot set annotation on non-anonymous mappings"):
        m.set_name("name")


@NAMES
def test_set_name_of_half_a_character(mmap):
    with mmap.mmap(-1, PAGE) as m, pytest.raises(UnicodeEncodeError):
        m.set_name("\ud800")


@NAMES
@pytest.mark.parametrize("args", [(), ("a", "b")])
def test_set_name_number_of_arguments(mmap, args):
    with mmap.mmap(-1, PAGE) as m, pytest.raises(TypeError):
        m.set_name(*args)
