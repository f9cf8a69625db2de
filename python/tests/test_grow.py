"""Growing in place, while memory is exported."""

import threading

import pytest

import faultless

ROOM = 64 << 20


@pytest.fixture
def path(tmp_path):
    return tmp_path / "grown"


def test_grows_under_a_view(path):
    with faultless.open(path, "w+", length=10, reserve=ROOM) as m:
        m[:] = b"0123456789"
        with memoryview(m) as view:
            m.grow(1 << 20)
            assert (len(m), bytes(view)) == (1 << 20, b"0123456789")
            m[5] = ord("x")
            assert view[5] == ord("x")
            with pytest.raises(BufferError):
                m.resize(2 << 20)
        assert m.find(b"x") == 5
        assert m[10:] == bytes((1 << 20) - 10)
        assert path.stat().st_size == 1 << 20


def test_append_tells_where_and_close_trims(path):
    with faultless.open(path, "w+", length=0, reserve=ROOM) as m:
        assert [m.append(b"abc"), m.append(bytearray(b"de")), m.append(b""), m.append(b"f")] == [0, 3, 5, 5]
        assert m[:] == b"abcdef"
        assert (len(m), m.tell()) == (6, 0)
    assert path.read_bytes() == b"abcdef"


def test_append_more_than_a_step(path):
    chunk = bytes(range(256)) * 4096
    with faultless.open(path, "w+", length=0, reserve=ROOM) as m, memoryview(m):
        for number in range(20):
            assert m.append(chunk) == number * len(chunk)
        assert m[7 * len(chunk) :].count(chunk) == 13
    assert path.read_bytes() == chunk * 20


def test_append_of_its_own_memory(path):
    with faultless.open(path, "w+", length=4, reserve=ROOM) as m:
        m[:] = b"abcd"
        with memoryview(m) as view:
            assert m.append(view) == 4
        assert m[:] == b"abcdabcd"


@pytest.mark.parametrize(
    "grow",
    [lambda m: m.grow(ROOM + 1), lambda m: m.append(bytes(ROOM + 1)), lambda m: m.grow(9), lambda m: m.grow(-1)],
    ids=["beyond", "append beyond", "shorter", "negative"],
)
def test_what_does_not_fit_changes_nothing(path, grow):
    with faultless.open(path, "w+", length=10, reserve=ROOM) as m:
        with pytest.raises(ValueError):
            grow(m)
        assert len(m) == 10
    assert path.stat().st_size == 10


def test_nothing_was_reserved(path):
    with faultless.open(path, "w+", length=10) as m:
        with pytest.raises(ValueError, match="no address space was reserved"):
            m.grow(20)
        with pytest.raises(ValueError, match="no address space was reserved"):
            m.append(b"x")
        assert len(m) == 10


def test_read_only_and_closed(path):
    path.write_bytes(b"0123456789")
    with faultless.open(path) as m:
        with pytest.raises(TypeError):
            m.grow(20)
        with pytest.raises(TypeError):
            m.append(b"x")
    m = faultless.open(path, "r+", reserve=ROOM)
    m.close()
    with pytest.raises(ValueError, match="closed"):
        m.grow(20)
    with pytest.raises(ValueError, match="closed"):
        m.append(b"x")
    assert path.read_bytes() == b"0123456789"


def test_a_cut_file_is_a_fault_and_nothing_is_appended(path):
    with faultless.open(path, "w+", length=1 << 20, reserve=ROOM) as m:
        m[:] = b"x" * (1 << 20)
        with open(path, "r+b") as file:
            file.truncate(0)
        with pytest.raises(faultless.FaultError):
            m.find(b"y")
        assert len(m) == 1 << 20


def test_threads_append_whole_records(path):
    each = 2000
    with faultless.open(path, "w+", length=0, reserve=ROOM) as m:

        def work(number):
            for _ in range(each):
                m.append(bytes([number]) * 16)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    written = path.read_bytes()
    records = [written[at : at + 16] for at in range(0, len(written), 16)]
    assert sorted(records) == sorted(bytes([number]) * 16 for number in range(4) for _ in range(each))
