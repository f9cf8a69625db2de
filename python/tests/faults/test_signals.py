"""Who gets a SIGBUS, and what becomes of one that is not a map's."""

import ctypes
import faulthandler
import inspect
import mmap as standard_mmap
import os
import signal
import subprocess
import sys
from pathlib import Path

from fault_support import (
    FILE,
    LAST_WORDS,
    PAGE,
    about_to_die,
    append,
    dies,
    dies_with_report,
    each,
    ends_with,
    expect_fault,
    new_file,
    open_map,
    skip,
    sound,
    started_with,
)

import faultless
from faultless import _signals

SIZE = 8 * PAGE
END = 3 * PAGE + 100


def meets_faults(m):
    """Checks that a map of a whole test file meets failing pages, by its methods and as memory, and heals."""
    sound(m)
    with memoryview(m) as view:
        for call in (lambda: m[-1], lambda: m.find(b"\0", 0), lambda: m.write(b"x" * SIZE), lambda: [view[-1], m[0]]):
            os.truncate(FILE, END)
            expect_fault(call, END)
            append(FILE, SIZE)
            sound(m)


def fail_elsewhere():
    """A page of the standard module's map fails."""
    new_file(2, Path("other"))
    with open("other", "r+b") as file:
        m = standard_mmap.mmap(file.fileno(), 0)
    os.truncate("other", 0)
    about_to_die()
    m[0]


def kill():
    about_to_die()
    os.kill(os.getpid(), signal.SIGBUS)


def is_caught():
    """Whether the process has a handler for SIGBUS."""
    status = Path("/proc/self/status")
    if not status.exists():
        skip("this system has no /proc/self/status")
    line = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt:"))
    return bool(int(line.split()[1], 16) & 1 << (signal.SIGBUS - 1))


# What is not ours: the default action.


@dies
def test_a_kill_kills_without_maps():
    kill()


@dies
def test_a_kill_kills_with_maps():
    m = open_map()
    meets_faults(m)
    kill()


@dies
def test_a_kill_kills_while_a_map_is_damaged():
    m = open_map()
    os.truncate(FILE, 0)
    expect_fault(lambda: m[0], 0)
    kill()


@dies
def test_a_kill_kills_after_all_maps_are_closed():
    m = open_map()
    meets_faults(m)
    m.close()
    kill()


@dies
def test_a_fault_elsewhere_kills_without_maps():
    fail_elsewhere()


@dies
def test_a_fault_elsewhere_kills_with_maps():
    m = open_map()
    meets_faults(m)
    fail_elsewhere()


@dies
def test_a_fault_elsewhere_kills_when_the_signal_is_ignored():
    signal.signal(signal.SIGBUS, signal.SIG_IGN)
    m = open_map()
    meets_faults(m)
    fail_elsewhere()


@dies
def test_a_thread_that_blocks_the_signal_dies():
    m = open_map()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGBUS})
    os.truncate(FILE, 0)
    about_to_die()
    m[0]


# Handlers of Python.


@each(installed=["before", "after"])
def test_a_handler_gets_what_is_sent_and_no_fault(installed):
    calls = []

    def handler(number, frame):
        calls.append(number)

    if installed == "before":
        signal.signal(signal.SIGBUS, handler)
    m = open_map()
    if installed == "after":
        assert signal.signal(signal.SIGBUS, handler) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGBUS) is handler
    assert m.guarded
    meets_faults(m)
    assert calls == []
    os.kill(os.getpid(), signal.SIGBUS)
    assert calls == [signal.SIGBUS]
    meets_faults(m)
    assert signal.signal(signal.SIGBUS, signal.SIG_DFL) is handler


@each(installed=["before", "after"])
def test_a_signal_that_is_ignored(installed):
    if installed == "before":
        signal.signal(signal.SIGBUS, signal.SIG_IGN)
    m = open_map()
    if installed == "after":
        signal.signal(signal.SIGBUS, signal.SIG_IGN)
    meets_faults(m)
    os.kill(os.getpid(), signal.SIGBUS)
    meets_faults(m)


@dies
def test_back_to_the_default_action():
    m = open_map()
    signal.signal(signal.SIGBUS, signal.SIG_IGN)
    signal.signal(signal.SIGBUS, signal.SIG_DFL)
    meets_faults(m)
    kill()


def test_a_handler_changed_again_and_again():
    m = open_map()
    calls = []
    for turn in range(50):
        signal.signal(signal.SIGBUS, lambda number, frame, turn=turn: calls.append(turn))
        assert m.guarded
        os.kill(os.getpid(), signal.SIGBUS)
        signal.signal(signal.SIGBUS, signal.SIG_IGN)
        assert m.guarded
    meets_faults(m)
    assert calls == list(range(50))


def test_a_handler_that_uses_a_damaged_map():
    m = open_map()
    errors = []
    signal.signal(signal.SIGBUS, lambda number, frame: errors.append(expect_fault(lambda: m[-1], END)))
    os.truncate(FILE, END)
    os.kill(os.getpid(), signal.SIGBUS)
    assert len(errors) == 1


# faulthandler.


@each(enabled=["before", "after", "before and after", "twice"])
def test_faulthandler_does_not_report_what_is_met(enabled):
    if "before" in enabled:
        faulthandler.enable()
    m = open_map()
    if "after" in enabled:
        faulthandler.enable()
    if enabled == "twice":
        faulthandler.enable()
        faulthandler.disable()
        faulthandler.enable()
    assert faulthandler.is_enabled()
    meets_faults(m)


@started_with("-X", "faulthandler")
def test_faulthandler_by_option():
    assert faulthandler.is_enabled()
    meets_faults(open_map())


@started_with("-X", "dev")
def test_development_mode():
    assert faulthandler.is_enabled()
    meets_faults(open_map())


@each(enabled=["before", "after"])
def test_faulthandler_disabled(enabled):
    if enabled == "before":
        faulthandler.enable()
    m = open_map()
    if enabled == "after":
        faulthandler.enable()
    assert faulthandler.disable() is True
    assert not faulthandler.is_enabled()
    assert m.guarded
    meets_faults(m)


@each(enabled=["before", "after"])
@dies_with_report
def test_faulthandler_reports_a_kill(enabled):
    if enabled == "before":
        faulthandler.enable()
    m = open_map()
    if enabled == "after":
        faulthandler.enable()
    meets_faults(m)
    kill()


@each(enabled=["before", "after"])
@dies_with_report
def test_faulthandler_reports_a_fault_elsewhere(enabled):
    if enabled == "before":
        faulthandler.enable()
    m = open_map()
    if enabled == "after":
        faulthandler.enable()
    meets_faults(m)
    fail_elsewhere()


@dies
def test_faulthandler_disabled_a_kill_kills():
    faulthandler.enable()
    m = open_map()
    faulthandler.disable()
    meets_faults(m)
    kill()


def test_faulthandler_with_a_handler_of_python():
    calls = []
    faulthandler.enable()
    m = open_map()
    signal.signal(signal.SIGBUS, lambda number, frame: calls.append(number))
    meets_faults(m)
    os.kill(os.getpid(), signal.SIGBUS)
    assert calls == [signal.SIGBUS]


INNER = """
import faulthandler, os, faultless

def test(tmp_path):
    assert faulthandler.is_enabled()
    path = tmp_path / "file"
    path.write_bytes(b"x" * 16384)
    with faultless.open(path) as m:
        os.truncate(path, 4096)
        for _ in range(3):
            try:
                m[:]
            except faultless.FaultError as error:
                assert error.offset == 4096
            else:
                raise AssertionError
"""


def test_pytest_and_its_faulthandler():
    Path("test_inner.py").write_text(INNER)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", "."]
    done = subprocess.run([*command, "test_inner.py"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), (done.stdout, done.stderr)
    assert "1 passed" in done.stdout


# Handlers that other libraries install, past Python.


def install_from_c(handler):
    """Installs a function of C as handler, as a library does."""
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    libc.signal.restype = ctypes.c_void_p
    return libc.signal(signal.SIGBUS, handler)


def c_function(name):
    return ctypes.cast(getattr(ctypes.CDLL(None), name), ctypes.c_void_p)


# Ends the process with the number of the signal as its exit code.
EXIT = "_exit"


def another_map():
    """A map of the file that is there already."""
    return faultless.open(FILE)


TAKEN_BACK = {
    "a new map": lambda m: another_map(),
    "an export": lambda m: memoryview(m),
    "ensure_guard": lambda m: faultless.ensure_guard(),
}


@each(by=list(TAKEN_BACK))
def test_taken_back_from_a_library(by):
    m = open_map()
    install_from_c(c_function(EXIT))
    assert not m.guarded
    keep = TAKEN_BACK[by](m)
    assert m.guarded
    meets_faults(m)
    del keep


@each(by=list(TAKEN_BACK), what=["kill", "fault elsewhere"])
@ends_with(int(signal.SIGBUS), LAST_WORDS)
def test_the_library_gets_what_is_not_ours(by, what):
    m = open_map()
    install_from_c(c_function(EXIT))
    keep = TAKEN_BACK[by](m)
    meets_faults(m)
    del keep
    if what == "kill":
        kill()
    else:
        fail_elsewhere()


@ends_with(int(signal.SIGBUS), LAST_WORDS)
def test_a_library_that_was_there_before():
    install_from_c(c_function(EXIT))
    m = open_map()
    meets_faults(m)
    fail_elsewhere()


@ends_with(int(signal.SIGBUS), LAST_WORDS)
def test_a_library_keeps_its_place_where_no_map_asks():
    open_map()
    install_from_c(c_function(EXIT))
    kill()


# The watch over signal.signal and faulthandler.


def test_importing_installs_nothing():
    assert not is_caught()
    signal.signal(signal.SIGBUS, signal.SIG_DFL)
    faulthandler.enable()
    faulthandler.disable()
    assert not is_caught()
    open_map()
    assert is_caught()


def test_anonymous_memory_installs_nothing():
    m = faultless.mmap.mmap(-1, PAGE)
    m[0] = 1
    assert not is_caught()


def test_the_functions_look_as_before():
    assert str(inspect.signature(signal.signal)) == "(signalnum, handler)"
    for function, name, module in (
        (signal.signal, "signal", "signal"),
        (faulthandler.enable, "enable", "faulthandler"),
        (faulthandler.disable, "disable", "faulthandler"),
    ):
        assert (function.__name__, function.__module__) == (name, module)
        assert function.__doc__ == function.__wrapped__.__doc__


def test_watching_twice_wraps_once():
    functions = signal.signal, faulthandler.enable, faulthandler.disable
    _signals.watch()
    assert (signal.signal, faulthandler.enable, faulthandler.disable) == functions


def test_other_signals_and_keywords():
    def handler(number, frame):
        pass

    assert signal.signal(signalnum=signal.SIGUSR1, handler=handler) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGUSR1) is handler
    m = open_map()
    assert signal.signal(handler=handler, signalnum=signal.SIGBUS) == signal.SIG_DFL
    meets_faults(m)
    assert signal.signal(int(signal.SIGBUS), signal.SIG_DFL) is handler
    meets_faults(m)
    with open("report", "w") as file:
        faulthandler.enable(file=file, all_threads=False)
        meets_faults(m)
        faulthandler.disable()
    assert Path("report").read_text() == ""


def test_errors_of_the_functions_are_theirs():
    open_map()
    for call, error in (
        (lambda: signal.signal(), TypeError),
        (lambda: signal.signal(signal.SIGBUS), TypeError),
        (lambda: signal.signal(signal.SIGBUS, 3.5), TypeError),
        (lambda: signal.signal("SIGBUS", signal.SIG_DFL), TypeError),
        (lambda: signal.signal([], signal.SIG_DFL), TypeError),
        (lambda: signal.signal(signal.SIGKILL, signal.SIG_DFL), OSError),
        (lambda: signal.signal(1000, signal.SIG_DFL), ValueError),
        (lambda: faulthandler.enable(file=3.5), (AttributeError, TypeError)),
    ):
        try:
            call()
        except error:
            continue
        raise AssertionError(error)
