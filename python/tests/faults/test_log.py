"""A log whose file is cut short, or has no room, while it is used."""

import os
import threading
import time
from pathlib import Path

from fault_support import each, expect_fault, fault_of

import faultless
from faultless.log import LogHandler

PATH = Path("log")
HEADER = 128
FRAME = 8 + 1000


def record(n):
    return bytes([n % 255 + 1]) * 1000


def filled():
    log = faultless.AppendLog(PATH)
    for n in range(100):
        log.append(record(n))
    return log


@each(end=[0, 100, HEADER, HEADER + 10 * FRAME, HEADER + 51 * FRAME + 77])
def test_cut_short(end):
    log, reader = filled(), faultless.LogReader(PATH)
    offset = log.append(b"last")
    os.truncate(PATH, end)
    for call in (lambda: log.append(b"more"), log.sync, lambda: log.end, lambda: list(log), log.records):
        error = expect_fault(call, end)
        assert os.path.samefile(error.filename, PATH)
    seen = []
    try:
        seen.extend(reader)
    except (faultless.FaultError, ValueError):
        pass
    else:
        raise AssertionError("the end of the file was not noticed")
    # The list keeps what came before the error.
    assert [data for _, data in seen] == [record(n) for n in range(max(0, end - HEADER) // FRAME)]
    try:
        log.read(offset)
    except (faultless.FaultError, ValueError):
        pass
    expect_fault(log.close, end)
    assert log.closed
    assert PATH.stat().st_size == end


def test_whole_again():
    log = filled()
    data = PATH.read_bytes()
    os.truncate(PATH, 5000)
    expect_fault(lambda: log.append(b"more"), 5000)
    with open(PATH, "r+b") as file:
        file.write(data)
    log.append(record(100))
    log.sync()
    assert list(log) == [record(n) for n in range(101)]
    log.close()


def test_cut_while_threads_use_it():
    log = filled()
    done = False
    faults = []

    def use():
        while not done:
            try:
                log.append(b"x" * 500)
                list(faultless.LogReader(PATH))
            except (faultless.FaultError, ValueError) as error:
                faults.append(error)

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    os.truncate(PATH, 3000)
    while len(faults) < 20:
        time.sleep(0.01)
    done = True
    for thread in threads:
        thread.join()
    expect_fault(lambda: log.append(b"more"), 3000)


def test_the_handler_reports_it():
    import io
    import logging
    import sys

    handler = LogHandler(PATH)
    handler.handle(logging.LogRecord("test", logging.INFO, "test.py", 1, "one", (), None))
    os.truncate(PATH, 0)
    before, sys.stderr = sys.stderr, io.StringIO()
    try:
        handler.handle(logging.LogRecord("test", logging.INFO, "test.py", 1, "two", (), None))
        said = sys.stderr.getvalue()
    finally:
        sys.stderr = before
    assert "FaultError" in said
    fault_of(handler.close)
