"""Every method and slot of a map whose file was truncated."""

import os

from fault_support import FILE, PAGE, cut_map, each, expect_fault, new_file, open_map, pattern

import faultless
from faultless import mmap

PAGES = 8
# Inside a page: the rest of this page does not fail by itself, and shows zeros.
END = 3 * PAGE + 100


def at(m, position):
    m.seek(position)
    return m


# Each touches, in its own way, the bytes from `start` on, `length` of them.
OPERATIONS = {
    "index": lambda m, start, length: m[start + length - 1],
    "index from the end": lambda m, start, length: m[start + length - 1 - len(m)],
    "slice": lambda m, start, length: m[start : start + length],
    "strided slice": lambda m, start, length: m[start : start + length : 3],
    "reversed slice": lambda m, start, length: (
        m[start : start + length][::-1] if start == 0 else m[start + length - 1 : start - 1 : -1]
    ),
    "item assignment": lambda m, start, length: m.__setitem__(start + length - 1, 1),
    "slice assignment": lambda m, start, length: m.__setitem__(slice(start, start + length), b"x" * length),
    "strided assignment": lambda m, start, length: m.__setitem__(
        slice(start, start + length, 2), b"x" * len(range(0, length, 2))
    ),
    "find": lambda m, start, length: m.find(b"\0", start, start + length),
    "find nothing": lambda m, start, length: m.find(b"never there", start, start + length),
    "rfind": lambda m, start, length: m.rfind(b"never there", start, start + length),
    "read": lambda m, start, length: at(m, start).read(length),
    "read_byte": lambda m, start, length: at(m, start + length - 1).read_byte(),
    "write": lambda m, start, length: at(m, start).write(b"x" * length),
    "write_byte": lambda m, start, length: at(m, start + length - 1).write_byte(1),
    "move from": lambda m, start, length: m.move(0, start, length),
    "move to": lambda m, start, length: m.move(start, 0, length),
}
WRITERS = [name for name in OPERATIONS if "assignment" in name or "write" in name or "move" in name]
SPANS = {
    "dead pages": (5 * PAGE, PAGE),
    "the whole map": (0, PAGES * PAGE),
    "across the end": (END - 10, 20),
    "behind the end in its page": (END + 10, 20),
    "the byte behind the end": (END, 1),
    "the last byte": (PAGES * PAGE - 1, 1),
}


@each(operation=list(OPERATIONS))
def test_fails_where_the_file_has_no_bytes(operation):
    for span, (start, length) in SPANS.items():
        m = open_map(PAGES)
        os.truncate(FILE, END)
        error = expect_fault(lambda m=m, start=start, length=length: OPERATIONS[operation](m, start, length), END)
        assert error.filename == str(FILE), (span, error.filename)
        assert m.fault == (END, "truncated"), span
        # A second time too, when the pages are replaced already.
        expect_fault(lambda m=m, start=start, length=length: OPERATIONS[operation](m, start, length), END)
        m.close()


@each(operation=list(OPERATIONS))
def test_works_where_the_file_has_them(operation):
    for touched in (False, True):
        m = cut_map(PAGES, END, touched)
        for start, length in ((0, END), (END - 10, 10), (END - 1, 1)):
            result = OPERATIONS[operation](m, start, length)
            if operation not in WRITERS:
                expected = OPERATIONS[operation](Model(pattern(PAGES * PAGE)), start, length)
                assert result == expected, (start, length)
        m.close()


class Model:
    """What the operations that read give for bytes."""

    def __init__(self, data):
        self.data = data
        self.find, self.rfind = data.find, data.rfind

    def __len__(self):
        return len(self.data)

    def __getitem__(self, key):
        return self.data[key]

    def seek(self, position):
        self.position = position

    def read(self, length):
        return self.data[self.position : self.position + length]

    def read_byte(self):
        return self.data[self.position]


def test_writing_what_the_file_has_reaches_it():
    m = open_map(PAGES)
    os.truncate(FILE, END)
    expect_fault(lambda: m[END], END)
    m[0] = 200
    m[END - 3 : END] = b"end"
    m.seek(10)
    m.write(b"ten")
    m.move(20, 10, 3)
    data = FILE.read_bytes()
    assert (data[0], data[10:13], data[20:23], data[-3:]) == (200, b"ten", b"ten", b"end")
    assert len(data) == END


def test_readline():
    FILE.write_bytes(b"line\n" * (PAGES * PAGE // 5))
    m = faultless.open(FILE, "r+")
    whole = 5 * (2 * PAGE // 5)
    os.truncate(FILE, whole + 2)
    for _ in range(whole // 5):
        assert m.readline() == b"line\n"
    expect_fault(m.readline, whole + 2)
    assert m.tell() == whole
    m.seek(5 * PAGE)
    expect_fault(m.readline, whole + 2)


def test_iteration_ends_where_the_file_does():
    m = open_map(PAGES)
    os.truncate(FILE, END)
    seen = []
    expect_fault(lambda: seen.extend(m), END)
    got = []

    def loop():
        for byte in m:
            got.append(byte)

    expect_fault(loop, END)
    assert b"".join(got) == pattern(END)


def test_reversed_and_in():
    m = open_map(PAGES)
    os.truncate(FILE, END)
    expect_fault(lambda: list(reversed(m)), END)
    assert pattern(1) in m
    # Only the bytes behind the end of the file could be zero.
    expect_fault(lambda: b"\0" in m, END)


def test_flush():
    m = open_map(PAGES)
    m[0] = 200
    os.truncate(FILE, END)
    for arguments in ((), (0, PAGE), (5 * PAGE, PAGE)):
        expect_fault(lambda arguments=arguments: m.flush(*arguments), END)
    expect_fault(lambda: m[-1], END)
    expect_fault(m.flush, END)


def test_the_position_stays_where_it_was():
    m = open_map(PAGES)
    os.truncate(FILE, END)
    for position in (END - 1, END, 5 * PAGE):
        for call in (lambda: m.read(2), lambda: m.write(b"xx"), m.read, m.readline):
            m.seek(position)
            expect_fault(call, END)
            assert m.tell() == position
    for call in (m.read_byte, lambda: m.write_byte(1)):
        m.seek(END)
        expect_fault(call, END)
        assert m.tell() == END


@each(touched=[False, True])
def test_what_touches_no_byte_does_not_fail(touched):
    m = cut_map(PAGES, END, touched)
    size = PAGES * PAGE
    assert len(m) == size
    assert bool(m)
    assert repr(m) == f"<mmap.mmap closed=False, access=ACCESS_WRITE, length={size}, pos=0, offset=0>"
    assert m.size() == END
    m.seek(5 * PAGE)
    assert m.tell() == 5 * PAGE
    m.seek(0, os.SEEK_END)
    assert m.tell() == size
    assert m.read() == b""
    assert m.read(0) == m[size:] == m[5 * PAGE : 5 * PAGE] == b""
    assert m.write(b"") == 0
    assert m.find(b"", 5 * PAGE) == 5 * PAGE
    m.move(5 * PAGE, 0, 0)
    m.madvise(mmap.MADV_RANDOM)
    assert not m.closed
    assert m.guarded
    assert isinstance(hash(m), int)
    m.close()
    assert m.closed
    assert repr(m) == "<mmap.mmap closed=True>"


@each(touched=[False, True])
def test_errors_of_the_call_come_first(touched):
    m = cut_map(PAGES, END, touched)
    size = PAGES * PAGE
    for call, error in (
        (lambda: m[size], IndexError),
        (lambda: m["x"], TypeError),
        (lambda: m.__setitem__(5 * PAGE, 256), ValueError),
        (lambda: m.__setitem__(slice(5 * PAGE, 6 * PAGE), b"x"), IndexError),
        (lambda: m.__setitem__(slice(5 * PAGE, 6 * PAGE), "x"), TypeError),
        (lambda: m.move(size, 0, 1), ValueError),
        (lambda: m.seek(size + 1), ValueError),
        (lambda: m.flush(0, size + 1), ValueError),
    ):
        try:
            call()
        except error as raised:
            assert type(raised) is error
        else:
            raise AssertionError(error)


def test_with_statement_ends_well():
    with open_map(PAGES) as m:
        os.truncate(FILE, 0)
        expect_fault(lambda: m[0], 0)
    assert m.closed


def test_resizing_makes_the_map_whole():
    for size in (8 * PAGE, 5 * PAGE, 12 * PAGE, END):
        m = open_map(PAGES)
        os.truncate(FILE, END)
        expect_fault(lambda m=m: m[-1], END)
        m.resize(size)
        assert m.fault is None
        assert m[:] == pattern(END) + bytes(size - END)
        m[-1] = 7
        m.flush()
        assert FILE.read_bytes()[-1] == 7
        m.close()


def test_a_map_by_descriptor_knows_the_file_too():
    new_file(PAGES)
    with open(FILE, "r+b") as file:
        m = mmap.mmap(file.fileno(), 0)
    os.truncate(FILE, END)
    error = expect_fault(lambda: m[-1], END)
    assert os.path.samefile(error.filename, FILE)
