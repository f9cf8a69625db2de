"""Searches with many results, lines and the places of lines over a file that was cut short."""

import os
from pathlib import Path

from fault_support import PAGE, each, expect_fault

import faultless

PATH = Path("text")
LINE = b"line of text that has forty bytes......\n"
LINES = 64 * PAGE // len(LINE)

CALLS = {
    "find_all": lambda m: m.find_all(b"line"),
    "overlapping": lambda m: m.find_all(b"line", overlapping=True),
    "find_any": lambda m: m.find_any([b"nothing", b"line"]),
    "finditer": lambda m: m.finditer("line"),
    "finditer in lines": lambda m: m.finditer("line.*"),
    "lines": lambda m: m.lines(),
}


@each(call=list(CALLS), end=[0, 1000, 20 * PAGE + 90])
def test_what_comes_before_the_end_is_found(call, end):
    PATH.write_bytes(LINE * LINES)
    with faultless.open(PATH) as m:
        os.truncate(PATH, end)
        found = []
        expect_fault(lambda: found.extend(CALLS[call](m)), end)
        # The last one may not be certain: what follows it decides.
        assert end // len(LINE) - 1 <= len(found) <= end // len(LINE) + 1
        iterator = CALLS[call](m)
        expect_fault(lambda: list(iterator), end)
        assert list(iterator) == []


def test_line_index():
    PATH.write_bytes(LINE * LINES)
    with faultless.open(PATH) as m:
        index = m.line_index()
        end = 20 * PAGE + 90
        os.truncate(PATH, end)
        expect_fault(m.line_index, end)
        expect_fault(lambda: index[-1], end)
        expect_fault(lambda: index.span(LINES - 1), end)
        expect_fault(lambda: index.line_at(LINES * len(LINE) - 1), end)
        assert index[3] == LINE[:-1]
        assert len(m.line_index(0, end)) == end // len(LINE) + 1
