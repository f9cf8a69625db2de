"""The buffer protocol: what a view says, and how exports hold the map open."""

import ctypes
import gc
import hashlib
import io
import os
import re
import struct
import sys
import zlib

import pytest
from arguments import DATA

CANNOT_CLOSE = (BufferError, "cannot close exported pointers exist")
CANNOT_RESIZE = (BufferError, "mmap can't resize with extant buffers exported.")


def test_view(m):
    with memoryview(m) as view:
        assert (view.format, view.itemsize, view.ndim, view.shape, view.strides) == ("B", 1, 1, (10,), (1,))
        assert (view.nbytes, view.contiguous, view.c_contiguous, view.f_contiguous) == (10, True, True, True)
        assert view.suboffsets == ()
        assert view.obj is m
        assert view.tobytes() == DATA
        assert view[3] == ord("3")


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.parametrize(
    ("options", "readonly"),
    [({}, False), ({"access": 1}, True), ({"access": 2}, False), ({"access": 3}, False), ({"prot": 1}, True)],
)
def test_readonly(new_map, options, readonly):
    with new_map(DATA, **options) as m, memoryview(m) as view:
        assert view.readonly is readonly


def test_view_writes_to_the_map_and_the_file(map_file, make_file):
    path = make_file(DATA)
    with map_file(path) as m:
        with memoryview(m) as view:
            view[0:3] = b"ABC"
        assert m[:4] == b"ABC3"
    assert path.read_bytes() == b"ABC3456789"


def test_view_of_a_copy_does_not_write_to_the_file(map_file, make_file):
    path = make_file(DATA)
    with map_file(path, access=3) as m, memoryview(m) as view:
        view[0:3] = b"ABC"
        assert m[:4] == b"ABC3"
    assert path.read_bytes() == DATA


def test_view_of_a_read_only_map(new_map, raises):
    with new_map(DATA, access=1) as m, memoryview(m) as view:
        with raises(TypeError, "cannot modify read-only memory"):
            view[0] = 1
        with raises(TypeError, "underlying buffer is not writable"):
            (ctypes.c_char * 10).from_buffer(m)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python code can ask for a buffer from 3.12 on")
def test_writable_request_of_a_read_only_map(new_map, raises):
    import inspect

    with new_map(DATA, access=1) as m:
        with raises(BufferError, "Object is not writable."):
            m.__buffer__(inspect.BufferFlags.WRITABLE)
        with m.__buffer__(inspect.BufferFlags.SIMPLE) as view:
            assert view.tobytes() == DATA
        m.close()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python code can ask for a buffer from 3.12 on")
def test_release_through_the_method(m, raises):
    view = m.__buffer__(0)
    with raises(*CANNOT_CLOSE):
        m.close()
    m.__release_buffer__(view)
    m.close()


def test_export_holds_the_map_open(m, raises):
    view = memoryview(m)
    with raises(*CANNOT_CLOSE):
        m.close()
    with raises(*CANNOT_RESIZE):
        m.resize(20)
    assert (m.closed, len(m), m[:]) == (False, 10, DATA)
    view.release()
    m.resize(5)
    m.close()
    assert m.closed


def test_exports_are_counted(m, raises):
    views = [memoryview(m) for _ in range(100)]
    while views:
        with raises(*CANNOT_CLOSE):
            m.close()
        views.pop().release()
    m.close()


def test_slice_of_a_view_keeps_the_export(m, raises):
    view = memoryview(m)
    part = view[2:4]
    view.release()
    with raises(*CANNOT_CLOSE):
        m.close()
    part.release()
    m.close()


def test_dropped_view_releases(m):
    view = memoryview(m)
    del view
    gc.collect()
    m.close()


def test_export_keeps_the_map_alive(new_map):
    view = memoryview(new_map(DATA))
    gc.collect()
    assert view.tobytes() == DATA
    assert view.obj[3] == ord("3")


def test_everything_but_close_and_resize_works_with_an_export(m):
    with memoryview(m) as view:
        m[0] = ord("x")
        m.move(5, 0, 2)
        m.seek(8)
        m.write(b"yz")
        m.flush()
        assert (m.find(b"x", 1), m.rfind(b"x"), view.tobytes()) == (5, -1, b"x1234x17yz")


def test_resize_with_an_export_is_found_before_read_only(new_map, raises):
    with new_map(DATA, access=1) as m, memoryview(m), raises(*CANNOT_RESIZE):
        m.resize(-1)


def test_equality_of_views(m):
    with memoryview(m) as view:
        assert view == DATA
        assert view != DATA[1:]


def test_ctypes_array(m, raises):
    array = (ctypes.c_char * 10).from_buffer(m)
    array[0] = b"x"
    assert m[0] == ord("x")
    with raises(*CANNOT_CLOSE):
        m.close()
    del array
    gc.collect()
    m.close()


def test_structures(m):
    assert struct.unpack_from("<H", m, 2) == (0x3332,)
    struct.pack_into(">I", m, 4, 0x41424344)
    assert m[:] == b"0123ABCD89"
    m.close()


def test_structure_beyond_the_end(m):
    with pytest.raises(struct.error, match="requires a buffer of at least"):
        struct.unpack_from("<I", m, 8)
    m.close()


def test_pack_into_a_read_only_map(new_map):
    with new_map(DATA, access=1) as m, pytest.raises(TypeError, match="read-write bytes-like object"):
        struct.pack_into("B", m, 0, 1)


def test_reading_into_the_map(new_map, m):
    assert io.BytesIO(b"abc").readinto(m) == 3
    assert m[:] == b"abc3456789"
    with new_map(DATA, access=1) as read_only, pytest.raises(TypeError, match="read-write bytes-like object"):
        io.BytesIO(b"abc").readinto(read_only)


def test_writing_from_the_map(m, tmp_path):
    path = tmp_path / "copy"
    with path.open("wb") as file:
        assert file.write(m) == 10
    with path.open("r+b", buffering=0) as file:
        assert os.write(file.fileno(), m) == 10
    assert path.read_bytes() == DATA


def test_bytes_like_everywhere(m):
    assert bytes(m) == DATA
    assert bytearray(m) == DATA
    assert b"-".join([bytes(m)]) == DATA
    assert b"0123456789abc".startswith(bytes(m))
    assert b"xx0123456789".find(m) == 2
    assert hashlib.sha256(m).digest() == hashlib.sha256(DATA).digest()
    assert zlib.crc32(m) == zlib.crc32(DATA)
    assert int.from_bytes(memoryview(m)[:2], "little") == 0x3130
    m.close()


def test_regular_expressions(m, raises):
    found = re.search(rb"[3-5]+", m)
    assert (found.span(), found.group()) == ((3, 6), b"345")
    assert re.sub(rb"\d\d", b"-", m) == b"-----"
    matches = re.finditer(rb"[02468]", m)
    assert next(matches).start() == 0
    with raises(*CANNOT_CLOSE):
        m.close()
    assert [match.start() for match in matches] == [2, 4, 6, 8]
    del matches
    m.close()
    with pytest.raises(TypeError, match="expected string or bytes-like object"):
        found.group()


def test_casts(m):
    with memoryview(m).cast("H") as view:
        assert view.shape == (5,)
        view[0] = 0x4241
    assert m[:2] == b"AB"


def test_no_export_is_left_by_a_failed_request(new_map):
    m = new_map(DATA, access=1)
    for _ in range(10):
        with pytest.raises(TypeError):
            (ctypes.c_char * 10).from_buffer(m)
    m.close()
    assert m.closed


def test_no_export_is_left_by_the_methods(m):
    m.find(m)
    m.rfind(m)
    m[:] = m
    m.seek(0)
    m.write(m)
    for call in (lambda: m.write(m), lambda: m.find(m, "a"), lambda: m.__setitem__(slice(0, 5), m)):
        with pytest.raises((ValueError, TypeError, IndexError)):
            call()
    m.close()
    assert m.closed
