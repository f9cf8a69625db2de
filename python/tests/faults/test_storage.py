"""Storage that fails: a full file system under a sparse file."""

import ctypes
import os
from pathlib import Path

from fault_support import PAGE, each, expect_fault, fault_of, pattern, skip

import faultless

MEGABYTE = 1 << 20
CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 0x4000, 0x40000


def small_file_system():
    """A file system of 1 MiB that only this process sees, and that goes away with it."""
    libc = ctypes.CDLL(None, use_errno=True)
    folder = Path("small")
    folder.mkdir()

    def call(function, *arguments):
        if not hasattr(libc, function):
            skip(f"this system has no {function}")
        if getattr(libc, function)(*arguments) != 0:
            skip(f"{function} is forbidden here: {os.strerror(ctypes.get_errno())}")

    call("unshare", CLONE_NEWNS)
    call("mount", None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)
    call("mount", b"tmpfs", bytes(folder), b"tmpfs", ctypes.c_ulong(0), b"size=1m")
    return folder


def sparse(path, size):
    with open(path, "wb") as file:
        file.truncate(size)
    return path


@each(operation=["slice", "item", "write", "move", "memory"])
def test_a_full_file_system(operation):
    folder = small_file_system()
    path = sparse(folder / "sparse", 4 * MEGABYTE)
    (folder / "filler").write_bytes(b"x" * (MEGABYTE - 4 * PAGE))
    m = faultless.open(path, "r+")
    at = 2 * MEGABYTE
    # As much as there is room for, page by page.
    room = 0
    try:
        while True:
            m[room * PAGE] = 1
            room += 1
    except faultless.FaultError as error:
        assert (error.offset, error.reason) == (room * PAGE, "no space")
        assert 1 <= room <= 4
    run = {
        "slice": lambda: m.__setitem__(slice(at, at + 10), b"0123456789"),
        "item": lambda: m.__setitem__(at, 1),
        "write": lambda: (m.seek(at), m.write(b"0123456789")),
        "move": lambda: m.move(at, 0, 10),
        "memory": lambda: memoryview(m).__setitem__(at, 1) or m[0],
    }[operation]
    error = expect_fault(run, at, "no space")
    assert str(error).startswith("[Errno 28] ")
    # It fails for as long as the file system is full.
    expect_fault(lambda: m.__setitem__(at, 1), at, "no space")
    assert m.fault[1] == "no space"
    assert fault_of(m.flush).reason == "no space"
    # With room again it is whole, and what is written reaches the file.
    (folder / "filler").unlink()
    m[at : at + PAGE] = pattern(PAGE)
    assert m.fault is None
    m.flush()
    with open(path, "rb") as file:
        file.seek(at)
        assert file.read(PAGE) == pattern(PAGE)


def test_a_new_file_is_refused_at_once():
    """`w+` gives the file its blocks: too large a file is an error there, and no fault later."""
    folder = small_file_system()
    try:
        faultless.open(folder / "new", "w+", length=4 * MEGABYTE)
    except faultless.FaultError as error:
        raise AssertionError("a fault, and no error of the call") from error
    except OSError as error:
        assert error.errno == 28
    else:
        raise AssertionError("the file has no room")
