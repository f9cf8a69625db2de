"""The page cache made visible: how cold a file is, bringing it in with progress, keeping and letting go.

python examples/page_cache.py [FILE]
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import faultless

MIB = 1 << 20


def show(what: str, m: faultless.mmap.mmap) -> None:
    print(f"{what:<24} {m.residency()!r}")


def look_at(path: Path) -> None:
    with faultless.open(path) as m:
        show("as it was:", m)
        m.evict()
        show("after evict():", m)
        # One page is asked for; the system reads some more.
        m[len(m) // 2]
        show("one byte read:", m)

        def progress(done: int, total: int) -> None:
            print(f"\r{done / total:4.0%} of {total / MIB:.0f} MiB", end="", flush=True)

        begun = time.perf_counter()
        m.prefetch(progress=progress)
        print(f" in {time.perf_counter() - begun:.2f} s")
        show("after prefetch():", m)
        begun = time.perf_counter()
        m.find(b"never there", 0)
        print(f"searched in {time.perf_counter() - begun:.2f} s, and no page had to be waited for")

        m.evict(length=len(m) // 2)
        show("first half evicted:", m)


def what_fails_is_an_error(folder: Path) -> None:
    path = folder / "shorter"
    path.write_bytes(bytes(100_000))
    with faultless.open(path) as m:
        os.truncate(path, 50_000)
        try:
            m.prefetch()
        except faultless.FaultError as error:
            print(f"prefetch() of a truncated file: {error.reason} at byte {error.offset:,}")


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if len(sys.argv) > 1:
            path = Path(sys.argv[1])
        else:
            path = folder / "sample"
            path.write_bytes(os.urandom(64 * MIB))
        try:
            look_at(path)
        except PermissionError:
            print("what is in memory of this file the system tells only to its owner and its writers")
        what_fails_is_an_error(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
