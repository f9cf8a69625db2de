"""The map as a file: position, reading, writing and seeking, above all at the borders."""

import io
import sys

import pytest
from arguments import DATA, Failing, Index, no_buffer, no_index

OUT_OF_RANGE = (ValueError, "seek out of range")
UNKNOWN_WHENCE = (ValueError, "unknown seek type")
SSIZE = (OverflowError, "Python int too large to convert to C ssize_t")
READ_ONLY = (TypeError, "mmap can't modify a readonly memory map.")
NO_SPACE = (ValueError, "data out of range")


def test_position_starts_at_zero(m):
    assert m.tell() == 0


@pytest.mark.parametrize("position", [0, 4, 9, 10])
@pytest.mark.parametrize("count", [None, 0, 1, 3, 6, 10, 11, 1000, -1, -5, sys.maxsize, True, Index(2)])
def test_read(m, position, count):
    m.seek(position)
    expected = io.BytesIO(DATA)
    expected.seek(position)
    number = count.value if isinstance(count, Index) else count
    result = m.read(count)
    assert result == expected.read(number)
    assert type(result) is bytes
    assert m.tell() == expected.tell()


def test_read_without_a_count(m):
    assert m.read(4) == b"0123"
    assert m.read() == b"456789"
    assert m.read() == b""
    assert m.tell() == 10


@pytest.mark.parametrize(
    ("count", "error"),
    [
        ("a", (TypeError, "argument should be integer or None, not 'str'")),
        (1.0, (TypeError, "argument should be integer or None, not 'float'")),
        (b"1", (TypeError, "argument should be integer or None, not 'bytes'")),
        (2**70, (OverflowError, "cannot fit 'int' into an index-sized integer")),
        (-(2**70), (OverflowError, "cannot fit 'int' into an index-sized integer")),
        (Failing(), (LookupError, "from __index__")),
    ],
)
def test_read_errors(m, raises, count, error):
    m.seek(3)
    with raises(*error):
        m.read(count)
    assert m.tell() == 3


def test_read_byte(m, raises):
    assert [m.read_byte() for _ in range(10)] == list(DATA)
    assert m.tell() == 10
    with raises(ValueError, "read byte out of range"):
        m.read_byte()
    assert m.tell() == 10


def test_read_byte_of_high_values(new_map):
    with new_map(b"\x7f\x80\xff") as m:
        assert [m.read_byte(), m.read_byte(), m.read_byte()] == [0x7F, 0x80, 0xFF]


@pytest.mark.parametrize(
    "data",
    [
        b"one\ntwo\nthree\n",
        b"one\ntwo\nno newline at the end",
        b"\n",
        b"\n\n\n",
        b"no newline",
        b"a\r\nb\rc\n\0d\n",
        b"x" * 10000 + b"\n" + b"y" * 10000,
    ],
    ids=["lines", "open end", "newline", "newlines", "none", "other ends", "long"],
)
def test_readline(new_map, data):
    with new_map(data) as m:
        expected = io.BytesIO(data)
        while True:
            line = m.readline()
            assert line == expected.readline()
            assert m.tell() == expected.tell()
            if not line:
                break
        assert m.readline() == b""


def test_readline_from_the_middle(new_map):
    with new_map(b"one\ntwo\nthree") as m:
        m.seek(5)
        assert m.readline() == b"wo\n"
        assert iter(m.readline, b"").__next__() == b"three"


@pytest.mark.parametrize("method", ["read_byte", "readline", "tell", "size"])
def test_methods_without_arguments(m, method):
    with pytest.raises(TypeError):
        getattr(m, method)(None)
    assert m.tell() == 0


@pytest.mark.parametrize(("method", "args"), [("write", ()), ("write_byte", ()), ("seek", ())])
def test_missing_argument(m, method, args):
    with pytest.raises(TypeError):
        getattr(m, method)(*args)


@pytest.mark.parametrize(
    ("method", "args"), [("read", (1, 2)), ("write", (b"", b"")), ("write_byte", (1, 2)), ("seek", (0, 0, 0))]
)
def test_too_many_arguments(m, method, args):
    with pytest.raises(TypeError):
        getattr(m, method)(*args)
    assert m.tell() == 0


@pytest.mark.parametrize(
    ("method", "options"),
    [("read", {"n": 1}), ("write", {"bytes": b""}), ("write_byte", {"byte": 1}), ("seek", {"pos": 0})],
)
def test_no_argument_by_keyword(m, method, options):
    with pytest.raises(TypeError):
        getattr(m, method)(**options)


@pytest.mark.parametrize(
    ("position", "data"),
    [(0, b""), (0, b"a"), (3, b"abc"), (0, b"abcdefghij"), (9, b"a"), (10, b""), (7, b"abc")],
)
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_write(m, position, data, kind):
    m.seek(position)
    assert m.write(kind(data)) == len(data)
    assert m.tell() == position + len(data)
    assert m[:] == DATA[:position] + data + DATA[position + len(data) :]


@pytest.mark.parametrize(("position", "data"), [(0, bytes(11)), (9, b"ab"), (10, b"a"), (5, bytes(1000))])
def test_write_is_all_or_nothing(m, raises, position, data):
    m.seek(position)
    with raises(*NO_SPACE):
        m.write(data)
    assert (m[:], m.tell()) == (DATA, position)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("a", no_buffer("str")),
        (5, no_buffer("int")),
        (None, no_buffer("NoneType")),
        ([1], no_buffer("list")),
        (memoryview(b"abcd")[::2], (BufferError, "memoryview: underlying buffer is not C-contiguous")),
    ],
)
def test_write_errors(m, raises, data, error):
    with raises(*error):
        m.write(data)
    assert (m[:], m.tell()) == (DATA, 0)


def test_write_of_wider_items(m):
    assert m.write(memoryview(b"abcdef").cast("H")) == 6
    assert m[:] == b"abcdef6789"


@pytest.mark.parametrize("value", [0, 1, 255, True, Index(65)])
def test_write_byte(m, value):
    m.seek(9)
    assert m.write_byte(value) is None
    assert (m.tell(), m[9]) == (10, value.value if isinstance(value, Index) else value)


@pytest.mark.unix("a C long has 32 bits on Windows")
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (256, (OverflowError, "unsigned byte integer is greater than maximum")),
        (sys.maxsize, (OverflowError, "unsigned byte integer is greater than maximum")),
        (-1, (OverflowError, "unsigned byte integer is less than minimum")),
        (2**70, (OverflowError, "Python int too large to convert to C long")),
        (-(2**70), (OverflowError, "Python int too large to convert to C long")),
        ("a", no_index("str")),
        (b"a", no_index("bytes")),
        (1.0, no_index("float")),
        (None, no_index("NoneType")),
        (Failing(), (LookupError, "from __index__")),
    ],
)
@pytest.mark.parametrize("position", [0, 10])
def test_write_byte_errors(m, raises, position, value, error):
    m.seek(position)
    with raises(*error):
        m.write_byte(value)
    assert (m[:], m.tell()) == (DATA, position)


def test_write_byte_at_the_end(m, raises):
    m.seek(10)
    with raises(ValueError, "write byte out of range"):
        m.write_byte(0)
    assert m.tell() == 10


READ_ONLY_CALLS = {
    "write": (lambda m: m.write(b"a"), READ_ONLY),
    "write nothing": (lambda m: m.write(b""), READ_ONLY),
    "write too much": (lambda m: m.write(bytes(11)), READ_ONLY),
    "write_byte": (lambda m: m.write_byte(1), READ_ONLY),
    "write a str": (lambda m: m.write("a"), no_buffer("str")),
    "write_byte of a str": (lambda m: m.write_byte("a"), no_index("str")),
    "write_byte out of range": (
        lambda m: m.write_byte(256),
        (OverflowError, "unsigned byte integer is greater than maximum"),
    ),
}


@pytest.mark.parametrize("name", READ_ONLY_CALLS)
@pytest.mark.parametrize("position", [0, 10])
def test_writing_to_a_read_only_map(new_map, raises, name, position):
    call, error = READ_ONLY_CALLS[name]
    with new_map(DATA, access=1) as m:
        m.seek(position)
        with raises(*error):
            call(m)
        assert (m[:], m.tell()) == (DATA, position)


def test_writing_to_a_copy(map_file, make_file):
    path = make_file(DATA)
    with map_file(path, access=3) as m:
        m.write(b"abc")
        m.write_byte(ord("d"))
        assert m[:] == b"abcd456789"
    assert path.read_bytes() == DATA


@pytest.mark.standard_since((3, 13), "seek() returns the position")
@pytest.mark.parametrize(
    ("start", "args", "expected"),
    [
        (5, (0,), 0),
        (5, (10,), 10),
        (5, (3, 0), 3),
        (5, (0, 1), 5),
        (5, (5, 1), 10),
        (5, (-5, 1), 0),
        (5, (0, 2), 10),
        (5, (-10, 2), 0),
        (5, (-3, 2), 7),
        (5, (True,), 1),
        (5, (Index(2), Index(1)), 7),
    ],
)
def test_seek(m, start, args, expected):
    assert m.seek(start) == start
    assert m.seek(*args) == expected
    assert m.tell() == expected


SEEK_ERRORS = [
    pytest.param((11,), OUT_OF_RANGE, id="beyond the end"),
    pytest.param((-1,), OUT_OF_RANGE, id="negative"),
    pytest.param((6, 1), OUT_OF_RANGE, id="relative beyond"),
    pytest.param((-6, 1), OUT_OF_RANGE, id="relative before"),
    pytest.param((1, 2), OUT_OF_RANGE, id="from the end beyond"),
    pytest.param((-11, 2), OUT_OF_RANGE, id="from the end before"),
    pytest.param((sys.maxsize,), OUT_OF_RANGE, id="maxsize"),
    pytest.param((sys.maxsize, 1), OUT_OF_RANGE, id="maxsize relative"),
    pytest.param((sys.maxsize, 2), OUT_OF_RANGE, id="maxsize from the end"),
    pytest.param((-sys.maxsize - 1,), OUT_OF_RANGE, id="minimum"),
    pytest.param((-sys.maxsize - 1, 1), OUT_OF_RANGE, id="minimum relative"),
    pytest.param((-sys.maxsize - 1, 2), OUT_OF_RANGE, id="minimum from the end"),
    pytest.param((0, 3), UNKNOWN_WHENCE, id="whence 3"),
    pytest.param((0, -1), UNKNOWN_WHENCE, id="whence -1"),
    pytest.param((-1, 3), UNKNOWN_WHENCE, id="whence before range"),
    pytest.param((2**70,), SSIZE, id="huge"),
    pytest.param((2**70, 9), SSIZE, id="huge before whence"),
    pytest.param(
        (0, 2**31),
        (OverflowError, "Python int too large to convert to C int"),
        id="huge whence",
        marks=pytest.mark.standard_since((3, 14, 1), "another text when an int does not fit in C"),
    ),
    pytest.param(("a",), no_index("str"), id="str"),
    pytest.param((1.0,), no_index("float"), id="float"),
    pytest.param((None,), no_index("NoneType"), id="None"),
    pytest.param((0, "a"), no_index("str"), id="whence str"),
    pytest.param((0, None), no_index("NoneType"), id="whence None"),
    pytest.param((Failing(), "a"), (LookupError, "from __index__"), id="fails"),
]


@pytest.mark.parametrize(("args", "error"), SEEK_ERRORS)
def test_seek_errors(m, raises, args, error):
    m.seek(5)
    with raises(*error):
        m.seek(*args)
    assert m.tell() == 5


@pytest.mark.standard_since((3, 13), "seekable() is new")
def test_seekable(m):
    assert m.seekable() is True


def test_position_after_a_shrink(new_map, raises):
    """The position stays where it was: beyond the end nothing is read, and writing is refused."""
    with new_map(bytes(10000)) as m:
        m.seek(9000)
        m.resize(5000)
        assert (m.tell(), m.read(), m.read(5), m.readline(), m.tell()) == (9000, b"", b"", b"", 9000)
        assert m.find(b"\0") == -1
        with raises(ValueError, "read byte out of range"):
            m.read_byte()
        with raises(ValueError, "write byte out of range"):
            m.write_byte(1)
        for data in (b"", b"a"):
            with raises(*NO_SPACE):
                m.write(data)
        with raises(*OUT_OF_RANGE):
            m.seek(0, 1)
        assert m.tell() == 9000
