"""A map given to its own methods, also through views: bytes are copied as if through a second buffer."""

import pytest
from arguments import DATA


def test_assign_itself(m):
    m[:] = m
    assert m[:] == DATA
    m[::1] = m
    assert m[:] == DATA


@pytest.mark.parametrize(("dest", "src"), [(0, 1), (1, 0), (0, 5), (5, 0), (2, 4), (4, 2), (3, 3)])
def test_assign_an_overlapping_view(m, dest, src):
    count = 10 - max(dest, src)
    expected = bytearray(DATA)
    expected[dest : dest + count] = DATA[src : src + count]
    with memoryview(m) as view, view[src : src + count] as part:
        m[dest : dest + count] = part
    assert m[:] == expected


def test_write_itself(m):
    assert m.write(m) == 10
    assert (m[:], m.tell()) == (DATA, 10)


def test_write_an_overlapping_view(m):
    m.seek(1)
    with memoryview(m) as view, view[0:9] as part:
        assert m.write(part) == 9
    assert (m[:], m.tell()) == (b"0012345678", 10)


def test_write_itself_without_room(m, raises):
    m.seek(1)
    with raises(ValueError, "data out of range"):
        m.write(m)
    assert (m[:], m.tell()) == (DATA, 1)


def test_find_itself(m):
    assert (m.find(m), m.rfind(m)) == (0, 0)
    assert (m.find(m, 1), m.rfind(m, 1)) == (-1, -1)
    with memoryview(m) as view, view[4:6] as part:
        assert (m.find(part), m.rfind(part)) == (4, 4)


def test_another_map(m, new_map):
    with new_map(b"ABCDEFGHIJ") as other:
        m[2:4] = other[2:4]
        m[5:] = memoryview(other)[5:]
        m.write(memoryview(other)[:1])
        assert m[:] == b"A1CD4FGHIJ"
        assert m.find(other) == -1
        other[:] = m
        assert m.find(other, 0) == 0


def test_two_maps_of_one_file(map_file, make_file):
    path = make_file(DATA)
    with map_file(path) as one, map_file(path) as other:
        one[:] = other
        assert one[:] == DATA
        one.write(other)
        assert other[:] == DATA


def test_reading_of_a_file_into_its_own_map(map_file, make_file):
    path = make_file(DATA)
    with map_file(path) as m, path.open("rb", buffering=0) as file:
        file.seek(5)
        assert file.readinto(m) == 5
        assert m[:] == b"5678956789"


def test_no_export_is_left(m):
    m[:] = m
    m.write(m)
    m.find(m)
    m.resize(20)
    m.close()
    assert m.closed
