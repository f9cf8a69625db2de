"""The map as a sequence: iteration, `in`, reversed() and the sequence calls of the C API give bytes of length 1."""

import ctypes
import operator

import pytest
from arguments import DATA

OUT_OF_RANGE = (IndexError, "mmap index out of range")
ONE_BYTE = (IndexError, "mmap assignment must be length-1 bytes()")
NO_DELETION = (TypeError, "mmap object doesn't support item deletion")
READ_ONLY = (TypeError, "mmap can't modify a readonly memory map.")


def api(name, result, *arguments):
    function = getattr(ctypes.pythonapi, name)
    function.restype = result
    function.argtypes = arguments
    return function


get_item = api("PySequence_GetItem", ctypes.py_object, ctypes.py_object, ctypes.c_ssize_t)
set_item = api("PySequence_SetItem", ctypes.c_int, ctypes.py_object, ctypes.c_ssize_t, ctypes.py_object)
del_item = api("PySequence_DelItem", ctypes.c_int, ctypes.py_object, ctypes.c_ssize_t)
is_sequence = api("PySequence_Check", ctypes.c_int, ctypes.py_object)
is_mapping = api("PyMapping_Check", ctypes.c_int, ctypes.py_object)


def test_iteration(m):
    assert list(m) == [b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9"]
    assert [*m][-1] == b"9"
    assert next(iter(m)) == b"0"


def test_iterator_is_the_plain_one(m):
    assert type(iter(m)).__name__ == "iterator"
    assert operator.length_hint(iter(m)) == len(DATA)


def test_iterator_ends_and_stays_at_the_end(m):
    items = iter(m)
    assert len(list(items)) == len(DATA)
    with pytest.raises(StopIteration):
        next(items)


def test_iterator_sees_changes(m):
    items = iter(m)
    next(items)
    m[1] = ord("x")
    assert next(items) == b"x"


def test_reversed(m):
    assert list(reversed(m)) == [bytes([byte]) for byte in reversed(DATA)]
    assert type(reversed(m)) is reversed


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (b"1", True),
        (b"x", False),
        (b"12", False),
        (b"", False),
        (49, False),
        ("1", False),
        (bytearray(b"1"), True),
        (None, False),
    ],
)
def test_contains(m, item, expected):
    assert (item in m) is expected
    assert (item not in m) is not expected


def test_index_and_count_of_the_operator_module(m, raises):
    m[5] = ord("3")
    assert operator.indexOf(m, b"3") == 3
    assert operator.countOf(m, b"3") == 2
    with raises(ValueError, "sequence.index(x): x not in sequence"):
        operator.indexOf(m, b"x")


def test_min_max_sorted_zip(m):
    assert (min(m), max(m)) == (b"0", b"9")
    assert sorted(m, reverse=True) == [bytes([byte]) for byte in reversed(DATA)]
    assert list(zip(m, range(2), strict=False)) == [(b"0", 0), (b"1", 1)]


def test_unpacking(m):
    first, *_, last = m
    assert (first, last) == (b"0", b"9")


@pytest.mark.parametrize(("index", "expected"), [(0, b"0"), (9, b"9"), (-1, b"9"), (-10, b"0")])
def test_sequence_get(m, index, expected):
    assert get_item(m, index) == expected


@pytest.mark.parametrize("index", [10, 11, -11, -100])
def test_sequence_get_out_of_range(m, raises, index):
    with raises(*OUT_OF_RANGE):
        get_item(m, index)


@pytest.mark.parametrize("index", [0, 9, -1, -10])
def test_sequence_set(m, index):
    expected = bytearray(DATA)
    expected[index] = ord("x")
    set_item(m, index, b"x")
    assert m[:] == expected


@pytest.mark.parametrize("value", [b"", b"xy", 5, "x", None, bytearray(b"x"), memoryview(b"x")])
def test_sequence_set_wants_one_byte(m, raises, value):
    with raises(*ONE_BYTE):
        set_item(m, 0, value)
    assert m[:] == DATA


@pytest.mark.parametrize("index", [10, -11])
@pytest.mark.parametrize("value", [b"x", b"xy", 5])
def test_sequence_set_out_of_range(m, raises, index, value):
    with raises(*OUT_OF_RANGE):
        set_item(m, index, value)


def test_sequence_delete(m, raises):
    with raises(*NO_DELETION):
        del_item(m, 0)
    with raises(*OUT_OF_RANGE):
        del_item(m, 10)


def test_sequence_set_of_a_read_only_map(new_map, raises):
    with new_map(DATA, access=1) as m:
        with raises(*READ_ONLY):
            set_item(m, 0, b"x")
        with raises(*ONE_BYTE):
            set_item(m, 0, 5)
        with raises(*OUT_OF_RANGE):
            set_item(m, 10, b"x")
        with raises(*NO_DELETION):
            del_item(m, 0)


def test_is_a_sequence_and_a_mapping(m):
    assert is_sequence(m) == 1
    assert is_mapping(m) == 1


NO_ARITHMETIC = {
    "add": (lambda m: m + m, "unsupported operand type(s) for +: 'mmap.mmap' and 'mmap.mmap'"),
    "add bytes": (lambda m: m + b"", "unsupported operand type(s) for +: 'mmap.mmap' and 'bytes'"),
    "multiply": (lambda m: m * 2, "unsupported operand type(s) for *: 'mmap.mmap' and 'int'"),
    "multiply from the left": (lambda m: 2 * m, "unsupported operand type(s) for *: 'int' and 'mmap.mmap'"),
    "add in place": (
        lambda m: operator.iadd(m, b""),
        "unsupported operand type(s) for +=: 'mmap.mmap' and 'bytes'",
    ),
    "multiply in place": (
        lambda m: operator.imul(m, 2),
        "unsupported operand type(s) for *=: 'mmap.mmap' and 'int'",
    ),
    "concatenate": (lambda m: operator.concat(m, m), "'mmap.mmap' object can't be concatenated"),
    "less": (lambda m: m < m, "'<' not supported between instances of 'mmap.mmap' and 'mmap.mmap'"),
    "less or equal": (lambda m: m <= b"", "'<=' not supported between instances of 'mmap.mmap' and 'bytes'"),
    "greater": (lambda m: m > 1, "'>' not supported between instances of 'mmap.mmap' and 'int'"),
    "call": (lambda m: m(), "'mmap.mmap' object is not callable"),
    "next": (next, "'mmap.mmap' object is not an iterator"),
}


@pytest.mark.parametrize("name", NO_ARITHMETIC)
def test_operators_that_a_map_lacks(m, raises, name):
    call, text = NO_ARITHMETIC[name]
    with raises(TypeError, text):
        call(m)


def test_bytes_plus_map(m):
    assert b"x" + m == b"x" + DATA
    assert bytearray(b"x") + m == b"x" + DATA
