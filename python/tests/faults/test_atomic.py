"""Atomic numbers on pages that fail."""

import os
import threading

from fault_support import FILE, PAGE, cut_map, each, expect_fault, fault_of, open_map, pattern

PAGES = 8
# Inside a page, between two numbers.
END = 3 * PAGE + 1000

OPERATIONS = {
    "load": lambda m, at: m.atomic("u64", at).load(),
    "store": lambda m, at: m.atomic("i64", at).store(1),
    "fetch_add": lambda m, at: m.atomic("u32", at).fetch_add(1),
    "fetch_and": lambda m, at: m.atomic("i32", at).fetch_and(1),
    "fetch_or": lambda m, at: m.atomic("u64", at).fetch_or(1),
    "compare_exchange": lambda m, at: m.atomic("u64", at).compare_exchange(0, 1),
    "wait": lambda m, at: m.atomic("u32", at).wait(0),
    "wake": lambda m, at: m.atomic("u32", at).wake(),
}


@each(operation=list(OPERATIONS), touched=[False, True])
def test_a_file_that_was_truncated(operation, touched):
    m = cut_map(PAGES, END, touched)
    for at in (END, END + 8, 4 * PAGE - 8, 5 * PAGE, PAGES * PAGE - 8):
        for _ in range(2):
            error = expect_fault(lambda at=at: OPERATIONS[operation](m, at), END)
            assert error.filename == str(FILE)
    OPERATIONS[operation](m, END - 8)
    assert m[: END - 8] == pattern(END - 8)


def test_truncated_while_a_thread_waits():
    m = open_map(PAGES)
    number = m.atomic("u32", 5 * PAGE)
    before = number.load()
    errors = []
    thread = threading.Thread(target=lambda: errors.append(fault_of(lambda: number.wait(before))))
    thread.start()
    os.truncate(FILE, END)
    thread.join()
    assert (errors[0].offset, errors[0].reason) == (END, "truncated")
