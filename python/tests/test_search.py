"""find() and rfind() on several threads: the results, errors and signals of one."""

import functools
import inspect
import os
import signal
import threading

import pytest

import faultless
import faultless.mmap

MIB = 1 << 20
# Above what one thread searches alone, and no multiple of anything.
LENGTH = 9 * MIB + 4321
METHODS = ["find", "rfind"]
THREADS = [0, 1, 2, 3, 7, 1000]


@pytest.fixture(scope="module")
def data():
    data = bytearray(b"a line of text\n" * (LENGTH // 15 + 1))[:LENGTH]
    for at in (5, MIB - 3, 2 * MIB - 1, 4 * MIB, 6 * MIB + 777, LENGTH - 12):
        data[at : at + 6] = b"needle"
    return bytes(data)


@pytest.fixture
def m(data):
    with faultless.mmap.mmap(-1, LENGTH) as m:
        m[:] = data
        yield m


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("needle", [b"needle", b"\n", b"needless", b"text\na line", b"", b"~", b"zzzz" * 1000])
def test_same_as_bytes(m, data, method, threads, needle):
    ranges = [
        (0, LENGTH),
        (6, LENGTH),
        (MIB, LENGTH - 9),
        (2 * MIB - 1, 8 * MIB),
        (3 * MIB, 3 * MIB + 100),
        (-9, LENGTH),
    ]
    for start, end in ranges:
        found = getattr(m, method)(needle, start, end, threads=threads)
        assert found == getattr(data, method)(needle, start, end), (start, end)


@pytest.mark.parametrize("threads", [0, 2, 5])
def test_matches_across_parts(m, threads):
    """Around every border that a part may have."""
    for border in range(MIB, LENGTH - MIB, MIB // 4):
        for at in (border - 8, border - 4, border - 1, border, border + 1):
            m[at : at + 8] = b"<middle>"
            assert m.find(b"<middle>", 0, threads=threads) == at
            assert m.rfind(b"<middle>", 0, threads=threads) == at
            m[at : at + 8] = b"nothing."


def test_the_position_is_the_start(m):
    m.seek(4 * MIB + 1)
    assert m.find(b"needle", threads=2) == 6 * MIB + 777
    assert m.rfind(b"needle", threads=2) == LENGTH - 12
    assert m.tell() == 4 * MIB + 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("threads", [-1, -(1 << 62)])
def test_negative(m, method, threads, raises):
    with raises(ValueError, "threads must not be negative"):
        getattr(m, method)(b"a", threads=threads)


@pytest.mark.parametrize("method", METHODS)
def test_no_number(m, method, raises):
    search = getattr(m, method)
    with raises(TypeError, "'str' object cannot be interpreted as an integer"):
        search(b"a", threads="2")
    with raises(TypeError, "'NoneType' object cannot be interpreted as an integer"):
        search(b"a", threads=None)
    with pytest.raises(OverflowError):
        search(b"a", threads=1 << 64)
    with raises(TypeError, f"{method}() got an unexpected keyword argument 'thread'"):
        search(b"a", thread=2)
    with raises(TypeError, f"{method} expected at most 3 arguments, got 4"):
        search(b"a", 0, 1, 2)


def test_a_number_that_closes_the_map(m, raises):
    class Closes:
        def __index__(self):
            m.close()
            return 2

    with raises(ValueError, "mmap closed or invalid"):
        m.find(b"a", threads=Closes())


@pytest.mark.parametrize("method", METHODS)
def test_signature(method):
    function = getattr(faultless.mmap.mmap, method)
    assert str(inspect.signature(function)) == "(self, view, start=None, end=None, /, *, threads=1)"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("cut", [MIB, 5 * MIB + 1234, LENGTH - 100])
def test_a_file_cut_short(make_file, data, method, cut):
    path = make_file(data)
    with faultless.open(path) as m:
        os.truncate(path, cut)
        for needle in (b"\0\0\0", b"not there"):
            with pytest.raises(faultless.FaultError) as caught:
                getattr(m, method)(needle, 0, threads=2)
            assert (caught.value.offset, caught.value.reason) == (cut, "truncated")
        assert m.find(b"needle", 0, threads=2) == 5
        path.write_bytes(data)
        assert getattr(m, method)(b"needle", 0, threads=2) == getattr(data, method)(b"needle")
        assert m.fault is None


def test_other_threads_search_the_same_map(m, data):
    failed = []

    def search(method, threads):
        for _ in range(5):
            if getattr(m, method)(b"needle", 6, threads=threads) != getattr(data, method)(b"needle", 6):
                failed.append((method, threads))

    both = [threading.Thread(target=search, args=args) for args in zip(METHODS, (2, 3), strict=True)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert failed == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_searches_too(m, data):
    """Nothing of the parent's search is left that a child would wait for."""
    assert m.find(b"~", 0, threads=2) == -1
    tasks = "/proc/self/task"
    assert not os.path.exists(tasks) or len(os.listdir(tasks)) == threading.active_count()
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        os._exit(0 if m.rfind(b"needle", 0, threads=2) == data.rfind(b"needle") else 1)
    assert os.waitpid(child, 0)[1] == 0


class Interrupted(Exception):
    pass


@pytest.fixture
def interrupt():
    """Return a function after which a signal handler raises Interrupted, very soon."""

    def handler(number, frame):
        raise Interrupted

    before = signal.signal(signal.SIGALRM, handler)
    yield lambda: signal.setitimer(signal.ITIMER_REAL, 0.01)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(faultless.mmap, "MAP_NORESERVE"), reason="no such map here")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_signal_ends_it(interrupt, method, threads):
    flags = faultless.mmap.MAP_PRIVATE | faultless.mmap.MAP_NORESERVE
    with faultless.mmap.mmap(-1, 16 << 30, flags=flags, prot=faultless.mmap.PROT_READ) as m:
        search = functools.partial(getattr(m, method), threads=threads)
        found = []
        with pytest.raises(Interrupted):
            interrupt()
            # No Python runs between the end of the search and its result in the list.
            found.extend(map(search, [b"~"]))
        assert found == []
        assert m.find(b"~", 0, 9 * MIB, threads=threads) == -1
