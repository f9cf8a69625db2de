"""Numbers in a map that threads and processes change at the same time."""

import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import pytest

import faultless
from faultless import mmap

BITS = {"u32": 32, "i32": 32, "u64": 64, "i64": 64}
# Longer than anything here takes.
AGES = 60


@pytest.fixture
def memory():
    with mmap.mmap(-1, 4096) as m:
        yield m


def bounds(kind):
    bits = BITS[kind]
    return (0, (1 << bits) - 1) if kind[0] == "u" else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


@pytest.mark.parametrize("kind", BITS)
def test_every_access(memory, kind):
    least, most = bounds(kind)
    size = BITS[kind] // 8
    number = memory.atomic(kind, 3 * size)
    assert isinstance(number, faultless.Atomic)
    assert repr(number) == f"<Atomic {kind} at offset {3 * size}>"
    assert number.load() == 0
    assert number.store(most) is None
    assert number.load() == most
    assert memory[3 * size : 4 * size] == most.to_bytes(size, sys.byteorder, signed=least < 0)
    assert number.fetch_add(1) == most
    assert number.load() == least
    assert number.compare_exchange(most, 1) == (False, least)
    assert number.compare_exchange(least, 1) == (True, least)
    assert number.fetch_or(0b110) == 1
    assert number.fetch_and(0b101) == 0b111
    assert number.load() == 0b101
    assert memory[: 3 * size] == bytes(3 * size)
    assert memory[4 * size : 80] == bytes(80 - 4 * size)


@pytest.mark.parametrize("kind", BITS)
def test_which_integers(memory, kind):
    least, most = bounds(kind)
    number = memory.atomic(kind, 0)
    for value in (least - 1, most + 1, 1 << 100):
        for call in (
            lambda value=value: number.store(value),
            lambda value=value: number.compare_exchange(0, value),
            lambda value=value: number.compare_exchange(value, 0),
        ):
            with pytest.raises(OverflowError, match=f"is not an integer from {least} to {most}"):
                call()
    for value in ("1", 1.0, None):
        with pytest.raises(TypeError):
            number.store(value)
        with pytest.raises(TypeError):
            number.fetch_add(value)
    # Going down, and clearing a bit, are the same bits with and without a sign.
    number.store(5)
    assert number.fetch_add(-2) == 5
    assert number.fetch_and(~1) == 3
    assert number.load() == 2
    number.store(0)
    number.fetch_or((1 << BITS[kind]) - 1)
    assert number.load() in (-1, most)
    for value in (1 << BITS[kind], -(1 << BITS[kind])):
        with pytest.raises(OverflowError):
            number.fetch_add(value)


def test_places(memory, raises):
    for offset in (1, 2, 3, 4094):
        if offset + 4 <= 4096:
            with pytest.raises(ValueError, match="is not a multiple of 4 bytes"):
                memory.atomic("u32", offset)
    with pytest.raises(ValueError, match="is not a multiple of 8 bytes"):
        memory.atomic("i64", 4)
    for offset in (4096, 4094, 1 << 40, (1 << 63) - 1):
        with raises(IndexError, f"atomic: 4 bytes at offset {offset} are not inside the map of 4096 bytes"):
            memory.atomic("u32", offset)
    for offset in (-4, -1, 1 << 63, 1 << 64, -(1 << 64)):
        with pytest.raises(IndexError, match="offset"):
            memory.atomic("u32", offset)
    memory.atomic("u32", 4092)
    with raises(ValueError, "kind must be 'u64', 'i64', 'u32' or 'i32', not 'u16'"):
        memory.atomic("u16", 0)
    for arguments in ((), ("u32",), ("u32", 0, 0)):
        with pytest.raises(TypeError, match="atomic expected 2 arguments"):
            memory.atomic(*arguments)
    with pytest.raises(TypeError):
        memory.atomic(32, 0)
    with pytest.raises(TypeError):
        faultless.Atomic()


def test_a_map_that_was_closed_or_became_shorter(make_file, raises):
    m = faultless.open(make_file(bytes(8192)), "r+")
    number = m.atomic("u32", 8188)
    m.resize(4096)
    for call in (number.load, lambda: number.store(1), lambda: number.wait(0), number.wake):
        with raises(IndexError, "atomic: 4 bytes at offset 8188 are not inside the map of 4096 bytes"):
            call()
    m.close()
    for call in (number.load, lambda: number.store(1), lambda: number.wait(0), number.wake, lambda: m.atomic("u32", 0)):
        with raises(ValueError, "mmap closed or invalid"):
            call()


def test_a_map_that_cannot_be_written(make_file, raises):
    with faultless.open(make_file((7).to_bytes(8, sys.byteorder))) as m:
        number = m.atomic("u64", 0)
        assert number.load() == 7
        for call in (
            lambda: number.store(1),
            lambda: number.fetch_add(1),
            lambda: number.fetch_and(1),
            lambda: number.fetch_or(1),
            lambda: number.compare_exchange(7, 1),
        ):
            with raises(TypeError, "mmap can't modify a readonly memory map."):
                call()
        assert m.atomic("u32", 0).wait(123456)
        assert not m.atomic("u32", 0).wait(m.atomic("u32", 0).load(), 0.01)


def test_a_number_keeps_its_map_alive_but_not_open():
    m = mmap.mmap(-1, 4096)
    number = m.atomic("u64", 8)
    number.store(5)
    reference = weakref.ref(m)
    del m
    assert number.load() == 5
    assert reference() is not None
    reference().close()
    with pytest.raises(ValueError, match="closed"):
        number.load()


def test_threads_add_up(memory):
    def work():
        number, low = memory.atomic("u64", 8), memory.atomic("i32", 4)
        for _ in range(20_000):
            number.fetch_add(3)
            low.fetch_add(-1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memory.atomic("u64", 8).load() == 4 * 3 * 20_000
    assert memory.atomic("i32", 4).load() == -4 * 20_000


EACH = 5_000
PROCESSES = 3
# One of several processes: each adds to a sum, and they count up to a number in turns.
COUNT_IN_TURNS = f"""
import sys
import faultless

nth = int(sys.argv[2])
with faultless.open(sys.argv[1], "r+") as m:
    total, turn = m.atomic("u64", 8), m.atomic("u32", 0)
    for _ in range({EACH}):
        total.fetch_add(1)
    while (now := turn.load()) < {PROCESSES * EACH}:
        if now % {PROCESSES} == nth:
            turn.store(now + 1)
            turn.wake({PROCESSES})
        elif not turn.wait(now, {AGES}):
            sys.exit(f"a wake-up was lost at {{now}}")
"""


def test_processes_add_up_and_lose_no_wake_up(make_file):
    path = make_file(bytes(4096))
    command = [sys.executable, "-c", COUNT_IN_TURNS, path]
    processes = [subprocess.Popen([*command, str(nth)]) for nth in range(PROCESSES)]
    assert [process.wait() for process in processes] == [0] * PROCESSES
    with faultless.open(path) as m:
        assert m.atomic("u64", 8).load() == m.atomic("u32", 0).load() == PROCESSES * EACH


def test_wait(memory, raises):
    number = memory.atomic("i32", 8)
    assert number.wait(1) is True
    assert number.wait(expected=0, timeout=0) is False
    assert number.wait(0, -5) is False
    begun = time.monotonic()
    assert number.wait(0, timeout=0.12) is False
    assert time.monotonic() - begun >= 0.12
    assert number.wake() == 0
    number.store(-7)
    assert number.wait(0, 1e300) is True
    with raises(ValueError, "timeout must be a number"):
        number.wait(-7, float("nan"))
    with pytest.raises(OverflowError):
        number.wait(1 << 32)
    with pytest.raises(OverflowError):
        number.wake(-1)
    for kind in ("u64", "i64"):
        for call in (lambda kind=kind: memory.atomic(kind, 8).wait(0), memory.atomic(kind, 8).wake):
            with raises(TypeError, "only numbers of 32 bits can be waited for"):
                call()


def test_wake(memory):
    """Waiters are woken, and so they say; others run while they wait."""
    number, results = memory.atomic("u32", 0), []
    threads = [threading.Thread(target=lambda: results.append(number.wait(0, AGES))) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len(results) < 3:
        number.wake(1)
    for thread in threads:
        thread.join()
    assert results == [True] * 3
    assert number.load() == 0


def test_closing_the_map_ends_a_wait(memory):
    ended = []

    def wait():
        waiting.set()
        try:
            ended.append(memory.atomic("u32", 0).wait(0))
        except ValueError as error:
            ended.append(str(error))

    waiting = threading.Event()
    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait()
    time.sleep(0.01)
    memory.close()
    thread.join()
    assert ended == ["mmap closed or invalid"]


def test_ctrl_c_ends_a_wait(memory):
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals are handled by the main thread")
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        memory.atomic("u32", 0).wait(0)
    timer.join()
