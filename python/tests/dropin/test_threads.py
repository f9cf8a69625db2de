"""Threads that use one map: no torn call, no crash, and the errors of a closed or shorter map."""

import mmap as standard_mmap
import os
import sys
import threading

import pytest

PAGE = standard_mmap.PAGESIZE
ROUNDS = 300


@pytest.fixture
def together():
    """Return a function that runs callables in threads that start at once, and gives the exceptions they ended with."""

    def run(*functions):
        barrier = threading.Barrier(len(functions))
        failures = []

        def body(function):
            barrier.wait()
            try:
                function()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=body, args=(function,)) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return failures

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield run
    sys.setswitchinterval(interval)


def test_readers(new_map, together):
    data = os.urandom(20 * PAGE)
    with new_map(data, access=1) as m:

        def read():
            for i in range(ROUNDS):
                at = i * 97 % (len(data) - PAGE)
                assert m[at] == data[at]
                assert m[at : at + PAGE] == data[at : at + PAGE]
                assert m.find(data[at : at + 16], 0) == data.find(data[at : at + 16])

        assert together(read, read, read, read) == []


def test_writers_of_different_parts(new_map, together):
    with new_map(bytes(4 * PAGE)) as m:

        def writer(part):
            def write():
                for i in range(ROUNDS):
                    m[part * PAGE : (part + 1) * PAGE] = bytes([i % 256]) * PAGE
                    m[part * PAGE] = part
                    m.move(part * PAGE + 1, part * PAGE, 1)

            return write

        assert together(*(writer(part) for part in range(4))) == []
        for part in range(4):
            assert m[part * PAGE : part * PAGE + 2] == bytes([part, part])
            assert m[part * PAGE + 2 : (part + 1) * PAGE] == bytes([(ROUNDS - 1) % 256]) * (PAGE - 2)


def test_one_position_for_all(new_map, together):
    """Every byte is read by exactly one thread."""
    data = bytes(range(250)) * 40
    with new_map(data, access=1) as m:
        seen = []

        def read():
            mine = bytearray()
            while part := m.read(7):
                mine += part
            seen.append(bytes(mine))

        assert together(read, read, read) == []
        assert m.tell() == len(data)
        assert sorted(b"".join(seen)) == sorted(data)


@pytest.mark.parametrize("size", [PAGE, 64 * PAGE])
def test_close_while_others_use_it(new_map, together, size):
    data = b"x" * size
    for _ in range(30):
        m = new_map(data)
        started = threading.Event()

        def use(call, m=m, started=started):
            def body():
                with pytest.raises(ValueError, match=r"^mmap closed or invalid$"):
                    while True:
                        call(m)
                        started.set()

            return body

        def close(m=m, started=started):
            started.wait()
            while not m.closed:
                try:
                    m.close()
                except BufferError:
                    # One of the others holds an export for the moment of its call.
                    continue

        failures = together(
            close,
            use(lambda m: m[0]),
            use(lambda m: m[:]),
            use(lambda m: m.find(b"y", 0)),
            use(lambda m: m.__setitem__(0, 120)),
            use(lambda m: len(m)),
        )
        assert failures == []
        assert m.closed


def test_resize_while_others_use_it(new_map, together):
    with new_map(b"x" * (8 * PAGE)) as m:
        done = threading.Event()

        def resize():
            try:
                for i in range(ROUNDS):
                    m.resize(PAGE * (1 + i % 8))
            finally:
                done.set()

        def index():
            while not done.is_set():
                try:
                    assert m[8 * PAGE - 1] in (0, 120)
                except IndexError as error:
                    assert str(error) == "mmap index out of range"

        def slices():
            while not done.is_set():
                assert len(m[:]) % PAGE == 0
                assert set(m[: 3 * PAGE]) <= {0, 120}

        def search():
            while not done.is_set():
                assert -1 <= m.rfind(b"\0", 0) < 8 * PAGE
                assert m.find(b"x", 0) == 0

        assert together(resize, index, slices, search) == []


def test_exports_and_closing(mmap, together):
    """Every close either sees an export and is refused, or closes; a view of a closed map never exists."""
    for _ in range(100):
        m = mmap.mmap(-1, PAGE)

        def export(m=m):
            for _ in range(20):
                try:
                    with memoryview(m) as view:
                        assert not m.closed
                        assert view[PAGE - 1] == 0
                except ValueError as error:
                    assert str(error) == "mmap closed or invalid"

        def close(m=m):
            for _ in range(20):
                try:
                    m.close()
                except BufferError as error:
                    assert str(error) == "cannot close exported pointers exist"

        assert together(export, export, close, close) == []


def test_maps_made_and_dropped_in_threads(map_file, make_file, together):
    path = make_file(b"data")

    def work():
        for _ in range(ROUNDS):
            m = map_file(path)
            assert m[:] == b"data"
            m.close()

    before = len(os.listdir("/proc/self/fd"))
    assert together(work, work, work, work) == []
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.unix("Windows has no fork()")
def test_fork_shares_anonymous_memory(mmap):
    with mmap.mmap(-1, PAGE) as m:
        child = os.fork()
        if child == 0:
            m[0] = 7
            m.close()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert (m[0], m.closed) == (7, False)


@pytest.mark.unix("Windows has no fork()")
def test_fork_copies_private_memory(mmap):
    with mmap.mmap(-1, PAGE, flags=mmap.MAP_PRIVATE) as m:
        m[0] = 1
        child = os.fork()
        if child == 0:
            seen = m[0]
            m[0] = 7
            os._exit(seen)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        assert m[0] == 1
