"""Fixtures of the Python tests.

A test that takes the `mmap` fixture runs twice: with the interpreter's own module and with ours. What it expects is
what CPython 3.15.2 does. Where the running interpreter's module is older and differs, the test is marked
`standard_since(version, change)`, which leaves out the standard half there; ours must pass on every interpreter.
"""

import contextlib
import importlib
import mmap as standard_mmap
import os
import sys

import pytest

MODULES = {"standard": "mmap", "faultless": "faultless.mmap"}


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "standard_since(version, change): the standard module behaves as tested only from this version of Python on",
    )
    config.addinivalue_line("markers", "unix(reason): what is tested is only so, or only there, on Unix")


def pytest_collection_modifyitems(items):
    if sys.platform == "win32":
        for item in items:
            for marker in item.iter_markers("unix"):
                item.add_marker(pytest.mark.skip(reason=marker.args[0]))


@pytest.fixture(params=list(MODULES))
def mmap(request):
    """The module under test: the standard one, then ours."""
    if request.param == "standard":
        for marker in request.node.iter_markers("standard_since"):
            version, change = marker.args
            if sys.version_info < version:
                name = ".".join(map(str, version))
                pytest.skip(f"the standard module differs before {name}: {change}")
        return standard_mmap
    return importlib.import_module(MODULES[request.param])


@pytest.fixture
def make_file(tmp_path):
    """Return a function that writes bytes to a new file and returns its path."""
    count = 0

    def make(data=b""):
        nonlocal count
        count += 1
        path = tmp_path / f"file{count}"
        path.write_bytes(data)
        return path

    return make


@pytest.fixture
def map_file(mmap):
    """Return a function that maps the file at a path; the descriptor it opens is closed again."""

    def make(path, length=0, /, *args, mode=os.O_RDWR, **options):
        fd = os.open(path, mode)
        try:
            return mmap.mmap(fd, length, *args, **options)
        finally:
            os.close(fd)

    return make


@pytest.fixture
def new_map(make_file, map_file):
    """Return a function that maps a new file holding the given bytes."""

    def make(data, **options):
        return map_file(make_file(data), **options)

    return make


@pytest.fixture
def raises():
    """Return a context manager: the block raises exactly this type with exactly this text."""

    @contextlib.contextmanager
    def check(kind, text):
        with pytest.raises(kind) as caught:
            yield caught
        assert (caught.type, str(caught.value)) == (kind, text)

    return check


@pytest.fixture
def raises_os_error():
    """Return a context manager: the block raises the class of OSError that belongs to this errno, with the errno."""

    @contextlib.contextmanager
    def check(number):
        with pytest.raises(OSError) as caught:
            yield caught
        expected = OSError(number, os.strerror(number))
        assert (caught.type, caught.value.errno, str(caught.value)) == (type(expected), number, str(expected))

    return check
