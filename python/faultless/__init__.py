"""Memory-mapped files that never crash the process.

`faultless.mmap` is the standard module `mmap`, from its page of 2005 to the newest, written in Rust::

    from faultless import mmap  # in the place of: import mmap

`open` maps a file by its path in one call, `shared` memory that processes find by a name, `install` makes other
packages use this module too, and a page that fails, because somebody truncated the file or the disk gave an error,
raises `FaultError`.
"""

from faultless import _signals, mmap
from faultless._fault import FaultError
from faultless._install import install, uninstall
from faultless._native import (
    AppendLog,
    Atomic,
    LineIndex,
    LogReader,
    Match,
    Residency,
    __version__ as __version__,
    ensure_guard,
    open,
    set_guard,
    shared,
    unlink_shared,
)

__all__ = [
    "AppendLog",
    "Atomic",
    "FaultError",
    "LineIndex",
    "LogReader",
    "Match",
    "Residency",
    "ensure_guard",
    "install",
    "mmap",
    "open",
    "set_guard",
    "shared",
    "uninstall",
    "unlink_shared",
]

_signals.watch()
