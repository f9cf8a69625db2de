"""A closed map: what every method and operator says; close() itself; the context manager."""

import ctypes
import operator

import pytest

CLOSED = (ValueError, "mmap closed or invalid")
CONVERTS_FIRST = pytest.mark.standard_since((3, 14, 1), "arguments are converted before the map is looked at")
ASSIGNS_LATE = pytest.mark.standard_since((3, 15, 2), "assignment converts its arguments before it looks at the map")


@pytest.fixture
def closed_map(mmap):
    m = mmap.mmap(-1, 10)
    m.close()
    return m


def sequence(name, *types):
    function = getattr(ctypes.pythonapi, name)
    function.argtypes = [ctypes.py_object, ctypes.c_ssize_t, *types]
    function.restype = ctypes.py_object if name == "PySequence_GetItem" else ctypes.c_int
    return function


CALLS = {
    "len": len,
    "bool": bool,
    "iter": lambda m: next(iter(m)),
    "list": list,
    "reversed": reversed,
    "in": lambda m: b"a" in m,
    "length hint": operator.length_hint,
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "get item": lambda m: m[0],
    "get item, index of a wrong type": lambda m: m["a"],
    "get item, huge index": lambda m: m[2**70],
    "get slice": lambda m: m[:],
    "get slice, step 0": lambda m: m[::0],
    "set item": lambda m: operator.setitem(m, 0, 1),
    "set slice": lambda m: operator.setitem(m, slice(0, 1), b"a"),
    "set slice of no length": lambda m: operator.setitem(m, slice(0, 0), b""),
    "sequence get": lambda m: sequence("PySequence_GetItem")(m, 0),
    "sequence set": lambda m: sequence("PySequence_SetItem", ctypes.py_object)(m, 0, b"a"),
    "sequence del": lambda m: sequence("PySequence_DelItem")(m, 0),
    "enter": lambda m: m.__enter__(),
    "find": lambda m: m.find(b"a"),
    "find nothing": lambda m: m.find(b""),
    "find, start of a wrong type": lambda m: m.find(b"a", "a"),
    "find, end of a wrong type": lambda m: m.find(b"a", 0, "a"),
    "rfind": lambda m: m.rfind(b"a"),
    "rfind, start of a wrong type": lambda m: m.rfind(b"a", "a"),
    "flush": lambda m: m.flush(),
    "flush out of range": lambda m: m.flush(11),
    "madvise": lambda m: m.madvise(0),
    "madvise out of range": lambda m: m.madvise(0, 11),
    "move": lambda m: m.move(0, 0, 0),
    "move out of range": lambda m: m.move(11, 0, 0),
    "read": lambda m: m.read(),
    "read of no length": lambda m: m.read(0),
    "read_byte": lambda m: m.read_byte(),
    "readline": lambda m: m.readline(),
    "resize": lambda m: m.resize(10),
    "resize out of range": lambda m: m.resize(-1),
    "seek": lambda m: m.seek(0),
    "seek out of range": lambda m: m.seek(-1),
    "seek, unknown whence": lambda m: m.seek(0, 9),
    "size": lambda m: m.size(),
    "tell": lambda m: m.tell(),
    "write": lambda m: m.write(b""),
    "write too much": lambda m: m.write(bytes(11)),
    "write_byte": lambda m: m.write_byte(0),
}


@pytest.mark.unix("Windows has no madvise()")
@pytest.mark.parametrize("name", CALLS)
def test_closed(closed_map, raises, name):
    with raises(*CLOSED):
        CALLS[name](closed_map)


NO_BUFFER = (TypeError, "a bytes-like object is required, not 'str'")
NO_INDEX = (TypeError, "'str' object cannot be interpreted as an integer")
HUGE_INDEX = (IndexError, "cannot fit 'int' into an index-sized integer")

CONVERTED = {
    "find": (lambda m: m.find("a"), NO_BUFFER),
    "rfind": (lambda m: m.rfind("a"), NO_BUFFER),
    "flush": (lambda m: m.flush("a"), NO_INDEX),
    "madvise": (lambda m: m.madvise("a"), NO_INDEX),
    "move": (lambda m: m.move(0, 0, "a"), NO_INDEX),
    "read": (lambda m: m.read("a"), (TypeError, "argument should be integer or None, not 'str'")),
    "resize": (lambda m: m.resize("a"), NO_INDEX),
    "seek": (lambda m: m.seek("a"), NO_INDEX),
    "seek whence": (lambda m: m.seek(0, "a"), NO_INDEX),
    "write": (lambda m: m.write("a"), NO_BUFFER),
    "write_byte": (lambda m: m.write_byte("a"), NO_INDEX),
    "write_byte range": (
        lambda m: m.write_byte(256),
        (OverflowError, "unsigned byte integer is greater than maximum"),
    ),
}


@pytest.mark.unix("Windows has no madvise()")
@CONVERTS_FIRST
@pytest.mark.parametrize("name", CONVERTED)
def test_arguments_are_converted_before_the_map_is_looked_at(closed_map, raises, name):
    call, error = CONVERTED[name]
    with raises(*error):
        call(closed_map)


ASSIGNMENTS = [
    pytest.param("a", 1, (TypeError, "mmap indices must be integer"), id="index of a wrong type"),
    pytest.param(2**70, 1, HUGE_INDEX, id="huge index"),
    pytest.param(0, "a", (TypeError, "mmap item value must be an int"), id="value of a wrong type"),
    pytest.param(0, 256, (ValueError, "mmap item value must be in range(0, 256)"), id="value out of range"),
    pytest.param(11, 1, CLOSED, id="index out of range"),
    pytest.param(slice(None, None, 0), b"", (ValueError, "slice step cannot be zero"), id="step 0"),
    pytest.param(slice(0, 1), "a", NO_BUFFER, id="slice of a wrong type"),
    pytest.param(slice(0, 1), b"too long", CLOSED, id="slice of a wrong length"),
]


@ASSIGNS_LATE
@pytest.mark.parametrize(("index", "value", "error"), ASSIGNMENTS)
def test_assignment_converts_first(closed_map, raises, index, value, error):
    with raises(*error):
        closed_map[index] = value


@ASSIGNS_LATE
@pytest.mark.parametrize(
    ("index", "text"),
    [
        (0, "mmap doesn't support item deletion"),
        (slice(0, 1), "mmap object doesn't support slice deletion"),
        ("a", "mmap indices must be integer"),
    ],
)
def test_deletion(closed_map, raises, index, text):
    with raises(TypeError, text):
        del closed_map[index]


def test_what_a_closed_map_still_answers(closed_map):
    assert closed_map.closed is True
    assert repr(closed_map) == "<mmap.mmap closed=True>"
    assert closed_map == closed_map
    assert hash(closed_map) == hash(closed_map)
    assert {closed_map: 1}[closed_map] == 1


@pytest.mark.standard_since((3, 13), "seekable() is new")
def test_closed_map_is_seekable(closed_map):
    assert closed_map.seekable() is True


@pytest.mark.standard_since((3, 15), "set_name() is new")
def test_closed_map_takes_a_name(closed_map):
    assert closed_map.set_name("name") is None


def test_iterator_made_before_the_close(mmap, raises):
    m = mmap.mmap(-1, 10)
    items = iter(m)
    assert next(items) == b"\0"
    m.close()
    with raises(*CLOSED):
        next(items)


def test_close_twice(mmap):
    m = mmap.mmap(-1, 10)
    assert m.closed is False
    assert m.close() is None
    assert m.closed is True
    assert m.close() is None
    assert m.closed is True


def test_close_takes_no_argument(mmap):
    m = mmap.mmap(-1, 10)
    with pytest.raises(TypeError):
        m.close(None)
    assert m.closed is False


def test_closed_cannot_be_set(mmap, raises):
    m = mmap.mmap(-1, 10)
    with raises(AttributeError, "attribute 'closed' of 'mmap.mmap' objects is not writable"):
        m.closed = True
    with raises(AttributeError, "attribute 'closed' of 'mmap.mmap' objects is not writable"):
        del m.closed


def test_context_manager(mmap):
    m = mmap.mmap(-1, 10)
    with m as entered:
        assert entered is m
        assert not m.closed
    assert m.closed


def test_context_manager_lets_the_exception_through(mmap, raises):
    m = mmap.mmap(-1, 10)
    with raises(LookupError, "from the block"), m:
        raise LookupError("from the block")
    assert m.closed


def test_context_manager_of_a_closed_map(closed_map, raises):
    with raises(*CLOSED), closed_map:
        pass


def test_close_inside_the_context(mmap):
    with mmap.mmap(-1, 10) as m:
        m.close()
    assert m.closed


def test_exit_returns_none(mmap, closed_map):
    m = mmap.mmap(-1, 10)
    assert m.__exit__(None, None, None) is None
    assert m.closed
    assert closed_map.__exit__(ValueError, ValueError("x"), None) is None


@pytest.mark.standard_since((3, 14, 1), "__exit__() takes exactly three arguments")
@pytest.mark.parametrize("args", [(), (None,), (None, None), (None,) * 4])
def test_exit_takes_three_arguments(mmap, args):
    m = mmap.mmap(-1, 10)
    with pytest.raises(TypeError):
        m.__exit__(*args)
    assert m.closed is False


def test_exit_with_an_export(mmap, raises):
    m = mmap.mmap(-1, 10)
    with memoryview(m), raises(BufferError, "cannot close exported pointers exist"):
        m.__exit__(None, None, None)
    assert not m.closed
