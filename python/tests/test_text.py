"""Searches with many results, lines, and the places of lines: what `re` and `bytes` find, and how they end."""

import contextlib
import gc
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import faultless
from faultless import mmap

DATA = b"".join(b"line %d, some text\n" % n for n in range(20_000)) + b"the end"


@pytest.fixture
def m() -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, len(DATA)) as m:
        m[:] = DATA
        yield m


def starts(pattern: bytes, data: bytes = DATA) -> list[int]:
    return [match.start() for match in re.finditer(pattern, data)]


def test_find_all(m: mmap.mmap) -> None:
    assert list(m.find_all(b"text")) == starts(b"text")
    assert list(m.find_all(b"1", 1000, -5000)) == [1000 + at for at in starts(b"1", DATA[1000:-5000])]
    assert list(m.find_all(sub=bytearray(b"end"), end=None)) == [len(DATA) - 3]
    assert list(m.find_all(b"not there")) == []
    assert list(m.find_all(b"text", 5000, 10)) == []
    assert len(list(m.find_all(b""))) == len(DATA) + 1
    m[:10] = b"aaaaabaaaa"
    assert list(m.find_all(b"aa", 0, 10)) == [0, 2, 6, 8]
    assert list(m.find_all(b"aa", 0, 10, overlapping=True)) == [0, 1, 2, 3, 6, 7, 8]


@pytest.mark.parametrize("name", ["find_all", "find_any", "finditer", "lines", "line_index"])
def test_ranges_are_those_of_slices(m: mmap.mmap, name: str) -> None:
    first: dict[str, tuple[object, ...]] = {"find_all": (b"1",), "find_any": ([b"1"],), "finditer": ("1",)}

    def count(*places: int | None) -> int:
        found = getattr(m, name)(*first.get(name, ()), *places)
        return len(found) if name == "line_index" else sum(1 for _ in found)

    everything = count()
    assert everything > 1000
    for places in ((-(1 << 63), 1 << 63), (-(1 << 64), 1 << 64), (None, None), (0, (1 << 63) - 1)):
        assert count(*places) == everything
    for places in ((1 << 64, 1 << 65), (0, -(1 << 64)), (1 << 63, None)):
        assert count(*places) == 0


def test_what_is_no_pattern(m: mmap.mmap) -> None:
    for pattern in (5, None, re.compile(b"a"), [b"a"]):
        with pytest.raises(TypeError, match="the pattern must be str or bytes, not "):
            m.finditer(pattern)  # type: ignore[arg-type]
    for subs in (b"ab", "ab"):
        with pytest.raises(TypeError, match="subs must be several, such as a list of bytes, not "):
            m.find_any(subs)  # type: ignore[arg-type]


def test_groups_that_there_are_not(m: mmap.mmap) -> None:
    match, same = next(m.finditer(r"(?<word>line)")), next(re.finditer(rb"(?P<word>line)", DATA))
    for group in (2, -1, "other", b"word", 1.5, None, 1 << 70, -(1 << 70)):
        for one in (match, same):
            with pytest.raises(IndexError, match="no such group"):
                one.group(group)  # type: ignore[call-overload, arg-type]


def test_lines_that_there_are_not(m: mmap.mmap) -> None:
    index = m.line_index()
    for number in (len(index), -len(index) - 1, 1 << 64, -(1 << 64)):
        for call in (index.__getitem__, index.span):
            with pytest.raises(IndexError):
                call(number)
    for offset in (-1, len(m), 1 << 64, -(1 << 64)):
        with pytest.raises(IndexError, match="offset"):
            index.line_at(offset)


def test_find_any(m: mmap.mmap) -> None:
    found = list(m.find_any([b"some", b"line 1", b"line"], 0, 100_000))
    expected = re.finditer(b"(some)|(line 1)|(line)", DATA[:100_000])
    assert found == [(match.start(), match.lastindex - 1) for match in expected if match.lastindex]
    assert list(m.find_any(iter([b"nowhere"]))) == []
    assert list(m.find_any([])) == []
    with pytest.raises(ValueError, match="empty"):
        m.find_any([b"a", b""])


PATTERNS = [
    rb"line (\d+)",
    rb"(?P<number>[0-9]+),( some)?(x)?",
    rb"(?m)^line \d*7,",
    rb"\d+",
    rb"(?s)9,.*?\n.*?8",
    rb"\b",
]


@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_finditer(m: mmap.mmap, pattern: bytes) -> None:
    data = DATA[:100_000]
    count = 0
    for ours, theirs in zip(m.finditer(pattern, 0, 100_000), re.finditer(pattern, data), strict=True):
        count += 1
        assert ours.span() == theirs.span()
        assert (ours.start(), ours.end(), ours.group(), ours[0]) == (*theirs.span(), theirs[0], theirs[0])
        assert ours.groups() == theirs.groups()
        assert ours.groups(b"?") == theirs.groups(b"?")
        assert ours.groupdict() == theirs.groupdict()
        for group in range(len(theirs.groups()) + 1):
            assert ours.span(group) == theirs.span(group)
            assert ours.group(group) == theirs.group(group)
    assert count > 100


def test_matches_are_copies(m: mmap.mmap) -> None:
    match = next(m.finditer(r"line (?P<number>\d+)"))
    m[:20] = bytes(20)
    m.close()
    assert match.group("number") == match["number"] == match.group(1) == b"0"
    assert match.group(0, "number") == (b"line 0", b"0")
    assert match.start("number") == 5
    assert repr(match) == "<faultless.Match span=(0, 6), match=b'line 0'>"
    for group in (2, -1, "name"):
        with pytest.raises(IndexError, match="no such group"):
            match.group(group)


def test_patterns_that_are_none(m: mmap.mmap) -> None:
    for pattern in ("(", b"*", r"(?=lookahead)", r"(a)\1"):
        with pytest.raises(ValueError, match="regex parse error"):
            m.finditer(pattern)
    with pytest.raises(ValueError, match="UTF-8"):
        m.finditer(b"\xff")
    with pytest.raises(TypeError):
        m.finditer(5)  # type: ignore[arg-type]
    assert [match.span() for match in m.finditer(r"(?-u)\x00|s")][:1] == [(8, 9)]


def test_a_pattern_that_takes_re_for_ever(m: mmap.mmap) -> None:
    m[:60] = b"a" * 60
    assert [match.span() for match in m.finditer("(a|aa)+$", 0, 59)] == [(0, 59)]
    assert list(m.finditer("(a*)*b", 0, 60)) == []


def test_lines(m: mmap.mmap) -> None:
    assert list(m.lines()) == DATA.splitlines()
    assert list(m.lines(keepends=True)) == DATA.splitlines(keepends=True)
    assert list(m.lines(3, 40)) == DATA[3:40].splitlines()
    assert list(m.lines(-7)) == [b"the end"]
    assert list(m.lines(5, 5)) == []
    m[:12] = b"a\r\n\n\rb\n\x0b\n\n\n\n"
    assert list(m.lines(0, 12)) == [b"a\r", b"", b"\rb", b"\x0b", b"", b"", b""]


def test_line_index(m: mmap.mmap) -> None:
    index = m.line_index()
    lines = DATA.splitlines()
    assert len(index) == len(lines)
    assert index[0] == lines[0] and index[-1] == lines[-1] == b"the end"
    for number in random.Random(5).sample(range(len(lines)), 200):
        start, end = index.span(number)
        assert index[number] == lines[number] == m[start:end].rstrip(b"\n")
        assert index.line_at(start) == index.line_at(end - 1) == number
    for number in (len(lines), -len(lines) - 1, 1 << 60):
        with pytest.raises(IndexError):
            index[number]
    with pytest.raises(IndexError):
        index.line_at(len(DATA))
    assert list(m.line_index(0, 20)) == [lines[0], lines[1][:2]]
    assert repr(index) == f"<LineIndex of {len(lines)} lines>"
    m.close()
    with pytest.raises(ValueError, match="closed"):
        index[0]


ITERATORS: dict[str, Callable[..., Iterator[object]]] = {
    "find_all": lambda m, **named: m.find_all(b"line", **named),
    "find_any": lambda m, **named: m.find_any([b"line"], **named),
    "finditer": lambda m, **named: m.finditer("line", **named),
    "lines": lambda m, **named: m.lines(**named),
}


@pytest.mark.parametrize("make", ITERATORS.values(), ids=ITERATORS)
def test_progress(m: mmap.mmap, make: Callable[..., Iterator[object]]) -> None:
    told: list[tuple[int, int]] = []
    assert len(list(make(m, progress=lambda *done: told.append(done)))) >= 20_000
    assert told == sorted(told) and told[-1] == (len(DATA), len(DATA)) and len(told) > 2
    with pytest.raises(TypeError, match="progress must be callable"):
        make(m, progress=5)

    def refuse(done: int, total: int) -> None:
        raise KeyError(done)

    iterator = make(m, progress=refuse)
    with pytest.raises(KeyError):
        next(iterator)
    assert list(iterator) == []


def test_progress_of_an_index(m: mmap.mmap) -> None:
    told: list[tuple[int, int]] = []
    m.line_index(progress=lambda *done: told.append(done))
    assert told == [(len(DATA), len(DATA))]


@pytest.mark.parametrize("make", ITERATORS.values(), ids=ITERATORS)
def test_a_map_that_is_closed_meanwhile(m: mmap.mmap, make: Callable[..., Iterator[object]]) -> None:
    iterator = make(m)
    next(iterator)
    m.close()
    with pytest.raises(ValueError, match="closed"):
        list(iterator)
    with pytest.raises(ValueError, match="closed"):
        make(m)


@pytest.mark.parametrize("make", ITERATORS.values(), ids=ITERATORS)
def test_a_map_that_becomes_shorter_meanwhile(tmp_path: Path, make: Callable[..., Iterator[object]]) -> None:
    (tmp_path / "data").write_bytes(DATA)
    with faultless.open(tmp_path / "data", "r+") as m:
        iterator = make(m)
        next(iterator)
        m.resize(100_000)
        assert 4000 < len(list(iterator)) < 6000


def test_an_iterator_that_is_used_within_itself(m: mmap.mmap) -> None:
    iterator: Iterator[int]
    iterator = m.find_all(b"line", progress=lambda done, total: next(iterator))
    with pytest.raises(ValueError, match="in use"):
        next(iterator)


def test_iterators_keep_their_map_alive() -> None:
    m = mmap.mmap(-1, 1000)
    iterator, index = m.lines(), m.line_index()
    del m
    gc.collect()
    assert list(iterator) == [bytes(1000)] == list(index)


def test_what_is_given_up_is_let_go_at_once(m: mmap.mmap) -> None:
    """Not with the next call of another kind, which may never come."""

    def progress(done: int, total: int) -> None:
        pass

    def refused(call: Callable[[], object]) -> None:
        with contextlib.suppress(ValueError, TypeError):
            call()

    counts = sys.getrefcount(m), sys.getrefcount(progress)
    for use in (
        lambda: next(m.lines(progress=progress)),
        lambda: next(m.find_all(b"line", progress=progress)),
        lambda: next(m.finditer(b"line", progress=progress)),
        lambda: refused(lambda: m.finditer("(", progress=progress)),
        lambda: refused(lambda: m.lines("1", progress=progress)),  # type: ignore[arg-type]
        lambda: m.prefetch(progress=progress),
    ):
        use()
        assert (sys.getrefcount(m), sys.getrefcount(progress)) == counts


def test_no_exceptions_are_kept(m: mmap.mmap) -> None:
    class Map(mmap.mmap):
        __slots__ = ()

    with Map(-1, 10) as other:
        for one in (m, other):
            for _ in range(100):
                assert (one.name, one.mode, one.count(256 - 1)) == (None, "rb+", 0)
            found = [item for item in gc.get_objects() if isinstance(item, AttributeError | TypeError)]
            assert len(found) < 50


def test_other_threads_run_during_a_search(tmp_path: Path) -> None:
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 30)
    with faultless.open(tmp_path / "sparse") as m:
        count = 0
        done = threading.Event()

        def work() -> None:
            try:
                assert list(m.find_all(b"needle")) == []
            finally:
                done.set()

        thread = threading.Thread(target=work)
        thread.start()
        while not done.wait(0.001):
            count += 1
        thread.join()
    assert count > 5


@pytest.mark.skipif(not hasattr(signal, "SIGINT"), reason="no such signal on this system")
@pytest.mark.parametrize(
    "call", ["find_all(b'x')", "finditer('x+y')", "find_any([b'x', b'yz'])", "lines()", "line_index()"]
)
def test_ctrl_c(tmp_path: Path, call: str) -> None:
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 42)
    script = f"""
import faultless, sys
with faultless.open(sys.argv[1]) as m:
    first = []
    def progress(done, total):
        if not first:
            print("ready", flush=True)
        first.append(done)
    found = m.{call[:-1]}{"" if call.endswith("()") else ", "}progress=progress)
    next(found)
"""
    command = [sys.executable, "-c", script, tmp_path / "sparse"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stderr is not None
        assert child.stdout.readline().strip() == b"ready"
        child.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in child.stderr.read()
