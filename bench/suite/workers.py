"""The processes that measure, one a language. Each takes a request a line and answers with a line of JSON.

Commands are measured from here: a process for each sample.
"""

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import ClassVar

ENGINES = Path(__file__).parent.parent / "engines"


class WorkerDied(Exception):
    pass


class Worker:
    """A process that measures. Close it, or use it in a `with` statement."""

    def __init__(self, command, env=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()
        self.process.stdout.close()

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline()
        if not answer:
            raise WorkerDied(f"the worker ended with {self.process.wait()} at: {line:.200}")
        return json.loads(answer)


class PythonWorker(Worker):
    def __init__(self, python, path):
        env = os.environ | {"PYTHONPATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1"}
        super().__init__([python, str(ENGINES / "python" / "worker.py")], env)

    def sample(self, bench, engine, data):
        definition = bench.definition
        request = {
            "name": bench.name,
            "engine": engine,
            "path": str(data),
            "bytes": bench.bytes,
            "budget": bench.budget,
            "code": definition.get(f"code-{engine}", definition["code"]),
            "setup": definition.get("setup", "") + "\n" + definition.get("setup-more", ""),
        }
        for key in ("after", "answer", "before", "check", "each", "mode", "most", "per", "teardown", "times"):
            if key in definition:
                request[key] = definition[key]
        return self.ask(json.dumps(request))

    def versions(self, engines):
        """The versions of the engines that can be had."""
        answers = {engine: self.ask(json.dumps({"version": engine})) for engine in engines}
        return {engine: answer["value"] for engine, answer in answers.items() if "value" in answer}


class RustWorker(Worker):
    def __init__(self, program, versions):
        super().__init__([str(program)])
        self.known = versions

    def versions(self, engines):
        """The versions of the engines: empty for what is no package."""
        return {engine: self.known.get(engine, "") for engine in engines}

    def sample(self, bench, engine, data):
        definition = bench.definition
        needle = definition.get("needle", "").encode().hex()
        fields = [definition["op"], engine, bench.moved, needle, data, expected(bench, data), bench.budget // 1000]
        return self.ask("\t".join(map(str, fields)))


class CommandWorker:
    """Commands, each from its start to its end, with a file for its output: some do less for /dev/null."""

    PROGRAMS: ClassVar = {"ripgrep": "rg"}

    def __init__(self, ours):
        self.ours = ours

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def program(self, engine):
        return self.ours if engine == "faultless" else shutil.which(self.PROGRAMS.get(engine, engine))

    def versions(self, engines):
        """The versions of the engines: empty for one that is not installed."""
        return {engine: self.version(engine) for engine in engines}

    def version(self, engine):
        if not (program := self.program(engine)):
            return ""
        # vmtouch tells it beside its complaint of an option that it has not.
        done = subprocess.run([program, "--version"], capture_output=True, text=True)
        found = re.search(r"\d+\.\d[\d.]*", done.stdout + done.stderr)
        return found[0] if found else ""

    def sample(self, bench, engine, data):
        definition = bench.definition
        if not (program := self.program(engine)):
            return {"absent": "it is not installed"}
        names = {"data": data, "twin": twin(data), "near": near(data), "folder": folder(data)}
        words = [word.format_map(names) for word in definition["run"][engine].split("|")]
        exec(definition.get("before", ""), COMMAND_NAMES | names)
        with tempfile.TemporaryFile() as file:
            start = time.perf_counter_ns()
            done = subprocess.run([program, *words], stdout=file, env=os.environ | {"LC_ALL": "C"}, cwd=data.parent)
            took = time.perf_counter_ns() - start
            file.seek(0)
            output = file.read()
        found = eval(definition["read"].get(engine, "digest(output)"), COMMAND_NAMES | names | {"output": output})
        answer = _command_answer(definition["answer"], data)
        if done.returncode > 1 or found != answer:
            found = f"{found!r:.200}"
            return {"error": f"{bench.name}: {engine} ended with {done.returncode}: {found} in the place of {answer!r}"}
        return {"value": took}


def digest(text):
    """Long outputs are compared by this."""
    return hashlib.sha256(text).hexdigest()


def hex_rows(output, start, end):
    """The bytes that rows of hexadecimal digits show in some columns."""
    return digest(b"".join(bytes.fromhex(line[start:end].decode()) for line in output.splitlines() if len(line) > end))


COMMAND_NAMES = {"digest": digest, "hex_rows": hex_rows, "os": os, "re": re}


@functools.cache
def _command_answer(answer, data):
    return eval(answer, COMMAND_NAMES | {"data": data.read_bytes(), "N": data.stat().st_size})


def twin(data):
    """A file with the same bytes."""
    return changed(data, "twin", {})


def near(data):
    """A file of which a byte near the end is another."""
    size = data.stat().st_size
    return changed(data, "near", {size - 1000: b"~"})


def changed(data, name, edits):
    path = data.with_name(f"{data.name}-{name}")
    if not path.exists() or path.stat().st_size != data.stat().st_size:
        shutil.copyfile(data, path)
        with open(path, "r+b") as file:
            for offset, byte in edits.items():
                file.seek(offset)
                file.write(byte)
            file.flush()
            os.fsync(file.fileno())
    return path


def folder(data):
    """The same bytes in files of 16 KiB, in folders of a hundred each; for large data, the first 64 MiB of them."""
    path = data.with_name(f"{data.name}-files")
    if not path.exists():
        made = path.with_name(f"{path.name}-new")
        shutil.rmtree(made, ignore_errors=True)
        with open(data, "rb") as file:
            for nth in range(min(data.stat().st_size, 64 << 20) >> 14):
                where = made / f"{nth // 100:03}"
                where.mkdir(parents=True, exist_ok=True)
                (where / f"{nth % 100:02}").write_bytes(file.read(16 << 10))
        made.rename(path)
    return path


def expected(bench, data):
    """What a benchmark's operation has to answer."""
    return _evaluate(bench.definition["answer"], data, bench.bytes, bench.moved)


@functools.cache
def _evaluate(answer, data, length, size):
    return int(eval(answer, {"data": data.read_bytes() if "data" in answer else b"", "N": length, "size": size}))
