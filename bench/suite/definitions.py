"""The benchmarks, as `definitions/*.toml` has them."""

import os
import random
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

DEFINITIONS = Path(__file__).resolve().parent.parent / "definitions"

SUFFIXES = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
TIMES = {"us": 10**3, "ms": 10**6}

ORDER = "small search copies stalls threads rust growth log logging text cold command".split()
"""The groups, which are the files."""

ALPHABET = b"eeeeeeeettttttaaaaaooooiiiinnnnsssshhhhrrrrddlluucmwfgypbvkxjq,.    \n\n"
"""Letters about as frequent as in a text; a line has 35 bytes on average."""


@dataclass
class Bench:
    """One benchmark."""

    name: str
    what: str
    worker: str
    engines: list[str]
    baseline: str
    unit: str
    bytes: int
    moved: int
    rounds: int
    processes: int
    budget: int
    want: dict[str, float]
    want_of: str
    at_most: float | None
    at_least: float | None
    note: str
    """Why it falls short, where it does, and what was tried."""
    definition: dict = field(repr=False)

    @property
    def group(self):
        return self.name.partition("/")[0]


def load(folder, test):
    """Every benchmark, in the order of the files; with `test` those of small files, each once."""
    benches = []
    for path in sorted(Path(folder).glob("*.toml"), key=lambda path: ORDER.index(path.stem)):
        group = tomllib.loads(path.read_text())
        entries = group.pop("bench")
        for entry in entries:
            definition = group | entry
            sizes = definition.pop("sizes", [None])
            sizes = definition.pop("test-sizes", sizes) if test else sizes
            benches += [_bench(path.stem, definition, size, test) for size in sizes]
    names = [bench.name for bench in benches]
    assert len(names) == len(set(names)), "two benchmarks of one name"
    return benches


def _bench(group, definition, size, test):
    name, what = f"{group}/{definition['name']}", definition["what"]
    length = number(definition["test-bytes" if test else "bytes"], SUFFIXES)
    moved = eval(definition["moved"], {"N": length}) if "moved" in definition else length
    if size is not None:
        name, what = f"{name}-{size.replace(' ', '')}", what.format(size=size if " " in size else f"{size} B")
        moved = number(size, SUFFIXES)
    return Bench(
        name=name,
        what=what,
        worker=definition["worker"],
        engines=definition["engines"],
        baseline=definition["baseline"],
        unit=definition["unit"],
        bytes=length,
        moved=moved,
        rounds=1 if test else definition["rounds"],
        processes=1 if test else definition.get("processes", 1),
        budget=0 if test else number(definition.get("budget", "0 ms"), TIMES),
        want=definition.get("want", {}),
        want_of=definition.get("want-of", "faultless"),
        at_most=definition.get("at-most"),
        at_least=definition.get("at-least"),
        note=" ".join(definition.get("note", "").split()),
        definition=definition,
    )


def number(text, units):
    """`64 MiB` and `10 ms`."""
    digits, _, unit = text.partition(" ")
    return int(digits) * (units[unit] if unit else 1)


def data_file(folder, length):
    """The text of `length` bytes that benchmarks work on: the same on every machine."""
    path = Path(folder) / f"text-{length}"
    if not path.exists() or path.stat().st_size != length:
        table = bytes(ALPHABET[value * len(ALPHABET) // 256] for value in range(256))
        source, left = random.Random(length), length
        with open(path, "wb") as file:
            while left:
                chunk = min(left, 1 << 20)
                file.write(source.randbytes(chunk).translate(table))
                left -= chunk
            file.flush()
            # Only clean pages can leave the cache, which a cold file needs.
            os.fsync(file.fileno())
    return path
