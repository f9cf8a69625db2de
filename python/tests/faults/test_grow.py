"""Maps that grow, and whose file is cut short meanwhile."""

import os

from fault_support import FILE, PAGE, append, each, expect_fault, fault_of, new_file, pattern, sound

import faultless

PAGES = 8
SIZE = PAGES * PAGE
END = 3 * PAGE + 100
RESERVE = 64 * PAGE


def growing():
    return faultless.open(new_file(PAGES), "r+", reserve=RESERVE)


def test_the_part_that_was_added_is_guarded():
    m = growing()
    m.grow(2 * SIZE)
    m[SIZE:] = pattern(SIZE, SIZE)
    at = m.append(b"more")
    assert at == 2 * SIZE
    os.truncate(FILE, SIZE + 100)
    for call in (lambda: m[at], lambda: m[-1], lambda: m.find(b"more", 0), m.flush):
        error = expect_fault(call, SIZE + 100)
        assert error.filename == str(FILE)
    assert m[: SIZE + 100] == pattern(SIZE + 100)


@each(touched=[False, True])
def test_growing_makes_a_map_whole_that_was_cut(touched):
    m = growing()
    view = memoryview(m)
    os.truncate(FILE, END)
    if touched:
        assert view[-1] == 0
    m.grow(2 * SIZE)
    if touched:
        # Others have seen zeros meanwhile, in the last page of those there were.
        expect_fault(lambda: m[0], SIZE - PAGE)
    # What the file lost is lost: there are zeros now, of its own.
    assert m.fault is None
    assert m[:] == pattern(END) + bytes(2 * SIZE - END)
    assert FILE.stat().st_size == 2 * SIZE


def test_appending_to_a_file_that_was_cut():
    m = growing()
    for number in range(10):
        m.append(bytes([number]) * 1000)
    length = len(m)
    os.truncate(FILE, END)
    # What was allocated ahead is gone, too: nothing is appended, and that is told.
    expect_fault(lambda: m.append(b"this"), END)
    assert len(m) == length
    # It makes the file long enough again.
    assert m.append(b"and this") == length
    assert m[length:] == b"and this"
    assert m[:END] == pattern(END)
    m.close()
    assert FILE.stat().st_size == length + 8


def test_exported_memory_survives_growing_and_cutting():
    m = growing()
    view = memoryview(m)
    for number in range(1, 6):
        m.grow(SIZE + number * PAGE)
        os.truncate(FILE, END)
        assert view[-1] == 0
        assert view[:END] == pattern(END)
        append(FILE, SIZE)
        assert fault_of(lambda: m[0]).reason == "truncated"
        assert m[:SIZE] == view[:SIZE] == pattern(SIZE)


def test_whole_again():
    m = growing()
    m.grow(SIZE + PAGE)
    m[SIZE:] = pattern(PAGE, SIZE)
    os.truncate(FILE, END)
    expect_fault(lambda: m[-1], END)
    assert m.fault == (END, "truncated")
    append(FILE, SIZE + PAGE)
    sound(m)
