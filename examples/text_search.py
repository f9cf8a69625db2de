"""Searching a large text: all places of a word, several words, expressions, lines, and any line by its number.

python examples/text_search.py [FILE [PATTERN]]
"""

import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import faultless

LINES = 200_000


@contextmanager
def timed(what: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    print(f"  {what}: {(time.perf_counter() - begun) * 1000:.1f} ms")


def look_at(path: Path, pattern: str) -> None:
    with faultless.open(path) as m:
        print(f"{path.name}: {len(m):,} bytes")
        with timed("line_index()"):
            lines = m.line_index()
        print(f"{len(lines):,} lines; the middle one is {lines[len(lines) // 2][:60]!r}")
        with timed("finditer()"):
            count = 0
            for count, match in enumerate(m.finditer(pattern), 1):
                if count == 1:
                    print(f"first match of {pattern}: line {lines.line_at(match.start()) + 1}, {match.group()!r}")
        print(f"{count:,} matches")
        with timed("the same with re"):
            again = sum(1 for _ in re.finditer(pattern.encode(), m))
        assert again == count or len(sys.argv) > 1
        with timed("find_any()"):
            words = [b"error", b"warning", b"info"]
            print({words[n].decode(): found for n, found in Counter(n for _, n in m.find_any(words)).items()})


def main() -> int:
    pattern = sys.argv[2] if len(sys.argv) > 2 else r"error code=\d+"
    if len(sys.argv) > 1:
        look_at(Path(sys.argv[1]), pattern)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "app.log")
        levels = [b"info", b"info", b"warning", b"error"]
        path.write_bytes(b"".join(b"%07d %s code=%d\n" % (n, levels[n % 7 % 4], n % 97) for n in range(LINES)))
        look_at(path, pattern)
    return 0


if __name__ == "__main__":
    sys.exit(main())
