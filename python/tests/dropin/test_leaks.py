"""Many maps, one after the other: memory and descriptors stay where they are."""

import gc
import mmap as standard_mmap
import os
import weakref

import pytest

PAGE = standard_mmap.PAGESIZE
ALLOWED = 4 << 20
WARM_UP = 5_000

# The standard module is not what is tested here, and its half would take as long again.
pytestmark = pytest.mark.parametrize("mmap", ["faultless"], indirect=True)


def resident():
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * PAGE


def mappings():
    with open("/proc/self/maps", "rb") as file:
        return sum(1 for _ in file)


def descriptors():
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def stays_flat():
    """Return a function that calls another so many times and sees that nothing is left behind."""

    def check(work, times):
        work(WARM_UP)
        gc.collect()
        memory, files, areas = resident(), descriptors(), mappings()
        work(times)
        gc.collect()
        assert descriptors() == files
        assert mappings() <= areas + 50
        assert resident() - memory < ALLOWED

    return check


@pytest.fixture
def fd(make_file):
    fd = os.open(make_file(bytes(2 * PAGE)), os.O_RDWR)
    yield fd
    os.close(fd)


def test_a_million_maps_opened_and_closed(mmap, fd, stays_flat):
    def work(times):
        for _ in range(times):
            mmap.mmap(fd, PAGE).close()

    stays_flat(work, 1_000_000)


def test_maps_dropped_without_close(mmap, fd, stays_flat):
    def work(times):
        for _ in range(times):
            mmap.mmap(fd, PAGE, access=mmap.ACCESS_READ)
            mmap.mmap(-1, PAGE)

    stays_flat(work, 100_000)


def test_exports(mmap, stays_flat):
    def work(times):
        for _ in range(times):
            with mmap.mmap(-1, PAGE) as m:
                view = memoryview(m)
                part = view[1:5]
                view.release()
                part.release()
            memoryview(mmap.mmap(-1, PAGE))

    stays_flat(work, 100_000)


def test_exports_of_one_map(mmap, stays_flat):
    m = mmap.mmap(-1, PAGE)

    def work(times):
        for _ in range(times):
            memoryview(m)
            bytes(m[:1])

    stays_flat(work, 500_000)
    m.close()


def test_subclasses(mmap, stays_flat):
    class Named(mmap.mmap):
        def __new__(cls, name):
            self = super().__new__(cls, -1, PAGE)
            self.name = name
            return self

    def work(times):
        for number in range(times):
            Named(str(number))

    stays_flat(work, 100_000)


def test_new_classes(mmap, stays_flat):
    def work(times):
        for _ in range(times // 50):
            cls = type("Special", (mmap.mmap,), {})
            cls(-1, PAGE).close()
            del cls
        gc.collect()

    stays_flat(work, 100_000)


def test_cycles(mmap, stays_flat):
    class Linked(mmap.mmap):
        pass

    def work(times):
        for number in range(times):
            m = Linked(-1, PAGE)
            m.me = m
            m.view = memoryview(m)
            if number % 1000 == 0:
                gc.collect()
        del m

    stays_flat(work, 100_000)


def test_weak_references(mmap, stays_flat):
    def work(times):
        dead = []
        for _ in range(times):
            m = mmap.mmap(-1, PAGE)
            reference = weakref.ref(m, lambda _: dead.append(None))
            assert reference() is m
            del m
            assert reference() is None
        assert len(dead) == times

    stays_flat(work, 100_000)


def test_failing_constructors(mmap, fd, stays_flat):
    calls = [
        lambda: mmap.mmap(fd, 10, offset=1),
        lambda: mmap.mmap(fd, 3 * PAGE),
        lambda: mmap.mmap(fd, 0, access=9),
        lambda: mmap.mmap(-1, 0),
        lambda: mmap.mmap(10**6, 1),
        lambda: mmap.mmap(fd, "a"),
        lambda: mmap.mmap(fd),
    ]

    def work(times):
        for number in range(times):
            try:
                calls[number % len(calls)]()
            except (OSError, ValueError, TypeError):
                continue
            pytest.fail("the constructor took wrong arguments")

    stays_flat(work, 100_000)


def test_methods_and_their_errors(mmap, fd, stays_flat):
    m = mmap.mmap(fd, 0)
    calls = [
        lambda: m[2 * PAGE],
        lambda: m["a"],
        lambda: m.__setitem__(0, 256),
        lambda: m.__setitem__(slice(0, 2), b"x"),
        lambda: m.__delitem__(0),
        lambda: m.find("a"),
        lambda: m.seek(-1),
        lambda: m.write(bytes(3 * PAGE)),
        lambda: m.move(-1, 0, 0),
        lambda: m.read("a"),
        lambda: m.resize(-1),
        lambda: m.flush(-1),
    ]

    def work(times):
        for number in range(times):
            m.seek(0)
            m.read(100)
            m.readline()
            m[5:50] = m[10:55]
            m.find(b"needle", 0)
            assert b"\0" in m
            try:
                calls[number % len(calls)]()
            except (ValueError, TypeError, IndexError):
                continue
            pytest.fail("the method took wrong arguments")

    stays_flat(work, 100_000)
    m.close()


def test_resizes(mmap, fd, stays_flat):
    m = mmap.mmap(fd, 0)

    def work(times):
        for number in range(times // 10):
            m.resize(PAGE * (1 + number % 5))
        m.resize(PAGE)

    stays_flat(work, 100_000)
    m.close()
