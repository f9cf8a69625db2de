"""A pytest plugin (-p faultless_installed): the tests of other packages run with faultless in place of mmap.

sitecustomize.py, in this folder, does the same for the interpreters that a test starts.
"""

import sys

import faultless

if "numpy" in sys.modules:
    raise RuntimeError("numpy was imported before faultless was installed")
faultless.install()


def pytest_sessionstart(session):
    import numpy as np

    import faultless.mmap

    # numpy imports mmap only when it makes a map.
    path = session.config.rootpath / "probe"
    mapped = np.memmap(path, dtype=np.uint8, mode="w+", shape=1)
    kind = type(mapped._mmap)
    if kind is not faultless.mmap.mmap:
        raise RuntimeError(f"numpy maps files with {kind!r}, which is not ours")
