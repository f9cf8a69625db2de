"""What the tests of failing pages share: how a test's process runs and ends, files, and the check of a fault."""

import os
import signal
import sys
import threading
from pathlib import Path

import faultless
from faultless import mmap

PAGE = mmap.PAGESIZE
FILE = Path("file")
# Prime to the size of a page, so that every page of the pattern is different; no byte of it is zero.
PERIOD = 251
LAST_WORDS = "dying now\n"
# What faulthandler prints when the process dies by SIGBUS.
REPORT = r"Fatal Python error: Bus error\n(?!.*Fatal Python error).*"


def each(**lists):
    """The test runs with each of these values, which JSON can hold, of each of the arguments."""

    def decorate(test):
        test.each = lists
        return test

    return decorate


def started_with(*options, **environment):
    """The test's process gets these options of the interpreter and environment variables."""

    def decorate(test):
        test.process = {"options": list(options), "environment": environment}
        return test

    return decorate


def ends_with(code, stdout="", stderr=""):
    """The test's process ends with this exit code, or by this signal if negative; `stderr` is a pattern."""

    def decorate(test):
        test.ending = {"code": code, "stdout": stdout, "stderr": stderr}
        return test

    return decorate


def dies(test):
    """The test's process is killed by SIGBUS, right after `about_to_die`."""
    return ends_with(-signal.SIGBUS, LAST_WORDS)(test)


def dies_with_report(test):
    """The same, and faulthandler reports it, once."""
    return ends_with(-signal.SIGBUS, LAST_WORDS, REPORT)(test)


def about_to_die():
    os.write(1, LAST_WORDS.encode())


def skip(reason):
    print(reason)
    sys.exit(77)


def pattern(length, start=0):
    """The bytes that a test file has from `start` on."""
    start %= PERIOD
    return (bytes(range(1, PERIOD + 1)) * (length // PERIOD + 2))[start : start + length]


def new_file(pages, path=FILE):
    path.write_bytes(pattern(pages * PAGE))
    return path


def open_map(pages=8, mode="r+", **options):
    """A map of a new file."""
    return faultless.open(new_file(pages), mode, **options)


def cut_map(pages, end, touched, mode="r+"):
    """A map of a new file that was cut at `end` since; `touched` if an operation has met that already."""
    m = open_map(pages, mode)
    os.truncate(FILE, end)
    if touched:
        expect_fault(lambda: m[-1], end)
    return m


def append(path, up_to):
    """Makes a file as long as this again, with the bytes that it had."""
    with open(path, "ab") as file:
        size = os.fstat(file.fileno()).st_size
        file.write(pattern(up_to - size, size))


def fault_of(call):
    """The `FaultError` that the call raises."""
    try:
        result = call()
    except faultless.FaultError as error:
        return error
    raise AssertionError(f"no FaultError but {result!r:.80}")


def expect_fault(call, offset, reason="truncated"):
    """Checks that the call raises a `FaultError` with this offset and reason."""
    error = fault_of(call)
    assert (error.offset, error.reason) == (offset, reason), (error.offset, error.reason)
    return error


def sound(m, start=0):
    """Checks that a map has all the bytes of a test file from `start` on."""
    assert m.fault is None, m.fault
    assert m[:] == pattern(len(m), start)


def in_threads(*functions):
    """Runs functions in threads that start at once, and raises what one of them raised."""
    barrier = threading.Barrier(len(functions))
    errors = []

    def body(function):
        barrier.wait()
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=body, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
