"""find() and rfind(): results against those of bytes, defaults, ranges, errors."""

import itertools
import random
import sys

import pytest
from arguments import DATA, Failing, Index, no_buffer, no_index

SSIZE = (OverflowError, "Python int too large to convert to C ssize_t")
NOT_CONTIGUOUS = (BufferError, "memoryview: underlying buffer is not C-contiguous")

TAKES_NONE = pytest.mark.standard_since((3, 14, 1), "None stands for the default of start and end")
PAST_THE_END = pytest.mark.standard_since((3, 15), "nothing is found from a start beyond the end, not even b''")

METHODS = ["find", "rfind"]


POINTS = [0, 1, 2, 3, 5, 9, 10, -1, -2, -5, -10, -11, -100, -sys.maxsize - 1]
ENDS = [*POINTS, 11, 100, sys.maxsize]
NEEDLES = [b"a", b"b", b"c", b"x", b"", b"aa", b"ab", b"aba", b"abc", b"abaababaab", b"abaababaabx", bytes(20)]


@PAST_THE_END
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("needle", NEEDLES)
def test_every_range_is_that_of_bytes(new_map, method, needle):
    data = b"abaababaab"
    starts = [*POINTS, 11, 100, sys.maxsize]
    with new_map(data, access=1) as m:
        got = {(start, end): getattr(m, method)(needle, start, end) for start in starts for end in ENDS}
    assert got == {(start, end): getattr(data, method)(needle, start, end) for start in starts for end in ENDS}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("alphabet", [2, 3, 256])
def test_random_text_is_searched_as_bytes_are(new_map, method, alphabet):
    rng = random.Random(alphabet)
    data = bytes(rng.randrange(alphabet) for _ in range(20000))
    with new_map(data, access=1) as m:
        for length in itertools.chain(range(1, 20), (31, 32, 33, 63, 64, 65, 255, 256, 1000)):
            for _ in range(10):
                at = rng.randrange(len(data) - length)
                needle = bytearray(data[at : at + length])
                if rng.random() < 0.3:
                    needle[rng.randrange(length)] ^= 1
                start, end = rng.randrange(len(data)), rng.randrange(len(data))
                assert getattr(m, method)(needle, 0) == getattr(data, method)(needle)
                assert getattr(m, method)(needle, start, end) == getattr(data, method)(needle, start, end)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("needle", [b"a" * 500 + b"b" + b"a" * 500, b"b" + b"a" * 1000, b"a" * 1000 + b"b"])
def test_repetitive_text(new_map, method, needle):
    """The worst case of simple searches; linear here, or the test would seem to hang."""
    data = b"a" * 1_000_000 + needle + b"a" * 1_000_000
    with new_map(data, access=1) as m:
        assert getattr(m, method)(needle, 0) == data.index(b"b") - needle.index(b"b")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("position", [0, 1, 2, 3, 5, 10])
@pytest.mark.parametrize("needle", [b"2", b"", b"0", b"9", b"x", b"23"])
def test_search_starts_at_the_position(m, method, position, needle):
    m.seek(position)
    assert getattr(m, method)(needle) == getattr(DATA, method)(needle, position)
    assert m.tell() == position


@TAKES_NONE
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("position", [0, 3, 10])
def test_none_is_the_default(m, method, position):
    m.seek(position)
    search = getattr(m, method)
    for needle in (b"2", b"5", b""):
        assert search(needle, None) == search(needle, None, None) == getattr(DATA, method)(needle, position)
        assert search(needle, 2, None) == getattr(DATA, method)(needle, 2)
        assert search(needle, -8, None) == getattr(DATA, method)(needle, 2)


@TAKES_NONE
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("end", [0, 1, 2, 5, -8, -100, 100])
def test_end_is_ignored_when_start_is_none(m, method, end):
    m.seek(1)
    for needle in (b"7", b"", b"0"):
        assert getattr(m, method)(needle, None, end) == getattr(DATA, method)(needle, 1)


@PAST_THE_END
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("start", [11, 12, 100, sys.maxsize])
def test_empty_needle_beyond_the_end(m, method, start):
    assert getattr(m, method)(b"", start) == -1
    assert getattr(m, method)(b"", start, start) == -1


def test_empty_needle(m):
    assert [m.find(b"", start) for start in range(11)] == list(range(11))
    assert [m.rfind(b"", start) for start in range(11)] == [10] * 11
    assert [m.rfind(b"", 0, end) for end in range(11)] == list(range(11))
    assert (m.find(b"", 5, 3), m.rfind(b"", 5, 3)) == (-1, -1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("needle", [bytearray(b"56"), memoryview(b"56"), memoryview(b"5656")[2:]])
def test_kinds_of_needles(m, method, needle):
    assert getattr(m, method)(needle) == 5


@pytest.mark.parametrize("method", METHODS)
def test_index_like_range(m, method):
    assert getattr(m, method)(b"5", Index(3), Index(6)) == 5
    assert getattr(m, method)(b"5", True) == 5
    assert getattr(m, method)(b"5", False, True) == -1


ERRORS = [
    pytest.param(("5",), no_buffer("str"), id="needle str"),
    pytest.param((5,), no_buffer("int"), id="needle int"),
    pytest.param((None,), no_buffer("NoneType"), id="needle None"),
    pytest.param((memoryview(b"5x5x")[::2],), NOT_CONTIGUOUS, id="needle not contiguous"),
    pytest.param(("5", "a"), no_buffer("str"), id="needle before start"),
    pytest.param((b"5", "a"), no_index("str"), id="start str"),
    pytest.param((b"5", 1.0), no_index("float"), id="start float"),
    pytest.param((b"5", 0, "a"), no_index("str"), id="end str"),
    pytest.param((b"5", 1.0, "a"), no_index("float"), id="start before end"),
    pytest.param((b"5", 2**70), SSIZE, id="start huge"),
    pytest.param((b"5", -(2**70)), SSIZE, id="start huge and negative"),
    pytest.param((b"5", 0, 2**70), SSIZE, id="end huge"),
    pytest.param((b"5", Failing()), (LookupError, "from __index__"), id="start fails"),
    pytest.param((b"5", 0, Failing()), (LookupError, "from __index__"), id="end fails"),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("args", "error"), ERRORS)
def test_errors(m, raises, method, args, error):
    with raises(*error):
        getattr(m, method)(*args)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("args", [(), (b"5", 0, 10, 0)])
def test_number_of_arguments(m, method, args):
    with pytest.raises(TypeError):
        getattr(m, method)(*args)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["start", "end", "view", "sub"])
def test_no_argument_by_keyword(m, method, name):
    with pytest.raises(TypeError):
        getattr(m, method)(b"5", **{name: 0})


@TAKES_NONE
@pytest.mark.parametrize("method", METHODS)
def test_end_is_not_converted_when_start_is_none(m, method):
    assert getattr(m, method)(b"5", None, "a") == 5


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("options", [{"access": 1}, {"access": 2}, {"access": 3}, {"flags": 2}])
def test_every_access(new_map, method, options):
    with new_map(DATA, **options) as m:
        assert getattr(m, method)(b"56") == 5


def test_across_pages(new_map):
    data = bytearray(5 * 4096)
    data[4095:4097] = b"ab"
    data[3 * 4096 - 2 : 3 * 4096 + 2] = b"wxyz"
    with new_map(data, access=1) as m:
        assert (m.find(b"ab"), m.rfind(b"ab"), m.find(b"wxyz"), m.rfind(b"wxyz")) == (4095, 4095, 12286, 12286)


def test_found_by_what_was_just_written(m):
    m[4:6] = b"xy"
    assert (m.find(b"xy"), m.find(b"45")) == (4, -1)
