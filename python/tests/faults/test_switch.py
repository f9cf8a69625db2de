"""Turning the guard off, for programs that own SIGBUS."""

import os
import signal

from fault_support import (
    FILE,
    PAGE,
    about_to_die,
    append,
    dies,
    expect_fault,
    new_file,
    open_map,
    sound,
    started_with,
)

import faultless
from faultless import mmap

END = 3 * PAGE + 100


def touch_dead_page(m):
    os.truncate(FILE, END)
    about_to_die()
    m[-1]


@started_with(FAULTLESS_GUARD="0")
def test_off_by_environment():
    m = open_map()
    assert m.guarded is False
    sound(m)
    m[0] = 1
    m.flush()
    new_file(8)
    with open(FILE, "r+b") as file:
        assert mmap.mmap(file.fileno(), 0).guarded is False
    assert faultless.ensure_guard() is False
    assert m.guarded is False


@started_with(FAULTLESS_GUARD="0")
@dies
def test_off_by_environment_the_process_dies():
    touch_dead_page(open_map())


@started_with(FAULTLESS_GUARD="0")
def test_off_by_environment_and_on_by_call():
    assert faultless.set_guard(True) is False
    m = open_map()
    assert m.guarded
    os.truncate(FILE, END)
    expect_fault(lambda: m[-1], END)


@started_with(FAULTLESS_GUARD="1")
def test_on_by_environment():
    m = open_map()
    assert m.guarded
    os.truncate(FILE, END)
    expect_fault(lambda: m[-1], END)


@dies
def test_off_by_call():
    assert faultless.set_guard(False) is True
    assert faultless.set_guard(False) is False
    m = open_map()
    assert m.guarded is False
    touch_dead_page(m)


def test_off_leaves_the_maps_that_are_there_guarded():
    m = open_map()
    assert faultless.set_guard(False) is True
    other = faultless.open(FILE)
    assert (m.guarded, other.guarded) == (True, False)
    os.truncate(FILE, END)
    expect_fault(lambda: m[-1], END)
    append(FILE, 8 * PAGE)
    sound(m)


@dies
def test_off_a_map_without_guard_kills_beside_one_with():
    m = open_map()
    faultless.set_guard(False)
    other = faultless.open(FILE)
    os.truncate(FILE, END)
    expect_fault(lambda: m[-1], END)
    about_to_die()
    other[-1]


def test_off_and_on():
    faultless.set_guard(False)
    without = open_map()
    assert faultless.set_guard(True) is False
    m = faultless.open(FILE, "r+")
    assert (without.guarded, m.guarded) == (False, True)
    os.truncate(FILE, END)
    expect_fault(lambda: m[-1], END)


def test_off_a_handler_of_the_program_stays():
    """Neither maps nor exports take the signal."""
    calls = []
    handler = signal.signal(signal.SIGBUS, lambda number, frame: calls.append(number))
    assert handler == signal.SIG_DFL
    faultless.set_guard(False)
    m = open_map()
    view = memoryview(m)
    assert view[0] == m[0]
    os.kill(os.getpid(), signal.SIGBUS)
    assert calls == [signal.SIGBUS]


def test_memory_that_cannot_fail_is_guarded_anyhow():
    faultless.set_guard(False)
    assert mmap.mmap(-1, PAGE).guarded
