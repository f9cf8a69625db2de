"""Putting `faultless.mmap` in the place of the standard module, for code that imports `mmap` itself."""

from __future__ import annotations

import sys
from types import ModuleType

from faultless import mmap

_standard: list[ModuleType | None] = []


def install() -> None:
    """Make `import mmap` give `faultless.mmap` from now on.

    Call it before the packages that shall use it are imported: NumPy, joblib, multiprocessing. Code that already has
    the standard module keeps it. Calling it twice does nothing.
    """
    if sys.modules.get("mmap") is not mmap:
        _standard.append(sys.modules.get("mmap"))
        sys.modules["mmap"] = mmap


def uninstall() -> None:
    """Undo `install`: `import mmap` gives what it gave before. Without an `install` it does nothing."""
    if not _standard or sys.modules.get("mmap") is not mmap:
        return
    before = _standard.pop()
    if before is None:
        del sys.modules["mmap"]
    else:
        sys.modules["mmap"] = before
