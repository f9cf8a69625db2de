"""Maps that cross processes by reference: what their pickles have, and what they refuse."""

import copy
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import faultless
from faultless import mmap

PAGE = mmap.PAGESIZE
DATA = os.urandom(3 * PAGE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_bytes(DATA)
    return path


def again(m: mmap.mmap) -> mmap.mmap:
    return pickle.loads(pickle.dumps(m))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("offset", [0, 1, PAGE + 7])
def test_the_same_part_of_the_same_file(path: Path, protocol: int, offset: int) -> None:
    with faultless.open(path, offset=offset, length=1000) as m:
        m.seek(10)
        pickled = pickle.dumps(m, protocol)
    assert len(pickled) < 1024
    assert DATA[offset : offset + 8] not in pickled
    with pickle.loads(pickled) as m:
        assert type(m) is mmap.mmap
        assert (m[:], m.tell(), m.name, m.mode) == (DATA[offset : offset + 1000], 0, str(path), "rb")


def test_a_large_map_is_a_small_pickle(path: Path) -> None:
    os.truncate(path, 1 << 30)
    with faultless.open(path, "r+") as m:
        pickled = pickle.dumps(m)
        assert len(pickled) < 1024
        with pickle.loads(pickled) as other:
            other[-1] = 7
            assert (len(other), m[-1]) == (1 << 30, 7)


def test_read_and_write_stay_what_they_are(path: Path) -> None:
    with faultless.open(path, "r+") as m, again(m) as other, again(other) as third:
        third[:3] = b"abc"
        assert m[:3] == other[:3] == path.read_bytes()[:3] == b"abc"
    with faultless.open(path) as m, again(m) as other, pytest.raises(TypeError, match="readonly"):
        other[0] = 1
    with faultless.open(path, "r+") as m:
        m.protect(mmap.PROT_READ)
        with again(m) as other:
            assert not other.writable()


@pytest.mark.parametrize("mode", ["w+", "x+"])
def test_a_new_file_is_not_made_anew(tmp_path: Path, mode: str) -> None:
    with faultless.open(tmp_path / "new", mode, length=100) as m:
        m[:5] = b"hello"
        with again(m) as other:
            assert other[:] == b"hello" + bytes(95)
            assert other.writable()


def test_a_relative_path_is_that_of_where_it_was_opened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with faultless.open(path.name) as m:
        monkeypatch.chdir("/")
        with again(m) as other:
            assert other[:] == DATA


def test_a_path_that_is_no_text(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff\xfe"
    try:
        with open(name, "wb") as file:
            file.write(DATA)
    except OSError as error:
        pytest.skip(f"this file system has no such names: {error}")
    with faultless.open(os.fsdecode(name)) as m, again(m) as other:
        assert other[:] == DATA


def test_the_length_is_that_of_the_map_when_it_is_pickled(path: Path) -> None:
    with faultless.open(path, "r+", reserve=1 << 20) as m:
        m.append(b"more")
        with again(m) as other:
            assert other[:] == DATA + b"more"
    with faultless.open(path, "r+") as m:
        m.resize(5)
        pickled = pickle.dumps(m)
    path.write_bytes(b"longer than it was")
    with pickle.loads(pickled) as m:
        assert m[:] == b"longe"
    path.write_bytes(b"")
    with faultless.open(path) as m, again(m) as other:
        assert other[:] == b""


def test_a_missing_file(path: Path) -> None:
    with faultless.open(path) as m:
        pickled = pickle.dumps(m)
        path.unlink()
        for broken in (pickled, pickle.dumps(m)):
            with pytest.raises(FileNotFoundError) as caught:
                pickle.loads(broken)
            assert caught.value.filename == str(path)


def test_a_shorter_file(path: Path) -> None:
    with faultless.open(path, offset=5) as m:
        pickled = pickle.dumps(m)
    os.truncate(path, 100)
    with pytest.raises(ValueError) as caught:
        pickle.loads(pickled)
    text = f"length {len(DATA) - 5} at offset 5 is greater than file size 100 ({path})"
    assert str(caught.value).endswith(text)


def test_another_file_in_its_place(path: Path) -> None:
    with faultless.open(path) as m:
        number = path.stat().st_ino
        other = path.with_name("other")
        other.write_bytes(DATA)
        other.replace(path)
        for pickled in (pickle.dumps(m), pickle.dumps(m)):
            with pytest.raises(
                ValueError, match=f"replaced: it is number {path.stat().st_ino}.*not number {number}"
            ) as caught:
                pickle.loads(pickled)
            assert str(path) in str(caught.value)


def test_a_removed_file_whose_number_is_taken_again(path: Path) -> None:
    with faultless.open(path) as m:
        _, (*_, (number, born)) = m.__reduce_ex__(4)
        pickled = pickle.dumps(m)
    path.unlink()
    # Longer than a tick of the clock that the times of files are taken from.
    time.sleep(0.1)
    path.write_bytes(DATA)
    if path.stat().st_ino == number and born is None:
        pytest.skip("this file system gives the number of a removed file to the next, and no time of its making")
    with pytest.raises(ValueError, match="replaced"):
        pickle.loads(pickled)


def test_a_changed_file_is_the_same_one(path: Path) -> None:
    with faultless.open(path) as m:
        pickled = pickle.dumps(m)
    path.write_bytes(DATA[::-1])
    moved = path.rename(path.with_name("moved"))
    path.symlink_to(moved)
    with pickle.loads(pickled) as m:
        assert m[:] == DATA[::-1]


COPIES: dict[str, Callable[[mmap.mmap], object]] = {
    "pickle": pickle.dumps,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("by", COPIES)
def test_what_has_no_path_is_refused_as_the_standard_does(path: Path, by: str, raises: Callable[..., Any]) -> None:
    name = f"faultless-test-{os.getpid()}-pickle"
    with open(path, "r+b") as file:
        maps = [
            mmap.mmap(-1, 100),
            mmap.mmap(file.fileno(), 0),
            faultless.shared(name, 100, create=True),
        ]
    faultless.unlink_shared(name)
    for m in maps:
        with m, raises(TypeError, "cannot pickle 'mmap.mmap' object") as caught:
            COPIES[by](m)
        assert "faultless.open(path)" in caught.value.__notes__[0]


@pytest.mark.parametrize("by", COPIES)
def test_what_would_lose_its_changes_is_refused(path: Path, by: str) -> None:
    why = r"cannot pickle 'mmap.mmap' object: what is written to a copy-on-write map is nowhere else; .*"
    with faultless.open(path, "c") as m, pytest.raises(TypeError, match=why):
        COPIES[by](m)


@pytest.mark.parametrize("by", COPIES)
def test_a_closed_map(path: Path, by: str) -> None:
    m = faultless.open(path)
    m.close()
    with pytest.raises(ValueError, match="closed"):
        COPIES[by](m)


@pytest.mark.parametrize("by", [copy.copy, copy.deepcopy])
def test_copies_are_further_maps_of_the_file(path: Path, by: Callable[[mmap.mmap], mmap.mmap]) -> None:
    m = faultless.open(path, "r+")
    with by(m) as other:
        assert other is not m
        m[:3] = b"abc"
        m.close()
        assert other[:3] == b"abc"


def test_within_other_objects(path: Path) -> None:
    with faultless.open(path) as m:
        first, second = pickle.loads(pickle.dumps([m, {"again": m}]))
        assert first is second["again"]
        assert first[:] == DATA


class ByPath(mmap.mmap):
    """As programs wrote it for the standard's class."""

    path: Path

    def __reduce__(self):  # type: ignore[no-untyped-def]
        return by_path, (self.path,)


def by_path(path: Path) -> ByPath:
    with open(path, "rb") as file:
        m = ByPath(file.fileno(), 0, access=mmap.ACCESS_READ)
    m.path = path
    return m


def test_subclasses_may_have_a_way_of_their_own(path: Path) -> None:
    with by_path(path) as m, again(m) as other:
        assert type(other) is ByPath
        assert other[:] == DATA


# In the child's hands a map has the file's bytes, and what either side writes the other one sees.
WORK = """
import os

def work(m, number):
    assert m[: len(b"from the parent")] == b"from the parent", m[:20]
    m[100 + number] = 1 + number
    return os.getpid(), len(m), bytes(m[-8:])
"""
PROGRAM = """
import os
import pickle

import faultless
from work import work

SIZE = 64 << 20

def check(results):
    for pid, length, end in results:
        assert pid != os.getpid()
        assert (length, end) == (SIZE, b"the end.")
    assert m[100:104] == bytes([1, 2, 3, 4]), m[100:104]

if __name__ == "__main__":
    with faultless.open("data", "w+", length=SIZE) as m:
        m[:15] = b"from the parent"
        m[-8:] = b"the end."
"""
POOLS = {
    "multiprocessing": """
        import multiprocessing
        assert len(multiprocessing.reduction.ForkingPickler.dumps((work, m, 0))) < 1024
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            check(pool.starmap(work, [(m, number) for number in range(4)]))
""",
    "concurrent.futures": """
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
            check(pool.map(work, [m] * 4, range(4)))
""",
    "joblib": """
        import joblib
        from cloudpickle import dumps
        assert len(dumps((work, m, 0))) < 1024
        check(joblib.Parallel(2, backend="loky")(joblib.delayed(work)(m, number) for number in range(4)))
""",
    "distributed": """
        from distributed import Client, LocalCluster
        from distributed.protocol import serialize
        header, frames = serialize(m)
        assert sum(map(len, frames)) + len(pickle.dumps(header)) < 1024
        options = dict(n_workers=1, threads_per_worker=1, dashboard_address=None)
        with LocalCluster(**options) as cluster, Client(cluster) as client:
            futures = [client.submit(work, m, number, pure=False) for number in range(4)]
            check(client.gather(futures))
""",
}


@pytest.mark.parametrize("pool", POOLS)
def test_through_a_pool(pool: str, tmp_path: Path) -> None:
    if find_spec(pool) is None:
        pytest.skip(f"{pool} is not installed")
    (tmp_path / "work.py").write_text(WORK, encoding="utf-8")
    (tmp_path / "program.py").write_text(PROGRAM + POOLS[pool], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
