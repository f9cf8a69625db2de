"""Another process truncates the file and makes it long again, as fast as it can, while threads use every operation."""

import os
import random
import signal
import sys
import time

from fault_support import FILE, PAGE, PERIOD, each, in_threads, new_file, pattern

import faultless

PAGES = 48
SIZE = PAGES * PAGE
SECONDS = 4
DATA = pattern(SIZE)
# The file is cut at these places: between pages and inside them.
CUTS = [0, PAGE, 7 * PAGE, 20 * PAGE, 47 * PAGE, 100, 5 * PAGE + 1, 30 * PAGE + 2000, SIZE - PAGE + 7, SIZE - 1]


class Storm:
    """The other process. It is forked before there are threads."""

    def __init__(self, regrow):
        self.pid = os.fork()
        if self.pid == 0:
            fd = os.open(FILE, os.O_RDWR)
            turn = 0
            while True:
                os.ftruncate(fd, CUTS[turn % len(CUTS)])
                if turn % 3 == 0:
                    os.sched_yield()
                if turn % 16 == 0:
                    time.sleep(0.0002)
                regrow(fd)
                turn += 1
                if turn % 8 == 0:
                    time.sleep(0.0003)

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, "the storm was over too early"


def write_pattern(fd):
    # In pieces, each where the file ends: no byte is ever a zero.
    for start in range(0, SIZE, 8 * PAGE):
        os.pwrite(fd, DATA[start : start + 8 * PAGE], start)


def lengthen(fd):
    os.ftruncate(fd, SIZE)


class Check:
    """Whether bytes may be those of the file, and what may be written."""

    def __init__(self, zeros):
        self.zeros = zeros

    def same(self, got, expected):
        if self.zeros and got != expected:
            assert len(got) == len(expected)
            assert all(byte in (0, right) for byte, right in zip(got, expected, strict=True))
        else:
            assert got == expected, first_difference(got, expected)

    def found(self, at, expected):
        assert self.zeros or at == expected, (at, expected)

    def byte(self, got, at):
        self.same(bytes([got]), DATA[at : at + 1])


def first_difference(got, expected):
    at = next((i for i, (a, b) in enumerate(zip(got, expected, strict=False)) if a != b), None)
    return f"{len(got)} of {len(expected)} bytes; from {at} on: {got[at : at + 8]!r}, not {expected[at : at + 8]!r}"


def index(m, lead, at, length, check):
    check.byte(m[at], lead + at)


def get_slice(m, lead, at, length, check):
    check.same(m[at : at + length], DATA[lead + at : lead + at + length])


def get_strided(m, lead, at, length, check):
    check.same(m[at : at + length : 7], DATA[lead + at : lead + at + length : 7])


def get_reversed(m, lead, at, length, check):
    check.same(m[at : at + length][::-1], DATA[lead + at : lead + at + length][::-1])
    check.same(m[::-5], DATA[lead:][::-5])


def find(m, lead, at, length, check):
    check.found(m.find(b"\0", at, at + length), -1)


def find_far(m, lead, at, length, check):
    # The last eight bytes of the range do not stand anywhere before, within the period of the pattern.
    length = min(length, PERIOD)
    if length >= 8:
        check.found(m.find(DATA[lead + at + length - 8 : lead + at + length], at, at + length), at + length - 8)


def rfind(m, lead, at, length, check):
    check.found(m.rfind(b"\0", at, at + length), -1)


def iterate(m, lead, at, length, check):
    for nth, byte in zip(range(500), m, strict=False):
        check.same(byte, DATA[lead + nth : lead + nth + 1])


def is_in(m, lead, at, length, check):
    assert (b"\0" if check.zeros else DATA[lead + 100 : lead + 101]) in m or check.zeros


def read(m, lead, at, length, check):
    # The position belongs to all threads: whatever comes is bytes of the file, from somewhere.
    m.seek(at)
    got = m.read(min(length, 3000))
    check.found(got.find(b"\0"), -1)
    if got and not check.zeros:
        assert got in DATA[(got[0] - 1) :][: len(got)]


def readline(m, lead, at, length, check):
    m.seek(at)
    line = m.readline()
    check.found(line.find(b"\0"), -1)
    # Where zeros turn into bytes meanwhile, a newline may appear in the line that was found.
    assert check.zeros or line.find(b"\n") in (-1, len(line) - 1)


def read_byte(m, lead, at, length, check):
    m.seek(at)
    try:
        assert m.read_byte() or check.zeros
    except ValueError:
        # Another thread read to the end.
        pass


def set_item(m, lead, at, length, check):
    m[at] = DATA[lead + at]


def set_slice(m, lead, at, length, check):
    m[at : at + length] = DATA[lead + at : lead + at + length]


def set_strided(m, lead, at, length, check):
    m[at : at + length : 5] = DATA[lead + at : lead + at + length : 5]


def move(m, lead, at, length, check):
    # By a multiple of the period, so that the bytes are right where they get.
    to = at % PERIOD
    m.move(to, at, min(length, len(m) - at))


def flush(m, lead, at, length, check):
    m.flush()


def raw_memory(m, lead, at, length, check):
    # What others see of the memory may be zeros.
    with memoryview(m) as view:
        Check(zeros=True).same(bytes(view[at : at + 100]), DATA[lead + at : lead + at + 100])


def look(m, lead, at, length, check):
    fault = m.fault
    assert fault is None or (fault[1] == "truncated" and 0 <= fault[0] <= len(m)), fault
    assert m.guarded
    assert len(m) == SIZE - lead
    assert 0 <= m.size() <= SIZE
    assert repr(m).startswith("<mmap.mmap closed=False")


READING = [
    index, get_slice, get_strided, get_reversed, find, find_far, rfind, iterate, is_in, read, readline, read_byte,
    raw_memory, look,
]  # fmt: skip
WRITING = [set_item, set_slice, set_strided, move, flush]


def use_everything(maps, seed, check, seen):
    numbers = random.Random(seed)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        m, lead, writable = numbers.choice(maps)
        operation = numbers.choice(READING + WRITING if writable else READING)
        at = numbers.randrange(len(m) - 1)
        length = numbers.choice((1, 50, PAGE, 20 * PAGE, len(m)))
        length = min(length, len(m) - at)
        try:
            operation(m, lead, at, length, check)
            seen[operation.__name__, "worked"] = True
        except faultless.FaultError as error:
            assert error.reason == "truncated", error
            assert 0 <= error.offset <= len(m), error
            seen[operation.__name__, "failed"] = True


@each(regrow=["the bytes", "zeros"])
def test_storm(regrow):
    zeros = regrow == "zeros"
    new_file(PAGES)
    storm = Storm(lengthen if zeros else write_pattern)
    sys.setswitchinterval(1e-4)
    maps = []
    while len(maps) < 4:
        # The file may be too short just now to be mapped as a whole.
        mode, lead = [("r+", 0), ("r", 0), ("r+", 3 * PAGE + 77), ("c", 0)][len(maps)]
        try:
            m = faultless.open(FILE, mode, offset=lead, length=SIZE - lead)
        except ValueError:
            continue
        maps.append((m, lead, mode == "r+"))
    check = Check(zeros)
    seen = {}
    try:
        in_threads(*[lambda seed=seed: use_everything(maps, seed, check, seen) for seed in range(4)])
    finally:
        storm.end()
    # Every operation met both weathers, but for those that never fail.
    for operation in READING + WRITING:
        assert (operation.__name__, "worked") in seen, (operation, seen)
        if operation not in (look, raw_memory):
            assert (operation.__name__, "failed") in seen, (operation, seen)

    # When all is quiet and the file is whole, so are the maps.
    fd = os.open(FILE, os.O_RDWR)
    write_pattern(fd)
    os.close(fd)
    for m, lead, writable in maps:
        for _ in range(2):
            # What the last threads left untold.
            try:
                m.flush()
            except faultless.FaultError:
                continue
        assert m.fault is None
        m.seek(0)
        for operation in READING + (WRITING if writable else []):
            operation(m, lead, 0, len(m), Check(zeros=False))
        assert m[:] == DATA[lead:]
    assert FILE.read_bytes() == DATA
