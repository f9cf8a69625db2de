"""When the file gets shorter, and longer again: before, between and during operations."""

import os
import threading

from fault_support import FILE, PAGE, PERIOD, append, each, expect_fault, open_map, pattern, sound

import faultless

PAGES = 8
SIZE = PAGES * PAGE


def test_before_the_first_operation():
    m = open_map(PAGES)
    os.truncate(FILE, 2 * PAGE)
    expect_fault(lambda: m[:], 2 * PAGE)


def test_between_operations():
    m = open_map(PAGES)
    sound(m)
    assert m.fault is None
    for pages in (6, 5, 2):
        os.truncate(FILE, pages * PAGE)
        expect_fault(lambda: m[:], pages * PAGE)
        assert m[: pages * PAGE] == pattern(pages * PAGE)
        assert m.fault == (pages * PAGE, "truncated")


class Truncating:
    """An argument whose conversion truncates the file: the call has begun, and has not touched the map yet."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        os.truncate(FILE, PAGE)
        return self.value


def test_while_arguments_are_converted():
    for call in (
        lambda m: m[Truncating(SIZE - 1)],
        lambda m: m[Truncating(0) :],
        lambda m: m.__setitem__(SIZE - 1, Truncating(1)),
        lambda m: m.find(b"\0", Truncating(0)),
        lambda m: m.rfind(b"never there", 0, Truncating(SIZE)),
        lambda m: m.read(Truncating(SIZE)),
        lambda m: m.move(0, Truncating(2 * PAGE), PAGE),
        lambda m: m.flush(0, Truncating(SIZE)),
    ):
        m = open_map(PAGES)
        sound(m)
        expect_fault(lambda m=m, call=call: call(m), PAGE)
        m.close()


def test_during_iteration():
    m = open_map(2)
    seen = 0

    def loop():
        nonlocal seen
        for byte in m:
            assert byte == pattern(1, seen)
            seen += 1
            if seen == 100:
                os.truncate(FILE, PAGE)

    expect_fault(loop, PAGE)
    assert seen == PAGE


@each(operation=["slice", "strided", "find", "rfind", "write", "move"])
def test_during_long_operations(operation):
    """Another thread truncates while one operation follows the other: each gives the right result, or none."""
    size = 4 << 20
    data = pattern(size)
    run = {
        "slice": lambda m: m[:] == data,
        "strided": lambda m: m[::-1] == data[::-1],
        "find": lambda m: m.find(b"\0", 0) == -1,
        "rfind": lambda m: m.rfind(b"\0", 0) == -1,
        "write": lambda m: m.__setitem__(slice(0, size), data) is None,
        "move": lambda m: m.move(0, PERIOD * 4, size - PERIOD * 4) is None,
    }[operation]
    FILE.write_bytes(data)
    m = faultless.open(FILE, "r+")
    for turn in range(10):
        sound(m)
        cut = size // 2 + turn
        timer = threading.Timer(0.001, os.truncate, (FILE, cut))
        timer.start()

        def until_it_fails():
            while True:
                assert run(m)

        expect_fault(until_it_fails, cut)
        timer.join()
        assert m[:cut] == data[:cut]
        append(FILE, size)


@each(touched=[False, True])
def test_to_zero(touched):
    m = open_map(PAGES)
    if touched:
        sound(m)
    os.truncate(FILE, 0)
    for call in (lambda: m[0], lambda: m[-1], lambda: m[:], lambda: m.find(b"\0"), lambda: m.write(b"x"), m.flush):
        expect_fault(call, 0)
    assert m.fault == (0, "truncated")
    assert FILE.read_bytes() == b""
    append(FILE, SIZE)
    sound(m)


@each(pages=[1, 8])
def test_inside_the_last_page(pages):
    """The system gives zeros there and takes writes, which are lost; neither may look like the file's."""
    size = pages * PAGE
    m = open_map(pages)
    sound(m)
    end = size - 50
    os.truncate(FILE, end)
    for call in (
        lambda: m[-1],
        lambda: m[end],
        lambda: m[:],
        lambda: m[end:],
        lambda: m[::-1],
        lambda: m.find(b"\0", 0),
        lambda: m.rfind(b"\0", 0),
        lambda: m.__setitem__(-1, 1),
        lambda: m.__setitem__(slice(end, size), bytes(50)),
        lambda: m.move(0, end, 50),
        lambda: m.move(end, 0, 50),
        lambda: list(m),
        m.flush,
        m.read,
    ):
        expect_fault(call, end)
        assert m.fault == (end, "truncated")
    assert m[:end] == pattern(end)
    m[end - 1] = 200
    append(FILE, size)
    assert m.fault is None
    # None of the refused writes is there.
    assert m[end - 1 :] == bytes([200]) + pattern(50, end)


def test_the_zeros_that_a_file_has_are_right():
    FILE.write_bytes(bytes(SIZE))
    m = faultless.open(FILE, "r+")
    assert m[:] == bytes(SIZE)
    os.truncate(FILE, PAGE + 5)
    expect_fault(lambda: m[:], PAGE + 5)
    os.truncate(FILE, SIZE)
    assert m[:] == bytes(SIZE)
    assert m.find(b"\0", SIZE - 1) == SIZE - 1


@each(cut=[0, PAGE, 3 * PAGE + 100, SIZE - 1], touched=[False, True])
def test_regrowing_heals(cut, touched):
    m = open_map(PAGES)
    os.truncate(FILE, cut)
    if touched:
        expect_fault(lambda: m[-1], cut)
        expect_fault(m.flush, cut)
    append(FILE, SIZE)
    sound(m)
    m[:] = bytes(range(256)) * (SIZE // 256)
    m.flush()
    assert FILE.read_bytes() == bytes(range(256)) * (SIZE // 256)


def test_regrowing_again_and_again():
    m = open_map(PAGES)
    for turn in range(200):
        cut = turn * 163 % SIZE
        os.truncate(FILE, cut)
        expect_fault(lambda: m[-1], cut)
        append(FILE, SIZE)
        sound(m)


def test_regrowing_a_part():
    m = open_map(PAGES)
    os.truncate(FILE, PAGE)
    expect_fault(lambda: m[:], PAGE)
    for size in (2 * PAGE, 4 * PAGE + 10, 7 * PAGE + 1):
        append(FILE, size)
        assert m[:size] == pattern(size)
        assert m.fault == (size, "truncated")
        for call in (lambda: m[-1], lambda size=size: m[size], m.flush, lambda: m[:]):
            expect_fault(call, size)
        m[size - 1] = 200
        assert FILE.read_bytes()[-1] == 200
        m[size - 1] = pattern(1, size - 1)[0]
    append(FILE, SIZE)
    sound(m)
    m.flush()


def test_a_file_that_grew_beyond_the_map():
    m = open_map(PAGES)
    os.truncate(FILE, PAGE)
    expect_fault(lambda: m[-1], PAGE)
    append(FILE, 3 * SIZE)
    sound(m)


def test_a_short_map_of_a_long_file():
    open_map(2 * PAGES).close()
    m = faultless.open(FILE, "r+", length=SIZE)
    os.truncate(FILE, SIZE)
    sound(m)
    m.flush()
    os.truncate(FILE, SIZE - 1)
    expect_fault(lambda: m[-1], SIZE - 1)
    expect_fault(m.flush, SIZE - 1)


def test_unlinking_is_no_truncation():
    m = open_map(PAGES)
    os.unlink(FILE)
    sound(m)
    m[0] = 200
    m.flush()
    assert m[0] == 200


def test_replacing_is_no_truncation():
    m = open_map(PAGES)
    with open("new", "wb") as file:
        file.write(b"new")
    os.replace("new", FILE)
    sound(m)
    assert FILE.read_bytes() == b"new"
