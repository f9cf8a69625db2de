"""Measures Python code for `bench/run`: a request is a line of JSON on the standard input, an answer one on the output.

A request is a benchmark's definition together with an engine, the data file and the time a sample may take. The answer
has `value` (nanoseconds an operation took; for a stall, nanoseconds of standstill; for threads, the speed-up), or
`absent`, why the engine takes no part, or `error`.
"""

import gc
import itertools
import json
import os
import re
import struct
import sys
import threading
import time

import engines
from engines import Absent

UNROLLED = 20
"""How often the code stands in the timed loop, so that the loop itself hardly counts."""


class WrongAnswer(Exception):
    pass


class Sampler:
    """A benchmark with an engine: everything it needs stays alive between its samples."""

    def __init__(self, request):
        self.request = request
        self.name = request["name"]
        engine = engines.load(request["engine"])
        self.names = {
            "N": request["bytes"],
            "engine": engine,
            "mmap": getattr(engine, "mmap", None),
            "os": os,
            "path": request["path"],
            "scratch": f"{request['path']}-{request['engine']}",
            "struct": struct,
            "time": time,
            "touch": engines.touch,
        }
        with open(self.names["path"], "rb") as file:
            self.names["data"] = file.read()
        self._exec(request.get("setup", ""))
        self.count = 0
        self.check()
        if request["mode"] == "loop":
            self.timed = self._compile_loop()
        del self.names["data"]

    def close(self):
        self._exec(self.request.get("teardown", ""))
        self.names.clear()

    def _exec(self, code):
        exec(compile(code, self.name, "exec"), self.names)

    def check(self):
        """Runs the code once and compares what it did with the definition's answer."""
        request = self.request
        self._exec(request.get("before", ""))
        if "check" in request:
            self._exec(request["code"])
            found = eval(request["check"], self.names)
        else:
            found = eval(request["code"], self.names)
        expected = eval(request["answer"], self.names)
        if found != expected:
            raise WrongAnswer(f"{self.name} with {request['engine']}: {found!r:.100}, not {expected!r:.100}")

    def _compile_loop(self):
        code = self.request["code"]
        used = [name for name in re.findall(r"[A-Za-z_]\w*", code) if name in self.names]
        parameters = "".join(f", {name}={name}" for name in dict.fromkeys(used))
        body = f"        {code}\n" * (1 if "for " in code else UNROLLED)
        source = (
            f"def timed(passes, clock{parameters}):\n"
            "    start = clock()\n"
            "    for _ in passes:\n"
            f"{body}"
            "    return clock() - start\n"
        )
        self._exec(source)
        return self.names["timed"]

    def sample(self, budget):
        """One number. `budget` is in nanoseconds."""
        value = getattr(self, self.request["mode"])(budget)
        self.names.pop("result", None)
        return value

    def _time(self, count):
        self._exec(self.request.get("before", ""))
        return self.timed(itertools.repeat(None, count), time.perf_counter_ns)

    def loop(self, budget):
        repeated = 1 if "for " in self.request["code"] else UNROLLED
        most = max(1, self.request.get("most", 10**9) // repeated)
        if self.count == 0:
            count = 1
            while (spent := self._time(count)) * 2 < budget and count < most:
                count = min(2 * count, most)
            self.count = max(1, min(most, int(count * budget / max(spent, 1))))
        operations = self.count * repeated * eval(str(self.request.get("per", 1)), self.names)
        return self._time(self.count) / operations

    def _prepare_once(self):
        """The code, ready to run once. The value of an expression then lives until the sample is taken."""
        self._exec(self.request.get("before", ""))
        code = self.request["code"]
        try:
            return compile(f"result = ({code})", self.name, "exec")
        except SyntaxError:
            return compile(code, self.name, "exec")

    def once(self, budget):
        code = self._prepare_once()
        start = time.perf_counter_ns()
        exec(code, self.names)
        return time.perf_counter_ns() - start

    def stall(self, budget):
        """The longest that another thread stood still while the code ran."""
        clock, running, ready = time.perf_counter_ns, True, threading.Event()
        worst = 0

        def tick():
            nonlocal worst
            ready.set()
            last = clock()
            while running:
                now = clock()
                if now - last > worst:
                    worst = now - last
                last = now

        code = self._prepare_once()
        ticker = threading.Thread(target=tick)
        ticker.start()
        ready.wait()
        try:
            worst = 0
            exec(code, self.names)
        finally:
            running = False
            ticker.join()
        return worst

    def threads(self, budget):
        """How many times the work of one thread two get done in the same time."""
        work = [compile(code, self.name, "eval") for code in self.request["each"]]
        times = 1 if budget == 0 else self.request["times"]

        def run(code):
            for _ in range(times):
                eval(code, self.names)

        start = time.perf_counter_ns()
        run(work[0])
        alone = time.perf_counter_ns() - start
        both = [threading.Thread(target=run, args=(code,)) for code in work]
        start = time.perf_counter_ns()
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        together = time.perf_counter_ns() - start
        return len(both) * alone / together


def answer(samplers, request):
    if "version" in request:
        try:
            engines.load(request["version"])
            return {"value": engines.version(request["version"])}
        except Absent as reason:
            return {"absent": str(reason)}
    try:
        sampler = samplers.get(request["engine"])
        if sampler is None:
            sampler = samplers[request["engine"]] = Sampler(request)
        return {"value": sampler.sample(request["budget"])}
    except Absent as reason:
        return {"absent": str(reason)}
    except Exception as error:
        return {"error": f"{request['name']} with {request['engine']}: {type(error).__name__}: {error}"}


def main():
    gc.disable()
    samplers, current = {}, None
    for line in sys.stdin:
        request = json.loads(line)
        if request.get("name") != current:
            for sampler in samplers.values():
                sampler.close()
            samplers.clear()
            gc.collect()
            current = request.get("name")
        print(json.dumps(answer(samplers, request)), flush=True)


main()
