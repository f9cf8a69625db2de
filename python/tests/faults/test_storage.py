"""Storage that fails, or cannot share pages: full file systems, and one without shared maps."""

import atexit
import ctypes
import errno
import os
import signal
import stat
import struct
from pathlib import Path

from fault_support import PAGE, each, expect_fault, fault_of, pattern, skip

import faultless
from faultless import mmap

MEGABYTE = 1 << 20
CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 0x4000, 0x40000


def mounted(kind, options):
    """A folder with a file system that only this process sees, and that goes away with it."""
    libc = ctypes.CDLL(None, use_errno=True)
    folder = Path("mounted")
    folder.mkdir()

    def call(function, *arguments):
        if not hasattr(libc, function):
            skip(f"this system has no {function}")
        if getattr(libc, function)(*arguments) != 0:
            skip(f"{function} is forbidden here: {os.strerror(ctypes.get_errno())}")

    call("unshare", CLONE_NEWNS)
    call("mount", None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)
    call("mount", kind, bytes(folder), kind, ctypes.c_ulong(0), options)
    return folder


def small_file_system():
    """A file system of 1 MiB."""
    return mounted(b"tmpfs", b"size=1m")


def answer(request, content):
    """What a file system with one file replies to a request of the kernel's (fuse(4)): an error, or some bytes."""
    lookup, getattr_, open_, read, release, flush, init = 1, 3, 14, 15, 18, 25, 26
    operation, node = struct.unpack_from("<4xI8xQ", request)

    def attributes(node):
        mode, size = (stat.S_IFDIR | 0o755, 0) if node == 1 else (stat.S_IFREG | 0o444, len(content))
        return struct.pack("<QQQ36xII12xII", node, size, 8, mode, 1, 4096, 0)

    if operation == init:
        return 0, struct.pack("<IIIIHHIIH34x", 7, 31, 4096, 0, 16, 12, 1 << 17, 1, 32)
    if operation == lookup and request[40:] == b"file\0":
        return 0, struct.pack("<QQQQII", 2, 0, 3600, 3600, 0, 0) + attributes(2)
    if operation == getattr_:
        return 0, struct.pack("<QQ", 3600, 0) + attributes(node)
    if operation == open_:
        direct_io = 1
        return 0, struct.pack("<QII", 0, direct_io, 0)
    if operation == read:
        offset, size = struct.unpack_from("<8xQI", request, 40)
        return 0, content[offset : offset + size]
    if operation in (flush, release):
        return 0, b""
    return errno.ENOENT if operation == lookup else errno.ENOSYS, b""


def serve(device, content):
    """Answers the kernel until the file system is gone."""
    forget, interrupt, batch_forget = 2, 36, 42
    while True:
        request = os.read(device, 1 << 20)
        operation, unique = struct.unpack_from("<4xIQ", request)
        if operation not in (forget, interrupt, batch_forget):
            error, body = answer(request, content)
            os.write(device, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)


def file_without_shared_maps(content):
    """A file on a file system that keeps no pages which maps could share; another process serves it."""
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        skip(f"no FUSE: {error}")
    folder = mounted(b"fuse", f"fd={device},rootmode=40000,user_id=0,group_id=0".encode())
    # A process of its own: a thread could not answer while another, which waits for a page, keeps it from running.
    server = os.fork()
    if server == 0:
        try:
            serve(device, content)
        finally:
            os._exit(0)
    os.close(device)
    atexit.register(os.kill, server, signal.SIGKILL)
    return folder / "file"


def sparse(path, size):
    with open(path, "wb") as file:
        file.truncate(size)
    return path


def test_a_file_system_without_shared_maps():
    content = pattern(3 * PAGE)
    path = file_without_shared_maps(content)
    with faultless.open(path) as m:
        assert m.private_fallback is True
        assert m[:] == content
        m.flush()
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as m:
        assert (m.private_fallback, m[:]) == (True, content)
    with faultless.open(path, "c") as m:
        assert m.private_fallback is False
    # Who asks for a shared map in so many words gets no other.
    with open(path, "rb") as file:
        try:
            mmap.mmap(file.fileno(), 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
        except OSError as error:
            assert error.errno == errno.ENODEV
        else:
            raise AssertionError("a shared map")


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
