"""The processes that measure, one a language. Each takes a request a line and answers with a line of JSON."""

import functools
import json
import os
import subprocess
from pathlib import Path

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


def expected(bench, data):
    """What a benchmark's operation has to answer."""
    return _evaluate(bench.definition["answer"], data, bench.bytes, bench.moved)


@functools.cache
def _evaluate(answer, data, length, size):
    return int(eval(answer, {"data": data.read_bytes() if "data" in answer else b"", "N": length, "size": size}))
