"""The exception itself."""

import copy
import errno
import os
import pickle
import traceback
import weakref

from fault_support import FILE, PAGE, fault_of, open_map

import faultless

END = 3 * PAGE + 100
TEXT = f"[Errno {errno.EIO}] the file was truncated: the map has no bytes from offset {END} on: 'file'"


def raised():
    m = open_map()
    os.truncate(FILE, END)
    return fault_of(lambda: m[-1])


def fields(error):
    return (
        type(error),
        error.errno,
        error.strerror,
        error.filename,
        error.offset,
        error.reason,
        str(error),
        repr(error),
    )


def test_it_is_an_os_error():
    m = open_map()
    os.truncate(FILE, END)
    try:
        m[-1]
    except OSError as error:
        assert type(error) is faultless.FaultError
        assert error.errno == errno.EIO
        assert error.filename == "file"
        assert error.filename2 is None
        assert (error.offset, error.reason) == (END, "truncated")
        assert str(error) == TEXT
        assert error.strerror == TEXT.partition("] ")[2].rpartition(":")[0]
    else:
        raise AssertionError("no OSError")
    assert faultless.FaultError.__mro__[1] is OSError


def test_it_is_the_standard_modules_error_too():
    m = open_map()
    os.truncate(FILE, END)
    try:
        m[-1]
    except faultless.mmap.error:
        return
    raise AssertionError("mmap.error does not catch it")


def test_it_has_the_name_that_users_write():
    assert traceback.format_exception_only(raised()) == [f"faultless.FaultError: {TEXT}\n"]


def test_pickle_and_copy():
    error = raised()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert fields(pickle.loads(pickle.dumps(error, protocol))) == fields(error)
    assert fields(copy.copy(error)) == fields(error)
    assert fields(copy.deepcopy(error)) == fields(error)


def test_without_a_file_name():
    error = faultless.FaultError("the disk failed", 5, "io")
    assert str(error) == f"[Errno {errno.EIO}] the disk failed"
    assert (error.offset, error.reason, error.filename) == (5, "io", None)
    assert fields(pickle.loads(pickle.dumps(error))) == fields(error)


def test_no_space_has_its_number():
    error = faultless.FaultError("full", 5, "no space", "x")
    assert error.errno == errno.ENOSPC
    assert fields(pickle.loads(pickle.dumps(error))) == fields(error)


def test_a_file_name_that_is_not_utf8():
    path = os.fsdecode(b"\xff\xfe")
    with open(path, "wb") as file:
        file.write(b"x" * PAGE)
    m = faultless.open(path)
    os.truncate(path, 0)
    assert fault_of(lambda: m[0]).filename == path


def test_an_error_keeps_no_map_alive():
    maps = [open_map()]
    os.truncate(FILE, END)
    error = fault_of(lambda: maps[0][-1]).with_traceback(None)
    reference = weakref.ref(maps.pop())
    assert reference() is None
    assert error.offset == END
