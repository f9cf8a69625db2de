"""A map in the place of a file: archives, text and pictures are read without a copy of the file.

python examples/map_as_file.py
"""

import csv
import io
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import faultless


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = "name,size\nwhale,30\nmouse,0.1\n"
        with zipfile.ZipFile(folder / "animals.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("animals.csv", table)
        with tarfile.open(folder / "animals.tar.gz", "w:gz") as tar:
            tar.add(folder / "animals.zip", "animals.zip")

        with faultless.open(folder / "animals.zip") as m, zipfile.ZipFile(m) as archive:
            print(f"{m.name} ({m.mode}) has {archive.namelist()}")
            rows = list(csv.DictReader(io.StringIO(archive.read("animals.csv").decode())))
            print(f"in it: {[row['name'] for row in rows]}")

        with faultless.open(folder / "animals.tar.gz") as m, tarfile.open(fileobj=m) as tar:
            print(f"a tar file with {tar.getnames()}, gzip by its first bytes: {m.startswith(bytes([31, 139]))}")

        # A new archive, written into a map with room to spare.
        with faultless.open(folder / "new.zip", "w+", length=1 << 20) as m:
            with zipfile.ZipFile(m, "w") as archive:
                archive.writestr("animals.csv", table)
            print(f"written into a map of {len(m):,} bytes, cut to {m.truncate():,}")
        return 0 if zipfile.is_zipfile(folder / "new.zip") else 1


if __name__ == "__main__":
    sys.exit(main())
