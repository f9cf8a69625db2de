"""Which pages of a map are in memory, bringing them there, keeping them, letting them go, and what they allow."""

import os
import signal
import threading

import pytest

import faultless
from faultless import mmap

PAGE = mmap.PAGESIZE
MIB = 1 << 20
# The same on every system; Windows' module has no names for them.
READ, WRITE, EXEC = 1, 2, 4


@pytest.fixture
def open_cold(tmp_path):
    """Return a function that maps a new file of which no page is in memory."""

    def make(length, mode="r"):
        path = tmp_path / "cold"
        path.write_bytes(os.urandom(length))
        with open(path, "rb") as file:
            os.fsync(file.fileno())
        m = faultless.open(path, mode)
        m.evict()
        if m.residency().resident:
            pytest.skip("this file system keeps its files in memory")
        return m

    return make


@pytest.fixture
def memory():
    with mmap.mmap(-1, 8 * PAGE) as m:
        yield m


def test_residency(memory):
    memory[PAGE] = memory[2 * PAGE] = memory[5 * PAGE] = 1
    found = memory.residency()
    assert isinstance(found, faultless.Residency)
    assert (found.pages, found.resident, found.page_size) == (8, 3, PAGE)
    assert found.ranges() == [(PAGE, 3 * PAGE), (5 * PAGE, 6 * PAGE)]
    assert repr(found) == f"<Residency: 3 of 8 pages of {PAGE} bytes | ██  █  |>"

    part = memory.residency(PAGE + 1, PAGE)
    assert (part.pages, part.resident, part.ranges()) == (2, 2, [(PAGE + 1, 2 * PAGE + 1)])
    assert memory.residency(start=6 * PAGE).resident == 0
    assert memory.residency(length=0).pages == 0
    assert memory.residency(8 * PAGE).ranges() == []


def test_prefetch_and_evict(open_cold):
    with open_cold(40 * MIB + 5) as m:
        m.prefetch(30 * MIB, 1)
        assert m.residency(30 * MIB, 1).resident == 1
        assert m.residency().resident < m.residency().pages
        m.prefetch()
        assert m.residency().ranges() == [(0, len(m))]
        m.evict(MIB, 38 * MIB)
        assert m.residency().ranges() == [(0, MIB), (39 * MIB, len(m))]
        m.evict(length=MIB)
        assert m.residency().resident == MIB // PAGE + 1


def test_evict_keeps_changes(open_cold, tmp_path):
    with open_cold(4 * PAGE, "r+") as m:
        m[:5] = b"later"
        m.evict()
        assert (tmp_path / "cold").read_bytes()[:5] == m[:5] == b"later"
    with open_cold(4 * PAGE, "c") as m:
        m[:5] = b"never"
        m.evict()
        assert m[:5] == b"never"


def test_progress_of_prefetch():
    with mmap.mmap(-1, 70 * MIB) as m:
        calls = []
        m.prefetch(MIB, 69 * MIB, progress=lambda done, total: calls.append((done, total)))
        assert calls[-1] == (69 * MIB, 69 * MIB)
        assert len(calls) > 1
        assert calls == sorted(calls)
        m.prefetch(0, 0, progress=lambda *call: calls.append(call))
        assert calls[-1] == (0, 0)
        m.prefetch(progress=None)
        with pytest.raises(TypeError, match="progress must be callable"):
            m.prefetch(progress=1)


def test_an_exception_of_progress_ends_prefetch():
    class Enough(Exception):
        pass

    def progress(done, total):
        calls.append(done)
        raise Enough

    with mmap.mmap(-1, 100 * MIB, flags=mmap.MAP_PRIVATE) as m:
        calls = []
        with pytest.raises(Enough):
            m.prefetch(progress=progress)
        assert len(calls) == 1
        assert calls[0] < 100 * MIB


def test_progress_may_close_the_map():
    m = mmap.mmap(-1, 100 * MIB)
    with pytest.raises(ValueError, match="mmap closed or invalid"):
        m.prefetch(progress=lambda *_: m.close())
    assert m.closed


def test_ctrl_c_ends_prefetch():
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals are handled by the main thread")
    calls = []

    def progress(done, total):
        calls.append(done)
        signal.raise_signal(signal.SIGINT)

    with mmap.mmap(-1, 100 * MIB) as m:
        with pytest.raises(KeyboardInterrupt):
            m.prefetch(progress=progress)
        assert calls[-1] < 100 * MIB
        m.prefetch()


def test_others_run_during_prefetch():
    """Detached: a thread counts on while the map is brought in."""
    stop, counted = threading.Event(), 0

    def count():
        nonlocal counted
        while not stop.is_set():
            counted += 1

    with mmap.mmap(-1, 30 * MIB) as m:
        thread = threading.Thread(target=count)
        thread.start()
        before = counted
        while counted == before:
            m.prefetch()
        stop.set()
        thread.join()


def test_lock():
    with mmap.mmap(-1, 8 * PAGE) as m:
        m.lock(PAGE, PAGE)
        m.lock(start=3 * PAGE, length=1)
        assert m.residency().ranges() == [(PAGE, 2 * PAGE), (3 * PAGE, 4 * PAGE)]
        m.unlock(PAGE, PAGE)
        m.unlock()


def test_what_is_locked_is_not_evicted(open_cold):
    with open_cold(4 * PAGE) as m:
        m.lock(length=2 * PAGE)
        m.evict()
        assert m.residency(0, 2 * PAGE).resident == 2
        m.unlock()


@pytest.mark.parametrize("method", ["residency", "prefetch", "evict", "lock", "unlock"])
def test_arguments(memory, method, raises):
    call = getattr(memory, method)
    end = len(memory)
    for start, length in [(0, None), (0, end), (3, 4), (end, 0), (end, None)]:
        call(start, length)
    for start in (-1, end + 1, 1 << 62):
        with raises(ValueError, f"start {start} is outside the map of {end} bytes"):
            call(start)
    for start, length in [(0, -1), (0, end + 1), (end, 1), (1, end)]:
        with raises(ValueError, f"start {start} with length {length} is outside the map of {end} bytes"):
            call(start, length)
    with raises(TypeError, f"{method}() got an unexpected keyword argument 'end'"):
        call(end=3)
    with raises(TypeError, f"{method}() got multiple values for argument 'start'"):
        call(0, start=0)
    with raises(TypeError, f"{method} expected at most 2 arguments, got 3"):
        call(0, 1, 2)
    with pytest.raises(TypeError):
        call("0")
    memory.close()
    with raises(ValueError, "mmap closed or invalid"):
        call()


class Closing:
    """A number whose conversion closes a map."""

    def __init__(self, m):
        self.m = m

    def __index__(self):
        self.m.close()
        return 0


@pytest.mark.parametrize("method", ["residency", "prefetch", "evict", "lock", "unlock", "protect"])
def test_an_argument_that_closes_the_map(memory, method, raises):
    with raises(ValueError, "mmap closed or invalid"):
        getattr(memory, method)(Closing(memory))


def test_protect(memory):
    memory[0] = 7
    memory.protect(READ)
    assert memory[0] == 7
    for change in (lambda: memory.__setitem__(0, 1), lambda: memory.write(b"x"), lambda: memory.move(0, 1, 1)):
        with pytest.raises(TypeError, match="protection"):
            change()
    memory.protect(0)
    for use in (lambda: memory[0], lambda: memory[:], lambda: memory.find(b"\7"), lambda: memory.read(1)):
        with pytest.raises(TypeError, match="protection"):
            use()
    memory.protect(READ | WRITE)
    memory[0] = 8
    assert memory[0] == 8


def test_what_is_exported_follows_the_protection(memory):
    memory.protect(READ)
    with memoryview(memory) as view:
        assert view.readonly
    memory.protect(0)
    with pytest.raises(BufferError):
        memoryview(memory)
    memory.protect(READ | WRITE)
    with memoryview(memory) as view:
        assert not view.readonly


def test_protect_is_refused_while_memory_is_exported(memory, raises):
    with memoryview(memory) as view:
        for prot in (0, READ, READ | WRITE):
            with raises(BufferError, "mmap can't change its protection with extant buffers exported."):
                memory.protect(prot)
        view[0] = 5
    memory.protect(READ)
    assert memory[0] == 5


def test_protect_cannot_give_more_than_the_map_was_made_for(make_file, raises):
    path = make_file(b"text")
    with faultless.open(path) as m:
        with raises(TypeError, "mmap can't modify a readonly memory map."):
            m.protect(READ | WRITE)
        m.protect(READ)
        assert m[:] == b"text"
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=READ) as m, pytest.raises(TypeError):
        m.protect(WRITE)
    for mode in ("r+", "c"):
        with faultless.open(path, mode) as m:
            m.protect(READ)
            m.protect(READ | WRITE)
            m[0] = ord("T")


def test_arguments_of_protect(memory, raises):
    for prot in (-1, 8, READ | 1 << 10):
        with raises(ValueError, "prot must be made of PROT_READ, PROT_WRITE, PROT_EXEC"):
            memory.protect(prot)
    with pytest.raises(TypeError):
        memory.protect("READ")
    with pytest.raises(OverflowError):
        memory.protect(1 << 40)
    memory.close()
    with raises(ValueError, "mmap closed or invalid"):
        memory.protect(READ)


def test_a_map_without_its_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 64)
    fd = os.open(path, os.O_RDWR)
    m = mmap.mmap(fd, 0, trackfd=False)
    os.close(fd)
    with m:
        m.prefetch()
        assert m.residency().resident == m.residency().pages
        m.evict()
        assert m[255] == 255


def test_sync(tmp_path):
    path = tmp_path / "file"
    with faultless.open(path, "w+", length=3 * PAGE) as m:
        m[PAGE + 1 : PAGE + 5] = b"kept"
        assert m.sync() is None
        assert m.sync(PAGE + 1, 4) is None
        assert m.sync(length=0, start=3 * PAGE) is None
        for start, length in [(3 * PAGE + 1, None), (-1, None), (0, 3 * PAGE + 1), (1, 3 * PAGE), (0, -1)]:
            with pytest.raises(ValueError, match="outside the map"):
                m.sync(start, length)
        m.flush()
    assert path.read_bytes()[PAGE + 1 : PAGE + 5] == b"kept"
    for mode in ["r", "c"]:
        with faultless.open(path, mode) as m:
            m.sync()
    with mmap.mmap(-1, PAGE) as m:
        m.sync()
    with pytest.raises(ValueError, match="closed"):
        m.sync()


def test_sync_needs_the_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(PAGE))
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0, trackfd=False) as m:
        m.flush()
        with pytest.raises(ValueError, match="file"):
            m.sync()
