"""Another thread closes or resizes a map while long operations run on it: a right result or a ValueError."""

import threading

from fault_support import FILE, PAGE, PERIOD, each, fault_of, in_threads, pattern

import faultless
from faultless import mmap

MEGABYTE = 1 << 20
# From 64 KiB on an operation lets other threads run.
SIZE = 64 * MEGABYTE
CLOSED = "mmap closed or invalid"

# Each runs long over the whole of a map of zeros, and gives what is expected of it.
LONG = {
    "find": lambda m: m.find(b"\1", 0) == -1,
    "rfind": lambda m: m.rfind(b"never there", 0) == -1,
    "slice": lambda m: len(m[: SIZE // 2]) == SIZE // 2,
    "strided": lambda m: m[::64] == bytes(SIZE // 64),
    "move": lambda m: m.move(0, SIZE // 2, SIZE // 2) is None,
    "write": lambda m: m.__setitem__(slice(0, SIZE // 2), bytes(SIZE // 2)) is None,
}


def zeros():
    """A map of zeros that takes room in memory only where it is written."""
    return faultless.open(FILE, "r+")


def until_closed(m, operation, begun):
    """Runs an operation again and again, until the map is closed."""
    count = 0
    try:
        while True:
            begun.set()
            assert LONG[operation](m)
            count += 1
    except ValueError as error:
        assert str(error) == CLOSED
    return count


@each(operation=list(LONG))
def test_closed_during_a_long_operation(operation):
    with open(FILE, "wb") as file:
        file.truncate(SIZE)
    results = []
    for _ in range(3):
        m = zeros()
        begun = threading.Event()

        def close(m=m, begun=begun):
            begun.wait()
            m.close()
            assert m.closed

        in_threads(close, lambda m=m, begun=begun: results.append(until_closed(m, operation, begun)))
    # At least one operation was under way: closing let it finish, with its right result.
    assert any(results)


def test_closed_by_one_of_many():
    with open(FILE, "wb") as file:
        file.truncate(SIZE)
    m = zeros()
    begun = threading.Event()

    def close():
        begun.wait()
        m.close()

    users = [
        lambda operation=operation: until_closed(m, operation, begun) for operation in ("find", "slice", "strided")
    ]
    in_threads(close, close, *users)
    assert m.closed


def test_an_operation_keeps_its_needle_and_its_map():
    """Closing waits, and so does whoever drops the last reference."""
    with open(FILE, "wb") as file:
        file.truncate(SIZE)
    for _ in range(5):
        maps = [zeros()]
        begun = threading.Event()

        def search(maps=maps, begun=begun):
            m = maps[0]
            begun.set()
            assert m.find(bytearray(b"\1" * 100), 0) == -1

        def drop(maps=maps, begun=begun):
            begun.wait()
            maps.clear()

        in_threads(search, drop)


def test_resized_during_long_operations():
    """An operation sees the map at one of its lengths, with the bytes that it has there."""
    lengths = [64 * MEGABYTE, 65 * MEGABYTE, 80 * MEGABYTE]
    data = pattern(lengths[-1])
    m = mmap.mmap(-1, lengths[-1], flags=mmap.MAP_PRIVATE)
    m[:] = data
    done = threading.Event()

    def resize():
        try:
            for turn in range(12):
                m.resize(lengths[turn % 2])
        finally:
            done.set()

    def slices():
        while not done.is_set():
            # A slice takes what there is, so no length is out of range.
            got = m[:]
            assert len(got) in lengths
            assert got[: lengths[0]] == data[: lengths[0]]

    def search():
        while not done.is_set():
            # What was added is zeros.
            assert m.find(b"\0", 0) in (-1, lengths[0])
            assert m.rfind(data[:PERIOD], 0, lengths[0]) > lengths[0] - 2 * PERIOD

    in_threads(resize, slices, search)


def test_a_file_resized_during_long_operations():
    """Making the file shorter through the map is no fault of the map."""
    FILE.write_bytes(pattern(4 * MEGABYTE))
    m = faultless.open(FILE, "r+")
    done = threading.Event()

    def resize():
        try:
            for turn in range(60):
                m.resize((1 + turn % 4) * MEGABYTE - 5)
        finally:
            done.set()

    def slices():
        while not done.is_set():
            got = m[: MEGABYTE - 5]
            assert got == pattern(MEGABYTE - 5)
            assert m.find(b"\0", 0, MEGABYTE - 5) == -1

    in_threads(resize, slices)
    assert m.fault is None
    m.flush()


def test_truncated_and_closed_during_long_operations():
    for _ in range(20):
        FILE.write_bytes(pattern(MEGABYTE))
        m = faultless.open(FILE, "r+")
        barrier = threading.Barrier(3)

        def truncate(m=m, barrier=barrier):
            barrier.wait()
            with open(FILE, "r+b") as file:
                file.truncate(PAGE)

        def close(m=m, barrier=barrier):
            barrier.wait()
            m.close()

        def use(m=m, barrier=barrier):
            barrier.wait()
            try:
                while True:
                    try:
                        assert m[:] == pattern(MEGABYTE)
                    except faultless.FaultError as error:
                        assert (error.offset, error.reason) == (PAGE, "truncated")
            except ValueError as error:
                assert str(error) == CLOSED

        in_threads(truncate, close, use)
        assert m.closed


def test_an_export_keeps_a_damaged_map_open():
    FILE.write_bytes(pattern(SIZE // 64))
    m = faultless.open(FILE, "r+")
    view = memoryview(m)
    with open(FILE, "r+b") as file:
        file.truncate(0)
    assert view[-1] == 0
    try:
        m.close()
    except BufferError:
        pass
    else:
        raise AssertionError("closed under a view")
    assert fault_of(lambda: m[0]).offset == 0
    view.release()
    m.close()
