"""A tour of memory-mapped files on real ones, beside the standard module.

Every step runs with `faultless.mmap` and with the standard `mmap`, in turn, several times. The best
time of each is printed, and the answers are compared: the exit status is 1 if any differ.
"""

import itertools
import mmap as standard
import os
import platform
import re
import shutil
import struct
import sys
import sysconfig
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import ModuleType

try:
    from faultless import mmap
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "faultless":
        raise
    sys.exit("The package faultless is not installed: run `make demo`, which builds it first.")

ROUNDS = 5
MIB = 1 << 20
TEXT_SIZE = 24 * MIB


@dataclass(frozen=True)
class Files:
    """The files that the steps work on."""

    binary: Path
    text: Path
    scratch: Path


@dataclass(frozen=True)
class Answer:
    """What a step did: a sentence for people, and a look at the outcome, which is not timed."""

    sentence: str
    evidence: Callable[[], object]


# A step maps what it needs, yields the work to be timed, and cleans up when it is resumed.
Step = Callable[[ModuleType, Files], Iterator[Callable[[], Answer]]]


def step_open(lib: ModuleType, files: Files) -> Iterator[Callable[[], Answer]]:
    times = 200

    def work() -> Answer:
        starts = set()
        for _ in range(times):
            with (
                open(files.binary, "rb") as file,
                lib.mmap(file.fileno(), 0, access=lib.ACCESS_READ) as m,
            ):
                starts.add((len(m), m[:4]))
        [(length, magic)] = starts
        return Answer(f"mapped the interpreter {times} times: {length:,} bytes", lambda: magic)

    yield work


def step_slice(lib: ModuleType, files: Files) -> Iterator[Callable[[], Answer]]:
    with open(files.binary, "rb") as file, lib.mmap(file.fileno(), 0, prot=lib.PROT_READ) as m:

        def work() -> Answer:
            offsets = range(0, len(m) - 64, 4099)
            pieces = [m[at : at + 64] for at in offsets] + [m[: 1 * MIB], m[MIB:0:-3]]
            return Answer(f"copied {len(pieces):,} pieces out of it", lambda: digest(*pieces))

        yield work


def step_find(lib: ModuleType, files: Files) -> Iterator[Callable[[], Answer]]:
    with open(files.text, "rb") as file, lib.mmap(file.fileno(), 0, access=lib.ACCESS_READ) as m:

        def work() -> Answer:
            needle, count, at = b"def __init__(self", 0, -1
            while (at := m.find(needle, at + 1)) >= 0:
                count += 1
            last, absent = m.rfind(needle), (m.find(b"no\0such", 0), m.rfind(b"no\0such"))
            sentence = f"{count:,} times {needle.decode()!r}, the last at {last:,}"
            return Answer(sentence, lambda: absent)

        yield work


def step_regex(lib: ModuleType, files: Files) -> Iterator[Callable[[], Answer]]:
    with open(files.text, "rb") as file, lib.mmap(file.fileno(), 0, access=lib.ACCESS_READ) as m:

        def work() -> Answer:
            names = re.findall(rb"class (\w+)\(\w*(?:Error|Exception)\):", m)
            return Answer(f"{len(set(names)):,} exception classes by a regular expression", lambda: names)

        yield work


def step_struct(lib: ModuleType, files: Files) -> Iterator[Callable[[], Answer]]:
    with open(files.binary, "rb") as file, lib.mmap(file.fileno(), 0, access=lib.ACCESS_READ) as m:

        def work() -> Answer:
            order = "<" if m[5] == 1 else ">"
            if m[4] == 2:  # 64 bits
                table, size, count, names = struct.unpack_from(order + "40xQ10xHHH", m)[:4]
                section = struct.Struct(order + "I20xQQ")
            else:
                table, size, count, names = struct.unpack_from(order + "32xI10xHHH", m)[:4]
                section = struct.Struct(order + "I12xII")
            headers = [section.unpack_from(m, table + i * size) for i in range(count)]
            strings = headers[names][1]
            sections = {}
            for name, _, length in headers:
                start = strings + name
                sections[m[start : m.find(b"\0", start)].decode()] = length
            text = sections[".text"]
            return Answer(f"{count} ELF sections; .text has {text:,} bytes", lambda: sections)

        yield work


def step_edit(lib: ModuleType, files: Files) -> Iterator[Callable[[], Answer]]:
    copy = files.scratch / "copy"
    shutil.copyfile(files.binary, copy)
    old, new = b"Python", b"PYTHON"
    with open(copy, "r+b") as file, lib.mmap(file.fileno(), 0, access=lib.ACCESS_WRITE) as m:

        def work() -> Answer:
            count, at = 0, -1
            while (at := m.find(old, at + 1)) >= 0:
                m[at : at + len(old)] = new
                count += 1
            m.move(0, MIB, 4096)
            m[4096] = 0xFF
            m.seek(-8, os.SEEK_END)
            m.write(b"the end.")
            sentence = f"replaced {old.decode()!r} {count:,} times in a copy, and moved 1 MiB"
            return Answer(sentence, lambda: digest(copy.read_bytes()))

        yield work


def step_lines(lib: ModuleType, files: Files) -> Iterator[Callable[[], Answer]]:
    with open(files.text, "rb") as file, lib.mmap(file.fileno(), 0, access=lib.ACCESS_READ) as m:

        def work() -> Answer:
            count = longest = checksum = 0
            m.seek(0)
            for line in iter(m.readline, b""):
                count += 1
                longest = max(longest, len(line))
                checksum = zlib.crc32(line, checksum)
            sentence = f"read {count:,} lines, the longest of {longest:,} bytes"
            return Answer(sentence, lambda: checksum)

        yield work


def step_fork(lib: ModuleType, files: Files) -> Iterator[Callable[[], Answer]]:
    with lib.mmap(-1, 4 * MIB) as m:

        def work() -> Answer:
            child = os.fork()
            if child == 0:
                try:
                    m[:] = bytes(range(256)) * (len(m) // 256)
                finally:
                    os._exit(0)
            _, status = os.waitpid(child, 0)
            sentence = f"saw {len(m) // MIB} MiB that a forked child wrote"
            return Answer(sentence, lambda: (status, digest(m[:])))

        yield work


def step_resize(lib: ModuleType, files: Files) -> Iterator[Callable[[], Answer]]:
    path = files.scratch / "resized"
    path.write_bytes(b"start" + bytes(MIB - 5))
    with open(path, "r+b") as file, lib.mmap(file.fileno(), 0) as m:

        def work() -> Answer:
            sizes = []
            for size in (4 * MIB, 8 * MIB, 3 * MIB + 1):
                m.resize(size)
                m[size - 1] = size % 251
                sizes.append((len(m), m.size(), path.stat().st_size))
            sentence = "grew a file from 1 to 4 and 8 MiB, cut it to 3 MiB and a byte"
            return Answer(sentence, lambda: (sizes, digest(path.read_bytes())))

        yield work


def step_flush(lib: ModuleType, files: Files) -> Iterator[Callable[[], Answer]]:
    path = files.scratch / "flushed"
    path.write_bytes(bytes(4 * MIB))
    with open(path, "r+b") as file, lib.mmap(file.fileno(), 0) as m:

        def work() -> Answer:
            for at in range(0, len(m), lib.PAGESIZE):
                m[at : at + 5] = b"dirty"
            m.flush(0, 16 * lib.PAGESIZE)
            m.flush()
            sentence = f"dirtied {len(m) // lib.PAGESIZE:,} pages and flushed them to the file"
            return Answer(sentence, lambda: digest(path.read_bytes()))

        yield work


STEPS: dict[str, Step] = {
    "open": step_open,
    "slice": step_slice,
    "find": step_find,
    "regex": step_regex,
    "struct": step_struct,
    "edit": step_edit,
    "lines": step_lines,
    "fork": step_fork,
    "resize": step_resize,
    "flush": step_flush,
}


def digest(*pieces: bytes) -> int:
    return zlib.crc32(b"".join(pieces))


def run(step: Step, lib: ModuleType, files: Files) -> tuple[float, str, object]:
    """The seconds that one run of a step took, its sentence and its evidence."""
    mapped = step(lib, files)
    work = next(mapped)
    start = perf_counter()
    answer = work()
    seconds = perf_counter() - start
    evidence = answer.evidence()
    next(mapped, None)
    return seconds, answer.sentence, evidence


def compare(step: Step, files: Files) -> tuple[str, float, float, bool]:
    """What faultless did, the best time of each module, and whether all runs gave the same."""
    ours: list[float] = []
    theirs: list[float] = []
    answers = []
    for _ in range(ROUNDS):
        for lib, times in ((mmap, ours), (standard, theirs)):
            seconds, *answer = run(step, lib, files)
            times.append(seconds)
            answers.append(answer)
    equal = all(answer == answers[0] for answer in answers)
    return str(answers[0][0]), min(ours), min(theirs), equal


def interpreter_binary() -> Path:
    """The file with the interpreter's code: the executable, or the library that it is linked to."""
    library = Path(sysconfig.get_config_var("LIBDIR") or "", sysconfig.get_config_var("INSTSONAME"))
    if sysconfig.get_config_var("Py_ENABLE_SHARED") and library.is_file():
        return library
    return Path(sys.executable).resolve()


def write_library_sources(target: Path) -> int:
    """Concatenate the standard library's sources, over again if they are few; return how many."""
    library = Path(sysconfig.get_path("stdlib"))
    # Some are links to what is not installed.
    sources = sorted(p for p in library.rglob("*.py") if "site-packages" not in p.parts and p.is_file())
    used = set()
    with open(target, "wb") as text:
        for source in itertools.cycle(sources):
            if text.tell() >= TEXT_SIZE:
                break
            text.write(source.read_bytes())
            used.add(source)
    return len(used)


def duration(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} µs"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="faultless-tour-") as folder:
        scratch = Path(folder)
        files = Files(interpreter_binary(), scratch / "text", scratch)
        sources = write_library_sources(files.text)
        binary_size, text_size = (f.stat().st_size / MIB for f in (files.binary, files.text))
        print(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
        print(f"binary  {binary_size:5.1f} MiB  {files.binary}")
        print(f"text    {text_size:5.1f} MiB  {sources:,} sources of the standard library\n")
        print(f"{'step':7} {'what it did':62} {'faultless':>10} {'standard':>10}  answers")
        different = 0
        for name, step in STEPS.items():
            sentence, ours, theirs, equal = compare(step, files)
            different += not equal
            verdict = "equal" if equal else "DIFFERENT"
            times = f"{duration(ours):>10} {duration(theirs):>10}"
            print(f"{name:7} {sentence:62} {times}  {verdict}", flush=True)
    print(f"\n{len(STEPS)} steps, best of {ROUNDS} runs each: {len(STEPS) - different} equal")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
