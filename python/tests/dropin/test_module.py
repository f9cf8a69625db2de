"""The names of the module and the values of its constants."""

import mmap as standard_mmap
import platform
import sys

import pytest

ACCESS = {"ACCESS_DEFAULT": 0, "ACCESS_READ": 1, "ACCESS_WRITE": 2, "ACCESS_COPY": 3}

# What Linux defines in the same way on every processor.
LINUX = {
    "PROT_READ": 1,
    "PROT_WRITE": 2,
    "PROT_EXEC": 4,
    "MAP_SHARED": 1,
    "MAP_PRIVATE": 2,
    "MADV_NORMAL": 0,
    "MADV_RANDOM": 1,
    "MADV_SEQUENTIAL": 2,
    "MADV_WILLNEED": 3,
    "MADV_FREE": 8,
    "MADV_REMOVE": 9,
    "MADV_DONTFORK": 10,
    "MADV_DOFORK": 11,
    "MADV_MERGEABLE": 12,
    "MADV_UNMERGEABLE": 13,
    "MADV_HUGEPAGE": 14,
    "MADV_NOHUGEPAGE": 15,
    "MADV_DONTDUMP": 16,
    "MADV_DODUMP": 17,
    "MADV_HWPOISON": 100,
    "MADV_DONTNEED": 4,
}

# What differs between processors; these are the values of x86-64.
X86_64 = {
    "MAP_ANON": 0x20,
    "MAP_ANONYMOUS": 0x20,
    "MAP_32BIT": 0x40,
    "MAP_DENYWRITE": 0x800,
    "MAP_EXECUTABLE": 0x1000,
    "MAP_NORESERVE": 0x4000,
    "MAP_POPULATE": 0x8000,
    "MAP_STACK": 0x20000,
}

SYNC = {"MS_ASYNC": 1, "MS_INVALIDATE": 2, "MS_SYNC": 4}

METHODS = """
    __enter__ __exit__ __getitem__ __setitem__ __delitem__ __len__ __repr__ __new__
    close find flush madvise move read read_byte readline resize rfind seek size tell write write_byte
""".split()

linux = pytest.mark.skipif(sys.platform != "linux", reason="values of Linux")


@pytest.mark.parametrize("name", ACCESS)
def test_access_constants(mmap, name):
    assert getattr(mmap, name) == ACCESS[name]


@linux
@pytest.mark.parametrize("name", LINUX)
def test_linux_constants(mmap, name):
    assert getattr(mmap, name) == LINUX[name]


@linux
@pytest.mark.skipif(platform.machine() != "x86_64", reason="values of x86-64")
@pytest.mark.standard_since((3, 13), "MAP_NORESERVE and MAP_32BIT are new")
@pytest.mark.parametrize("name", X86_64)
def test_processor_constants(mmap, name):
    assert getattr(mmap, name) == X86_64[name]


@linux
@pytest.mark.standard_since((3, 15), "the MS_* constants are new")
@pytest.mark.parametrize("name", SYNC)
def test_sync_constants(mmap, name):
    assert getattr(mmap, name) == SYNC[name]


def test_ours_has_every_name_and_value_of_the_standard_module():
    import faultless.mmap

    names = [name for name in vars(standard_mmap) if not name.startswith("_") and name not in ("error", "mmap")]
    assert {name: getattr(faultless.mmap, name, None) for name in names} == {
        name: getattr(standard_mmap, name) for name in names
    }


@pytest.mark.unix("Windows has few constants")
def test_constants_are_plain_int(mmap):
    constants = {name: type(value) for name, value in vars(mmap).items() if name.isupper()}
    assert len(constants) > 30
    assert set(constants.values()) == {int}


def test_page_size(mmap):
    assert mmap.PAGESIZE == standard_mmap.PAGESIZE


@pytest.mark.unix("offsets are multiples of ALLOCATIONGRANULARITY, which is a page on Unix")
def test_allocation_granularity(mmap):
    assert mmap.ALLOCATIONGRANULARITY == standard_mmap.PAGESIZE


@pytest.mark.parametrize("name", ["PROT_NONE", "MAP_FIXED", "MAP_HUGETLB", "MAP_LOCKED", "MAP_NONBLOCK", "MAP_SYNC"])
def test_names_that_the_module_never_had(mmap, name):
    assert not hasattr(mmap, name)


def test_error_is_os_error(mmap):
    assert mmap.error is OSError


def test_class_names(mmap):
    assert (mmap.mmap.__module__, mmap.mmap.__name__, mmap.mmap.__qualname__) == ("mmap", "mmap", "mmap")
    assert isinstance(mmap.mmap, type)


@pytest.mark.unix("Windows has no madvise()")
@pytest.mark.parametrize("name", METHODS)
def test_class_has_method(mmap, name):
    assert callable(getattr(mmap.mmap, name))


@pytest.mark.standard_since((3, 12), "classes written in C show the buffer protocol")
@pytest.mark.skipif(sys.version_info < (3, 12), reason="the interpreter itself adds these methods from 3.12 on")
@pytest.mark.parametrize("name", ["__buffer__", "__release_buffer__"])
def test_class_has_buffer_method(mmap, name):
    assert callable(getattr(mmap.mmap, name))


@pytest.mark.standard_since((3, 13), "seekable() is new")
def test_class_has_seekable(mmap):
    assert callable(mmap.mmap.seekable)


@pytest.mark.standard_since((3, 15), "set_name() is new")
def test_class_has_set_name(mmap):
    assert callable(mmap.mmap.set_name)


@pytest.mark.parametrize("name", ["__iter__", "__contains__", "__reversed__", "__add__", "__mul__"])
def test_class_lacks(mmap, name):
    assert not hasattr(mmap.mmap, name)


# Not __reduce_ex__: of our class, maps that were opened by a path can be pickled.
@pytest.mark.parametrize("name", ["__eq__", "__hash__", "__init__", "__reduce__"])
def test_class_inherits_from_object(mmap, name):
    assert getattr(mmap.mmap, name) is getattr(object, name)
