"""The standard `logging` on a log that survives its program."""

from __future__ import annotations

import codecs
import logging
import os

from faultless._native import AppendLog


class LogHandler(logging.Handler):
    """A handler of `logging` that appends each message to a log, as `faultless.AppendLog` does.

    What has been logged survives the program, also a `kill -9`, without a system call a message. Any number of
    processes may log to the same path. `flush`, which `logging.shutdown` calls at the end, waits for the disk.

    `max_size`, `keep` and `durable` are those of `AppendLog`; `encoding` is for the text of the messages. Of several
    lines one record is made, and `faultless.LogReader` gives it back as one.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     handler = LogHandler(os.path.join(folder, "app.log"))
    ...     handler.handle(logging.LogRecord("app", logging.INFO, "app.py", 1, "hello %s", ("you",), None))
    ...     print(*handler.log)
    ...     handler.close()
    True
    b'hello you'
    """

    log: AppendLog

    def __init__(
        self,
        path: str | bytes | os.PathLike[str] | os.PathLike[bytes],
        level: int | str = logging.NOTSET,
        *,
        max_size: int | None = None,
        keep: int = 5,
        durable: bool = False,
        encoding: str = "utf-8",
    ) -> None:
        super().__init__(level)
        codecs.lookup(encoding)
        self.encoding = encoding
        self.log = AppendLog(path, max_size=max_size, keep=keep, durable=durable)

    def emit(self, record: logging.LogRecord) -> None:
        """Append the formatted message."""
        try:
            # A lone surrogate is no reason to lose a message.
            self.log.append(self.format(record).encode(self.encoding, "backslashreplace"))
        except RecursionError:
            raise
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        """Wait until what has been logged is on the disk."""
        if not self.log.closed:
            self.log.sync()

    def close(self) -> None:
        """Close the log."""
        try:
            self.log.close()
        finally:
            super().close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {os.fspath(self.log.path)} ({logging.getLevelName(self.level)})>"
