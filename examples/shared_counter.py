"""Processes that count together in a file, and wait for each other without polling.

python examples/shared_counter.py
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import faultless

WORKERS = 4
EACH = 50_000
# Where in the file the numbers are: how many are ready, whether to begin, the sum.
READY, BEGIN, SUM = 0, 4, 8


def work(path: str) -> None:
    with faultless.open(path, "r+") as m:
        ready, begin, total = m.atomic("u32", READY), m.atomic("u32", BEGIN), m.atomic("u64", SUM)
        ready.fetch_add(1)
        ready.wake()
        while begin.load() == 0:
            begin.wait(0)
        for _ in range(EACH):
            total.fetch_add(1)


def main() -> int:
    if len(sys.argv) > 1:
        work(sys.argv[1])
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "counters")
        with faultless.open(path, "w+", length=4096) as m:
            ready, begin, total = m.atomic("u32", READY), m.atomic("u32", BEGIN), m.atomic("u64", SUM)
            workers = [subprocess.Popen([sys.executable, __file__, str(path)]) for _ in range(WORKERS)]
            while (seen := ready.load()) < WORKERS:
                ready.wait(seen)
            print(f"{WORKERS} processes wait at the gate")
            begun = time.perf_counter()
            begin.store(1)
            print(f"{begin.wake(WORKERS)} of them were asleep")
            codes = [worker.wait() for worker in workers]
            seconds = time.perf_counter() - begun
            expected = WORKERS * EACH
            print(f"they counted to {total.load():,} of {expected:,} in {seconds:.2f} s")
            return int(any(codes) or total.load() != expected)


if __name__ == "__main__":
    sys.exit(main())
