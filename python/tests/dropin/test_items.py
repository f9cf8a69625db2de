"""Getting items and slices."""

import sys

import pytest
from arguments import Failing, Index

DATA = bytes(range(256)) + b"0123456789"
NOT_INTEGERS = (TypeError, "mmap indices must be integers")
HUGE = (IndexError, "cannot fit 'int' into an index-sized integer")
OUT_OF_RANGE = (IndexError, "mmap index out of range")


@pytest.fixture
def m(new_map):
    with new_map(DATA, access=1) as m:
        yield m


def test_every_item_is_an_int(m):
    assert [m[i] for i in range(len(m))] == list(DATA)
    assert {type(m[i]) for i in range(len(m))} == {int}


def test_negative_items(m):
    assert [m[-i] for i in range(1, len(m) + 1)] == list(reversed(DATA))


@pytest.mark.parametrize(("index", "expected"), [(True, 1), (False, 0), (Index(5), 5), (Index(-1), ord("9"))])
def test_index_like(m, index, expected):
    assert m[index] == expected


@pytest.mark.parametrize("index", [len(DATA), -len(DATA) - 1, sys.maxsize, -sys.maxsize - 1, Index(len(DATA))])
def test_index_out_of_range(m, raises, index):
    with raises(*OUT_OF_RANGE):
        m[index]


@pytest.mark.parametrize("index", [2**70, -(2**70), sys.maxsize + 1])
def test_huge_index(m, raises, index):
    with raises(*HUGE):
        m[index]


def test_huge_index_names_the_type_that_was_given(m, raises):
    with raises(IndexError, "cannot fit 'Index' into an index-sized integer"):
        m[Index(2**70)]


@pytest.mark.parametrize("index", ["a", 1.0, None, (0, 1), b"0", [], ...])
def test_index_of_a_wrong_type(m, raises, index):
    with raises(*NOT_INTEGERS):
        m[index]


def test_index_that_fails(m, raises):
    with raises(LookupError, "from __index__"):
        m[Failing()]
    with raises(LookupError, "from __index__"):
        m[Failing() :]


POINTS = [None, 0, 1, 2, 9, 10, 11, 200, -1, -2, -9, -10, -11, -200, sys.maxsize, -sys.maxsize - 1, 2**70, -(2**70)]
STEPS = [None, 1, 2, 3, 9, 10, 11, -1, -2, -3, -9, -11, sys.maxsize, -sys.maxsize, 2**70, -(2**70)]


@pytest.mark.parametrize("step", STEPS)
def test_slices_are_those_of_bytes(new_map, step):
    data = b"0123456789"
    with new_map(data, access=1) as m:
        got = {(start, stop): m[start:stop:step] for start in POINTS for stop in POINTS}
        assert got == {(start, stop): data[start:stop:step] for start in POINTS for stop in POINTS}
        assert {type(part) for part in got.values()} == {bytes}


def test_slices_of_a_longer_map(m):
    for start in range(0, 266, 19):
        for stop in range(0, 266, 23):
            for step in (1, 2, 7, -1, -5):
                assert m[start:stop:step] == DATA[start:stop:step]


def test_slice_is_a_copy(new_map):
    with new_map(b"data") as m:
        part = m[:2]
        m[0] = ord("D")
        assert (part, m[:]) == (b"da", b"Data")


def test_slice_with_index_like(m):
    assert m[Index(1) : Index(9) : Index(3)] == DATA[1:9:3]
    assert m[True:9] == DATA[1:9]


@pytest.mark.parametrize("step", [0, False, Index(0)])
def test_slice_of_step_zero(m, raises, step):
    with raises(ValueError, "slice step cannot be zero"):
        m[::step]


@pytest.mark.parametrize("index", [slice("a"), slice("a", None), slice(1.0), slice(None, None, "a"), slice(0, b"1")])
def test_slice_of_a_wrong_type(m, index):
    # The text is the interpreter's own and changes between versions.
    with pytest.raises(TypeError, match="slice indices must be integers") as caught:
        m[index]
    assert caught.type is TypeError


def test_parts_of_a_slice_are_converted_in_order(m):
    order = []

    class Noting:
        def __init__(self, name):
            self.name = name

        def __index__(self):
            order.append(self.name)
            return 1

    m[Noting("start") : Noting("stop") : Noting("step")]
    assert order == ["step", "start", "stop"]


def test_length(m):
    assert len(m) == len(DATA)
    assert m.__len__() == len(DATA)
    assert bool(m) is True


def test_methods_of_the_operators(m, raises):
    assert m.__getitem__(3) == 3
    assert m.__getitem__(slice(0, 2)) == b"\0\1"
    with raises(*OUT_OF_RANGE):
        m.__getitem__(len(DATA))


def test_position_does_not_matter_and_does_not_move(m):
    m.seek(7)
    assert (m[0], m[:3], m.tell()) == (0, b"\0\1\2", 7)
