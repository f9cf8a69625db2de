"""Keeping the first place among the handlers of failing pages.

`signal.signal` and `faulthandler` put their handler before those that are there. CPython's handler for `signal.signal`
only takes a note and returns, and the instruction that met the failing page would run into it again, for ever. So both
are followed by a look at who has the signal: if it is no longer faultless, and maps need it, faultless goes first again
and hands on to the new handler whatever is not a map's.
"""

from __future__ import annotations

import faulthandler
import functools
import signal
from collections.abc import Callable
from types import ModuleType
from typing import Any

from faultless import _native

# Which of the two a failing page raises depends on the system; a look too many does no harm.
_SIGNALS = [getattr(signal, name) for name in ("SIGBUS", "SIGSEGV") if hasattr(signal, name)]
_MARK = "_followed_by_faultless"


def _is_signal_of_pages(signalnum: object = None, *_: object, **named: object) -> bool:
    return named.get("signalnum", signalnum) in _SIGNALS


def _always(*_: object, **__: object) -> bool:
    return True


def _follow(module: ModuleType, name: str, concerns: Callable[..., bool]) -> None:
    original = getattr(module, name)
    # functools.wraps copies the mark, so it is seen through wrappers that others put around ours.
    if hasattr(original, _MARK):
        return

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return original(*args, **kwargs)
        finally:
            # In the `finally`, because Ctrl-C may come after the handler was installed. Where no map needs it, this
            # installs nothing.
            if concerns(*args, **kwargs):
                _native.ensure_guard()

    setattr(wrapper, _MARK, True)
    setattr(module, name, wrapper)


def watch() -> None:
    """Follow every `signal.signal`, `faulthandler.enable` and `faulthandler.disable` from now on; calling it twice does
    nothing more. What was imported from these modules by name before is not followed.
    """
    _follow(signal, "signal", _is_signal_of_pages)
    # `disable` puts back who was there when it was enabled, which may have been before the first map.
    _follow(faulthandler, "enable", _always)
    _follow(faulthandler, "disable", _always)
