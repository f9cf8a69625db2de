"""A map as the file of io's classes, of the standard library's archives, and of other packages."""

import array
import bz2
import csv
import gzip
import importlib.util
import io
import lzma
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

import faultless
from faultless import mmap

TEXT = b"first\nsecond\n\nfourth, without end"


@pytest.fixture
def text(make_file):
    with faultless.open(make_file(TEXT), "r+") as m:
        yield m


def test_what_it_is(make_file):
    path = make_file(TEXT)
    for mode, writable in (("r", False), ("r+", True), ("c", True)):
        with faultless.open(path, mode) as m:
            assert (m.readable(), m.writable(), m.seekable(), m.isatty()) == (True, writable, True, False)
            assert (m.name, m.mode) == (str(path), "rb+" if writable else "rb")
            assert os.path.samestat(os.fstat(m.fileno()), os.stat(path))
            m.protect(0)
            assert (m.readable(), m.writable()) == (False, False)


def test_memory_has_no_file():
    with mmap.mmap(-1, 10) as m:
        assert (m.name, m.mode, m.writable()) == (None, "rb+", True)
        with pytest.raises(io.UnsupportedOperation, match="the map keeps no file"):
            m.fileno()


@pytest.mark.parametrize("name", ["readable", "writable", "isatty", "fileno", "readlines", "truncate"])
def test_closed(text, name, raises):
    text.close()
    with raises(ValueError, "mmap closed or invalid"):
        getattr(text, name)()
    for call in (
        lambda: text.readinto(bytearray(1)),
        lambda: text.writelines([]),
        lambda: text.name,
        lambda: text.mode,
    ):
        with raises(ValueError, "mmap closed or invalid"):
            call()


def test_readinto(text, raises):
    buffer = bytearray(b"x" * 10)
    assert text.readinto(buffer) == 10
    assert (buffer, text.tell()) == (TEXT[:10], 10)
    assert text.readinto(memoryview(buffer)[2:4]) == 2
    assert buffer == TEXT[:2] + TEXT[10:12] + TEXT[4:10]
    assert text.readinto(bytearray()) == 0
    numbers = array.array("I", [0, 0])
    assert text.readinto(numbers) == 8
    assert numbers.tobytes() == TEXT[12:20]
    text.seek(-3, os.SEEK_END)
    assert (text.readinto(buffer), text.readinto(buffer)) == (3, 0)
    assert buffer[:3] == TEXT[-3:]
    with raises(TypeError, "argument must be read-write bytes-like object, not bytes"):
        text.readinto(b"read-only")
    with raises(TypeError, "argument must be read-write bytes-like object, not str"):
        text.readinto("text")


def test_readinto_its_own_memory(text):
    with memoryview(text) as view:
        assert text.readinto(view[3:10]) == 7
    assert text[:] == TEXT[:3] + TEXT[:7] + TEXT[10:]


def test_readinto_of_much():
    data = os.urandom(1 << 20)
    with mmap.mmap(-1, len(data)) as m:
        m[:] = data
        buffer = bytearray(len(data) + 1)
        assert m.readinto(buffer) == len(data)
        assert buffer[:-1] == data


def test_lines(text):
    lines = TEXT.splitlines(keepends=True)
    assert text.readlines() == lines
    assert text.readlines() == []
    for hint in (None, -1, 0, 1, 6, 7, 13, 14, 100):
        text.seek(0)
        assert text.readlines(hint) == io.BytesIO(TEXT).readlines(hint), hint
    text.seek(0)
    assert text.readlines(1) == [lines[0]]
    assert text.tell() == len(lines[0])


def test_writelines(text):
    text.writelines([b"FIRST\n", bytearray(b"SEC"), memoryview(b"O")])
    assert text[:] == b"FIRST\nSECO" + TEXT[10:]
    with pytest.raises(ValueError, match="data out of range"):
        text.writelines(iter([b"ab", b"x" * 100]))
    assert text[10:12] == b"ab"
    with pytest.raises(TypeError):
        text.writelines(["text"])
    with pytest.raises(TypeError):
        text.writelines(5)


def test_truncate(make_file, raises):
    path = make_file(TEXT)
    with faultless.open(path, "r+") as m:
        m.seek(6)
        assert m.truncate(20) == 20
        assert (len(m), path.read_bytes(), m.tell()) == (20, TEXT[:20], 6)
        assert m.truncate() == 6
        assert path.read_bytes() == TEXT[:6]
        assert m.truncate(10) == 10
        assert m[:] == TEXT[:6] + bytes(4)
        assert m.truncate(0) == 0
        assert (len(m), m.read(), m.tell(), path.read_bytes()) == (0, b"", 6, b"")
        m.truncate(4)
        assert m[:] == bytes(4)
        with raises(ValueError, "negative size value -1"):
            m.truncate(-1)
        with memoryview(m), pytest.raises(BufferError):
            m.truncate(2)
    with faultless.open(path) as m, pytest.raises(TypeError, match="readonly"):
        m.truncate(2)


def test_buffered_reader(text):
    with io.BufferedReader(text) as file:
        assert file.peek(3)[:5] == b"first"
        assert file.readline() == b"first\n"
        assert file.seek(-3, os.SEEK_END) == len(TEXT) - 3
        assert file.read() == TEXT[-3:]
    assert text.closed


def test_buffered_random(text):
    with io.BufferedRandom(text) as file:
        file.write(b"FIRST")
        assert file.read(1) == b"\n"
        file.seek(-3, os.SEEK_CUR)
        file.write(b"!")
        file.seek(0)
        assert file.read() == b"FIR!T" + TEXT[4:5].replace(b"t", b"") + TEXT[5:]


def test_buffered_writer_over_what_cannot_be_written(make_file):
    with faultless.open(make_file(TEXT)) as m, pytest.raises(OSError, match="not writable"):
        io.BufferedWriter(m)


def test_text(make_file):
    data = "größer\r\nals ASCII\n".encode()
    with io.TextIOWrapper(faultless.open(make_file(data)), encoding="utf-8") as file:
        assert list(file) == ["größer\n", "als ASCII\n"]
    with io.TextIOWrapper(faultless.open(make_file(b"x" * 20), "r+"), encoding="utf-8") as file:
        file.write("ä" * 10)
        file.flush()
        file.seek(0)
        assert file.read() == "ä" * 10
    rows = io.TextIOWrapper(faultless.open(make_file(b"a,b\n1,2\n")), newline="")
    assert list(csv.reader(rows)) == [["a", "b"], ["1", "2"]]
    rows.close()


CONTENT = {"one.txt": b"1" * 1000, "folder/two.bin": os.urandom(70_000)}


def test_zipfile(make_file, tmp_path):
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in CONTENT.items():
            archive.writestr(name, data)
    with faultless.open(path) as m, zipfile.ZipFile(m) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == CONTENT
    # Written into a map that has room.
    with faultless.open(tmp_path / "new.zip", "w+", length=200_000) as m:
        with zipfile.ZipFile(m, "w") as archive:
            for name, data in CONTENT.items():
                archive.writestr(name, data)
        m.truncate()
    with zipfile.ZipFile(tmp_path / "new.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == CONTENT


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
def test_tarfile(tmp_path, compression):
    path = tmp_path / "archive.tar"
    with tarfile.open(path, f"w:{compression}") as archive:
        for name, data in CONTENT.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    with faultless.open(path) as m, tarfile.open(fileobj=m) as archive:
        assert {name: archive.extractfile(name).read() for name in archive.getnames()} == CONTENT


@pytest.mark.parametrize("module", [gzip, bz2, lzma], ids=lambda module: module.__name__)
def test_compressed(make_file, module):
    path = make_file(module.compress(TEXT * 1000))
    with faultless.open(path) as m, module.open(m) as file:
        assert file.read() == TEXT * 1000


def test_gzip_takes_its_mode_from_the_map(make_file):
    with faultless.open(make_file(gzip.compress(TEXT)), "r+") as m, gzip.GzipFile(fileobj=m) as file:
        assert file.read() == TEXT


def test_pickle(make_file):
    value = {"numbers": list(range(10_000)), "bytes": os.urandom(100_000), "buffer": bytearray(b"x" * 100_000)}
    with faultless.open(make_file(pickle.dumps(value, 5) + pickle.dumps("second"))) as m:
        assert pickle.load(m) == value
        assert pickle.load(m) == "second"
    with mmap.mmap(-1, 1000) as m:
        pickle.dump([1, 2], m)
        m.seek(0)
        assert pickle.load(m) == [1, 2]


def test_copyfileobj(text):
    target = io.BytesIO()
    shutil.copyfileobj(text, target)
    assert target.getvalue() == TEXT


@pytest.mark.parametrize("kind", ["PNG", "BMP", "JPEG", "TIFF"])
def test_pillow(tmp_path, kind):
    image_module = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    image = image_module.linear_gradient("L").resize((70, 50))
    image.save(tmp_path / "image", kind)
    with faultless.open(tmp_path / "image") as m, image_module.open(m) as opened:
        with image_module.open(tmp_path / "image") as expected:
            assert (opened.format, opened.size, opened.tobytes()) == (kind, (70, 50), expected.tobytes())


PYARROW = """
import gc
import pyarrow
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet
import faultless

table = pyarrow.table({"number": list(range(10_000)), "text": [str(n) for n in range(10_000)]})
with pyarrow.OSFile("table.arrow", "wb") as file, pyarrow.ipc.new_file(file, table.schema) as writer:
    writer.write_table(table)

# Without a copy, as memory: then the table holds the map open.
m = faultless.open("table.arrow")
held = pyarrow.ipc.open_file(m).read_all()
assert held == table
try:
    m.close()
    raise AssertionError("it was closed")
except BufferError:
    pass
del held
gc.collect()
m.close()

# As a file.
with faultless.open("table.arrow") as m, pyarrow.ipc.open_file(pyarrow.PythonFile(m)) as reader:
    assert reader.read_all() == table
pyarrow.parquet.write_table(table, "table.parquet")
with faultless.open("table.parquet") as m:
    assert pyarrow.parquet.read_table(m) == table
pyarrow.csv.write_csv(table.slice(0, 10), "table.csv")
with faultless.open("table.csv") as m:
    assert pyarrow.csv.read_csv(m)["number"].to_pylist() == list(range(10))
"""


NUMPY = """
import numpy
import faultless

numpy.savez("arrays.npz", a=numpy.arange(1000), b=numpy.eye(3))
with faultless.open("arrays.npz") as m, numpy.load(m) as arrays:
    assert (arrays["a"] == numpy.arange(1000)).all()
    assert (arrays["b"] == numpy.eye(3)).all()
"""


@pytest.mark.parametrize(("package", "script"), [("pyarrow", PYARROW), ("numpy", NUMPY)])
def test_packages_with_threads_of_their_own(tmp_path, package, script):
    """In a process of its own: they start threads that never end."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_subclass_may_have_a_name_of_its_own():
    class Named(mmap.mmap):
        pass

    with Named(-1, 10) as m:
        assert (m.name, m.mode) == (None, "rb+")
        m.name = "ten"
        assert (m.name, m.mode, m.__dict__) == ("ten", "rb+", {"name": "ten"})
        del m.name
        assert m.name is None
        with pytest.raises(AttributeError, match="name"):
            del m.name
    with mmap.mmap(-1, 10) as m, pytest.raises(AttributeError, match="not writable"):
        m.name = "ten"
