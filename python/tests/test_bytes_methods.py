"""count, index, rindex, startswith, endswith: a map answers as the bytes that it has, with the same errors."""

import itertools
import os
import re

import pytest

import faultless
from faultless import mmap

DATA = b"abracadabra\0aaaa\xff"
BOUNDS = [None, 0, 1, 4, 11, len(DATA) - 1, len(DATA), len(DATA) + 1, 1 << 70, -1, -4, -len(DATA), -100, -(1 << 70)]
SUBS = [b"", b"a", b"aa", b"abra", b"\0", b"\xff", b"never", DATA, DATA + b"x", bytearray(b"ra"), 97, 0, 255]


@pytest.fixture
def memory():
    with mmap.mmap(-1, len(DATA)) as m:
        m[:] = DATA
        yield m


def answer(call):
    """What a call gives, or the exception that it raises."""
    try:
        return call()
    except Exception as error:
        # The interpreters word it differently, and name their own types.
        return type(error), re.sub(r"'?\w+'? object cannot be.*|slice indices.*", "", str(error))


@pytest.mark.parametrize("method", ["count", "index", "rindex"])
@pytest.mark.parametrize("sub", SUBS, ids=repr)
def test_like_bytes(memory, method, sub):
    for bounds in [(), *((start,) for start in BOUNDS), *itertools.product(BOUNDS, BOUNDS)]:
        assert answer(lambda bounds=bounds: getattr(memory, method)(sub, *bounds)) == answer(
            lambda bounds=bounds: getattr(DATA, method)(sub, *bounds)
        ), bounds


AFFIXES = [
    b"",
    b"a",
    b"abra",
    DATA[-3:],
    DATA,
    DATA + b"x",
    b"no",
    bytearray(b"ab"),
    (),
    (b"no", b"ab", b"\xff"),
    (b"",),
]


@pytest.mark.parametrize("method", ["startswith", "endswith"])
@pytest.mark.parametrize("affix", AFFIXES, ids=repr)
def test_affixes_like_bytes(memory, method, affix):
    for bounds in [(), *((start,) for start in BOUNDS), *itertools.product(BOUNDS, BOUNDS)]:
        assert getattr(memory, method)(affix, *bounds) == getattr(DATA, method)(affix, *bounds), bounds


def test_by_name(memory):
    assert memory.count(sub=b"a", start=1, end=11) == 4
    assert memory.index(b"a", end=5, start=1) == memory.rindex(b"a", 1, end=4) == 3
    assert memory.startswith(prefix=b"bra", start=1)
    assert memory.endswith(suffix=b"bra", end=11)


@pytest.mark.parametrize("method", ["count", "index", "rindex"])
def test_what_cannot_be_looked_for(memory, method, raises):
    call = getattr(memory, method)
    with raises(TypeError, "argument should be integer or bytes-like object, not 'str'"):
        call("a")
    for byte in (-1, 256, 1 << 70):
        with raises(ValueError, "byte must be in range(0, 256)"):
            call(byte)
    with pytest.raises(TypeError):
        call()
    with pytest.raises(TypeError):
        call(b"a", "0")
    with raises(TypeError, f"{method}() got an unexpected keyword argument 'stop'"):
        call(b"a", stop=1)


@pytest.mark.parametrize("method", ["startswith", "endswith"])
def test_what_is_no_affix(memory, method, raises):
    call = getattr(memory, method)
    with raises(TypeError, f"{method} first arg must be bytes or a tuple of bytes, not str"):
        call("a")
    with raises(TypeError, f"{method} first arg must be bytes or a tuple of bytes, not int"):
        call((b"no", 1))


def test_not_found(memory, raises):
    for method in (memory.index, memory.rindex):
        with raises(ValueError, "subsection not found"):
            method(b"never")


@pytest.mark.parametrize("method", ["count", "index", "rindex", "startswith", "endswith"])
def test_closed(memory, method, raises):
    class Closing:
        def __index__(self):
            memory.close()
            return 0

    for bounds in ((Closing(),), ()):
        with raises(ValueError, "mmap closed or invalid"):
            getattr(memory, method)(b"a", *bounds)


def test_the_position_is_nothing_to_them(memory):
    memory.seek(5)
    assert memory.index(b"a") == 0
    assert memory.count(b"a") == DATA.count(b"a")
    assert memory.tell() == 5


def test_counting_across_parts(tmp_path):
    """What is long is counted in parts: matches across their borders count once, and overlap nowhere."""
    path = tmp_path / "long"
    part = 128 << 20
    with open(path, "wb") as file:
        for at, data in [(5, b"aaa"), (part - 1, b"abcab"), (part + 100, b"aaaaa")]:
            file.seek(at)
            file.write(data)
        file.truncate(part + (8 << 20))
    with faultless.open(path) as m:
        assert m.count(b"abc") == 1
        assert m.count(b"ab") == 2
        assert m.count(b"aa") == 3
        assert m.count(b"a") == 10
        assert m.count(b"aaaa", part) == 1
        assert m.count(b"\0") == len(m) - 13
        assert m.count(b"\0\0", 0, 5) == 2
        assert m.rindex(b"abc") == part - 1


def test_long_affixes():
    with mmap.mmap(-1, 1 << 20) as m:
        data = os.urandom(1 << 20)
        m[:] = data
        assert m.startswith(data)
        assert m.endswith(data[1:])
        assert not m.startswith(data[:-1] + bytes([data[-1] ^ 1]))
        assert m.startswith((data[1:], data[:-1]))
