"""Setting and deleting items and slices: values, errors and the order of the checks."""

import sys

import pytest
from arguments import DATA, Failing, Index, no_buffer

NO_INDEX = (TypeError, "mmap indices must be integer")
HUGE = (IndexError, "cannot fit 'int' into an index-sized integer")
OUT_OF_RANGE = (IndexError, "mmap index out of range")
NOT_INT = (TypeError, "mmap item value must be an int")
VALUE_RANGE = (ValueError, "mmap item value must be in range(0, 256)")
VALUE_HUGE = (TypeError, "cannot fit 'int' into an index-sized integer")
NO_ITEM_DELETION = (TypeError, "mmap doesn't support item deletion")
NO_SLICE_DELETION = (TypeError, "mmap object doesn't support slice deletion")
WRONG_SIZE = (IndexError, "mmap slice assignment is wrong size")
READ_ONLY = (TypeError, "mmap can't modify a readonly memory map.")
STEP_ZERO = (ValueError, "slice step cannot be zero")

VALUE_FIRST = pytest.mark.standard_since((3, 15, 2), "the value is converted before the range of the index is checked")


@pytest.mark.parametrize(
    ("index", "value"),
    [(0, 0), (9, 255), (-1, 1), (-10, 2), (True, 3), (Index(4), Index(5)), (3, True), (5, 65)],
)
def test_set_item(m, index, value):
    expected = bytearray(DATA)
    expected[index] = value
    m[index] = value
    assert m[:] == expected


@pytest.mark.parametrize("value", range(256))
def test_every_value(m, value):
    m[5] = value
    assert m[5] == value


ITEM_ERRORS = [
    pytest.param("a", 1, NO_INDEX, id="index str"),
    pytest.param(None, 1, NO_INDEX, id="index None"),
    pytest.param(1.0, 1, NO_INDEX, id="index float"),
    pytest.param((0,), 1, NO_INDEX, id="index tuple"),
    pytest.param("a", "b", NO_INDEX, id="index before value"),
    pytest.param(2**70, 1, HUGE, id="index huge"),
    pytest.param(2**70, "b", HUGE, id="huge index before value"),
    pytest.param(Failing(), "b", (LookupError, "from __index__"), id="index fails"),
    pytest.param(0, "a", NOT_INT, id="value str"),
    pytest.param(0, b"a", NOT_INT, id="value bytes"),
    pytest.param(0, None, NOT_INT, id="value None"),
    pytest.param(0, 1.0, NOT_INT, id="value float"),
    pytest.param(0, 256, VALUE_RANGE, id="value 256"),
    pytest.param(0, -1, VALUE_RANGE, id="value -1"),
    pytest.param(0, sys.maxsize, VALUE_RANGE, id="value maxsize"),
    pytest.param(0, Index(300), VALUE_RANGE, id="value index-like"),
    pytest.param(0, 2**70, VALUE_HUGE, id="value huge"),
    pytest.param(0, Failing(), (LookupError, "from __index__"), id="value fails"),
    pytest.param(10, 1, OUT_OF_RANGE, id="index too large"),
    pytest.param(-11, 1, OUT_OF_RANGE, id="index too small"),
    pytest.param(sys.maxsize, 1, OUT_OF_RANGE, id="index maxsize"),
    pytest.param(10, 256, VALUE_RANGE, id="value range before index range", marks=VALUE_FIRST),
    pytest.param(-11, -1, VALUE_RANGE, id="value range before negative index range", marks=VALUE_FIRST),
    pytest.param(10, 2**70, VALUE_HUGE, id="huge value before index range", marks=VALUE_FIRST),
    pytest.param(10, Failing(), (LookupError, "from __index__"), id="failing value first", marks=VALUE_FIRST),
]


@pytest.mark.parametrize(("index", "value", "error"), ITEM_ERRORS)
def test_set_item_errors(m, raises, index, value, error):
    with raises(*error):
        m[index] = value
    assert m[:] == DATA


@VALUE_FIRST
@pytest.mark.skipif(sys.version_info < (3, 15), reason="the own tests of earlier interpreters want the IndexError")
@pytest.mark.parametrize("value", ["a", b"a", None])
def test_type_of_the_value_is_checked_before_the_range_of_the_index(m, raises, value):
    with raises(*NOT_INT):
        m[10] = value


@pytest.mark.parametrize(
    ("index", "error"),
    [
        (0, NO_ITEM_DELETION),
        (-1, NO_ITEM_DELETION),
        pytest.param(10, NO_ITEM_DELETION, marks=VALUE_FIRST),
        pytest.param(-11, NO_ITEM_DELETION, marks=VALUE_FIRST),
        (2**70, HUGE),
        ("a", NO_INDEX),
        (None, NO_INDEX),
        (Failing(), (LookupError, "from __index__")),
        (slice(None), NO_SLICE_DELETION),
        (slice(0, 0), NO_SLICE_DELETION),
        (slice(0, 10, 2), NO_SLICE_DELETION),
        (slice(0, 1, 0), STEP_ZERO),
    ],
)
def test_delete(m, raises, index, error):
    with raises(*error):
        del m[index]
    assert m[:] == DATA


SLICES = [
    slice(None),
    slice(0, 10),
    slice(3, 7),
    slice(5, 5),
    slice(7, 3),
    slice(-3, None),
    slice(0, 100),
    slice(-100, 2),
    slice(None, None, 2),
    slice(1, None, 3),
    slice(None, None, -1),
    slice(None, None, -3),
    slice(8, 2, -2),
    slice(0, 10, 100),
    slice(0, 2**70),
    slice(9, 0, -(2**70)),
]


@pytest.mark.parametrize("index", SLICES, ids=str)
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_set_slice(m, index, kind):
    expected = bytearray(DATA)
    value = b"ABCDEFGHIJ"[: len(expected[index])]
    # Assigning to an extended slice of a bytearray needs the same length, as a map always does.
    expected[index] = value
    m[index] = kind(value)
    assert m[:] == expected


def test_set_slice_from_an_array(m):
    m[2:6] = memoryview(b"ABCD").cast("H")
    assert m[:] == b"01ABCD6789"


@pytest.mark.parametrize("index", SLICES, ids=str)
@pytest.mark.parametrize("more", [-1, 1, 100])
def test_set_slice_of_a_wrong_length(m, raises, index, more):
    size = len(DATA[index]) + more
    if size < 0:
        size = 1
    with raises(*WRONG_SIZE):
        m[index] = bytes(size)
    assert m[:] == DATA


SLICE_ERRORS = [
    pytest.param(slice(0, 2), 5, no_buffer("int"), id="int"),
    pytest.param(slice(0, 2), "ab", no_buffer("str"), id="str"),
    pytest.param(slice(0, 2), None, no_buffer("NoneType"), id="None"),
    pytest.param(slice(0, 2), [1, 2], no_buffer("list"), id="list"),
    pytest.param(slice(0, 2, 2), "a", no_buffer("str"), id="extended"),
    pytest.param(slice(0, 0), 5, no_buffer("int"), id="empty"),
    pytest.param(slice(0, 2, 0), b"ab", STEP_ZERO, id="step 0"),
    pytest.param(slice(0, 2, 0), 5, STEP_ZERO, id="step 0 before the value"),
    pytest.param(slice(Failing(), 2), 5, (LookupError, "from __index__"), id="start fails"),
    pytest.param(
        slice(0, 2),
        memoryview(b"abcd")[::2],
        (BufferError, "memoryview: underlying buffer is not C-contiguous"),
        id="not contiguous",
    ),
]


@pytest.mark.parametrize(("index", "value", "error"), SLICE_ERRORS)
def test_set_slice_errors(m, raises, index, value, error):
    with raises(*error):
        m[index] = value
    assert m[:] == DATA


@pytest.mark.parametrize("index", [slice("a", 2), slice(0, None, "a"), slice(1.0)])
def test_set_slice_with_parts_of_a_wrong_type(m, index):
    with pytest.raises(TypeError, match="slice indices must be integers"):
        m[index] = 5
    with pytest.raises(TypeError, match="slice indices must be integers"):
        del m[index]


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (0, 1),
        (0, 256),
        (0, "a"),
        (10, 1),
        (2**70, 1),
        ("a", 1),
        (Failing(), 1),
        (slice(0, 2), b"ab"),
        (slice(0, 2), "ab"),
        (slice(0, 2), b"abc"),
        (slice(0, 2, 0), b"ab"),
        (slice("a"), b"ab"),
        (slice(0, 0), b""),
    ],
)
def test_read_only_is_found_first(new_map, raises, index, value):
    with new_map(DATA, access=1) as m:
        with raises(*READ_ONLY):
            m[index] = value
        with raises(*READ_ONLY):
            del m[index]
        assert m[:] == DATA


@pytest.mark.standard_since((3, 15, 2), "assignment looks at the protection before it looks whether the map is closed")
def test_read_only_is_found_before_closed(new_map, raises):
    m = new_map(DATA, access=1)
    m.close()
    with raises(TypeError, "mmap can't modify a readonly memory map."):
        m[0] = 1


def test_methods_of_the_operators(m, raises):
    assert m.__setitem__(0, 65) is None
    assert m.__setitem__(slice(1, 3), b"BC") is None
    assert m[:] == b"ABC3456789"
    with raises(*NO_ITEM_DELETION):
        m.__delitem__(0)


def test_position_does_not_matter_and_does_not_move(m):
    m.seek(7)
    m[0] = 65
    m[1:3] = b"BC"
    assert (m[:], m.tell()) == (b"ABC3456789", 7)


def test_file_is_written(map_file, make_file):
    path = make_file(DATA)
    with map_file(path) as m:
        m[0] = 65
        m[1:9:2] = b"wxyz"
    assert path.read_bytes() == b"Aw2x4y6z89"


def test_copy_on_write_leaves_the_file(map_file, make_file):
    path = make_file(DATA)
    with map_file(path, access=3) as m:
        m[0] = 65
        m[1:9:2] = b"wxyz"
        assert m[:] == b"Aw2x4y6z89"
    assert path.read_bytes() == DATA
