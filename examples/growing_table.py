"""A table of measurements in a file that grows for as long as it likes, under the views that look at it.

python examples/growing_table.py [FILE]
"""

import struct
import sys
import tempfile
from pathlib import Path

import faultless

ROW = struct.Struct("<Id")
"""The number of a measurement, and its value."""


def measure(path: Path, rows: int) -> None:
    # Addresses for a terabyte; neither memory nor disk is taken for them.
    with faultless.open(path, "w+", length=0, reserve=1 << 40) as table:
        table.append(ROW.pack(0, 0.5))
        first = memoryview(table)
        for number in range(1, rows):
            offset = table.append(ROW.pack(number, number + 0.5))
            assert offset == number * ROW.size
        # Taken when there was one row, and still where the row is.
        assert ROW.unpack(first) == (0, 0.5)
        print(f"{rows:,} rows, {len(table):,} bytes")

        # The documented resize() refuses while somebody looks; growing in place need not.
        try:
            table.resize(2 * len(table))
        except BufferError as error:
            print(f"resize() says: {error}")
        table.grow(len(table) + 100 * ROW.size)
        print(f"room for 100 more: {len(table):,} bytes")
        first.release()


def read(path: Path, rows: int) -> None:
    with faultless.open(path) as table:
        number, value = ROW.unpack_from(table, (rows - 1) * ROW.size)
        print(f"the last row: number {number:,}, value {value:,}")


def main() -> None:
    rows = 100_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder, "table")
        measure(path, rows)
        read(path, rows)


if __name__ == "__main__":
    main()
