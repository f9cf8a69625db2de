"""The Python engines: what each of them maps a file with.

`warm` gives a private map of a file, with every page in memory; `private`, `shared` and `read_only` are maps just made.
The code that is measured comes from the definitions. An engine that cannot be imported raises `Absent` with the reason.
"""

import os
import platform
from importlib import metadata


class Absent(Exception):
    """Why this engine takes no part."""


def touch(m):
    """Makes every page of a private map its own, or of a shared one changed: a store a page, of the byte there."""
    for at in range(0, len(m), os.sysconf("SC_PAGE_SIZE")):
        m[at] = m[at]
    return m


class Module:
    """A module with the interface of the standard `mmap`."""

    def __init__(self, mmap):
        self.mmap = mmap

    def _map(self, path, mode, access):
        with open(path, mode) as file:
            return self.mmap.mmap(file.fileno(), 0, access=access)

    def private(self, path):
        return self._map(path, "rb", self.mmap.ACCESS_COPY)

    def warm(self, path):
        return touch(self.private(path))

    def shared(self, path):
        return self._map(path, "r+b", self.mmap.ACCESS_WRITE)

    def read_only(self, path):
        return self._map(path, "rb", self.mmap.ACCESS_READ)


class Array:
    """`numpy.memmap`: an array, with a file's pages for memory."""

    def __init__(self, numpy):
        self.numpy = numpy

    def private(self, path):
        return self.numpy.memmap(path, self.numpy.uint8, "c")

    def warm(self, path):
        return touch(self.private(path))


class File:
    """No map: an open file, read with its own methods and `os.pread`."""

    def warm(self, path):
        return open(path, "rb")


def load(name):
    try:
        match name:
            case "faultless" | "faultless-threads":
                from faultless import mmap

                return Module(mmap)
            case "standard":
                import mmap

                return Module(mmap)
            case "fmmap":
                import fmmap

                return Module(fmmap)
            case "numpy":
                import numpy

                return Array(numpy)
            case "file":
                return File()
    except ImportError as error:
        raise Absent(f"{name}: {error}") from error
    raise Absent(f"no engine {name}")


def version(name):
    """The version of an engine: of its package, or of Python for what comes with it."""
    try:
        return metadata.version(name.removesuffix("-threads"))
    except metadata.PackageNotFoundError:
        return platform.python_version() if name in ("standard", "file") else "unknown"
