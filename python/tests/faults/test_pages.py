"""Pages that fail while they are brought into memory, asked about, or let go."""

import os

from fault_support import FILE, PAGE, append, cut_map, each, expect_fault, open_map, skip, sound

import faultless
from faultless import mmap

PAGES = 16
END = 5 * PAGE + 100
OPERATIONS = ["residency", "prefetch", "evict", "lock"]


@each(operation=OPERATIONS, touched=[False, True], mode=["r", "r+", "c"])
def test_a_file_that_was_truncated(operation, touched, mode):
    m = cut_map(PAGES, END, touched, mode)
    call = getattr(m, operation)
    for start, length in ((0, None), (END - 1, 2), (END, 1), (PAGES * PAGE - 1, 1)):
        error = expect_fault(lambda start=start, length=length: call(start, length), END)
        assert error.filename == str(FILE)
    # A copy-on-write map makes its copies of the pages that it locks, and flushing is all or nothing.
    if (mode, operation) not in (("c", "lock"), ("r+", "evict")):
        call(0, END)
    assert m.fault == (END, "truncated")
    append(FILE, PAGES * PAGE)
    call()
    sound(m)


def test_progress_up_to_the_failure():
    big = 80 << 20
    with open(FILE, "wb") as file:
        file.truncate(big)
    m = faultless.open(FILE)
    os.truncate(FILE, big // 2)
    calls = []
    expect_fault(lambda: m.prefetch(progress=lambda done, total: calls.append(done)), big // 2)
    assert calls
    assert max(calls) <= big // 2


def test_without_the_guard_a_page_is_an_error_to_prefetch():
    faultless.set_guard(False)
    m = open_map(PAGES, "r")
    assert not m.guarded
    os.truncate(FILE, END)
    expect_fault(m.prefetch, END)
    m.prefetch(0, END)


def test_exported_memory_stays_what_it_was_when_protection_is_asked_for():
    m = open_map(PAGES)
    view = memoryview(m)
    try:
        m.protect(mmap.PROT_READ)
        raise AssertionError("it was allowed")
    except BufferError:
        view[0] = 200
    assert m[0] == 200


def test_residency_is_not_told_to_others():
    """To others than the owner and the writers of a file the kernel says that all of it is in memory."""
    if os.geteuid() != 0:
        skip("only the superuser can be somebody else")
    path = FILE.absolute()
    path.write_bytes(b"x" * PAGES * PAGE)
    path.chmod(0o644)
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        m = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    m.evict()
    truth = m.residency().ranges()
    os.seteuid(65534)
    try:
        assert m.residency().ranges() == truth
    except PermissionError:
        pass
