"""Processes that share a large array: each gets a map of a hundred bytes, and the same memory.

python examples/parallel_sum.py [PROCESSES]
"""

import multiprocessing
import os
import pickle
import sys
import tempfile
import time
from pathlib import Path

import faultless
from faultless import mmap

ROWS = 1_000_000
COLUMNS = 8


def scale(m: mmap.mmap, first: int, last: int) -> tuple[int, float]:
    """Double some rows, in the file that all have mapped; which process did, and their sum."""
    rows = m.array("<f8", (ROWS, COLUMNS))[first:last]
    rows *= 2
    return os.getpid(), float(rows.sum())


def main() -> int:
    try:
        import numpy  # noqa: F401
    except ImportError:
        print("this example needs NumPy: pip install numpy")
        return 0
    processes = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table")
        with faultless.open(path, "w+", length=ROWS * COLUMNS * 8) as m:
            table = m.array("<f8", (ROWS, COLUMNS))
            table[:] = 1
            print(f"{table.shape} numbers, {len(m):,} bytes; the map is pickled in {len(pickle.dumps(m))} bytes")
            step = ROWS // 8
            with multiprocessing.get_context("spawn").Pool(processes) as pool:
                begun = time.perf_counter()
                done = pool.starmap(scale, [(m, first, first + step) for first in range(0, ROWS, step)])
                seconds = time.perf_counter() - begun
            print(f"doubled by {len({pid for pid, _ in done})} processes in {seconds * 1000:.0f} ms")
            total = sum(part for _, part in done)
            print(f"their sums: {total:,.0f}; the sum here: {table.sum():,.0f}")
            assert total == table.sum() == 2 * ROWS * COLUMNS
            # While the array lives, nobody takes its memory away.
            try:
                m.close()
            except BufferError as error:
                print(f"close: {error}")
            del table
    return 0


if __name__ == "__main__":
    sys.exit(main())
