"""Failing pages in threads, in forked children and under multiprocessing."""

import multiprocessing
import os
import signal
import threading
import warnings

from fault_support import (
    FILE,
    PAGE,
    append,
    each,
    expect_fault,
    fault_of,
    in_threads,
    new_file,
    open_map,
    pattern,
    sound,
)

import faultless

PAGES = 8
SIZE = PAGES * PAGE
END = 3 * PAGE + 100


def test_in_a_thread():
    m = open_map()
    os.truncate(FILE, END)
    in_threads(lambda: expect_fault(lambda: m[-1], END))
    append(FILE, SIZE)
    in_threads(lambda: sound(m))


def test_many_threads_meet_the_same_page():
    for _ in range(20):
        m = open_map()
        os.truncate(FILE, END)
        in_threads(*[lambda m=m: expect_fault(lambda: m[5 * PAGE], END)] * 8)
        append(FILE, SIZE)
        in_threads(*[lambda m=m: sound(m)] * 8)
        m.close()


def test_many_threads_with_maps_of_their_own():
    def body(number):
        path = f"file{number}"
        for turn in range(50):
            with open(path, "wb") as file:
                file.write(pattern(SIZE))
            with faultless.open(path, "r+") as m:
                end = (turn * 1237 + number) % SIZE
                os.truncate(path, end)
                expect_fault(lambda m=m: m[-1], end)
                assert m[:end] == pattern(end)
                append(path, SIZE)
                sound(m)

    in_threads(*[lambda number=number: body(number) for number in range(4)])


@each(kibibytes=[32, 64, 256])
def test_a_small_stack(kibibytes):
    threading.stack_size(kibibytes << 10)
    m = open_map()
    view = memoryview(m)
    os.truncate(FILE, END)

    def body():
        fault_of(lambda: m[-1])
        fault_of(lambda: m.find(b"\0", 0))
        assert view[-1] == 0

    in_threads(body, body)


def test_a_thread_that_was_there_before_the_map():
    ready, done = threading.Event(), threading.Event()
    errors = []

    def body():
        ready.wait()
        errors.append(fault_of(lambda: m[-1]))
        done.set()

    thread = threading.Thread(target=body)
    thread.start()
    m = open_map()
    os.truncate(FILE, END)
    ready.set()
    thread.join()
    assert (errors[0].offset, errors[0].reason) == (END, "truncated")


def in_child(body):
    """Runs a function in a forked child, and checks that it ends well."""
    with warnings.catch_warnings():
        # Python warns of a fork in a process with threads; the child here uses none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            body()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code == 0, code


def test_in_a_forked_child_and_in_its_parent():
    m = open_map()
    view = memoryview(m)
    sound(m)
    os.truncate(FILE, END)

    def body():
        expect_fault(lambda: m[-1], END)
        assert view[-1] == 0
        append(FILE, SIZE)
        sound(m)
        m[0] = 200

    in_child(body)
    assert m[0] == 200
    m[0] = pattern(1)[0]
    os.truncate(FILE, END)
    expect_fault(lambda: m[-1], END)
    append(FILE, SIZE)
    sound(m)


def test_forked_while_damaged():
    m = open_map()
    os.truncate(FILE, END)
    expect_fault(lambda: m[-1], END)

    def body():
        expect_fault(lambda: m[-1], END)
        append(FILE, SIZE)
        sound(m)

    in_child(body)
    sound(m)


def test_a_child_makes_maps_of_its_own():
    m = open_map()

    def body():
        m.close()
        new_file(PAGES, FILE.with_name("other"))
        other = faultless.open("other", "r+")
        os.truncate("other", END)
        expect_fault(lambda: other[-1], END)

    in_child(body)
    sound(m)


def test_a_grandchild():
    m = open_map()
    os.truncate(FILE, END)
    in_child(lambda: in_child(lambda: expect_fault(lambda: m[-1], END)))
    expect_fault(lambda: m[-1], END)


def test_forks_while_threads_use_the_map():
    """The child is usable though a thread of the parent was in the midst of anything."""
    m = open_map(64)
    stop = threading.Event()

    def use():
        while not stop.is_set():
            # Long enough to run detached.
            assert m.find(b"\0", 0) == -1
            assert m[:] == pattern(64 * PAGE)

    def body():
        os.truncate("other", END)
        expect_fault(lambda: other[-1], END)
        assert m[0] == pattern(1)[0]

    def forks():
        try:
            for _ in range(20):
                append("other", SIZE)
                sound(other)
                in_child(body)
        finally:
            stop.set()

    new_file(PAGES, FILE.with_name("other"))
    other = faultless.open("other", "r+")
    in_threads(use, use, forks)


def test_a_kill_kills_a_child():
    m = open_map()
    os.truncate(FILE, END)
    expect_fault(lambda: m[-1], END)
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGBUS)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGBUS


def last_byte(path):
    """What a worker process does."""
    with faultless.open(path, "r+") as m:
        os.truncate(path, END)
        return m[-1]


INHERITED = []


def inherited_byte(_):
    return INHERITED[0][-1]


@each(method=["fork", "spawn", "forkserver"])
def test_multiprocessing_brings_the_error_home(method):
    new_file(PAGES)
    context = multiprocessing.get_context(method)
    with context.Pool(1) as pool:
        error = fault_of(lambda: pool.apply(last_byte, (str(FILE),)))
    assert (error.offset, error.reason, error.filename) == (END, "truncated", str(FILE))


def test_multiprocessing_with_a_map_from_before():
    m = open_map()
    INHERITED.append(m)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(inherited_byte, range(4)) == [pattern(1, SIZE - 1)[0]] * 4
        os.truncate(FILE, END)
        assert fault_of(lambda: pool.map(inherited_byte, range(4))).offset == END
        expect_fault(lambda: m[-1], END)
        append(FILE, SIZE)
        assert pool.map(inherited_byte, range(4)) == [pattern(1, SIZE - 1)[0]] * 4
