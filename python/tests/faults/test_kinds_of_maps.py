"""Copy-on-write maps, maps at an offset, several maps of a file, maps that keep no descriptor."""

import os
import sys

from fault_support import FILE, PAGE, append, each, expect_fault, new_file, open_map, pattern, skip, sound

import faultless
from faultless import mmap

PAGES = 8
SIZE = PAGES * PAGE
END = 3 * PAGE + 100


def by_descriptor(pages=PAGES, **options):
    """A map made the way of the standard module, whose descriptor is closed again."""
    new_file(pages)
    with open(FILE, "r+b") as file:
        return mmap.mmap(file.fileno(), 0, **options)


def test_copy_on_write():
    m = open_map(PAGES, "c")
    m[0] = 200
    m[5 * PAGE] = 201
    os.truncate(FILE, END)
    expect_fault(lambda: m[:], END)
    assert m[:END] == bytes([200]) + pattern(END - 1, 1)
    # The copies behind the end went with the pages, which the map says.
    expect_fault(lambda: m[5 * PAGE], END)
    expect_fault(m.flush, END)
    append(FILE, SIZE)
    sound_but_first = m[:]
    assert sound_but_first[1:END] == pattern(END - 1, 1)
    assert sound_but_first[4 * PAGE :] == pattern(4 * PAGE, 4 * PAGE)
    m[-1] = 202
    assert m[-1] == 202
    assert FILE.read_bytes() == pattern(SIZE)


def test_reading_only():
    for m in (open_map(PAGES, "r"), by_descriptor(access=mmap.ACCESS_READ), by_descriptor(prot=mmap.PROT_READ)):
        sound(m)
        os.truncate(FILE, END)
        expect_fault(lambda m=m: m[:], END)
        expect_fault(m.flush, END)
        append(FILE, SIZE)
        sound(m)
        m.flush()


def test_private_by_flags():
    m = by_descriptor(flags=mmap.MAP_PRIVATE)
    m[0] = 200
    os.truncate(FILE, 0)
    expect_fault(lambda: m[0], 0)
    append(FILE, SIZE)
    assert m[1:] == pattern(SIZE - 1, 1)


@each(offset=[1, 100, PAGE - 1, PAGE, PAGE + 77, 3 * PAGE + 1])
def test_at_an_offset(offset):
    m = open_map(PAGES)
    m.close()
    m = faultless.open(FILE, "r+", offset=offset)
    sound(m, offset)
    for end in (5 * PAGE + 10, 5 * PAGE, offset + 1, offset):
        os.truncate(FILE, end)
        # Offsets are the map's, not the file's.
        expect_fault(lambda: m[:], end - offset)
        expect_fault(lambda: m[-1], end - offset)
        expect_fault(m.flush, end - offset)
        assert m[: end - offset] == pattern(end - offset, offset)
        append(FILE, SIZE)
        sound(m, offset)
    # The file ends before the map begins.
    os.truncate(FILE, offset - 1)
    expect_fault(lambda: m[0], 0)
    append(FILE, SIZE)
    sound(m, offset)
    m[0] = 200
    m.flush()
    assert FILE.read_bytes()[offset] == 200


def test_a_part_of_the_file():
    new_file(PAGES)
    m = faultless.open(FILE, "r+", offset=100, length=2 * PAGE)
    os.truncate(FILE, 2 * PAGE + 100)
    sound(m, 100)
    m.flush()
    os.truncate(FILE, 2 * PAGE + 99)
    expect_fault(lambda: m[-1], 2 * PAGE - 1)
    append(FILE, SIZE)
    sound(m, 100)


def test_several_maps_of_one_file():
    first = open_map(PAGES)
    maps = [(first, 0)]
    for mode, offset in (("r", 0), ("r+", 77), ("c", PAGE), ("r+", 5 * PAGE)):
        maps.append((faultless.open(FILE, mode, offset=offset), offset))
    for turn in range(5):
        os.truncate(FILE, END + turn)
        for m, offset in maps:
            expect_fault(lambda m=m: m[-1], max(END + turn - offset, 0))
        append(FILE, SIZE)
        for m, offset in maps:
            sound(m, offset)
    first[-1] = 200
    assert [m[-1] for m, _ in maps] == [200] * len(maps)


def test_closing_one_of_them_leaves_the_others_guarded():
    maps = [open_map(PAGES) for _ in range(3)]
    os.truncate(FILE, END)
    expect_fault(lambda: maps[0][-1], END)
    maps[0].close()
    expect_fault(lambda: maps[1][-1], END)
    maps[1].close()
    append(FILE, SIZE)
    sound(maps[2])


def test_two_files():
    m = open_map(PAGES)
    other = faultless.open(new_file(PAGES, FILE.with_name("other")), "r+")
    os.truncate(FILE, END)
    error = expect_fault(lambda: m[-1], END)
    assert error.filename == "file"
    sound(other)
    os.truncate("other", 0)
    error = expect_fault(lambda: other[0], 0)
    assert error.filename == "other"
    append(FILE, SIZE)
    sound(m)


def test_maps_that_come_and_go():
    for turn in range(300):
        m = open_map(2)
        os.truncate(FILE, turn % (2 * PAGE))
        expect_fault(lambda m=m: m[-1], turn % (2 * PAGE))
        if turn % 2:
            m.close()


def test_without_a_descriptor():
    """Such a map cannot ask the file, nor map it again."""
    m = by_descriptor(trackfd=False)
    assert m.guarded
    sound(m)
    os.truncate(FILE, 3 * PAGE)
    error = expect_fault(lambda: m[5 * PAGE], 5 * PAGE)
    assert error.filename is None
    assert m.fault == (5 * PAGE, "truncated")
    assert m[: 3 * PAGE] == pattern(3 * PAGE)
    expect_fault(m.flush, 5 * PAGE)
    append(FILE, SIZE)
    expect_fault(lambda: m[5 * PAGE], 5 * PAGE)
    expect_fault(m.flush, 5 * PAGE)
    assert m.fault == (5 * PAGE, "truncated")


def test_without_a_descriptor_memory_reads_zeros_too():
    m = by_descriptor(trackfd=False)
    os.truncate(FILE, 0)
    assert bytes(m) == bytes(SIZE)
    expect_fault(lambda: m[0], 0)


def test_anonymous_memory_has_no_faults():
    m = mmap.mmap(-1, SIZE)
    assert m.guarded
    assert m.fault is None
    assert m[:] == bytes(SIZE)
    m.flush()


def test_a_descriptor_without_a_name():
    if sys.platform != "linux":
        skip("memfd_create is Linux's")
    fd = os.memfd_create("faultless-test")
    os.write(fd, pattern(SIZE))
    m = mmap.mmap(fd, 0)
    os.ftruncate(fd, END)
    expect_fault(lambda: m[-1], END)
    os.ftruncate(fd, SIZE)
    assert m[:] == pattern(END) + bytes(SIZE - END)


@each(mode=["r", "r+", "c"])
def test_a_closed_map_is_closed(mode):
    m = open_map(PAGES, mode)
    os.truncate(FILE, 0)
    expect_fault(lambda: m[0], 0)
    m.close()
    for call in (lambda: m[0], lambda: m.fault, lambda: m.guarded, m.flush, m.read):
        try:
            call()
        except ValueError as error:
            assert str(error) == "mmap closed or invalid"
        else:
            raise AssertionError("a closed map works")
