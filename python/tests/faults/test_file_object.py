"""The methods of files and of bytes, on pages that fail."""

import io
import os

from fault_support import FILE, PAGE, append, cut_map, each, expect_fault, open_map, pattern, sound

PAGES = 8
# Inside a page.
END = 3 * PAGE + 100


def at(m, position):
    m.seek(position)
    return m


# Each needs, in its own way, the bytes from `start` on, `length` of them.
OPERATIONS = {
    "readinto": lambda m, start, length: at(m, start).readinto(bytearray(length)),
    "readlines": lambda m, start, length: at(m, start).readlines(length),
    "count": lambda m, start, length: m.count(b"never there", start, start + length),
    "count of a byte": lambda m, start, length: m.count(0, start, start + length),
    "index": lambda m, start, length: m.index(b"never there", start, start + length),
    "rindex": lambda m, start, length: m.rindex(b"never there", start, start + length),
    "startswith": lambda m, start, length: m.startswith(pattern(length, start), start),
    "endswith": lambda m, start, length: m.endswith(pattern(length, start), 0, start + length),
    "writelines": lambda m, start, length: at(m, start).writelines([pattern(length, start)]),
}


@each(operation=list(OPERATIONS), touched=[False, True])
def test_a_file_that_was_truncated(operation, touched):
    m = cut_map(PAGES, END, touched)
    for start, length in ((0, PAGES * PAGE), (END - 10, 20), (END, 1), (5 * PAGE, 3 * PAGE)):
        error = expect_fault(lambda start=start, length=length: OPERATIONS[operation](m, start, length), END)
        assert error.filename == str(FILE)
        if operation in ("readinto", "readlines", "writelines"):
            assert m.tell() == start, "nothing was read or written"
    append(FILE, PAGES * PAGE)
    sound(m)


def test_a_buffered_reader():
    m = open_map(PAGES)
    with io.BufferedReader(m) as reader:
        assert reader.read(10) == pattern(10)
        os.truncate(FILE, END)
        reader.seek(5 * PAGE)
        expect_fault(lambda: reader.read(10), END)
        append(FILE, PAGES * PAGE)
        assert reader.read(10) == pattern(10, 5 * PAGE)
