"""mmap.array: NumPy arrays that hold their maps open, and the same memory in the hands of other libraries."""

import gc
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import faultless
from faultless import mmap

# Other tests fork this process, which is not to have threads then that BLAS started.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
numpy = pytest.importorskip("numpy", reason="NumPy is not installed")

DATA = os.urandom(4096) * 3


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_bytes(DATA)
    return path


def test_all_of_the_map_as_bytes_is_the_default(path: Path) -> None:
    with faultless.open(path) as m:
        array = m.array()
        assert (array.shape, array.dtype) == ((len(DATA),), numpy.uint8)
        assert array.tobytes() == DATA
        assert isinstance(array.base, memoryview)
        assert array.base.obj is m
        del array


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_writable_as_the_map_is(path: Path, mode: str) -> None:
    with faultless.open(path, mode) as m:
        array = m.array("<u4", 2, 4)
        assert array.flags.writeable == (mode != "r")
        if mode == "r":
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1
        else:
            array[0] = 0x01020304
            assert m[4:8] == b"\4\3\2\1"
        del array
    assert path.read_bytes()[4:8] == (b"\4\3\2\1" if mode == "r+" else DATA[4:8])


SHAPES = {
    None: (1536,),
    10: (10,),
    -1: (1536,),
    (3, 4): (3, 4),
    (3, -1): (3, 512),
    (-1, 2, 4): (192, 2, 4),
    (): (),
    (0,): (0,),
    (2, 0): (2, 0),
}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("offset", [0, 192, 22 * 192])
def test_shapes(path: Path, shape: object, offset: int) -> None:
    size = len(DATA) - offset
    # As NumPy itself has it of a file that is as long.
    path.write_bytes(DATA[:size])
    expected = numpy.fromfile(path, "<f8")
    if shape is not None:
        fixed = numpy.prod([length for length in numpy.atleast_1d(shape) if length != -1], dtype=int)
        if -1 not in numpy.atleast_1d(shape):
            expected = expected[:fixed]
        expected = expected.reshape(shape)
    path.write_bytes(DATA[size:] + DATA[:size])
    with faultless.open(path) as m:
        array = m.array("<f8", shape, offset)
        assert array.shape == expected.shape
        assert offset or array.shape == SHAPES[shape]
        assert array.tobytes() == expected.tobytes()
        del array


def test_shapes_of_any_integers_and_any_sequence(path: Path) -> None:
    with faultless.open(path) as m:
        for shape in ([2, 3], numpy.array([2, 3]), iter((2, 3)), (numpy.int8(2), True + 2)):
            assert m.array("u1", shape, offset=numpy.int64(1)).tobytes() == DATA[1:7]
        for shape in (numpy.int64(6), True + 5):
            assert m.array(shape=shape).tobytes() == DATA[:6]


def test_structures_and_subarrays(path: Path) -> None:
    kind = numpy.dtype([("key", "<u4"), ("place", "<f4", (2,)), ("flag", "?")])
    with faultless.open(path) as m:
        array = m.array(kind, (5, 2), 3)
        assert array.tobytes() == DATA[3 : 3 + 10 * 13]
        assert array["place"].shape == (5, 2, 2)
        assert int(array["key"][4, 1]) == int.from_bytes(DATA[3 + 9 * 13 :][:4], "little")
        rows = m.array("(2,3)u2", 4)
        assert (rows.shape, rows.dtype, rows.tobytes()) == ((4, 2, 3), numpy.uint16, DATA[:48])
        assert m.array("(2,3)u2", (2, 2)).tobytes() == DATA[:48]
        del array, rows


REFUSED = [
    ({"dtype": "<f8", "offset": 1}, ValueError, "the 12287 bytes from offset 1 on are no multiple of 8"),
    ({"dtype": "u1", "shape": (5, -1)}, ValueError, "the 12288 bytes from offset 0 on are no multiple of 5"),
    ({"shape": (0, -1)}, ValueError, "the 12288 bytes from offset 0 on are no multiple of 0"),
    ({"offset": -1}, ValueError, "the offset must not be negative, as -1 is"),
    ({"offset": 12289}, IndexError, "offset 12289 is past the end of the map of 12288 bytes"),
    ({"offset": 1 << 70}, IndexError, f"offset {1 << 70} is past the end of the map of 12288 bytes"),
    ({"shape": 12288, "offset": 1}, ValueError, "shape (12288,) takes 12288 bytes: from offset 1 on there are 12287"),
    (
        {"shape": (1 << 62, 4)},
        ValueError,
        f"shape ({1 << 62}, 4) takes {1 << 64} bytes: from offset 0 on there are 12288",
    ),
    ({"shape": (-1, -1)}, ValueError, "a shape has lengths from 0 on, and at most one -1, unlike (-1, -1)"),
    ({"shape": (3, -2)}, ValueError, "a shape has lengths from 0 on, and at most one -1, unlike (3, -2)"),
    ({"dtype": object}, TypeError, "items of dtype('O') refer to objects of this process, which no map can have"),
    (
        {"dtype": [("a", "u1"), ("b", "O")]},
        TypeError,
        "items of dtype([('a', 'u1'), ('b', 'O')]) refer to objects of this process, which no map can have",
    ),
    ({"dtype": "S"}, ValueError, "items of dtype('S') have no bytes: the dtype needs a length"),
    ({"dtype": "no such"}, TypeError, None),
    ({"shape": 1.5}, TypeError, None),
    ({"shape": (2, "3")}, TypeError, None),
    ({"offset": 1.5}, TypeError, None),
    ({"shapes": 1}, TypeError, "array() got an unexpected keyword argument 'shapes'"),
]


@pytest.mark.parametrize(("arguments", "kind", "text"), REFUSED)
def test_refused(path: Path, arguments: dict[str, object], kind: type[Exception], text: str | None) -> None:
    with faultless.open(path) as m:
        with pytest.raises(kind) as caught:
            m.array(**arguments)
        assert caught.type is kind
        assert text is None or str(caught.value) == text
        # The exception, which has the traceback, does not hold the map.
        m.close()


def test_none_is_as_good_as_minus_1_and_memmap_refuses_the_same(path: Path) -> None:
    """A rest that is no whole item is refused, as numpy.memmap does."""
    path.write_bytes(DATA[:1003])
    with pytest.raises(ValueError, match="multiple"):
        numpy.memmap(path, "<u4", "r")
    with faultless.open(path) as m, pytest.raises(ValueError, match=r"the 1003 bytes .* no multiple of 4"):
        m.array("<u4")


def test_map_stays_open_while_the_array_lives(path: Path) -> None:
    m = faultless.open(path, "r+")
    part = m.array("<u2", (4, -1))[1:3, ::2]
    for _ in range(2):
        with pytest.raises(BufferError):
            m.close()
        with pytest.raises(BufferError):
            m.resize(100)
    assert part[0, 0] == int.from_bytes(DATA[3072:3074], "little")
    del part
    gc.collect()
    m.resize(100)
    m.close()
    with pytest.raises(ValueError, match="closed"):
        m.array()


def test_array_alone_keeps_the_map(path: Path) -> None:
    array = faultless.open(path).array()
    gc.collect()
    assert array.tobytes() == DATA


def test_array_stays_valid_while_the_map_grows(path: Path) -> None:
    with faultless.open(path, "r+", reserve=1 << 20) as m:
        array = m.array()
        m.append(b"x" * 100_000)
        array[0] = 7
        assert (m[0], len(array), len(m)) == (7, len(DATA), len(DATA) + 100_000)
        assert m.array(offset=len(DATA)).tobytes() == b"x" * 100_000
        del array


def test_maps_of_every_kind(path: Path, tmp_path: Path) -> None:
    with mmap.mmap(-1, 4096) as m:
        m.array("<u8")[511] = 9
        assert m[-8] == 9
    (tmp_path / "empty").touch()
    with faultless.open(tmp_path / "empty") as m:
        assert m.array("<u8").shape == (0,)
        with pytest.raises(ValueError, match="takes 8 bytes"):
            m.array("<u8", 1)

    class Sub(mmap.mmap):
        def __len__(self) -> int:
            return 1 << 40

    with open(path, "rb") as file, Sub(file.fileno(), 0, access=mmap.ACCESS_READ) as m:
        assert m.array().tobytes() == DATA


def test_without_numpy(path: Path) -> None:
    program = """
import sys
sys.modules["numpy"] = None
import faultless
with faultless.open(sys.argv[1]) as m:
    try:
        m.array()
    except ImportError as error:
        print(error)
    # Nothing else needs it.
    print(len(m))
"""
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert done.stdout == f"mmap.array needs NumPy, which cannot be imported: pip install numpy\n{len(DATA)}\n"


def test_numpy_is_imported_by_array_alone(path: Path) -> None:
    program = """
import sys
import faultless
with faultless.open(sys.argv[1]) as m:
    assert "numpy" not in sys.modules
    m.array()
    assert "numpy" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program, path], check=True)


# In processes of their own: these libraries start threads that never end.
LIBRARIES = {
    "pyarrow": """
import pyarrow

with faultless.open("data", "r+") as m:
    buffer = pyarrow.py_buffer(m)
    numbers = pyarrow.Array.from_buffers(pyarrow.uint32(), len(m) // 4, [None, buffer])
    assert (buffer.size, buffer.is_mutable) == (len(m), True)
    m[:4] = b"\\1\\0\\0\\0"
    assert numbers[0].as_py() == 1
    try:
        m.close()
        raise AssertionError("closed under a buffer")
    except BufferError:
        del buffer, numbers

table = pyarrow.table({"number": range(1000), "word": [str(n) for n in range(1000)]})
with pyarrow.OSFile("table", "wb") as file, pyarrow.ipc.new_file(file, table.schema) as writer:
    writer.write_table(table)
with faultless.open("table") as m:
    before = pyarrow.total_allocated_bytes()
    read = pyarrow.ipc.open_file(pyarrow.py_buffer(m)).read_all()
    # Its columns are the map's memory.
    assert pyarrow.total_allocated_bytes() == before
    assert read == table
    del read
""",
    "polars": """
import polars

frame = polars.DataFrame({"number": range(1000), "word": [str(n) for n in range(1000)]})
frame.write_ipc("frame")
with faultless.open("frame") as m:
    assert polars.read_ipc(m).equals(frame)
    m.seek(0)
    assert polars.Series(m.array("<u4", 100)).to_list() == m.array("<u4", 100).tolist()
frame.write_csv("frame")
with faultless.open("frame") as m:
    assert polars.read_csv(m).equals(frame.cast({"word": polars.Int64}))
""",
    "torch": """
import torch

with faultless.open("data", "r+") as m:
    for make in (lambda: torch.from_numpy(m.array("<i4")), lambda: torch.frombuffer(memoryview(m), dtype=torch.int32)):
        tensor = make()
        tensor[0] = 7
        assert m[:4] == b"\\7\\0\\0\\0"
        try:
            m.close()
            raise AssertionError("closed under a tensor")
        except BufferError:
            del tensor
""",
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_in_the_hands_of_another_library(library: str, path: Path) -> None:
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    program = "import faultless\n" + LIBRARIES[library]
    done = subprocess.run([sys.executable, "-c", program], cwd=path.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
