"""What was measured: statistics, the table, and the records that are kept."""

import csv
import math
import statistics
from dataclasses import astuple, dataclass, fields
from pathlib import Path


@dataclass
class Row:
    """One engine in one benchmark. Times are nanoseconds; with unit `x`, speed-ups."""

    benchmark: str
    what: str
    engine: str
    version: str
    python: str
    machine: str
    unit: str
    bytes: int
    samples: int
    min: float
    median: float
    max: float
    baseline: str
    ratio: float
    """How many times as fast as the baseline: the median over the rounds, in each of which both were measured."""
    ratio_low: float
    """First and third quartile of the same."""
    ratio_high: float

    @property
    def group(self):
        return self.benchmark.partition("/")[0]

    @property
    def best(self):
        return self.max if self.unit == "x" else self.min

    def show(self, value):
        """A value in the benchmark's unit."""
        match self.unit:
            case "ns":
                return f"{value:,.1f} ns" if value < 1000 else f"{value:,.0f} ns"
            case "ms":
                return f"{value / 1e6:.2f} ms"
            case "GB/s":
                speed = self.bytes / value
                return f"{speed:.2f} GB/s" if speed >= 0.1 else f"{speed * 1000:.1f} MB/s"
            case "x":
                return f"{value:.2f} x"


def ratios(bench, samples, engine, other):
    """How many times as fast an engine was as another, round by round."""
    pairs = zip(samples[engine], samples[other], strict=False)
    # A standstill can be shorter than the clock shows: a microsecond, then.
    least = 1e-3 if bench.unit == "ms" else 0.0
    return [mine / its if bench.unit == "x" else max(its, least) / max(mine, least) for mine, its in pairs]


def quartiles(values):
    if len(values) < 3:
        return min(values), statistics.median(values), max(values)
    return statistics.quantiles(values, n=4, method="inclusive")


def rows(bench, samples, versions, python, machine):
    """The rows of a benchmark, from its samples by engine."""
    made = []
    for engine, values in samples.items():
        known = bench.baseline in samples
        low, middle, high = quartiles(ratios(bench, samples, engine, bench.baseline)) if known else (math.nan,) * 3
        made.append(
            Row(
                benchmark=bench.name,
                what=bench.what,
                engine=engine,
                version=versions.get(engine, ""),
                python=python,
                machine=machine,
                unit=bench.unit,
                bytes=bench.moved,
                samples=len(values),
                min=min(values),
                median=statistics.median(values),
                max=max(values),
                baseline=bench.baseline,
                ratio=middle,
                ratio_low=low,
                ratio_high=high,
            )
        )
    return made


def aims(bench, samples):
    """What a benchmark asks for: each aim in words, what was reached in words, and whether that is enough."""
    engine = bench.want_of
    if engine not in samples:
        return
    for other, want in bench.want.items():
        if other in samples:
            low, middle, high = quartiles(ratios(bench, samples, engine, other))
            reached = f"{middle:.2f} times as fast as {other} ({low:.2f} to {high:.2f})"
            yield f"{want:g} times", reached, middle >= want
    median = statistics.median(samples[engine])
    if bench.at_most is not None:
        yield f"at most {bench.at_most:g} ms", f"{median / 1e6:.1f} ms", median / 1e6 <= bench.at_most
    if bench.at_least is not None:
        yield f"at least {bench.at_least:g} x", f"{median:.2f} x", median >= bench.at_least


def shortfalls(bench, samples):
    """In words, each aim of a benchmark that was missed."""
    return [f"{bench.name}: {reached}, aim {aim}" for aim, reached, enough in aims(bench, samples) if not enough]


HEAD = f"{'benchmark':<22} {'engine':<20} {'best':>12} {'median':>12} {'ratio':>8}  quartiles"


def line(row):
    ratio = f"{row.ratio:>8.2f}  {row.ratio_low:.2f} to {row.ratio_high:.2f}" if not math.isnan(row.ratio) else ""
    if row.engine == row.baseline:
        ratio = f"{'1':>8}  baseline"
    name = row.benchmark
    return f"{name:<22} {row.engine:<20} {row.show(row.best):>12} {row.show(row.median):>12} {ratio}"


def summary(rows):
    """A line an engine: the geometric mean of its ratios, where it has one for at least three benchmarks.

    Standstills of next to nothing have ratios of no meaning, and threads no ratios worth a mean.
    """
    lines = ""
    rows = [row for row in rows if row.unit in ("ns", "GB/s")]
    for engine in dict.fromkeys(row.engine for row in rows if row.engine != row.baseline):
        mine = [row for row in rows if row.engine == engine and not math.isnan(row.ratio)]
        if len(mine) > 2 and len({row.baseline for row in mine}) == 1:
            mean = statistics.geometric_mean(row.ratio for row in mine)
            lines += f"{'geometric mean':<22} {engine:<20} {'':>25} {mean:>8.2f}  of {len(mine)}\n"
    return lines


NAMES = [field.name for field in fields(Row)]
TYPES = {field.name: field.type for field in fields(Row)}


def read(path):
    """The rows of a record."""
    with open(path, newline="") as file:
        return [Row(**{name: TYPES[name](row[name]) for name in NAMES}) for row in csv.DictReader(file)]


def write(path, new):
    """Puts rows into a record, in the place of those of the same benchmark, engine and Python."""

    def key(row):
        return row.benchmark, row.engine, row.python

    kept = {key(row): row for row in read(path)} if Path(path).exists() else {}
    kept.update({key(row): row for row in new})
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(NAMES)
        for row in kept.values():
            writer.writerow(f"{value:.6g}" if isinstance(value, float) else value for value in astuple(row))


def recorded(path):
    """The benchmarks that a record has, each with the version of Python."""
    return {(row.benchmark, row.python) for row in read(path)} if Path(path).exists() else set()


def grouped(rows, key):
    """The rows by what `key` says of them, in order of appearance."""
    groups = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def newest(folder):
    """The newest record of every target."""
    return [max(target.glob("*.csv")) for target in sorted(Path(folder).iterdir()) if any(target.glob("*.csv"))]


def pythons(rows):
    """The versions of Python in a record, oldest first."""
    return sorted({row.python for row in rows} - {""}, key=lambda text: [int(part) for part in text.split(".")])


def of_python(rows, python):
    """What one Python measured, by default the newest, and what needs none."""
    wanted = python or (pythons(rows) or [""])[-1]
    return [row for row in rows if row.python in (wanted, "")]
