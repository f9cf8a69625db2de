"""The log: from Python, by several processes, killed ones among them, and under the standard `logging`."""

import gc
import logging
import logging.config
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import faultless
from faultless.log import LogHandler

WORKER = """
import os, sys
import faultless

path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
log = faultless.AppendLog(path, max_size=1_000_000, keep=100)
for n in range(count) if count else iter(int, 1):
    log.append(f"{name} {n}".encode() * (1 + n % 7))
    if n % 100 == 0:
        os.write(1, b"%d\\n" % n)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_records_come_back(path: Path) -> None:
    records = [b"", b"one", bytes(1000), b"\n\0", bytearray(b"array"), memoryview(b"view"), b"x" * 300_000]
    with faultless.AppendLog(path) as log:
        offsets = [log.append(record) for record in records]
        assert offsets == sorted(set(offsets))
        assert list(log) == [bytes(record) for record in records]
        assert list(log.records()) == [(at, bytes(record)) for at, record in zip(offsets, records, strict=True)]
        assert next(iter(log.records(offsets[3]))) == (offsets[3], b"\n\0")
        assert log.read(offsets[1]) == b"one"
        assert log.end > offsets[-1]
        assert log.path == path and not log.closed
    assert log.closed
    assert [record for _, record in faultless.LogReader(str(path))] == [bytes(record) for record in records]


def test_closed_and_wrong_arguments(path: Path) -> None:
    log = faultless.AppendLog(path)
    offset = log.append(b"one")
    with pytest.raises(TypeError):
        log.append("text")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no whole record"):
        log.read(offset + 8)
    with pytest.raises(ValueError, match="offset"):
        log.read(1 << 40)
    with pytest.raises(OverflowError):
        log.read(-1)
    log.close()
    log.close()
    for call in (lambda: log.append(b""), log.sync, lambda: log.read(offset), lambda: list(log), lambda: log.end):
        with pytest.raises(ValueError, match="closed"):
            call()
    with pytest.raises(ValueError, match="closed"), log:
        pass
    assert "closed" in repr(log)
    with pytest.raises(ValueError, match="keep"):
        faultless.AppendLog(path, max_size=1000, keep=0)


def test_files_that_are_no_logs(path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        faultless.LogReader(path)
    assert raised.value.filename == str(path)
    with pytest.raises(FileNotFoundError):
        faultless.AppendLog(path / "no" / "folder")
    path.write_bytes(b"a text\n" * 100)
    for open_ in (faultless.AppendLog, faultless.LogReader):
        with pytest.raises(ValueError, match="no log of faultless"):
            open_(path)
    assert path.read_bytes() == b"a text\n" * 100


def test_a_damaged_record_is_between_the_others(path: Path) -> None:
    with faultless.AppendLog(path) as log:
        offsets = [log.append(b"record %d" % n * 5) for n in range(3)]
    data = bytearray(path.read_bytes())
    data[offsets[1] + 12] ^= 1
    path.write_bytes(data)
    reader = faultless.LogReader(path)
    assert next(reader)[0] == offsets[0]
    with pytest.raises(ValueError, match=f"offset {offsets[1]} is damaged"):
        next(reader)
    assert next(reader)[0] == offsets[2]
    assert next(reader, None) is None


def test_polling_and_following(path: Path) -> None:
    log = faultless.AppendLog(path)
    reader = faultless.LogReader(path)
    assert reader.poll() is None and next(reader, None) is None
    offset = log.append(b"one")
    assert reader.poll() == (offset, b"one")

    follower = faultless.LogReader(path, follow=True)
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.extend(next(follower)[1] for _ in range(3)))
    thread.start()
    log.append(b"two")
    log.append(b"three")
    thread.join(60)
    assert got == [b"one", b"two", b"three"]


def test_following_ends_with_ctrl_c(path: Path) -> None:
    faultless.AppendLog(path).append(b"one")
    script = "import faultless, sys\nfor _ in faultless.LogReader(sys.argv[1], follow=True): print('ready', flush=True)"
    command = [sys.executable, "-c", script, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stderr is not None
        assert child.stdout.readline().strip() == b"ready"
        child.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in child.stderr.read()


def test_rotation(path: Path) -> None:
    with faultless.AppendLog(path, max_size=4096, keep=2) as log:
        offsets = [log.append(b"%04d" % n * 20) for n in range(500)]
        kept = list(log.records())
    assert sorted(os.listdir(path.parent)) == ["log", "log.1", "log.2"]
    assert all(Path(f"{path}.{n}").stat().st_size <= 4096 for n in (1, 2))
    assert 60 < len(kept) < 150
    assert [offset for offset, _ in kept] == offsets[-len(kept) :]
    assert list(faultless.LogReader(path)) == kept


def test_processes_append_at_the_same_time(path: Path) -> None:
    names = ["one", "two", "three"]
    command = [sys.executable, "-c", WORKER, path]
    workers = [subprocess.Popen([*command, name, "2000"], stdout=subprocess.DEVNULL) for name in names]
    assert [worker.wait(100) for worker in workers] == [0, 0, 0]
    found = dict.fromkeys(names, 0)
    for _, record in faultless.LogReader(path):
        name = record.split()[0].decode()
        n = found[name]
        assert record == f"{name} {n}".encode() * (1 + n % 7)
        found[name] += 1
    assert found == dict.fromkeys(names, 2000)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal on this system")
def test_killed_processes_lose_nothing(path: Path) -> None:
    said: dict[str, int] = {}
    for turn in range(8):
        name = f"worker{turn}"
        with subprocess.Popen([sys.executable, "-c", WORKER, path, name, "0"], stdout=subprocess.PIPE) as worker:
            assert worker.stdout is not None
            for _ in range(turn):
                worker.stdout.readline()
            worker.kill()
            lines = worker.stdout.read().split()
        said[name] = max(map(int, lines), default=-1)
    records = [record.split()[:2] for _, record in faultless.LogReader(path)] if path.exists() else []
    for name, last in said.items():
        numbers = [n.removesuffix(name.encode()) for who, n in records if who.decode() == name]
        assert len(numbers) > last


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_goes_on_with_the_log(path: Path) -> None:
    script = """
import os, sys, faultless
log = faultless.AppendLog(sys.argv[1])
log.append(b"parent")
if (pid := os.fork()) == 0:
    for _ in range(1000):
        log.append(b"child" * 1000)
    os._exit(0)
log.close()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", script, path], check=False).returncode == 0
    assert [record for _, record in faultless.LogReader(path)] == [b"parent"] + [b"child" * 1000] * 1000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_waits_for_no_thread_of_its_parent(path: Path) -> None:
    script = """
import os, signal, sys, threading, faultless
log = faultless.AppendLog(sys.argv[1])
stop = False
def work():
    while not stop:
        log.append(b"x" * 1_000_000)
        log.sync()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
codes = []
for _ in range(10):
    if (pid := os.fork()) == 0:
        signal.alarm(20)
        for _ in range(5):
            log.append(b"child" * 100_000)
        os._exit(0)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    if codes[-1] != 0:
        break
stop = True
for thread in threads:
    thread.join()
sys.exit(any(codes))
"""
    assert subprocess.run([sys.executable, "-c", script, path], check=False).returncode == 0
    records = [record for _, record in faultless.LogReader(path)]
    assert records.count(b"child" * 100_000) == 50


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_does_not_wait_for_a_reader_that_its_parent_uses(path: Path) -> None:
    script = """
import os, signal, sys, threading, faultless
with faultless.AppendLog(sys.argv[1]) as log:
    for n in range(20):
        log.append(bytes([n]) * 8_000_000)
reader = faultless.LogReader(sys.argv[1])
started = threading.Event()
def work():
    for _ in reader:
        started.set()
thread = threading.Thread(target=work)
thread.start()
started.wait()
codes = []
while thread.is_alive() and not any(codes):
    if (pid := os.fork()) == 0:
        signal.alarm(20)
        try:
            found = reader.poll()
        except ValueError as error:
            os._exit("forked" not in str(error))
        os._exit(found is not None and found[1] != found[1][:1] * 8_000_000)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
thread.join()
sys.exit(any(codes) or not codes)
"""
    assert subprocess.run([sys.executable, "-c", script, path], check=False).returncode == 0


def test_a_record_whose_memory_changes_while_it_is_appended_is_whole(path: Path) -> None:
    record, stop = bytearray(1 << 22), threading.Event()

    def change() -> None:
        view = memoryview(record)
        while not stop.is_set():
            for value in (b"a", b"b"):
                view[:] = value * len(record)

    with faultless.AppendLog(path) as log:
        thread = threading.Thread(target=change)
        thread.start()
        for _ in range(30):
            log.append(record)
        stop.set()
        thread.join()
        assert len(list(log)) == 30


@pytest.mark.parametrize("name", [os.fsencode, str, Path])
def test_paths(path: Path, name: Callable[[Path], Any]) -> None:
    with faultless.AppendLog(name(path)) as log:
        log.append(b"one")
        assert log.path == path
    assert [record for _, record in faultless.LogReader(name(path))] == [b"one"]
    handler = LogHandler(name(path))
    handler.close()
    with faultless.open(name(path)) as m:
        assert m.name == str(path)
    for call in (faultless.AppendLog, faultless.LogReader, faultless.open):
        with pytest.raises(TypeError, match=r"expected str, bytes or os\.PathLike object, not int"):
            call(5)  # type: ignore[arg-type]


def test_threads_append_while_others_read_and_sync(path: Path) -> None:
    log = faultless.AppendLog(path, max_size=100_000, keep=1000)

    def append(name: int) -> None:
        for n in range(1000):
            log.append(b"%d %d" % (name, n) + b"." * (n * 4))

    threads = [threading.Thread(target=append, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        log.sync()
        list(log)
    found = [0, 0, 0]
    for record in log:
        name, n = record.split(b".")[0].split()
        assert int(n) == found[int(name)]
        found[int(name)] += 1
    assert found == [1000, 1000, 1000]


def test_durable(path: Path) -> None:
    with faultless.AppendLog(path, durable=True) as log:
        log.append(b"paid")
    assert [record for _, record in faultless.LogReader(path)] == [b"paid"]


def test_handler(path: Path) -> None:
    handler = LogHandler(path, logging.INFO, max_size=100_000)
    handler.setFormatter(logging.Formatter("%(levelname)s:%(message)s"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    logger.debug("not this")
    logger.info("one %d", 1)
    logger.warning("two\nlines")
    logger.error("\udc80 ü")
    handler.flush()
    assert list(handler.log) == [b"INFO:one 1", b"WARNING:two\nlines", "ERROR:\\udc80 ü".encode()]
    assert str(path) in repr(handler)
    handler.close()
    handler.close()
    handler.flush()


def test_handler_reports_what_fails(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = LogHandler(path)
    logger = logging.Logger("test")
    logger.addHandler(handler)
    handler.log.close()
    logger.error("lost")
    assert "the log has been closed" in capsys.readouterr().err


def test_handler_refuses_an_encoding_that_there_is_not(path: Path) -> None:
    with pytest.raises(LookupError, match="nope"):
        LogHandler(path, encoding="nope")
    assert not path.exists()


def test_handler_from_a_configuration(path: Path) -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"log": {"class": "faultless.log.LogHandler", "path": str(path), "keep": 3}},
            "loggers": {"test_log": {"handlers": ["log"], "propagate": False}},
        }
    )
    logger = logging.getLogger("test_log")
    logger.warning("configured")
    [handler] = logger.handlers
    logger.removeHandler(handler)
    handler.close()
    assert [record for _, record in faultless.LogReader(path)] == [b"configured"]


def test_nothing_is_leaked(path: Path) -> None:
    log = faultless.AppendLog(path)
    log.append(b"x" * 1000)
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    for _ in range(50):
        other = faultless.AppendLog(path)
        other.append(b"y")
        list(other)
        list(faultless.LogReader(path))
    del other
    gc.collect()
    assert sys.platform != "linux" or len(os.listdir("/proc/self/fd")) <= before
    with pytest.raises(TypeError):
        weakref.ref(log)
