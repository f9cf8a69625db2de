"""NumPy arrays of maps that fail, and maps that were unpickled."""

import os
import pickle

from fault_support import FILE, PAGE, append, each, expect_fault, new_file, open_map, pattern, skip, sound

import faultless

PAGES = 8
SIZE = PAGES * PAGE
END = 3 * PAGE + 100


def numpy():
    try:
        import numpy
    except ImportError:
        skip("NumPy is not installed")
    return numpy


@each(mode=["r", "r+", "c"])
def test_an_array_over_a_truncated_file(mode):
    numpy()
    m = open_map(PAGES, mode)
    array = m.array("<u4", (-1, 8))
    os.truncate(FILE, END)
    assert array[-1].tolist() == [0] * 8
    assert array.tobytes() == pattern(END) + bytes(SIZE - END)
    assert m.fault == (END, "truncated")
    error = expect_fault(lambda: m[0], END)
    assert error.filename == str(FILE)
    # It is still the map's memory, which cannot be taken away.
    try:
        m.close()
        raise AssertionError("it was closed")
    except BufferError:
        pass
    append(FILE, SIZE)
    sound(m)
    assert array.tobytes() == pattern(SIZE)


def test_what_an_array_wrote_to_a_page_that_failed_is_told():
    numpy()
    m = open_map(PAGES)
    array = m.array()
    os.truncate(FILE, END)
    array[-1] = 200
    array[0] = 201
    expect_fault(m.flush, END)
    append(FILE, SIZE)
    assert m[0] == 201
    assert m[-1] == pattern(SIZE)[-1]


def test_numbers_all_over_a_file_that_is_gone():
    n = numpy()
    m = open_map(64)
    array = m.array("<u2")
    order = n.random.default_rng(0).permutation(len(array))
    os.truncate(FILE, 0)
    assert not array[order].any()
    assert int(array.max()) == 0
    array.sort()
    expect_fault(lambda: m.find(b"x"), 0)


def test_an_array_made_of_a_damaged_map():
    numpy()
    m = open_map(PAGES)
    os.truncate(FILE, END)
    expect_fault(lambda: m[-1], END)
    array = m.array("<u4", (4, -1))
    assert array[3, -1] == 0
    assert m.fault == (END, "truncated")


@each(mode=["r", "r+"])
def test_an_unpickled_map(mode):
    with open_map(PAGES, mode) as first:
        m = pickle.loads(pickle.dumps(first))
        assert m.guarded
        os.truncate(FILE, END)
        for one in (m, first):
            error = expect_fault(lambda one=one: one[-1], END)
            assert error.filename == str(FILE if one is first else FILE.absolute())
        assert m.fault == first.fault == (END, "truncated")
        # What the map has is more than the file has now.
        try:
            pickle.loads(pickle.dumps(first))
            raise AssertionError("it was opened")
        except ValueError as error:
            assert f"length {SIZE} at offset 0 is greater than file size {END}" in str(error)
        append(FILE, SIZE)
        sound(m)
        sound(first)


def test_a_file_that_is_cut_short_between_pickling_and_reading():
    new_file(PAGES)
    pickled = pickle.dumps(faultless.open(FILE, offset=PAGE, length=4 * PAGE))
    os.truncate(FILE, 5 * PAGE)
    m = pickle.loads(pickled)
    sound(m, PAGE)
    os.truncate(FILE, END)
    expect_fault(lambda: m[:], END - PAGE)
    assert m[: END - PAGE] == pattern(END - PAGE, PAGE)
