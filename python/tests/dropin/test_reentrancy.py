"""Arguments whose conversion closes or resizes the map: the error of the state found afterwards, never a crash."""

import mmap as standard_mmap
import operator
import sys

import pytest

PAGE = standard_mmap.PAGESIZE
DATA = b"a" * PAGE + b"b" * PAGE
CLOSED = (ValueError, "mmap closed or invalid")
OUT_OF_RANGE = (IndexError, "mmap index out of range")
WRONG_SIZE = (IndexError, "mmap slice assignment is wrong size")

pytestmark = pytest.mark.standard_since((3, 15, 2), "earlier versions crash on some of these")

python_buffers = pytest.mark.skipif(sys.version_info < (3, 12), reason="a Python class has a buffer from 3.12 on")


def close(m):
    m.close()


def shrink(m):
    m.resize(PAGE)


class Acting:
    """Does something to the map when it is converted to an integer."""

    def __init__(self, action, m, value):
        self.action, self.m, self.value = action, m, value

    def __index__(self):
        self.action(self.m)
        return self.value


class ActingBuffer:
    """Does something to the map when its bytes are asked for."""

    def __init__(self, action, m, data):
        self.action, self.m, self.data = action, m, data

    def __buffer__(self, flags):
        self.action(self.m)
        return memoryview(self.data)


@pytest.fixture
def m(new_map):
    return new_map(DATA)


# Every argument of every method and operator that is converted to an integer. `at(n)` acts and is worth n.
INDEX = {
    "get item": lambda m, at: m[at(0)],
    "get slice, start": lambda m, at: m[at(0) : 1],
    "get slice, stop": lambda m, at: m[0 : at(1)],
    "get slice, step": lambda m, at: m[0 : 1 : at(1)],
    "get extended slice": lambda m, at: m[0 : at(5) : 2],
    "set item, index": lambda m, at: operator.setitem(m, at(0), 1),
    "set item, value": lambda m, at: operator.setitem(m, 0, at(1)),
    "set item, both": lambda m, at: operator.setitem(m, at(0), at(1)),
    "set slice, start": lambda m, at: operator.setitem(m, slice(at(0), 1), b"x"),
    "set slice, stop": lambda m, at: operator.setitem(m, slice(0, at(1)), b"x"),
    "set slice, step": lambda m, at: operator.setitem(m, slice(0, 1, at(1)), b"x"),
    "set extended slice": lambda m, at: operator.setitem(m, slice(0, at(3), 2), b"xy"),
    "find, start": lambda m, at: m.find(b"a", at(0)),
    "find, end": lambda m, at: m.find(b"a", 0, at(10)),
    "find nothing": lambda m, at: m.find(b"", at(0), at(0)),
    "rfind, start": lambda m, at: m.rfind(b"a", at(0)),
    "rfind, end": lambda m, at: m.rfind(b"a", 0, at(10)),
    "flush, offset": lambda m, at: m.flush(at(0)),
    "flush, size": lambda m, at: m.flush(0, at(PAGE)),
    "flush, flags": lambda m, at: m.flush(flags=at(4)),
    "madvise, option": lambda m, at: m.madvise(at(0)),
    "madvise, start": lambda m, at: m.madvise(0, at(0)),
    "madvise, length": lambda m, at: m.madvise(0, 0, at(PAGE)),
    "move, destination": lambda m, at: m.move(at(0), 1, 1),
    "move, source": lambda m, at: m.move(0, at(1), 1),
    "move, count": lambda m, at: m.move(0, 1, at(1)),
    "read": lambda m, at: m.read(at(1)),
    "resize": lambda m, at: m.resize(at(PAGE)),
    "seek, position": lambda m, at: m.seek(at(0)),
    "seek, whence": lambda m, at: m.seek(0, at(0)),
    "write_byte": lambda m, at: m.write_byte(at(1)),
}


@pytest.mark.unix("Windows has no madvise()")
@pytest.mark.parametrize("name", INDEX)
def test_index_that_closes(m, raises, name):
    with raises(*CLOSED):
        INDEX[name](m, lambda value: Acting(close, m, value))
    assert m.closed


@pytest.mark.parametrize(
    ("index", "text"),
    [
        (lambda at: at(0), "mmap doesn't support item deletion"),
        (lambda at: slice(at(0), 1), "mmap object doesn't support slice deletion"),
    ],
)
def test_deletion_with_an_index_that_closes(m, raises, index, text):
    with raises(TypeError, text):
        del m[index(lambda value: Acting(close, m, value))]
    assert m.closed


# After the conversion the map is one page long, all b"a".
SHRUNK = {
    "get item inside": (lambda m, at: m[at(PAGE - 1)], ord("a")),
    "get negative item": (lambda m, at: m[at(-1)], ord("a")),
    "get item outside": (lambda m, at: m[at(PAGE)], OUT_OF_RANGE),
    "get last item": (lambda m, at: m[at(2 * PAGE - 1)], OUT_OF_RANGE),
    "get slice": (lambda m, at: m[at(PAGE - 2) : 2 * PAGE], b"aa"),
    "get slice, stop": (lambda m, at: m[PAGE - 2 : at(2 * PAGE)], b"aa"),
    "get slice, step": (lambda m, at: m[PAGE - 4 :: at(2)], b"aa"),
    "get slice backwards": (lambda m, at: m[at(2 * PAGE) : PAGE - 3 : -1], b"aa"),
    "get slice outside": (lambda m, at: m[at(PAGE) :], b""),
    "set item outside": (lambda m, at: operator.setitem(m, at(PAGE), 1), OUT_OF_RANGE),
    "set item, value": (lambda m, at: operator.setitem(m, PAGE, at(1)), OUT_OF_RANGE),
    "set item, last": (lambda m, at: operator.setitem(m, 2 * PAGE - 1, at(1)), OUT_OF_RANGE),
    "set slice": (lambda m, at: operator.setitem(m, slice(at(PAGE), PAGE + 2), b"xx"), WRONG_SIZE),
    "set slice, stop": (lambda m, at: operator.setitem(m, slice(PAGE - 1, at(2 * PAGE)), b"x"), None),
    "set extended slice": (lambda m, at: operator.setitem(m, slice(0, None, at(PAGE)), b"xy"), WRONG_SIZE),
    "find, start": (lambda m, at: m.find(b"b", at(0)), -1),
    "find, start outside": (lambda m, at: m.find(b"", at(PAGE + 1)), -1),
    "find, end": (lambda m, at: m.find(b"b", 0, at(2 * PAGE)), -1),
    "rfind, start": (lambda m, at: m.rfind(b"a", at(0)), PAGE - 1),
    "rfind, end": (lambda m, at: m.rfind(b"a", 0, at(2 * PAGE)), PAGE - 1),
    "rfind, negative end": (lambda m, at: m.rfind(b"a", 0, at(-1)), PAGE - 2),
    "flush, offset": (lambda m, at: m.flush(at(PAGE), PAGE), (ValueError, "flush values out of range")),
    "flush, size": (lambda m, at: m.flush(0, at(2 * PAGE)), (ValueError, "flush values out of range")),
    "flush, rest": (lambda m, at: m.flush(at(0)), None),
    "madvise, start": (lambda m, at: m.madvise(0, at(PAGE)), (ValueError, "madvise start out of bounds")),
    "madvise, length": (lambda m, at: m.madvise(0, 0, at(2 * PAGE)), None),
    "move, destination": (
        lambda m, at: m.move(at(PAGE), 0, 1),
        (ValueError, "source, destination, or count out of range"),
    ),
    "move, source": (
        lambda m, at: m.move(0, at(PAGE), 1),
        (ValueError, "source, destination, or count out of range"),
    ),
    "move, count": (
        lambda m, at: m.move(0, 1, at(PAGE)),
        (ValueError, "source, destination, or count out of range"),
    ),
    "read": (lambda m, at: len(m.read(at(2 * PAGE))), PAGE),
    "resize": (lambda m, at: m.resize(at(3 * PAGE)), None),
    "seek": (lambda m, at: m.seek(at(PAGE + 1)), (ValueError, "seek out of range")),
    "seek, whence": (lambda m, at: m.seek(0, at(2)), PAGE),
}


@pytest.mark.unix("Windows has no madvise()")
@pytest.mark.parametrize("name", SHRUNK)
def test_index_that_shrinks(m, raises, name):
    call, expected = SHRUNK[name]

    def at(value):
        return Acting(shrink, m, value)

    if isinstance(expected, tuple):
        with raises(*expected):
            call(m, at)
    else:
        assert call(m, at) == expected
    assert len(m) == (3 * PAGE if name == "resize" else PAGE)


@pytest.mark.parametrize("name", ["read", "write_byte"])
def test_index_that_shrinks_below_the_position(m, raises, name):
    m.seek(PAGE + 10)
    argument = Acting(shrink, m, 1)
    if name == "read":
        assert m.read(argument) == b""
    else:
        with raises(ValueError, "write byte out of range"):
            m.write_byte(argument)
    assert m.tell() == PAGE + 10


def test_negative_index_counts_from_the_end_that_is_there_afterwards(m):
    m[-1] = Acting(shrink, m, ord("x"))
    assert m[:] == b"a" * (PAGE - 1) + b"x"


def test_index_that_grows(m):
    def at(value):
        return Acting(lambda m: m.resize(3 * PAGE), m, value)

    assert m[at(3 * PAGE - 1)] == 0
    m.resize(PAGE)
    m[3 * PAGE - 1] = at(7)
    assert m[-1] == 7
    m.resize(PAGE)
    assert m[at(PAGE - 1) : 2 * PAGE : PAGE] == b"a\0"
    m.resize(PAGE)
    assert len(m.read(at(3 * PAGE))) == 3 * PAGE


def test_index_that_makes_an_export(m, raises):
    views = []
    with raises(BufferError, "mmap can't resize with extant buffers exported."):
        m.resize(Acting(lambda m: views.append(memoryview(m)), m, PAGE))
    assert len(m) == 2 * PAGE
    views.pop().release()


def test_index_that_moves_the_position(m):
    assert m.read(Acting(lambda m: m.seek(PAGE), m, 2)) == b"bb"
    assert m.seek(Acting(lambda m: m.seek(5), m, 2), 1) == 7
    m.write_byte(Acting(lambda m: m.seek(9), m, ord("x")))
    assert (m[7:11], m.tell()) == (b"aaxa", 10)


BUFFER = {
    "find": lambda m, data: m.find(data(b"a")),
    "rfind": lambda m, data: m.rfind(data(b"a")),
    "write": lambda m, data: m.write(data(b"x")),
    "write nothing": lambda m, data: m.write(data(b"")),
    "set slice": lambda m, data: operator.setitem(m, slice(0, 1), data(b"x")),
    "set extended slice": lambda m, data: operator.setitem(m, slice(0, 3, 2), data(b"xy")),
    "set slice of another length": lambda m, data: operator.setitem(m, slice(0, 1), data(b"xyz")),
    "set slice of no length": lambda m, data: operator.setitem(m, slice(0, 0), data(b"")),
}


@python_buffers
@pytest.mark.parametrize("name", BUFFER)
def test_buffer_that_closes(m, raises, name):
    with raises(*CLOSED):
        BUFFER[name](m, lambda data: ActingBuffer(close, m, data))
    assert m.closed


@python_buffers
def test_buffer_that_shrinks_the_slice(m, raises):
    for index, size in ((slice(PAGE, PAGE + 100), 100), (slice(0, 2 * PAGE), 2 * PAGE), (slice(0, None, PAGE), 2)):
        m.resize(2 * PAGE)
        m[:] = DATA
        with raises(*WRONG_SIZE):
            m[index] = ActingBuffer(shrink, m, b"x" * size)
        assert m[:] == b"a" * PAGE


@python_buffers
def test_buffer_that_shrinks_the_rest(m, raises):
    m.seek(PAGE - 1)
    with raises(ValueError, "data out of range"):
        m.write(ActingBuffer(shrink, m, b"xy"))
    assert (m.tell(), m[:]) == (PAGE - 1, b"a" * PAGE)


@python_buffers
def test_buffer_that_shrinks_the_searched_range(m):
    assert m.find(ActingBuffer(shrink, m, b"b"), 0, 2 * PAGE) == -1
    m.resize(2 * PAGE)
    assert m.rfind(ActingBuffer(shrink, m, b"a"), 0) == PAGE - 1


class Equal:
    """Compares equal to nothing, and closes the map when it is asked."""

    def __init__(self, m):
        self.m = m

    def __eq__(self, other):
        self.m.close()
        return False

    __hash__ = None


def test_comparison_that_closes(m, raises):
    with raises(*CLOSED):
        Equal(m) in m  # noqa: B015
    assert m.closed


def test_close_while_iterating(m, raises):
    seen = []
    with raises(*CLOSED):
        for item in m:
            seen.append(item)
            m.close()
    assert seen == [b"a"]


def test_shrink_while_iterating(m):
    items = iter(m)
    next(items)
    m.resize(3)
    assert list(items) == [b"a", b"a"]


def test_iterate_backwards_over_a_shrinking_map(m):
    items = reversed(m)
    assert next(items) == b"b"
    m.resize(3)
    with pytest.raises(StopIteration):
        next(items)


@pytest.mark.unix("Windows has no madvise()")
def test_failing_conversion_changes_nothing(m, raises):
    def fail(m):
        raise LookupError("from the argument")

    for name, call in INDEX.items():
        with raises(LookupError, "from the argument"):
            call(m, lambda value: Acting(fail, m, value))
        assert (m.tell(), len(m)) == (0, 2 * PAGE), name
    assert m[:] == DATA
