"""Memory of a map in the hands of others: it reads as zeros instead of ending the process, and the map tells."""

import ctypes
import errno
import os
import re
import struct
from pathlib import Path

from fault_support import FILE, PAGE, append, each, expect_fault, fault_of, open_map, pattern, skip, sound

import faultless

PAGES = 8
SIZE = PAGES * PAGE
END = 3 * PAGE + 100


def by_memoryview(m):
    with memoryview(m) as view:
        assert view[-PAGE:] == bytes(PAGE)
        assert view[END - 1] == pattern(1, END - 1)[0]


def by_bytes(m):
    data = bytes(m)
    assert data[:END] == pattern(END)
    assert data[END:] == bytes(SIZE - END)


def by_re(m):
    assert re.search(rb"\x00{5000,}", m).span() == (END, SIZE)


def by_struct(m):
    assert struct.unpack_from("<4Q", m, SIZE - 32) == (0, 0, 0, 0)


def by_numpy(m):
    try:
        import numpy
    except ImportError:
        skip("NumPy is not installed")
    array = numpy.frombuffer(m, dtype=numpy.uint8)
    assert array[END:].sum() == 0
    assert (array[:END] == numpy.frombuffer(pattern(END), dtype=numpy.uint8)).all()


def by_ctypes(m):
    memory = (ctypes.c_char * SIZE).from_buffer(m)
    assert memory[SIZE - 1] == b"\0"


READERS = {reader.__name__: reader for reader in (by_memoryview, by_bytes, by_re, by_struct, by_numpy, by_ctypes)}


@each(reader=list(READERS))
def test_zeros_then_an_error_then_healed(reader):
    m = open_map(PAGES)
    os.truncate(FILE, END)
    READERS[reader](m)
    assert m.fault == (END, "truncated")
    # This page is there: what is told is that others have seen zeros.
    expect_fault(lambda: m[0], END)
    # Told once: what is there is to be had again, and what is not fails as before.
    assert m[:END] == pattern(END)
    expect_fault(lambda: m[END], END)
    expect_fault(m.flush, END)
    append(FILE, SIZE)
    sound(m)
    m.flush()


def test_whatever_call_is_next_tells():
    m = open_map(PAGES)
    with memoryview(m) as view:
        for call in (
            lambda: m[-PAGE * PAGES],
            lambda: m[:10],
            lambda: m[10:0:-1],
            lambda: m.__setitem__(0, 1),
            lambda: m.__setitem__(slice(0, 3), bytes(3)),
            lambda: m.find(b"x", 0, 10),
            lambda: m.rfind(b"x", 0, 10),
            lambda: m.read(1),
            m.read_byte,
            lambda: m.write(b"x"),
            lambda: m.write_byte(1),
            lambda: m.move(0, 1, 1),
            lambda: next(iter(m)),
            m.flush,
        ):
            os.truncate(FILE, END)
            assert view[-1] == 0
            expect_fault(call, END)
            assert m.tell() == 0
            append(FILE, SIZE)
            sound(m)


def test_a_fault_is_told_even_when_the_file_is_whole_again():
    m = open_map(PAGES)
    with memoryview(m) as view:
        os.truncate(FILE, END)
        assert view[-1] == 0
        append(FILE, SIZE)
        # Whoever read these zeros has to hear of it.
        assert m.fault is not None
        assert fault_of(lambda: m[0]).reason == "truncated"
        sound(m)
        assert view == pattern(SIZE)


def test_lost_writes_are_told():
    m = open_map(PAGES)
    with memoryview(m) as view:
        os.truncate(FILE, END)
        view[-1] = 200
        assert view[-1] == 200
        expect_fault(m.flush, END)
        expect_fault(lambda: m[-1], END)
        append(FILE, SIZE)
        sound(m)
        # The write is not there, nor in the file.
        assert view == pattern(SIZE) == FILE.read_bytes()
        view[-1] = 200
    m.flush()
    assert FILE.read_bytes()[-1] == 200


def test_a_system_call_with_dead_memory_is_an_error_too():
    m = open_map(PAGES)
    os.truncate(FILE, END)
    with memoryview(m) as view, open("other", "wb", buffering=0) as other:
        try:
            other.write(view[5 * PAGE :])
        except OSError as error:
            assert error.errno == errno.EFAULT
        else:
            raise AssertionError("the system wrote what is not there")
        other.write(view[: 2 * PAGE])
    assert Path("other").read_bytes() == pattern(2 * PAGE)


def test_a_view_heals_with_its_map():
    m = open_map(PAGES)
    view = memoryview(m)
    for _ in range(20):
        os.truncate(FILE, END)
        assert view[-1] == 0
        expect_fault(lambda: m[0], END)
        append(FILE, SIZE)
        sound(m)
        assert view == pattern(SIZE)


def test_a_view_of_a_damaged_map():
    m = open_map(PAGES)
    os.truncate(FILE, END)
    expect_fault(lambda: m[-1], END)
    view = memoryview(m)
    assert view[-1] == 0
    assert view[:END] == pattern(END)


def test_a_needle_and_a_value_from_a_map_that_fails():
    """An argument that is a map's memory: its zeros are used, and that map tells."""
    hurt = open_map(PAGES)
    os.truncate(FILE, END)
    other = faultless.open("other", "w+", length=SIZE)
    other[:] = b"x" * SIZE
    other[:] = hurt
    assert other[:END] == pattern(END)
    assert other[END:] == bytes(SIZE - END)
    other.flush()
    expect_fault(lambda: hurt[0], END)
    assert other.find(memoryview(hurt)[-3:], 0) == END


def test_numpy_memmap_over_install():
    try:
        faultless.install()
        import numpy
    except ImportError:
        skip("NumPy is not installed")
    open_map(PAGES).close()
    array = numpy.memmap(FILE, dtype=numpy.uint8, mode="r+")
    assert type(array._mmap) is faultless.mmap.mmap
    assert array[-1] == pattern(1, SIZE - 1)[0]
    os.truncate(FILE, END)
    assert int(array[END:].sum()) == 0
    array[-1] = 200
    expect_fault(array.flush, END)
    expect_fault(array.flush, END)
    append(FILE, SIZE)
    array.flush()
    assert bytes(array) == pattern(SIZE)
    array[-1] = 200
    array.flush()
    assert FILE.read_bytes()[-1] == 200


def test_views_in_subclasses_and_copies():
    class Sub(faultless.mmap.mmap):
        pass

    open_map(PAGES).close()
    with open(FILE, "r+b") as file:
        m = Sub(file.fileno(), 0)
    os.truncate(FILE, 0)
    assert bytearray(m) == bytes(SIZE)
    expect_fault(lambda: m[0], 0)
